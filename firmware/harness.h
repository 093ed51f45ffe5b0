/* SPDX-License-Identifier: Apache-2.0 */
/* What the generated models.c tells the harness. */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdint.h>

/* A model: its id, and entry points bound to the shared arena, which return 0 when all is well. */
typedef struct {
    const char *id;
    int32_t (*init)(void);
    int32_t (*run)(int32_t unused);
    int32_t (*step)(int32_t step);
} harness_model;

extern uint8_t *const harness_arena;
extern const uint32_t harness_arena_bytes;
extern const int32_t harness_model_count;
extern const harness_model harness_models[];

#endif
