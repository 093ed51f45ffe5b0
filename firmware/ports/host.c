/* SPDX-License-Identifier: Apache-2.0 */
/* The harness as a process: the link is standard input and output. */
#include "port.h"

#include <stdio.h>
#include <stdlib.h>

void port_init(void)
{
}

uint8_t port_read(void)
{
    fflush(stdout);
    const int byte = getchar();
    if (byte == EOF) {
        exit(0);
    }
    return (uint8_t)byte;
}

void port_write(uint8_t byte)
{
    putchar(byte);
}

uint64_t port_ticks(void)
{
    return 0;
}

uint32_t port_stack_peak(void)
{
    return 0;
}
