/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_MAX_POOL2D_F32_H
#define MAI_MAX_POOL2D_F32_H

#include "mai_window.h"

/* y[i,j,c] = max_{k,l} x[i*s+k-p, j*s+l-p, c], inside the image; y may be x without padding */
static inline void mai_max_pool2d_f32(const float *x, float *y, mai_window n)
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
                float largest = x[((top + k_first) * n.in_w + left + l_first) * n.in_c + c];
                for (int32_t k = k_first; k < k_end; k++) {
                    for (int32_t l = l_first; l < l_end; l++) {
                        const float value = x[((top + k) * n.in_w + left + l) * n.in_c + c];
                        largest = value > largest ? value : largest;
                    }
                }
                *y++ = largest;
            }
        }
    }
}

#endif
