/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SOFTMAX_F32_H
#define MAI_SOFTMAX_F32_H

#include <math.h>
#include <stdint.h>

/* y[i] = exp(x[i] - max) / sum_j exp(x[j] - max), for each row; y may be x */
static inline void mai_softmax_f32(const float *x, float *y, int32_t rows, int32_t classes)
{
    for (int32_t row = 0; row < rows; row++) {
        float largest = x[0];
        for (int32_t i = 1; i < classes; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        float sum = 0.0f;
        for (int32_t i = 0; i < classes; i++) {
            y[i] = expf(x[i] - largest);
            sum += y[i];
        }
        for (int32_t i = 0; i < classes; i++) {
            y[i] /= sum;
        }
        x += classes;
        y += classes;
    }
}

#endif
