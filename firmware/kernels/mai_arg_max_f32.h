/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_ARG_MAX_F32_H
#define MAI_ARG_MAX_F32_H

#include <stdint.h>

/* y = the first index of the largest x, for each row */
static inline void mai_arg_max_f32(const float *x, float *y, int32_t rows, int32_t classes)
{
    for (int32_t row = 0; row < rows; row++) {
        int32_t index = 0;
        for (int32_t i = 1; i < classes; i++) {
            index = x[i] > x[index] ? i : index;
        }
        y[row] = (float)index;
        x += classes;
    }
}

#endif
