/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_GELU_F32_H
#define MAI_GELU_F32_H

#include <math.h>
#include <stdint.h>

/* y = x / 2 * (1 + erf(x / sqrt(2))); y may be x */
static inline void mai_gelu_f32(const float *x, float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.707106781f));
    }
}

#endif
