/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SLICE_H
#define MAI_SLICE_H

#include <stdint.h>
#include <string.h>

/* From each row the blocks at start, start + step, ..., all in bytes; y may be x */
static inline void mai_slice(const void *x, void *y, int32_t rows, int32_t row_bytes,
                             int32_t start_bytes, int32_t blocks, int32_t step_bytes,
                             int32_t block_bytes)
{
    uint8_t *to = (uint8_t *)y;
    for (int32_t row = 0; row < rows; row++) {
        const uint8_t *from = (const uint8_t *)x + row * row_bytes + start_bytes;
        for (int32_t block = 0; block < blocks; block++) {
            memmove(to, from + block * step_bytes, (size_t)block_bytes);
            to += block_bytes;
        }
    }
}

#endif
