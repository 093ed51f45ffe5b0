/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DEPTHWISE_CONV2D_F32_H
#define MAI_DEPTHWISE_CONV2D_F32_H

#include "mai_clamp_f32.h"
#include "mai_window.h"

/* y[i,j,c] = clamp(b[c] + sum_{k,l} x[i*s+k*d-p, j*s+l*d-p, c] * w[k,l,c]);
 * outside the image x is 0 */
static inline void mai_depthwise_conv2d_f32(const float *x, const float *w, const float *b,
                                           float *y, mai_window n, float low, float high)
{
    for (int32_t i = 0; i < n.out_h; i++) {
        const mai_taps rows = mai_taps_h(n, i);
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_taps cols = mai_taps_w(n, j);
            for (int32_t c = 0; c < n.in_c; c++) {
                float acc = b[c];
                for (int32_t k = rows.first; k < rows.end; k++) {
                    const float *row = x + (rows.at + k * n.dilation_h) * n.in_w * n.in_c + c;
                    for (int32_t l = cols.first; l < cols.end; l++) {
                        const float value = row[(cols.at + l * n.dilation_w) * n.in_c];
                        acc += value * w[(k * n.k_w + l) * n.in_c + c];
                    }
                }
                *y++ = mai_clamp_f32(acc, low, high);
            }
        }
    }
}

#endif
