/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_LOOKUP_S16_H
#define MAI_LOOKUP_S16_H

#include "mai_requantize.h"

/* On the line between two of 513 entries, 128 inputs apart and 2^8 times the output, which are at
 * most 2^24 - 2^8 large */
static inline int16_t mai_lookup_s16(const int32_t *table, int16_t x, int32_t half)
{
    const int32_t distance = x + 32768;
    const int32_t *entry = table + (distance >> 7);
    const int32_t rest = distance & 127;
    const int32_t line = entry[0] * (128 - rest) + entry[1] * rest;
    return (int16_t)mai_clamp((line + half) >> 15, INT16_MIN, INT16_MAX);
}

#endif
