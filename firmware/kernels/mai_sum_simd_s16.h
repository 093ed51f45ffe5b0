/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SUM_SIMD_S16_H
#define MAI_SUM_SIMD_S16_H

#include "mai_finish.h"

/* y = clamp((a * a_multiplier + b * b_multiplier + constant) >> shift), both multipliers in one
 * pair; zero points and the rounding ride in the constant; y may be a or b */
MAI_INLINE void mai_sum_simd_s16(const int16_t *a, const int16_t *b, int16_t *y, int32_t size,
                                 uint32_t multipliers, mai_finish f)
{
    const int32_t whole = size / 2 * 2;
    for (int32_t i = 0; i < whole; i += 2) {
        const uint32_t left = mai_load(a + i);
        const uint32_t right = mai_load(b + i);
        const int32_t low = mai_smlad(mai_pair(left, right), multipliers, f.constant);
        const int32_t high = mai_smlad(mai_pair_high(left, right), multipliers, f.constant);
        mai_store(y + i, mai_pair((uint32_t)mai_limited(low, f), (uint32_t)mai_limited(high, f)));
    }
    for (int32_t i = whole; i < size; i++) {
        const uint32_t terms = mai_pair((uint32_t)a[i], (uint32_t)b[i]);
        y[i] = (int16_t)mai_limited(mai_smlad(terms, multipliers, f.constant), f);
    }
}

#endif
