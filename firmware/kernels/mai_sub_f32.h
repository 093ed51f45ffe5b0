/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SUB_F32_H
#define MAI_SUB_F32_H

#include "mai_clamp_f32.h"

#include <stdint.h>

/* y = clamp(a - b); y may be a or b */
static inline void mai_sub_f32(const float *a, const float *b, float *y, int32_t size, float low,
                               float high)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = mai_clamp_f32(a[i] - b[i], low, high);
    }
}

#endif
