/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_HARD_SIGMOID_F32_H
#define MAI_HARD_SIGMOID_F32_H

#include "mai_clamp_f32.h"

#include <stdint.h>

/* y = min(max(x + 3, 0), 6) / 6; y may be x */
static inline void mai_hard_sigmoid_f32(const float *x, float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = mai_clamp_f32(x[i] + 3.0f, 0.0f, 6.0f) / 6.0f;
    }
}

#endif
