/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DEPTHWISE_CONV1D_F32_H
#define MAI_DEPTHWISE_CONV1D_F32_H

#include "mai_clamp_f32.h"
#include "mai_window.h"

/* y[j,c] = clamp(b[c] + sum_l x[j*s+l*d-p, c] * w[l,c]);
 * outside the signal x is 0 */
static inline void mai_depthwise_conv1d_f32(const float *x, const float *w, const float *b,
                                           float *y, mai_window n, float low, float high)
{
    for (int32_t j = 0; j < n.out_w; j++) {
        const mai_taps cols = mai_taps_w(n, j);
        for (int32_t c = 0; c < n.in_c; c++) {
            float acc = b[c];
            for (int32_t l = cols.first; l < cols.end; l++) {
                const float value = x[(cols.at + l * n.dilation_w) * n.in_c + c] ;
                acc += value * w[l * n.in_c + c];
            }
            *y++ = mai_clamp_f32(acc, low, high);
        }
    }
}

#endif
