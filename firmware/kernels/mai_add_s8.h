/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_ADD_S8_H
#define MAI_ADD_S8_H

#include "mai_requantize.h"

/* Zero points and 15-bit multipliers of a and b; the sum of products fits int32. */
typedef struct {
    int32_t a_zero, b_zero, y_zero;
    int32_t a_multiplier, b_multiplier;
    int32_t shift;
    int32_t low, high;
} mai_add;

/* y = clamp((((a - a_zero) * a_multiplier + (b - b_zero) * b_multiplier + half) >> shift) + y_zero)
 * y may be a or b */
static inline void mai_add_s8(const int8_t *a, const int8_t *b, int8_t *y, int32_t size, mai_add r)
{
    const int32_t half = (int32_t)1 << (r.shift - 1);
    for (int32_t i = 0; i < size; i++) {
        const int32_t left = (a[i] - r.a_zero) * r.a_multiplier;
        const int32_t right = (b[i] - r.b_zero) * r.b_multiplier;
        const int32_t value = ((left + right + half) >> r.shift) + r.y_zero;
        y[i] = (int8_t)mai_clamp(value, r.low, r.high);
    }
}

#endif
