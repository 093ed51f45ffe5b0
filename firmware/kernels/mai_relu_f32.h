/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_RELU_F32_H
#define MAI_RELU_F32_H

#include "mai_clamp_f32.h"

#include <stdint.h>

/* y = clamp(x); y may be x */
static inline void mai_relu_f32(const float *x, float *y, int32_t size, float low, float high)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = mai_clamp_f32(x[i], low, high);
    }
}

#endif
