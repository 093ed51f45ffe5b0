/* SPDX-License-Identifier: Apache-2.0 */
/* What microai asks an installed CMSIS-NN before it generates calls of it, as a model of the
 * harness: the host writes a request into the arena, runs, and reads the answer from its first word.
 *
 *   function, pads, strides, dilations, input, kernel, filter channels, output -> scratch bytes
 *   ROUND_..., sum, multiplier, shift                                          -> the rounded sum
 *   SPEED                                                                      -> status of a layer
 */
#include "harness.h"

#include "arm_nnfunctions.h"

#include <string.h>

/* In the order of FUNCTIONS in microai/device/cmsis_nn.py. */
enum {
    CONV_S4, CONV_S8, CONV_S16, DEPTHWISE_CONV_S4, DEPTHWISE_CONV_S8, DEPTHWISE_CONV_S16,
    DENSE_S8, AVG_POOL_S8, AVG_POOL_S16,
    ROUND_CONV_S4, ROUND_CONV_S8, ROUND_CONV_S16, ROUND_DEPTHWISE_CONV_S4,
    ROUND_DEPTHWISE_CONV_S8, ROUND_DENSE_S8, ROUND_MUL_S8, SPEED,
};
enum { FUNCTION, PAD_H, PAD_W, STRIDE_H, STRIDE_W, DILATION_H, DILATION_W, IN_H, IN_W, IN_C,
       K_H, K_W, FILTER_C, OUT_H, OUT_W, OUT_C, WORDS };
enum { SUM = 1, MULTIPLIER, SHIFT };
enum { CHANNELS = 16, PIXELS = 16 };

/* All other functions that generated code calls: an archive without one does not link. */
typedef void (*function)(void);
static const volatile function called[] = {
    (function)arm_depthwise_conv_wrapper_s16, (function)arm_max_pool_s8,
    (function)arm_max_pool_s16, (function)arm_avgpool_s8, (function)arm_avgpool_s16,
    (function)arm_elementwise_add_s8, (function)arm_elementwise_add_s16,
    (function)arm_elementwise_mul_s16,
};

static int32_t words[WORDS];
static int16_t scratch[4 * CHANNELS];

static const cmsis_nn_dims one = { 1, 1, 1, 1 };
static cmsis_nn_context context = { scratch, (int32_t)sizeof scratch };

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Version 7.0.0's wrapper function says 0 for groups of 1x1 kernels, which it runs with scratch. */
static int32_t conv_bytes(const cmsis_nn_dims *x, const cmsis_nn_dims *filter, int32_t wrapper)
{
    return x->c == filter->c ? wrapper : larger(wrapper, arm_convolve_s8_get_buffer_size(x, filter));
}

static int32_t bytes(void)
{
    const cmsis_nn_dims x = { 1, words[IN_H], words[IN_W], words[IN_C] };
    const cmsis_nn_dims filter = { words[OUT_C], words[K_H], words[K_W], words[FILTER_C] };
    const cmsis_nn_dims taps = { 1, words[K_H], words[K_W], words[OUT_C] };
    const cmsis_nn_dims rows = { words[IN_C], 1, 1, words[OUT_C] };
    const cmsis_nn_dims y = { 1, words[OUT_H], words[OUT_W], words[OUT_C] };
    const cmsis_nn_tile stride = { words[STRIDE_W], words[STRIDE_H] };
    const cmsis_nn_tile pad = { words[PAD_W], words[PAD_H] };
    const cmsis_nn_tile dilation = { words[DILATION_W], words[DILATION_H] };
    const cmsis_nn_conv_params conv = { 0, 0, stride, pad, dilation, { 0, 0 } };
    const cmsis_nn_dw_conv_params depthwise = { 0, 0, 1, stride, pad, dilation, { 0, 0 } };
    switch (words[FUNCTION]) {
    case CONV_S4:
        return arm_convolve_wrapper_s4_get_buffer_size(&conv, &x, &filter, &y);
    case CONV_S8:
        return conv_bytes(&x, &filter,
                          arm_convolve_wrapper_s8_get_buffer_size(&conv, &x, &filter, &y));
    case CONV_S16:
        return arm_convolve_wrapper_s16_get_buffer_size(&conv, &x, &filter, &y);
    case DEPTHWISE_CONV_S4:
        return arm_depthwise_conv_wrapper_s4_get_buffer_size(&depthwise, &x, &taps, &y);
    case DEPTHWISE_CONV_S8:
        return arm_depthwise_conv_wrapper_s8_get_buffer_size(&depthwise, &x, &taps, &y);
    case DEPTHWISE_CONV_S16:
        return arm_depthwise_conv_wrapper_s16_get_buffer_size(&depthwise, &x, &taps, &y);
    case DENSE_S8:
        return arm_fully_connected_s8_get_buffer_size(&rows);
    case AVG_POOL_S8:
        return arm_avgpool_s8_get_buffer_size(y.w, y.c);
    case AVG_POOL_S16:
        return arm_avgpool_s16_get_buffer_size(y.w, y.c);
    default:
        return -1;
    }
}

