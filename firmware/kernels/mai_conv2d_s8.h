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
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_taps t = mai_taps_at(n, i, j);
            const int32_t pixels = t.l_end - t.l_first;
            for (int32_t o = 0; o < n.out_c; o++) {
                const int32_t channel = o / group_out * group_in;
                int32_t acc = b[o];
                for (int32_t k = t.k_first; k < t.k_end; k++) {
                    const int32_t pixel = (t.top + k) * n.in_w + t.left + t.l_first;
                    const int8_t *from = x + pixel * n.in_c + channel;
                    const int8_t *taps = w + ((o * n.k_h + k) * n.k_w + t.l_first) * group_in;
                    if (groups == 1) { /* the pixels of a row lie side by side */
                        acc = mai_dot_s8(acc, from, taps, pixels * group_in, r.x_zero);
                        continue;
                    }
                    for (int32_t l = 0; l < pixels; l++) {
                        acc = mai_dot_s8(acc, from + l * n.in_c, taps + l * group_in, group_in,
                                         r.x_zero);
                    }
                }
                *y++ = (int8_t)mai_requantize(acc, multipliers[o], r);
            }
        }
    }
}

#endif
