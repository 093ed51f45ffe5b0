/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_LEAKY_RELU_F32_H
#define MAI_LEAKY_RELU_F32_H

#include <stdint.h>

/* y = x < 0 ? slope * x : x; y may be x */
static inline void mai_leaky_relu_f32(const float *x, float *y, int32_t size, float slope)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = x[i] < 0.0f ? slope * x[i] : x[i];
    }
}

#endif
