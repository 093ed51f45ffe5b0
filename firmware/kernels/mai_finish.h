/* SPDX-License-Identifier: Apache-2.0 */
/* From an accumulator to an output in one to three instructions. */
#ifndef MAI_FINISH_H
#define MAI_FINISH_H

#include "mai_requantize.h"
#include "mai_simd.h"

/* How sums become outputs. `shift` 0: by the rescale as it stands, exact for any sum. Else by
 * shift alone where `power` (the rounding constant and the zero point are in the bias then), or by
 * the upper word of the product: (hi32(acc * multiplier) + constant) >> shift, the same number,
 * since the low word cannot matter from 2^33 up. The limits are those of `ssat` signed bits, or of
 * `usat` unsigned ones, where these are not 0. */
typedef struct {
    int32_t power;
    int32_t shift;
    int32_t constant;
    int32_t ssat, usat;
    mai_rescale rescale;
} mai_finish;

/* sum >> f.shift within the limits */
MAI_INLINE int32_t mai_limited(int32_t sum, mai_finish f)
{
#if MAI_TILES
    int32_t value;
    if (f.ssat) {
        __asm("ssat %0, %1, %2, asr %3" : "=r"(value) : "i"(f.ssat), "r"(sum), "i"(f.shift));
        return value;
    }
    if (f.usat) {
        __asm("usat %0, %1, %2, asr %3" : "=r"(value) : "i"(f.usat), "r"(sum), "i"(f.shift));
        return value;
    }
#endif
    return mai_clamp(sum >> f.shift, f.rescale.low, f.rescale.high);
}

MAI_INLINE int32_t mai_finished(int32_t acc, int32_t multiplier, mai_finish f)
{
    if (f.shift == 0) {
        return mai_requantize(acc, multiplier, f.rescale);
    }
    return mai_limited(f.power ? acc : mai_smmla(acc, multiplier, f.constant), f);
}

/* The same for 64-bit sums. */
MAI_INLINE int32_t mai_finished_wide(int64_t acc, int32_t multiplier, mai_finish f)
{
    if (!f.power) {
        return mai_requantize_wide(acc, multiplier, f.rescale);
    }
    f.rescale.y_zero = 0;
    return mai_settle(acc >> f.shift, f.rescale);
}

#endif
