/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SILU_F32_H
#define MAI_SILU_F32_H

#include <math.h>
#include <stdint.h>

/* y = x / (1 + e^-x); y may be x */
static inline void mai_silu_f32(const float *x, float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = x[i] / (1.0f + expf(-x[i]));
    }
}

#endif
