/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and dense layers, as documented. */
#include "contract.h"

/* The sum for filter o at a pixel; `depthwise` filters see the channel of their number. */
static int64_t window_sum(const sliding *how, const void *x, int32_t bits, int32_t offset,
                          const int8_t *filter, int32_t o, int32_t pixel, bool depthwise)
{
    const int32_t channels = depthwise ? 1 : how->filter->c;
    const int32_t first = depthwise ? o : o / (how->y->c / (how->x->c / channels)) * channels;
    int64_t sum = 0;
    for (int32_t row = 0; row < how->filter->h; row++) {
        for (int32_t column = 0; column < how->filter->w; column++) {
            const int32_t at = place(how, pixel / how->y->w, pixel % how->y->w, row, column);
            const int32_t tap = row * how->filter->w + column;
            for (int32_t c = 0; at >= 0 && c < channels; c++) {
                const int32_t i = depthwise ? tap * how->y->c + o
                    : (o * how->filter->h * how->filter->w + tap) * channels + c;
                const int32_t w = weight(filter, how->weight_bits, i);
                sum += (read(x, bits, at * how->x->c + first + c) + offset) * w;
            }
        }
    }
    return sum;
}

static arm_cmsis_nn_status convolve(
    const cmsis_nn_context *context, const cmsis_nn_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const int32_t *bias,
    const cmsis_nn_dims *y_dims, int8_t *y, int32_t weight_bits)
{
    const sliding how = { layer->stride, layer->padding, layer->dilation, x_dims, filter_dims, y_dims, weight_bits };
    const int32_t needed = pointwise(layer, x_dims, filter_dims)
        ? 0 : arm_convolve_s8_get_buffer_size(x_dims, filter_dims);
    const bool other = pointwise(layer, x_dims, filter_dims) &&
        ((y_dims->h - 1) * layer->stride.h >= x_dims->h || (y_dims->w - 1) * layer->stride.w >= x_dims->w);
    if (scribbled(context, needed) || other) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    for (int32_t at = 0; at < y_dims->h * y_dims->w * y_dims->c; at++) {
        const int32_t o = at % y_dims->c;
        const int64_t sum = bias[o] +
            window_sum(&how, x, 8, layer->input_offset, filter, o, at / y_dims->c, false);
        const int64_t whole = rescaled(sum, rescale->multiplier[o], rescale->shift[o]);
        y[at] = (int8_t)clamped(whole + layer->output_offset, layer->activation);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_convolve_wrapper_s4(
    const cmsis_nn_context *context, const cmsis_nn_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y)
{
    (void)bias_dims;
    return convolve(context, layer, rescale, x_dims, x, filter_dims, filter, bias, y_dims, y, 4);
}

arm_cmsis_nn_status arm_convolve_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y)
{
    (void)bias_dims;
    return convolve(context, layer, rescale, x_dims, x, filter_dims, filter, bias, y_dims, y, 8);
}

arm_cmsis_nn_status arm_convolve_wrapper_s16(
    const cmsis_nn_context *context, const cmsis_nn_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int16_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const cmsis_nn_bias_data *bias, const cmsis_nn_dims *y_dims, int16_t *y)
{
    (void)bias_dims;
    const sliding how = { layer->stride, layer->padding, layer->dilation, x_dims, filter_dims, y_dims, 8 };
    const int32_t needed =
        arm_convolve_wrapper_s16_get_buffer_size(layer, x_dims, filter_dims, y_dims);
    if (scribbled(context, needed) || x_dims->c != filter_dims->c) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    for (int32_t at = 0; at < y_dims->h * y_dims->w * y_dims->c; at++) {
        const int32_t o = at % y_dims->c;
        const int64_t sum = window_sum(&how, x, 16, 0, filter, o, at / y_dims->c, false);
        const int64_t whole = bias->is_int32_bias
            ? rescaled(sum + ((const int32_t *)bias->data)[o], rescale->multiplier[o], rescale->shift[o])
            : rescaled_short(sum + ((const int64_t *)bias->data)[o], rescale->multiplier[o],
                             rescale->shift[o]);
        y[at] = (int16_t)clamped(whole, layer->activation);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

static arm_cmsis_nn_status depthwise_conv(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const int32_t *bias,
    const cmsis_nn_dims *y_dims, int8_t *y, int32_t weight_bits)
{
    const sliding how = { layer->stride, layer->padding, layer->dilation, x_dims, filter_dims, y_dims, weight_bits };
    const int32_t needed =
        arm_depthwise_conv_wrapper_s8_get_buffer_size(layer, x_dims, filter_dims, y_dims);
    if (scribbled(context, needed) || layer->ch_mult != 1) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    for (int32_t at = 0; at < y_dims->h * y_dims->w * y_dims->c; at++) {
        const int32_t o = at % y_dims->c;
        const int64_t sum = bias[o] +
            window_sum(&how, x, 8, layer->input_offset, filter, o, at / y_dims->c, true);
        const int64_t whole = rescaled(sum, rescale->multiplier[o], rescale->shift[o]);
        y[at] = (int8_t)clamped(whole + layer->output_offset, layer->activation);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_depthwise_conv_wrapper_s4(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y)
{
    (void)bias_dims;
    return depthwise_conv(context, layer, rescale, x_dims, x, filter_dims, filter, bias, y_dims, y, 4);
}

arm_cmsis_nn_status arm_depthwise_conv_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y)
{
    (void)bias_dims;
    return depthwise_conv(context, layer, rescale, x_dims, x, filter_dims, filter, bias, y_dims, y, 8);
}

arm_cmsis_nn_status arm_depthwise_conv_wrapper_s16(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int16_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int64_t *bias, const cmsis_nn_dims *y_dims, int16_t *y)
{
    (void)bias_dims;
    const sliding how = { layer->stride, layer->padding, layer->dilation, x_dims, filter_dims, y_dims, 8 };
    const int32_t needed =
        arm_depthwise_conv_wrapper_s16_get_buffer_size(layer, x_dims, filter_dims, y_dims);
    if (scribbled(context, needed) || layer->ch_mult != 1) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    for (int32_t at = 0; at < y_dims->h * y_dims->w * y_dims->c; at++) {
        const int32_t o = at % y_dims->c;
        const int64_t sum = bias[o] + window_sum(&how, x, 16, 0, filter, o, at / y_dims->c, true);
        const int64_t whole = rescaled_short(sum, rescale->multiplier[o], rescale->shift[o]);
        y[at] = (int16_t)clamped(whole, layer->activation);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_fully_connected_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_fc_params *layer,
    const cmsis_nn_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y)
{
    (void)bias_dims;
    (void)x_dims;
    (void)context;
    for (int32_t o = 0; o < y_dims->c; o++) {
        int64_t sum = bias[o];
        for (int32_t i = 0; i < filter_dims->n; i++) {
            sum += (x[i] + layer->input_offset) * (filter[o * filter_dims->n + i] + layer->filter_offset);
        }
        const int32_t at = rescale->is_per_channel ? o : 0;
        const int64_t whole = rescaled(sum, rescale->multiplier[at], rescale->shift[at]);
        y[o] = (int8_t)clamped(whole + layer->output_offset, layer->activation);
    }
    return ARM_CMSIS_NN_SUCCESS;
}
