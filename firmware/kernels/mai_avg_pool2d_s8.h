/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_AVG_POOL2D_S8_H
#define MAI_AVG_POOL2D_S8_H

#include "mai_requantize.h"
#include "mai_window.h"

/* y[i,j,c] = requantize(sum_{k,l} (x[i*s+k-p, j*s+l-p, c] - x_zero)), inside the image, with the
 * multiplier of the window's element count; the first is that of `least` elements.
 * y may be x without padding */
static inline void mai_avg_pool2d_s8(const int8_t *x, int8_t *y, const int32_t *multipliers,
                                     mai_window n, int32_t count_pads, int32_t least,
                                     mai_rescale r)
{
    for (int32_t i = 0; i < n.out_h; i++) {
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_taps t = mai_taps_at(n, i, j);
            const int32_t inside = (t.k_end - t.k_first) * (t.l_end - t.l_first);
            const int32_t count = count_pads ? n.k_h * n.k_w : inside;
            for (int32_t c = 0; c < n.in_c; c++) {
                int32_t acc = -inside * r.x_zero;
                for (int32_t k = t.k_first; k < t.k_end; k++) {
                    for (int32_t l = t.l_first; l < t.l_end; l++) {
                        acc += x[((t.top + k) * n.in_w + t.left + l) * n.in_c + c];
                    }
                }
                *y++ = (int8_t)mai_requantize(acc, multipliers[count - least], r);
            }
        }
    }
}

#endif
