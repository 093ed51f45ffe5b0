/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_DOT_F32_H
#define MAI_DOT_F32_H

#include "mai_unroll.h"

#include <stdint.h>

/* acc + sum_i x[i] * w[i] */
static inline float mai_dot_f32(float acc, const float *x, const float *w, int32_t size)
{
    MAI_UNROLL_8
    for (int32_t i = 0; i < size; i++) {
        acc += x[i] * w[i];
    }
    return acc;
}

#endif
