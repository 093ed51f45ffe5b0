/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_PADS_H
#define MAI_PADS_H

#include <stdint.h>

/* An image of in_h x in_w x in_c inside one of out_h x out_w x out_c, from `before` on. */
typedef struct {
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t before_h, before_w, before_c;
} mai_pads;

/* Whether an index is inside 0..size - 1 */
static inline int32_t mai_inside(int32_t index, int32_t size)
{
    return index >= 0 && index < size;
}

#endif
