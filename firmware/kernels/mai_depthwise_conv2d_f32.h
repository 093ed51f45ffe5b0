/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DEPTHWISE_CONV2D_F32_H
#define MAI_DEPTHWISE_CONV2D_F32_H

#include "mai_clamp_f32.h"
#include "mai_window.h"

/* y[i,j,c] = clamp(b[c] + sum_{k,l} x[i*s+k-p, j*s+l-p, c] * w[k,l,c]); outside the image x is 0 */
static inline void mai_depthwise_conv2d_f32(const float *x, const float *w, const float *b,
                                            float *y, mai_window n, float low, float high)
{
    for (int32_t i = 0; i < n.out_h; i++) {
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_taps t = mai_taps_at(n, i, j);
            for (int32_t c = 0; c < n.in_c; c++) {
                float acc = b[c];
                for (int32_t k = t.k_first; k < t.k_end; k++) {
                    for (int32_t l = t.l_first; l < t.l_end; l++) {
                        const float value = x[((t.top + k) * n.in_w + t.left + l) * n.in_c + c];
                        acc += value * w[(k * n.k_w + l) * n.in_c + c];
                    }
                }
                *y++ = mai_clamp_f32(acc, low, high);
            }
        }
    }
}

#endif
