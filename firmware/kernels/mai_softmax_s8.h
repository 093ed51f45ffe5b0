/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SOFTMAX_S8_H
#define MAI_SOFTMAX_S8_H

#include <stdint.h>

/* y[i] = min(half_up(256 * table[max - x[i]] / sum_j table[max - x[j]]), 255) - 128, for each row;
 * table[d] stands for exp(-d * scale); y may be x */
static inline void mai_softmax_s8(const int8_t *x, int8_t *y, const uint32_t *table, int32_t rows,
                                  int32_t classes)
{
    for (int32_t row = 0; row < rows; row++) {
        int32_t largest = x[0];
        for (int32_t i = 1; i < classes; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        uint32_t sum = 0;
        for (int32_t i = 0; i < classes; i++) {
            sum += table[largest - x[i]];
        }
        for (int32_t i = 0; i < classes; i++) {
            const uint32_t share = (512 * table[largest - x[i]] + sum) / (2 * sum);
            y[i] = (int8_t)((int32_t)(share > 255 ? 255 : share) - 128);
        }
        x += classes;
        y += classes;
    }
}

#endif
