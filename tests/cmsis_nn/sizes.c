/* SPDX-License-Identifier: Apache-2.0 */
/* How much scratch each function wants, as a build for the DSP extension says; with the flaw of
 * version 7.0.0, which says 0 for groups of kernels of one pixel. */
#include "contract.h"

int32_t arm_convolve_s8_get_buffer_size(const cmsis_nn_dims *x, const cmsis_nn_dims *filter)
{
    return 4 * ((x->c * filter->h * filter->w + 3) / 4 * 4);
}

int32_t arm_convolve_wrapper_s8_get_buffer_size(
    const cmsis_nn_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y)
{
    (void)y;
    const cmsis_nn_dims whole = { filter->n, filter->h, filter->w, x->c }; /* groups forgotten */
    return pointwise(layer, x, &whole) ? 0 : arm_convolve_s8_get_buffer_size(x, filter);
}

int32_t arm_convolve_wrapper_s4_get_buffer_size(
    const cmsis_nn_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y)
{
    return arm_convolve_wrapper_s8_get_buffer_size(layer, x, filter, y);
}

int32_t arm_convolve_wrapper_s16_get_buffer_size(
    const cmsis_nn_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y)
{
    (void)layer;
    (void)y;
    return 4 * x->c * filter->h * filter->w;
}

int32_t arm_depthwise_conv_wrapper_s8_get_buffer_size(
    const cmsis_nn_dw_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y)
{
    (void)y;
    const bool dilated = layer->dilation.h > 1 || layer->dilation.w > 1;
    const bool small = filter->h == 3 && filter->w == 3 && layer->padding.h <= 1 && layer->padding.w <= 1;
    return dilated || small ? 0 : 2 * x->c * filter->h * filter->w;
}

int32_t arm_depthwise_conv_wrapper_s4_get_buffer_size(
    const cmsis_nn_dw_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y)
{
    return arm_depthwise_conv_wrapper_s8_get_buffer_size(layer, x, filter, y);
}

int32_t arm_depthwise_conv_wrapper_s16_get_buffer_size(
    const cmsis_nn_dw_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y)
{
    (void)y;
    const bool dilated = layer->dilation.h > 1 || layer->dilation.w > 1;
    return dilated ? 0 : 2 * x->c * filter->h * filter->w;
}

int32_t arm_fully_connected_s8_get_buffer_size(const cmsis_nn_dims *filter)
{
    (void)filter;
    return 0;
}

int32_t arm_avgpool_s8_get_buffer_size(int out_w, int channels)
{
    (void)out_w;
    return 4 * channels;
}

int32_t arm_avgpool_s16_get_buffer_size(int out_w, int channels)
{
    (void)out_w;
    return 4 * channels;
}
