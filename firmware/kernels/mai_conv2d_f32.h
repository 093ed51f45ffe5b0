/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_CONV2D_F32_H
#define MAI_CONV2D_F32_H

#include "mai_clamp_f32.h"
#include "mai_dot_f32.h"
#include "mai_window.h"

/* y[i,j,o] = clamp(b[o] + sum_{k,l,c} x[i*s+k-p, j*s+l-p, c] * w[o,k,l,c]);
 * outside the image x is 0; c runs over the input channels of o's group */
static inline void mai_conv2d_f32(const float *x, const float *w, const float *b, float *y,
                                  mai_window n, int32_t groups, float low, float high)
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
                float acc = b[o];
                for (int32_t k = k_first; k < k_end; k++) {
                    for (int32_t l = l_first; l < l_end; l += span) {
                        const float *px = x + ((top + k) * n.in_w + left + l) * n.in_c + channel;
                        const float *pw = w + ((o * n.k_h + k) * n.k_w + l) * group_in;
                        acc = span == n.k_w ? mai_dot_f32(acc, px, pw, n.k_w * group_in)
                                            : mai_dot_f32(acc, px, pw, span * group_in);
                    }
                }
                *y++ = mai_clamp_f32(acc, low, high);
            }
        }
    }
}

#endif
