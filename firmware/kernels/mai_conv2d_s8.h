/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_CONV2D_S8_H
#define MAI_CONV2D_S8_H

#include "mai_dot_s8.h"
#include "mai_requantize.h"
#include "mai_window.h"

/* y[i,j,o] = requantize(b[o] + sum_{k,l,c} (x[i*s+k-p, j*s+l-p, c] - x_zero) * w[o,k,l,c]);
 * outside the image x is x_zero; c runs over the input channels of o's group */
static inline void mai_conv2d_s8(const int8_t *x, const int8_t *w, const int32_t *b, int8_t *y,
                                 const int32_t *multipliers, mai_window n, int32_t groups,
                                 mai_rescale r)
{
    const int32_t group_in = n.in_c / groups;
    const int32_t group_out = n.out_c / groups;
    for (int32_t i = 0; i < n.out_h; i++) {
        const int32_t top = i * n.stride_h - n.pad_top;
        const int32_t k_first = mai_first_tap(top);
        const int32_t k_end = mai_end_tap(top, n.k_h, n.in_h);
        for (int32_t j = 0; j < n.out_w; j++) {
            const int32_t left = j * n.stride_w - n.pad_left;
            const int32_t l_first = mai_first_tap(left);
            const int32_t l_end = mai_end_tap(left, n.k_w, n.in_w);
            const int32_t span = groups == 1 ? l_end - l_first : 1; /* pixels side by side in memory */
            for (int32_t o = 0; o < n.out_c; o++) {
                const int32_t channel = o / group_out * group_in;
                int32_t acc = b[o];
                for (int32_t k = k_first; k < k_end; k++) {
                    for (int32_t l = l_first; l < l_end; l += span) {
                        const int8_t *px = x + ((top + k) * n.in_w + left + l) * n.in_c + channel;
                        const int8_t *pw = w + ((o * n.k_h + k) * n.k_w + l) * group_in;
                        acc = span == n.k_w ? mai_dot_s8(acc, px, pw, n.k_w * group_in, r.x_zero)
                                            : mai_dot_s8(acc, px, pw, span * group_in, r.x_zero);
                    }
                }
                *y++ = (int8_t)mai_requantize(acc, multipliers[o], r);
            }
        }
    }
}

#endif
