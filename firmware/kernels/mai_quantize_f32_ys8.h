/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_QUANTIZE_F32_YS8_H
#define MAI_QUANTIZE_F32_YS8_H

#include <math.h>
#include <stdint.h>

/* y = half_up(x * inverse) + zero, limited to -128..127; NaN gives -128.
 * floorf(v + 0.5f) would be wrong just below one half, where the sum itself rounds. */
static inline void mai_quantize_f32_ys8(const float *x, int8_t *y, int32_t size, float inverse,
                                        int32_t zero)
{
    for (int32_t i = 0; i < size; i++) {
        const float scaled = x[i] * inverse;
        if (!(scaled > (float)(-128 - zero))) {
            y[i] = -128;
        } else if (scaled >= (float)(127 - zero)) {
            y[i] = 127;
        } else {
            const float whole = floorf(scaled);
            y[i] = (int8_t)((int32_t)whole + (scaled - whole >= 0.5f) + zero);
        }
    }
}

#endif
