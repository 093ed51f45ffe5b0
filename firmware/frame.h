/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between host and target: COBS(sequence, command or status, payload, CRC-32), then 0.
 * A zero byte ends a frame wherever it appears, so either side resynchronizes by sending one. */
#ifndef FRAME_H
#define FRAME_H

#include <stdint.h>

enum {
    FRAME_DATA_BYTES = 512,                      /* of bulk data in one frame */
    FRAME_PAYLOAD_BYTES = FRAME_DATA_BYTES + 8,  /* with a command's arguments */
    FRAME_BYTES = FRAME_PAYLOAD_BYTES + 2 + 4,   /* with sequence, command and CRC */
};

typedef struct {
    uint8_t bytes[FRAME_BYTES];
    int32_t size; /* sequence, command and payload */
} frame;

/* Wait for a whole and undamaged frame; damaged ones are dropped, and the host asks again. */
void frame_receive(frame *f);

/* Send f->size bytes, adding the CRC. */
void frame_send(frame *f);

#endif
