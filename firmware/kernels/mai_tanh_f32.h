/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_TANH_F32_H
#define MAI_TANH_F32_H

#include <math.h>
#include <stdint.h>

/* y = tanh(x); y may be x */
static inline void mai_tanh_f32(const float *x, float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = tanhf(x[i]);
    }
}

#endif
