/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic contract: one rounding. */
#ifndef MAI_REQUANTIZE_H
#define MAI_REQUANTIZE_H

#include <stdint.h>

/* What a layer does to its accumulators; x_zero is the input's zero point, half is 2^(shift - 1),
 * or 0 to round down. */
typedef struct {
    int32_t x_zero, y_zero;
    int32_t shift;
    int64_t half;
    int32_t low, high;
} mai_rescale;

static inline int32_t mai_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* rounded + y_zero within low..high */
static inline int32_t mai_settle(int64_t rounded, mai_rescale r)
{
    const int64_t value = rounded + r.y_zero;
    return (int32_t)(value < r.low ? r.low : value > r.high ? r.high : value);
}

/* clamp(((acc * multiplier + half) >> shift) + y_zero, low, high); shift is 1..62 */
static inline int32_t mai_requantize(int32_t acc, int32_t multiplier, mai_rescale r)
{
    return mai_settle(((int64_t)acc * multiplier + r.half) >> r.shift, r);
}

/* The same for a sum beyond int32: split at 32 bits, so that no product leaves int64. */
static inline int32_t mai_requantize_wide(int64_t acc, int32_t multiplier, mai_rescale r)
{
    const int64_t upper = (acc >> 32) * multiplier;
    const int64_t lower = (int64_t)(uint32_t)acc * multiplier;
    if (r.shift > 32) {
        return mai_settle((upper + (lower >> 32) + (r.half >> 32)) >> (r.shift - 32), r);
    }
    return mai_settle(upper * ((int64_t)1 << (32 - r.shift)) + ((lower + r.half) >> r.shift), r);
}

#endif
