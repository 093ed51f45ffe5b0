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
        const int32_t top = i * n.stride_h - n.pad_top;
        const int32_t k_first = mai_first_tap(top);
        const int32_t k_end = mai_end_tap(top, n.k_h, n.in_h);
        for (int32_t j = 0; j < n.out_w; j++) {
            const int32_t left = j * n.stride_w - n.pad_left;
            const int32_t l_first = mai_first_tap(left);
            const int32_t l_end = mai_end_tap(left, n.k_w, n.in_w);
            for (int32_t c = 0; c < n.in_c; c++) {
                float acc = b[c];
                for (int32_t k = k_first; k < k_end; k++) {
                    for (int32_t l = l_first; l < l_end; l++) {
                        const float value = x[((top + k) * n.in_w + left + l) * n.in_c + c];
                        acc += value * w[(k * n.k_w + l) * n.in_c + c];
                    }
                }
                *y++ = mai_clamp_f32(acc, low, high);
            }
        }
    }
}

#endif
