/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_CMSIS_NN_ROUNDS_ONCE_H
#define MAI_CMSIS_NN_ROUNDS_ONCE_H

#include <arm_nnfunctions.h>

/* Whether the library that was linked is built with CMSIS_NN_USE_SINGLE_ROUNDING: 1 * 2^30 / 2^32
 * is 0 rounded once, and 1 rounded twice. */
static inline int32_t mai_cmsis_nn_rounds_once(void)
{
    const int8_t one = 1;
    int8_t y = 1;
    (void)arm_elementwise_mul_s8(&one, &one, 0, 0, &y, 0, 1 << 30, -1, INT8_MIN, INT8_MAX, 1);
    return y == 0;
}

#endif
