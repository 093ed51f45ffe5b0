/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DEPTHWISE_CONV2D_S8_H
#define MAI_DEPTHWISE_CONV2D_S8_H

#include "mai_requantize.h"
#include "mai_window.h"

/* y[i,j,c] = requantize(b[c] + sum_{k,l} (x[i*s+k-p, j*s+l-p, c] - x_zero) * w[k,l,c]);
 * outside the image x is x_zero */
static inline void mai_depthwise_conv2d_s8(const int8_t *x, const int8_t *w, const int32_t *b,
                                           int8_t *y, const int32_t *multipliers, mai_window n,
                                           mai_rescale r)
{
    for (int32_t i = 0; i < n.out_h; i++) {
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_taps t = mai_taps_at(n, i, j);
            for (int32_t c = 0; c < n.in_c; c++) {
                int32_t acc = b[c];
                for (int32_t k = t.k_first; k < t.k_end; k++) {
                    for (int32_t l = t.l_first; l < t.l_end; l++) {
                        const int32_t value = x[((t.top + k) * n.in_w + t.left + l) * n.in_c + c];
                        acc += (value - r.x_zero) * w[(k * n.k_w + l) * n.in_c + c];
                    }
                }
                *y++ = (int8_t)mai_requantize(acc, multipliers[c], r);
            }
        }
    }
}

#endif
