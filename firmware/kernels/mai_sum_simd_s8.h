/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SUM_SIMD_S8_H
#define MAI_SUM_SIMD_S8_H

#include "mai_finish.h"

/* y = clamp((a * a_multiplier + b * b_multiplier + constant) >> shift), both multipliers in one
 * pair; zero points and the rounding ride in the constant; y may be a or b */
MAI_INLINE void mai_sum_simd_s8(const int8_t *a, const int8_t *b, int8_t *y, int32_t size,
                                uint32_t multipliers, mai_finish f)
{
    const int32_t whole = size / 4 * 4;
    for (int32_t i = 0; i < whole; i += 4) {
        const uint32_t left = mai_load(a + i);
        const uint32_t right = mai_load(b + i);
        const uint32_t a_even = mai_even_bytes(left);
        const uint32_t a_odd = mai_odd_bytes(left);
        const uint32_t b_even = mai_even_bytes(right);
        const uint32_t b_odd = mai_odd_bytes(right);
        const uint32_t terms[4] = {
            mai_pair(a_even, b_even),
            mai_pair(a_odd, b_odd),
            mai_pair_high(a_even, b_even),
            mai_pair_high(a_odd, b_odd),
        };
        MAI_UNROLL
        for (int32_t p = 0; p < 4; p++) {
            y[i + p] = (int8_t)mai_limited(mai_smlad(terms[p], multipliers, f.constant), f);
        }
    }
    for (int32_t i = whole; i < size; i++) {
        const uint32_t terms = mai_pair((uint32_t)a[i], (uint32_t)b[i]);
        y[i] = (int8_t)mai_limited(mai_smlad(terms, multipliers, f.constant), f);
    }
}

#endif
