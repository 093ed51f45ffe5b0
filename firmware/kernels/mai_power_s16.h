/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_POWER_S16_H
#define MAI_POWER_S16_H

#include <stdint.h>

/* table[upper byte] * table[256 + lower byte] / 2^16, rounded half up; distance 0..65535 */
static inline uint32_t mai_power_s16(const uint32_t *table, int32_t distance)
{
    const uint64_t product = (uint64_t)table[distance >> 8] * table[256 + (distance & 255)];
    return (uint32_t)((product + 32768) >> 16);
}

#endif
