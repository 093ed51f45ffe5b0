/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DENSE_S8_H
#define MAI_DENSE_S8_H

#include "mai_dot_s8.h"
#include "mai_requantize.h"

/* y[r] = requantize(b[r] + sum_c x[c] * w[r,c]), with x_zero folded into b */
static inline void mai_dense_s8(const int8_t *x, const int8_t *w, const int32_t *b, int8_t *y,
                                const int32_t *multipliers, int32_t rows, int32_t cols,
                                mai_rescale r)
{
    for (int32_t row = 0; row < rows; row++) {
        const int32_t acc = mai_dot_s8(b[row], x, w + row * cols, cols, 0);
        y[row] = (int8_t)mai_requantize(acc, multipliers[row], r);
    }
}

#endif
