/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_CONCAT_H
#define MAI_CONCAT_H

#include <stdint.h>
#include <string.h>

/* The rows of x, into rows of y that are row_bytes apart */
static inline void mai_concat(const void *x, void *y, int32_t rows, int32_t run_bytes,
                              int32_t row_bytes)
{
    for (int32_t row = 0; row < rows; row++) {
        memcpy((uint8_t *)y + row * row_bytes, (const uint8_t *)x + row * run_bytes,
               (size_t)run_bytes);
    }
}

#endif
