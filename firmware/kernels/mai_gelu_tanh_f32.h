/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_GELU_TANH_F32_H
#define MAI_GELU_TANH_F32_H

#include <math.h>
#include <stdint.h>

/* y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))); y may be x */
static inline void mai_gelu_tanh_f32(const float *x, float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        const float cubic = x[i] + 0.044715f * x[i] * x[i] * x[i];
        y[i] = 0.5f * x[i] * (1.0f + tanhf(0.797884561f * cubic));
    }
}

#endif
