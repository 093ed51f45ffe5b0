/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DENSE_F32_H
#define MAI_DENSE_F32_H

#include "mai_clamp_f32.h"
#include "mai_dot_f32.h"

#include <stdint.h>

/* y[r] = clamp(b[r] + sum_c x[c] * w[r,c]) */
static inline void mai_dense_f32(const float *x, const float *w, const float *b, float *y,
                                 int32_t rows, int32_t cols, float low, float high)
{
    for (int32_t row = 0; row < rows; row++) {
        const float acc = mai_dot_f32(b[row], x, w + row * cols, cols);
        y[row] = mai_clamp_f32(acc, low, high);
    }
}

#endif
