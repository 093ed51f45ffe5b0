/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, sums and products, as documented. */
#include "contract.h"

/* Largest of a window, or its mean with ties away from zero. */
static int64_t pooled(const sliding *how, const void *x, int32_t bits, int32_t at, bool mean)
{
    int64_t sum = 0;
    int32_t largest = INT32_MIN;
    int32_t count = 0;
    for (int32_t row = 0; row < how->filter->h; row++) {
        for (int32_t column = 0; column < how->filter->w; column++) {
            const int32_t pixel = at / how->y->c;
            const int32_t from = place(how, pixel / how->y->w, pixel % how->y->w, row, column);
            if (from >= 0) {
                const int32_t value = read(x, bits, from * how->x->c + at % how->y->c);
                largest = value > largest ? value : largest;
                sum += value;
                count++;
            }
        }
    }
    const int64_t away = sum > 0 ? count / 2 : -(count / 2);
    return mean ? (sum + away) / count : largest;
}

static arm_cmsis_nn_status pool(
    const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims, const cmsis_nn_dims *filter_dims,
    const cmsis_nn_dims *y_dims, const void *x, void *y, int32_t bits, bool mean)
{
    const cmsis_nn_tile unit = { 1, 1 };
    const sliding how = { layer->stride, layer->padding, unit, x_dims, filter_dims, y_dims, 8 };
    for (int32_t at = 0; at < y_dims->h * y_dims->w * y_dims->c; at++) {
        write(y, bits, at, clamped(pooled(&how, x, bits, at, mean), layer->activation));
    }
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_max_pool_s8(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims,
    const int8_t *x, const cmsis_nn_dims *filter_dims, const cmsis_nn_dims *y_dims, int8_t *y)
{
    (void)context;
    return pool(layer, x_dims, filter_dims, y_dims, x, y, 8, false);
}

arm_cmsis_nn_status arm_max_pool_s16(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims,
    const int16_t *x, const cmsis_nn_dims *filter_dims, const cmsis_nn_dims *y_dims, int16_t *y)
{
    (void)context;
    return pool(layer, x_dims, filter_dims, y_dims, x, y, 16, false);
}

arm_cmsis_nn_status arm_avgpool_s8(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims,
    const int8_t *x, const cmsis_nn_dims *filter_dims, const cmsis_nn_dims *y_dims, int8_t *y)
{
    if (scribbled(context, arm_avgpool_s8_get_buffer_size(y_dims->w, x_dims->c))) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    return pool(layer, x_dims, filter_dims, y_dims, x, y, 8, true);
}

arm_cmsis_nn_status arm_avgpool_s16(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims,
    const int16_t *x, const cmsis_nn_dims *filter_dims, const cmsis_nn_dims *y_dims, int16_t *y)
{
    if (scribbled(context, arm_avgpool_s16_get_buffer_size(y_dims->w, x_dims->c))) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    return pool(layer, x_dims, filter_dims, y_dims, x, y, 16, true);
}

typedef struct { int32_t offset, multiplier, shift; } term;

static int64_t added(int32_t a, int32_t b, term first, term second, term whole, int32_t left_shift)
{
    const int64_t scale = 1ll << left_shift;
    const int64_t sum = rescaled((a + first.offset) * scale, first.multiplier, first.shift) +
        rescaled((b + second.offset) * scale, second.multiplier, second.shift);
    return rescaled(sum, whole.multiplier, whole.shift) + whole.offset;
}

arm_cmsis_nn_status arm_elementwise_add_s8(
    const int8_t *a, const int8_t *b, int32_t a_offset, int32_t a_multiplier, int32_t a_shift,
    int32_t b_offset, int32_t b_multiplier, int32_t b_shift, int32_t left_shift, int8_t *y,
    int32_t y_offset, int32_t y_multiplier, int32_t y_shift, int32_t low, int32_t high, int32_t size)
{
    const term first = { a_offset, a_multiplier, a_shift };
    const term second = { b_offset, b_multiplier, b_shift };
    const term whole = { y_offset, y_multiplier, y_shift };
    const cmsis_nn_activation limits = { low, high };
    for (int32_t i = 0; i < size; i++) {
        y[i] = (int8_t)clamped(added(a[i], b[i], first, second, whole, left_shift), limits);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_elementwise_add_s16(
    const int16_t *a, const int16_t *b, int32_t a_offset, int32_t a_multiplier, int32_t a_shift,
    int32_t b_offset, int32_t b_multiplier, int32_t b_shift, int32_t left_shift, int16_t *y,
    int32_t y_offset, int32_t y_multiplier, int32_t y_shift, int32_t low, int32_t high, int32_t size)
{
    (void)a_offset;
    (void)b_offset;
    (void)y_offset;
    const term first = { 0, a_multiplier, a_shift };
    const term second = { 0, b_multiplier, b_shift };
    const term whole = { 0, y_multiplier, y_shift };
    const cmsis_nn_activation limits = { low, high };
    for (int32_t i = 0; i < size; i++) {
        y[i] = (int16_t)clamped(added(a[i], b[i], first, second, whole, left_shift), limits);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_elementwise_mul_s8(
    const int8_t *a, const int8_t *b, int32_t a_offset, int32_t b_offset, int8_t *y, int32_t y_offset,
    int32_t y_multiplier, int32_t y_shift, int32_t low, int32_t high, int32_t size)
{
    const cmsis_nn_activation limits = { low, high };
    for (int32_t i = 0; i < size; i++) {
        const int32_t product = (a[i] + a_offset) * (b[i] + b_offset);
        y[i] = (int8_t)clamped(rescaled(product, y_multiplier, y_shift) + y_offset, limits);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_elementwise_mul_s16(
    const int16_t *a, const int16_t *b, int32_t a_offset, int32_t b_offset, int16_t *y,
    int32_t y_offset, int32_t y_multiplier, int32_t y_shift, int32_t low, int32_t high, int32_t size)
{
    (void)a_offset;
    (void)b_offset;
    (void)y_offset;
    const cmsis_nn_activation limits = { low, high };
    for (int32_t i = 0; i < size; i++) {
        y[i] = (int16_t)clamped(rescaled(a[i] * b[i], y_multiplier, y_shift), limits);
    }
    return ARM_CMSIS_NN_SUCCESS;
}
