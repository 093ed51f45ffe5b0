/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_MAX_POOL2D_F32_H
#define MAI_MAX_POOL2D_F32_H

#include "mai_window.h"

/* y[i,j,c] = max_{k,l} x[i*s+k-p, j*s+l-p, c], inside the image; y may be x without padding */
static inline void mai_max_pool2d_f32(const float *x, float *y, mai_window n)
{
    for (int32_t i = 0; i < n.out_h; i++) {
        for (int32_t j = 0; j < n.out_w; j++) {
            const mai_taps t = mai_taps_at(n, i, j);
            for (int32_t c = 0; c < n.in_c; c++) {
                float largest = x[((t.top + t.k_first) * n.in_w + t.left + t.l_first) * n.in_c + c];
                for (int32_t k = t.k_first; k < t.k_end; k++) {
                    for (int32_t l = t.l_first; l < t.l_end; l++) {
                        const float value = x[((t.top + k) * n.in_w + t.left + l) * n.in_c + c];
                        largest = value > largest ? value : largest;
                    }
                }
                *y++ = largest;
            }
        }
    }
}

#endif
