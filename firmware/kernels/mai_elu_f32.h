/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_ELU_F32_H
#define MAI_ELU_F32_H

#include <math.h>
#include <stdint.h>

/* y = x < 0 ? e^x - 1 : x; y may be x */
static inline void mai_elu_f32(const float *x, float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = x[i] < 0.0f ? expm1f(x[i]) : x[i];
    }
}

#endif
