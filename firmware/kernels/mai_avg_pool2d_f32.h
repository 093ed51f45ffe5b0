/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_AVG_POOL2D_F32_H
#define MAI_AVG_POOL2D_F32_H

#include "mai_window.h"

/* y[i,j,c] = sum_{k,l} x[i*s+k-p, j*s+l-p, c] / count, inside the image; y may be x without
 * padding */
static inline void mai_avg_pool2d_f32(const float *x, float *y, mai_window n, int32_t count_pads)
{
    for (int32_t i = 0; i < n.out_h; i++) {
        const mai_taps rows = mai_taps_h(n, i);
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_taps cols = mai_taps_w(n, j);
            const int32_t inside = (rows.end - rows.first) * (cols.end - cols.first);
            const int32_t count = count_pads ? n.k_h * n.k_w : inside;
            for (int32_t c = 0; c < n.in_c; c++) {
                float acc = 0.0f;
                for (int32_t k = rows.first; k < rows.end; k++) {
                    for (int32_t l = cols.first; l < cols.end; l++) {
                        acc += x[((rows.at + k) * n.in_w + cols.at + l) * n.in_c + c];
                    }
                }
                *y++ = acc / (float)count;
            }
        }
    }
}

#endif
