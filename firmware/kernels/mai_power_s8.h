/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_POWER_S8_H
#define MAI_POWER_S8_H

#include <stdint.h>

/* table[distance], distance 0..255 */
static inline uint32_t mai_power_s8(const uint32_t *table, int32_t distance)
{
    return table[distance];
}

#endif
