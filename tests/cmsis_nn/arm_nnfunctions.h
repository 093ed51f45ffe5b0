/* SPDX-License-Identifier: Apache-2.0 */
/* For tests on the host: the part of CMSIS-NN's interface that microai calls, with the names and
 * argument orders of its documentation, and nothing else of it. The .c files beside it are what these
 * functions are documented to compute, in plain C; it is no substitute for the library. */
#ifndef ARM_NNFUNCTIONS_H
#define ARM_NNFUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    ARM_CMSIS_NN_SUCCESS = 0,
    ARM_CMSIS_NN_ARG_ERROR = -1,
} arm_cmsis_nn_status;

typedef struct { int32_t w, h; } cmsis_nn_tile;
typedef struct { void *buf; int32_t size; } cmsis_nn_context;
typedef struct { const void *data; const bool is_int32_bias; } cmsis_nn_bias_data;
typedef struct { int32_t n, h, w, c; } cmsis_nn_dims;
typedef struct { int32_t *multiplier, *shift; } cmsis_nn_per_channel_quant_params;
typedef struct { int32_t *multiplier, *shift, is_per_channel; } cmsis_nn_quant_params;
typedef struct { int32_t min, max; } cmsis_nn_activation;

typedef struct {
    int32_t input_offset, output_offset;
    cmsis_nn_tile stride, padding, dilation;
    cmsis_nn_activation activation;
} cmsis_nn_conv_params;

typedef struct {
    int32_t input_offset, output_offset, ch_mult;
    cmsis_nn_tile stride, padding, dilation;
    cmsis_nn_activation activation;
} cmsis_nn_dw_conv_params;

typedef struct {
    cmsis_nn_tile stride, padding;
    cmsis_nn_activation activation;
} cmsis_nn_pool_params;

typedef struct {
    int32_t input_offset, filter_offset, output_offset;
    cmsis_nn_activation activation;
} cmsis_nn_fc_params;

int32_t arm_convolve_s8_get_buffer_size(const cmsis_nn_dims *x, const cmsis_nn_dims *filter);

int32_t arm_convolve_wrapper_s4_get_buffer_size(
    const cmsis_nn_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y);

int32_t arm_convolve_wrapper_s8_get_buffer_size(
    const cmsis_nn_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y);

int32_t arm_convolve_wrapper_s16_get_buffer_size(
    const cmsis_nn_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y);

int32_t arm_depthwise_conv_wrapper_s4_get_buffer_size(
    const cmsis_nn_dw_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y);

int32_t arm_depthwise_conv_wrapper_s8_get_buffer_size(
    const cmsis_nn_dw_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y);

int32_t arm_depthwise_conv_wrapper_s16_get_buffer_size(
    const cmsis_nn_dw_conv_params *layer, const cmsis_nn_dims *x, const cmsis_nn_dims *filter,
    const cmsis_nn_dims *y);

int32_t arm_fully_connected_s8_get_buffer_size(const cmsis_nn_dims *filter);
int32_t arm_avgpool_s8_get_buffer_size(int out_w, int channels);
int32_t arm_avgpool_s16_get_buffer_size(int out_w, int channels);

arm_cmsis_nn_status arm_convolve_wrapper_s4(
    const cmsis_nn_context *context, const cmsis_nn_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y);

arm_cmsis_nn_status arm_convolve_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y);

arm_cmsis_nn_status arm_convolve_wrapper_s16(
    const cmsis_nn_context *context, const cmsis_nn_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int16_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const cmsis_nn_bias_data *bias, const cmsis_nn_dims *y_dims, int16_t *y);

arm_cmsis_nn_status arm_depthwise_conv_wrapper_s4(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y);

arm_cmsis_nn_status arm_depthwise_conv_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y);

arm_cmsis_nn_status arm_depthwise_conv_wrapper_s16(
    const cmsis_nn_context *context, const cmsis_nn_dw_conv_params *layer,
    const cmsis_nn_per_channel_quant_params *rescale, const cmsis_nn_dims *x_dims, const int16_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int64_t *bias, const cmsis_nn_dims *y_dims, int16_t *y);

arm_cmsis_nn_status arm_fully_connected_wrapper_s8(
    const cmsis_nn_context *context, const cmsis_nn_fc_params *layer,
    const cmsis_nn_quant_params *rescale, const cmsis_nn_dims *x_dims, const int8_t *x,
    const cmsis_nn_dims *filter_dims, const int8_t *filter, const cmsis_nn_dims *bias_dims,
    const int32_t *bias, const cmsis_nn_dims *y_dims, int8_t *y);

arm_cmsis_nn_status arm_max_pool_s8(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims,
    const int8_t *x, const cmsis_nn_dims *filter_dims, const cmsis_nn_dims *y_dims, int8_t *y);

arm_cmsis_nn_status arm_max_pool_s16(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims,
    const int16_t *x, const cmsis_nn_dims *filter_dims, const cmsis_nn_dims *y_dims, int16_t *y);

arm_cmsis_nn_status arm_avgpool_s8(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims,
    const int8_t *x, const cmsis_nn_dims *filter_dims, const cmsis_nn_dims *y_dims, int8_t *y);

arm_cmsis_nn_status arm_avgpool_s16(
    const cmsis_nn_context *context, const cmsis_nn_pool_params *layer, const cmsis_nn_dims *x_dims,
    const int16_t *x, const cmsis_nn_dims *filter_dims, const cmsis_nn_dims *y_dims, int16_t *y);

arm_cmsis_nn_status arm_elementwise_add_s8(
    const int8_t *a, const int8_t *b, int32_t a_offset, int32_t a_multiplier, int32_t a_shift,
    int32_t b_offset, int32_t b_multiplier, int32_t b_shift, int32_t left_shift, int8_t *y,
    int32_t y_offset, int32_t y_multiplier, int32_t y_shift, int32_t low, int32_t high, int32_t size);

arm_cmsis_nn_status arm_elementwise_add_s16(
    const int16_t *a, const int16_t *b, int32_t a_offset, int32_t a_multiplier, int32_t a_shift,
    int32_t b_offset, int32_t b_multiplier, int32_t b_shift, int32_t left_shift, int16_t *y,
    int32_t y_offset, int32_t y_multiplier, int32_t y_shift, int32_t low, int32_t high, int32_t size);

arm_cmsis_nn_status arm_elementwise_mul_s8(
    const int8_t *a, const int8_t *b, int32_t a_offset, int32_t b_offset, int8_t *y, int32_t y_offset,
    int32_t y_multiplier, int32_t y_shift, int32_t low, int32_t high, int32_t size);

arm_cmsis_nn_status arm_elementwise_mul_s16(
    const int16_t *a, const int16_t *b, int32_t a_offset, int32_t b_offset, int16_t *y,
    int32_t y_offset, int32_t y_multiplier, int32_t y_shift, int32_t low, int32_t high, int32_t size);

#endif
