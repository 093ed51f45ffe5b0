/* SPDX-License-Identifier: Apache-2.0 */
/* Geometry and arithmetic that kernels share. Callers pass literals, so that every call is
 * compiled for its own shape. */
#ifndef MAI_WINDOW_H
#define MAI_WINDOW_H

#include <stdint.h>

/* A window sliding over an image of in_h x in_w x in_c (channels last). */
typedef struct {
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t k_h, k_w;
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left;
} mai_window;

/* Where a window lies: its corner in the image, and its taps that fall inside. */
typedef struct {
    int32_t top, left;
    int32_t k_first, k_end;
    int32_t l_first, l_end;
} mai_taps;

/* The window of output pixel (i, j). */
static inline mai_taps mai_taps_at(mai_window n, int32_t i, int32_t j)
{
    const int32_t top = i * n.stride_h - n.pad_top;
    const int32_t left = j * n.stride_w - n.pad_left;
    const mai_taps taps = {
        .top = top,
        .left = left,
        .k_first = top < 0 ? -top : 0,
        .k_end = n.in_h - top < n.k_h ? n.in_h - top : n.k_h,
        .l_first = left < 0 ? -left : 0,
        .l_end = n.in_w - left < n.k_w ? n.in_w - left : n.k_w,
    };
    return taps;
}

#endif
