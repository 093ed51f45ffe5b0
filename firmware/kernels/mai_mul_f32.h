/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_MUL_F32_H
#define MAI_MUL_F32_H

#include "mai_clamp_f32.h"

#include <stdint.h>

/* y[i,c] = clamp(a[i,c] * b[c]); y may be a, and b where there is one row */
static inline void mai_mul_f32(const float *a, const float *b, float *y, int32_t rows,
                               int32_t factors, float low, float high)
{
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t c = 0; c < factors; c++) {
            *y++ = mai_clamp_f32(*a++ * b[c], low, high);
        }
    }
}

#endif
