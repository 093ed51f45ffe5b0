/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_CONV_TRANSPOSE2D_F32_H
#define MAI_CONV_TRANSPOSE2D_F32_H

#include "mai_clamp_f32.h"
#include "mai_dot_f32.h"
#include "mai_sources.h"

/* y[i,j,o] = clamp(b[o] + sum_{k,l,c} x[k, l, c] * w[o, i+p-k*s, j+p-l*s, c]), inside kernel and
 * image */
static inline void mai_conv_transpose2d_f32(const float *x, const float *w, const float *b,
                                            float *y, mai_window n, float low, float high)
{
    for (int32_t i = 0; i < n.out_h; i++) {
        const mai_sources rows = mai_sources_h(n, i);
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_sources cols = mai_sources_w(n, j);
            for (int32_t o = 0; o < n.out_c; o++) {
                float acc = b[o];
                for (int32_t k = rows.first; k < rows.end; k++) {
                    const float *taps = w + (o * n.k_h + rows.at - k * n.stride_h) * n.k_w * n.in_c;
                    for (int32_t l = cols.first; l < cols.end; l++) {
                        acc = mai_dot_f32(acc, x + (k * n.in_w + l) * n.in_c,
                                          taps + (cols.at - l * n.stride_w) * n.in_c, n.in_c);
                    }
                }
                *y++ = mai_clamp_f32(acc, low, high);
            }
        }
    }
}

#endif
