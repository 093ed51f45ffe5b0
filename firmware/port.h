/* SPDX-License-Identifier: Apache-2.0 */
/* What a chip family provides to the harness. */
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

/* Clocks, serial port and counter, once at start. */
void port_init(void);

/* The next byte from the host; waits for it. */
uint8_t port_read(void);

/* One byte to the host. */
void port_write(uint8_t byte);

/* Ticks since start, without wrapping; the host knows their rate. */
uint64_t port_ticks(void);

/* The deepest the stack has been since start, in bytes; 0 is unknown. */
uint32_t port_stack_peak(void);

#endif
