/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_MAX_POOL2D_F32_H
#define MAI_MAX_POOL2D_F32_H

#include "mai_window.h"

#include <math.h>

/* y[i,j,c] = max_{k,l} x[i*s+k-p, j*s+l-p, c], inside the image; y may be x without padding */
static inline void mai_max_pool2d_f32(const float *x, float *y, mai_window n)
{
    for (int32_t i = 0; i < n.out_h; i++) {
        const mai_taps rows = mai_taps_h(n, i);
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_taps cols = mai_taps_w(n, j);
            for (int32_t c = 0; c < n.in_c; c++) {
                float largest = -INFINITY;
                for (int32_t k = rows.first; k < rows.end; k++) {
                    for (int32_t l = cols.first; l < cols.end; l++) {
                        const float value = x[((rows.at + k) * n.in_w + cols.at + l) * n.in_c + c];
                        largest = value > largest ? value : largest;
                    }
                }
                *y++ = largest;
            }
        }
    }
}

#endif
