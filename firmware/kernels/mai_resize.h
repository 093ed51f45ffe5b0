/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_RESIZE_H
#define MAI_RESIZE_H

#include <stdint.h>
#include <string.h>

/* y[i,j] = x[floor(i*in_h/out_h), floor(j*in_w/out_w)], pixels of pixel_bytes */
static inline void mai_resize(const void *x, void *y, int32_t in_h, int32_t in_w, int32_t out_h,
                              int32_t out_w, int32_t pixel_bytes)
{
    uint8_t *to = (uint8_t *)y;
    for (int32_t i = 0; i < out_h; i++) {
        const uint8_t *row = (const uint8_t *)x + i * in_h / out_h * in_w * pixel_bytes;
        for (int32_t j = 0; j < out_w; j++) {
            memcpy(to, row + j * in_w / out_w * pixel_bytes, (size_t)pixel_bytes);
            to += pixel_bytes;
        }
    }
}

#endif
