/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_TRANSPOSE_H
#define MAI_TRANSPOSE_H

#include <stdint.h>
#include <string.h>

/* y[i,j,k] = the element of `bytes` at x + i*step_i + j*step_j + k*step_k */
static inline void mai_transpose(const void *x, void *y, const int32_t size[3],
                                 const int32_t step[3], int32_t bytes)
{
    uint8_t *to = (uint8_t *)y;
    for (int32_t i = 0; i < size[0]; i++) {
        for (int32_t j = 0; j < size[1]; j++) {
            const uint8_t *from = (const uint8_t *)x + i * step[0] + j * step[1];
            for (int32_t k = 0; k < size[2]; k++) {
                memcpy(to, from + k * step[2], (size_t)bytes);
                to += bytes;
            }
        }
    }
}

#endif
