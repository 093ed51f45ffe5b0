/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DEQUANTIZE_S8_YF32_H
#define MAI_DEQUANTIZE_S8_YF32_H

#include <stdint.h>

/* y = scale * (x - zero) */
static inline void mai_dequantize_s8_yf32(const int8_t *x, float *y, int32_t size, float scale,
                                          int32_t zero)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = (float)(x[i] - zero) * scale;
    }
}

#endif
