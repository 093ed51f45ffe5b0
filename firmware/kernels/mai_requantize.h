/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic contract: one rounding, half up. */
#ifndef MAI_REQUANTIZE_H
#define MAI_REQUANTIZE_H

#include <stdint.h>

/* What a layer does to its accumulators; x_zero is the input's zero point. */
typedef struct {
    int32_t x_zero, y_zero;
    int32_t shift;
    int32_t low, high;
} mai_rescale;

static inline int32_t mai_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* clamp(((acc * multiplier + 2^(shift - 1)) >> shift) + y_zero, low, high); shift is 1..62 */
static inline int32_t mai_requantize(int32_t acc, int32_t multiplier, mai_rescale r)
{
    const int64_t half = (int64_t)1 << (r.shift - 1);
    const int64_t rounded = ((int64_t)acc * multiplier + half) >> r.shift;
    const int64_t value = rounded + r.y_zero;
    return (int32_t)(value < r.low ? r.low : value > r.high ? r.high : value);
}

#endif
