/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_WEIGHT_H
#define MAI_WEIGHT_H

#include <stdint.h>

/* w[i] of a packed tensor: of 4 bits two are in a byte, the first in its lower half. */
static inline int32_t mai_weight_s4(const uint8_t *w, int32_t i)
{
    const uint32_t nibble = ((uint32_t)w[i >> 1] >> (4 * (i & 1))) & 15u;
    return (int32_t)(nibble ^ 8u) - 8;
}

static inline int32_t mai_weight_s8(const int8_t *w, int32_t i)
{
    return w[i];
}

static inline int32_t mai_weight_s16(const int16_t *w, int32_t i)
{
    return w[i];
}

#endif
