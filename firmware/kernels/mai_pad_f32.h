/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_PAD_F32_H
#define MAI_PAD_F32_H

#include "mai_pads.h"

#include <math.h>

/* y[i,j,c] = x[i-before_h, j-before_w, c-before_c] where x has it, else fill */
static inline void mai_pad_f32(const float *x, float *y, mai_pads n, float fill)
{
    for (int32_t i = -n.before_h; i < n.out_h - n.before_h; i++) {
        for (int32_t j = -n.before_w; j < n.out_w - n.before_w; j++) {
            const int32_t image = mai_inside(i, n.in_h) && mai_inside(j, n.in_w);
            for (int32_t c = -n.before_c; c < n.out_c - n.before_c; c++) {
                *y++ = image && mai_inside(c, n.in_c) ? x[(i * n.in_w + j) * n.in_c + c] : fill;
            }
        }
    }
}

#endif
