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

/* First and past-the-end kernel index that falls inside the image, along one axis. */
static inline int32_t mai_first_tap(int32_t origin)
{
    return origin < 0 ? -origin : 0;
}

static inline int32_t mai_end_tap(int32_t origin, int32_t kernel, int32_t size)
{
    return size - origin < kernel ? size - origin : kernel;
}

#endif
