/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SUM_H
#define MAI_SUM_H

#include <stdint.h>

/* A sum of two terms with scales of their own: one shift, one rounding. A term that is subtracted
 * has a negative multiplier. The sum of products fits int32 for int8, int64 for int16. */
typedef struct {
    int32_t a_zero, b_zero, y_zero;
    int32_t a_multiplier, b_multiplier;
    int32_t shift;
    int64_t half;
    int32_t low, high;
} mai_sum;

#endif