/* A layer of one weight, which is 0: its bias is the sum. */
static int32_t rounded(void)
{
    const cmsis_nn_tile unit = { 1, 1 };
    const cmsis_nn_tile none = { 0, 0 };
    const cmsis_nn_activation s8 = { INT8_MIN, INT8_MAX };
    const cmsis_nn_activation s16 = { INT16_MIN, INT16_MAX };
    const cmsis_nn_conv_params conv = { 0, 0, unit, none, unit, s8 };
    const cmsis_nn_conv_params conv16 = { 0, 0, unit, none, unit, s16 };
    const cmsis_nn_dw_conv_params depthwise = { 0, 0, 1, unit, none, unit, s8 };
    const cmsis_nn_fc_params dense = { 0, 0, 0, s8 };
    const cmsis_nn_per_channel_quant_params quant = { &words[MULTIPLIER], &words[SHIFT] };
    const cmsis_nn_quant_params either = { &words[MULTIPLIER], &words[SHIFT], 0 };
    const cmsis_nn_bias_data bias = { &words[SUM], true };
    const int32_t *b = &words[SUM];
    const int16_t x16 = 0;
    const int8_t x = 0;
    const int8_t w = 0;
    int16_t y16 = 0;
    int8_t y = 0;
    switch (words[FUNCTION]) {
    case ROUND_CONV_S4:
        (void)arm_convolve_wrapper_s4(&context, &conv, &quant, &one, &x, &one, &w, &one, b, &one, &y);
        return y;
    case ROUND_CONV_S8:
        (void)arm_convolve_wrapper_s8(&context, &conv, &quant, &one, &x, &one, &w, &one, b, &one, &y);
        return y;
    case ROUND_CONV_S16:
        (void)arm_convolve_wrapper_s16(&context, &conv16, &quant, &one, &x16, &one, &w, &one, &bias,
                                       &one, &y16);
        return y16;
    case ROUND_DEPTHWISE_CONV_S4:
        (void)arm_depthwise_conv_wrapper_s4(&context, &depthwise, &quant, &one, &x, &one, &w, &one, b,
                                            &one, &y);
        return y;
    case ROUND_DEPTHWISE_CONV_S8:
        (void)arm_depthwise_conv_wrapper_s8(&context, &depthwise, &quant, &one, &x, &one, &w, &one, b,
                                            &one, &y);
        return y;
    case ROUND_MUL_S8: /* the sum as an offset beside a byte of 0, times 1 */
        (void)arm_elementwise_mul_s8(&x, &x, words[SUM], 1, &y, 0, words[MULTIPLIER], words[SHIFT],
                                     INT8_MIN, INT8_MAX, 1);
        return y;
    default:
        (void)arm_fully_connected_wrapper_s8(&context, &dense, &either, &one, &x, &one, &w, &one, b,
                                             &one, &y);
        return y;
    }
}

/* 16 channels to 16 for 16 pixels, 4096 multiply-accumulates: is the archive an optimized one? */
static int32_t layer(void)
{
    static const int8_t weights[CHANNELS * CHANNELS];
    static const int32_t bias[CHANNELS];
    static int32_t multipliers[CHANNELS];
    static int32_t shifts[CHANNELS];
    static int8_t x[PIXELS * CHANNELS];
    static int8_t y[PIXELS * CHANNELS];
    const cmsis_nn_dims image = { 1, 1, PIXELS, CHANNELS };
    const cmsis_nn_dims filter = { CHANNELS, 1, 1, CHANNELS };
    const cmsis_nn_conv_params conv = {
        0, 0, { 1, 1 }, { 0, 0 }, { 1, 1 }, { INT8_MIN, INT8_MAX },
    };
    const cmsis_nn_per_channel_quant_params quant = { multipliers, shifts };
    return arm_convolve_wrapper_s8(&context, &conv, &quant, &image, x, &filter, weights, &one, bias,
                                   &image, y);
}

static int32_t init(void)
{
    return called[0] == 0; /* looked at, so that the linker keeps it */
}

static int32_t run(int32_t unused)
{
    (void)unused;
    if (words[FUNCTION] == SPEED) {
        words[0] = layer();
    } else {
        words[0] = words[FUNCTION] < ROUND_CONV_S4 ? bytes() : rounded();
    }
    return 0;
}

uint8_t *const harness_arena = (uint8_t *)words;
const uint32_t harness_arena_bytes = sizeof words;
const int32_t harness_model_count = 1;
const harness_model harness_models[] = { { "cmsis_nn", init, run, run } };
