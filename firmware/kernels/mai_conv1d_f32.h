/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_CONV1D_F32_H
#define MAI_CONV1D_F32_H

#include "mai_clamp_f32.h"
#include "mai_dot_f32.h"
#include "mai_window.h"

/* y[j,o] = clamp(b[o] + sum_{l,c} x[j*s+l*d-p, c] * w[o,l,c]);
 * outside the signal x is 0; c runs over the input channels of o's group */
static inline void mai_conv1d_f32(const float *x, const float *w, const float *b, float *y,
                                 mai_window n, int32_t groups, float low, float high)
{
    const int32_t group_in = n.in_c / groups;
    const int32_t group_out = n.out_c / groups;
    for (int32_t j = 0; j < n.out_w; j++) {
        const mai_taps cols = mai_taps_w(n, j);
        for (int32_t o = 0; o < n.out_c; o++) {
            const int32_t channel = o / group_out * group_in;
            const float *taps = w + o * n.k_w * group_in;
            float acc = b[o];
            if (groups == 1 && n.dilation_w == 1) { /* the samples lie side by side */
                acc = mai_dot_f32(acc, x + (cols.at + cols.first) * n.in_c, taps + cols.first * n.in_c,
                                 (cols.end - cols.first) * n.in_c);
            } else {
                for (int32_t l = cols.first; l < cols.end; l++) {
                    acc = mai_dot_f32(acc, x + (cols.at + l * n.dilation_w) * n.in_c + channel,
                                     taps + l * group_in, group_in);
                }
            }
            *y++ = mai_clamp_f32(acc, low, high);
        }
    }
}

#endif
