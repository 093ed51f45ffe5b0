/* SPDX-License-Identifier: Apache-2.0 */
/* The harness: runs models on samples that the host sends, and counts.
 *
 * Request: sequence, command, arguments. Reply: sequence, status (0 is done), payload.
 * A request that comes again with the same sequence gets the same reply and is not done twice.
 * Numbers are little-endian. Sequence 0 is never used.
 *
 *   'H'                  -> version u8, models u16, data bytes a frame u16
 *   'M' model u16        -> the model's id, 64 characters; selects and initializes it
 *   'W' offset u32, data -> arena[offset...] = data
 *   'R' offset u32, n u16 -> n bytes from arena[offset]
 *   'X'                  -> ticks u64 of one inference
 *   'S' step u16         -> ticks u64 of one step
 *   'Z'                  -> ticks u64 of an empty function, measured as the others
 *   'P'                  -> deepest stack u32
 */
#include "frame.h"
#include "harness.h"
#include "port.h"

#include <string.h>

enum { VERSION = 1 };
enum { DONE = 0, UNKNOWN_COMMAND = 1, BAD_ARGUMENT = 2, MODEL_FAILED = 3 };

static frame request;
static frame reply;
static const harness_model *model;

static uint32_t argument(int32_t at, int32_t bytes)
{
    uint32_t value = 0;
    for (int32_t i = 0; i < bytes; i++) {
        value |= (uint32_t)request.bytes[2 + at + i] << (8 * i);
    }
    return value;
}

static void answer(uint64_t value, int32_t bytes)
{
    for (int32_t i = 0; i < bytes; i++) {
        reply.bytes[reply.size++] = (uint8_t)(value >> (8 * i));
    }
}

static int32_t nothing(int32_t unused)
{
    (void)unused;
    return 0;
}

/* Volatile, and timed() not inlined: the same instructions must surround every timed call. */
static int32_t (*volatile empty)(int32_t) = nothing;

static __attribute__((noinline)) uint8_t timed(int32_t (*call)(int32_t), int32_t with)
{
    const uint64_t start = port_ticks();
    const int32_t failed = call(with);
    answer(port_ticks() - start, 8);
    return failed ? MODEL_FAILED : DONE;
}

static uint8_t hello(void)
{
    answer(VERSION, 1);
    answer((uint32_t)harness_model_count, 2);
    answer(FRAME_DATA_BYTES, 2);
    return DONE;
}

static uint8_t choose(uint32_t index)
{
    if (index >= (uint32_t)harness_model_count) {
        return BAD_ARGUMENT;
    }
    model = &harness_models[index];
    const size_t length = strlen(model->id);
    memcpy(reply.bytes + reply.size, model->id, length);
    reply.size += (int32_t)length;
    return model->init() ? MODEL_FAILED : DONE;
}

static uint8_t transfer(uint32_t offset, uint32_t size, int32_t inwards)
{
    if (size > FRAME_DATA_BYTES || offset > harness_arena_bytes ||
        size > harness_arena_bytes - offset) {
        return BAD_ARGUMENT;
    }
    if (inwards) {
        memcpy(harness_arena + offset, request.bytes + 6, size);
    } else {
        memcpy(reply.bytes + reply.size, harness_arena + offset, size);
        reply.size += (int32_t)size;
    }
    return DONE;
}

static uint8_t dispatch(int32_t arguments)
{
    const uint8_t command = request.bytes[1];
    if (command == 'H') {
        return hello();
    }
    if (command == 'P') {
        answer(port_stack_peak(), 4);
        return DONE;
    }
    if (command == 'Z') {
        return timed(empty, (int32_t)argument(0, 2));
    }
    if (command == 'M' && arguments == 2) {
        return choose(argument(0, 2));
    }
    if (model == 0) {
        return BAD_ARGUMENT;
    }
    if (command == 'W' && arguments >= 4) {
        return transfer(argument(0, 4), (uint32_t)arguments - 4, 1);
    }
    if (command == 'R' && arguments == 6) {
        return transfer(argument(0, 4), argument(4, 2), 0);
    }
    if (command == 'X') {
        return timed(model->run, (int32_t)argument(0, 2));
    }
    if (command == 'S' && arguments == 2) {
        return timed(model->step, (int32_t)argument(0, 2));
    }
    return UNKNOWN_COMMAND;
}

int main(void)
{
    port_init();
    for (;;) {
        frame_receive(&request);
        /* 'H' begins a session, whose numbers may repeat an older one's */
        if (request.bytes[0] != reply.bytes[0] || request.bytes[1] == 'H') {
            reply.size = 2;
            reply.bytes[0] = request.bytes[0];
            reply.bytes[1] = dispatch(request.size - 2);
        }
        frame_send(&reply);
    }
}
