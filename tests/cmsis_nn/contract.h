/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of arm_nnfunctions.h share; the .c files beside it say what each computes.
 * Scratch of less than its size function says is an error, and all of it is overwritten: a plan that
 * gives away live memory, or none, is seen. DOUBLE_ROUNDING makes what the library does without
 * CMSIS_NN_USE_SINGLE_ROUNDING. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "arm_nnfunctions.h"

#include <stddef.h>
#include <string.h>

enum { SCRIBBLE = 0xA5 };

static inline int32_t scribbled(const cmsis_nn_context *context, int32_t needed)
{
    if (needed > 0 && (context->buf == NULL || context->size < needed)) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    if (needed > 0) {
        memset(context->buf, SCRIBBLE, (size_t)needed);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

static inline int32_t clamped(int64_t value, cmsis_nn_activation limits)
{
    return (int32_t)(value < limits.min ? limits.min : value > limits.max ? limits.max : value);
}

/* sum * multiplier / 2^(31 - shift). */
static inline int64_t rescaled(int64_t sum, int32_t multiplier, int32_t shift)
{
#ifdef DOUBLE_ROUNDING
    const int32_t right = shift < 0 ? -shift : 0;
    const int64_t left = sum * (1 << (shift > 0 ? shift : 0));
    const int64_t high = (left * multiplier + (1 << 30)) >> 31;
    const int64_t half = right ? 1ll << (right - 1) : 0;
    return high < 0 ? -((-high + half) >> right) : (high + half) >> right;
#else
    return (sum * multiplier + (1ll << (30 - shift))) >> (31 - shift);
#endif
}

/* The same with the upper half of a multiplier, whose lower half callers leave 0; rounded once. */
static inline int64_t rescaled_short(int64_t sum, int32_t multiplier, int32_t shift)
{
    if (multiplier & 0xFFFF) {
        __builtin_trap();
    }
    return (sum * (multiplier >> 16) + (1ll << (14 - shift))) >> (15 - shift);
}

typedef struct {
    cmsis_nn_tile stride, padding, dilation;
    const cmsis_nn_dims *x, *filter, *y;
    int32_t weight_bits;
} sliding;

/* The filter's element i: of 4 bits two are in a byte, the first in its lower half. */
static inline int32_t weight(const int8_t *filter, int32_t bits, int32_t i)
{
    const int32_t byte = bits == 4 ? filter[i / 2] : filter[i];
    return bits == 8 ? byte : i % 2 ? byte >> 4 : ((byte & 15) ^ 8) - 8;
}

static inline int32_t read(const void *data, int32_t bits, int32_t at)
{
    return bits == 8 ? ((const int8_t *)data)[at] : ((const int16_t *)data)[at];
}

static inline void write(void *data, int32_t bits, int32_t at, int32_t value)
{
    if (bits == 8) {
        ((int8_t *)data)[at] = (int8_t)value;
    } else {
        ((int16_t *)data)[at] = (int16_t)value;
    }
}

/* Where tap (row, column) of the window at pixel (py, px) lies in the image, or -1. */
static inline int32_t place(const sliding *how, int32_t py, int32_t px, int32_t row, int32_t column)
{
    const int32_t h = py * how->stride.h - how->padding.h + row * how->dilation.h;
    const int32_t w = px * how->stride.w - how->padding.w + column * how->dilation.w;
    return h < 0 || h >= how->x->h || w < 0 || w >= how->x->w ? -1 : h * how->x->w + w;
}

/* A product of matrices, without scratch. */
static inline bool pointwise(const cmsis_nn_conv_params *layer, const cmsis_nn_dims *x,
                             const cmsis_nn_dims *filter)
{
    return filter->h == 1 && filter->w == 1 && x->c == filter->c && layer->padding.h == 0 &&
        layer->padding.w == 0 && layer->dilation.h == 1 && layer->dilation.w == 1;
}

#endif
