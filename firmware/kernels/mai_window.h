/* SPDX-License-Identifier: Apache-2.0 */
/* Geometry that kernels share. Callers pass literals, so that every call is compiled for its own
 * shape. */
#ifndef MAI_WINDOW_H
#define MAI_WINDOW_H

#include <stdint.h>

/* A window sliding over an image of in_h x in_w x in_c (channels last). */
typedef struct {
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t k_h, k_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_h, pad_w;
} mai_window;

/* Where a window lies along one axis: its first tap in the image, and its taps that fall inside. */
typedef struct {
    int32_t at;
    int32_t first, end;
} mai_taps;

static inline mai_taps mai_taps_at(int32_t at, int32_t size, int32_t kernel, int32_t dilation)
{
    const int32_t inside = (size - at + dilation - 1) / dilation;
    const mai_taps taps = {
        .at = at,
        .first = at < 0 ? (dilation - 1 - at) / dilation : 0,
        .end = inside < kernel ? inside : kernel,
    };
    return taps;
}

/* The taps of output row i, and of output column j. */
static inline mai_taps mai_taps_h(mai_window n, int32_t i)
{
    return mai_taps_at(i * n.stride_h - n.pad_h, n.in_h, n.k_h, n.dilation_h);
}

static inline mai_taps mai_taps_w(mai_window n, int32_t j)
{
    return mai_taps_at(j * n.stride_w - n.pad_w, n.in_w, n.k_w, n.dilation_w);
}

#endif
