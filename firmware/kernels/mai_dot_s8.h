/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DOT_S8_H
#define MAI_DOT_S8_H

#include <stdint.h>

/* acc + sum_i (x[i] - x_zero) * w[i] */
static inline int32_t mai_dot_s8(int32_t acc, const int8_t *x, const int8_t *w, int32_t size,
                                 int32_t x_zero)
{
    for (int32_t i = 0; i < size; i++) {
        acc += (x[i] - x_zero) * w[i];
    }
    return acc;
}

#endif
