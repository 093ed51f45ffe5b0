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
        const int32_t top = i * n.stride_h - n.pad_top;
        const int32_t k_first = mai_first_tap(top);
        const int32_t k_end = mai_end_tap(top, n.k_h, n.in_h);
        for (int32_t j = 0; j < n.out_w; j++) {
            const int32_t left = j * n.stride_w - n.pad_left;
            const int32_t l_first = mai_first_tap(left);
            const int32_t l_end = mai_end_tap(left, n.k_w, n.in_w);
            const int32_t inside = (k_end - k_first) * (l_end - l_first);
            const int32_t count = count_pads ? n.k_h * n.k_w : inside;
            for (int32_t c = 0; c < n.in_c; c++) {
                int32_t acc = -inside * r.x_zero;
                for (int32_t k = k_first; k < k_end; k++) {
                    for (int32_t l = l_first; l < l_end; l++) {
                        acc += x[((top + k) * n.in_w + left + l) * n.in_c + c];
                    }
                }
                *y++ = (int8_t)mai_requantize(acc, multipliers[count - least], r);
            }
        }
    }
}

#endif
