/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SIGMOID_F32_H
#define MAI_SIGMOID_F32_H

#include <math.h>
#include <stdint.h>

/* y = 1 / (1 + e^-x); y may be x */
static inline void mai_sigmoid_f32(const float *x, float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = 1.0f / (1.0f + expf(-x[i]));
    }
}

#endif
