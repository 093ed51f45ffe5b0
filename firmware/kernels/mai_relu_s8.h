/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_RELU_S8_H
#define MAI_RELU_S8_H

#include "mai_requantize.h"

/* y = clamp(x); y may be x */
static inline void mai_relu_s8(const int8_t *x, int8_t *y, int32_t size, int32_t low, int32_t high)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = (int8_t)mai_clamp(x[i], low, high);
    }
}

#endif
