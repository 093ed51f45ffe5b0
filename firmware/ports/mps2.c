/* SPDX-License-Identifier: Apache-2.0 */
/* Arm MPS2 with the AN386 image, as QEMU emulates it. Registers: Cortex-M System Design Kit
 * technical reference manual (Arm DDI 0479), APB UART, timer and dual timer. */
#include "port.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(0x40004000u)
#define UART_STATE REGISTER(0x40004004u)
#define UART_CTRL REGISTER(0x40004008u)
#define UART_BAUDDIV REGISTER(0x40004010u)
#define TIMER_CTRL REGISTER(0x40000000u)
#define TIMER_VALUE REGISTER(0x40000004u)
#define TIMER_RELOAD REGISTER(0x40000008u)

#define DUAL_TIMER_LOAD REGISTER(0x40002000u)
#define DUAL_TIMER_VALUE REGISTER(0x40002004u)
#define DUAL_TIMER_CTRL REGISTER(0x40002008u)

enum { DUAL_TIMER_ON_BY_256_32_BITS = 0x8A };
enum { UART_TX_FULL = 1, UART_RX_FULL = 2, UART_TX_RX_ON = 3, UART_FASTEST = 16, TIMER_ON = 1 };

void port_init(void)
{
    UART_BAUDDIV = UART_FASTEST;
    UART_CTRL = UART_TX_RX_ON;
    (void)UART_DATA; /* drops a stale byte, and tells QEMU to look for input now, not in a minute */
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CTRL = TIMER_ON;
    DUAL_TIMER_LOAD = 0xFFFFFFFFu;
    DUAL_TIMER_CTRL = DUAL_TIMER_ON_BY_256_32_BITS;
}

uint8_t port_read(void)
{
    while (!(UART_STATE & UART_RX_FULL)) {
    }
    return (uint8_t)UART_DATA;
}

void port_write(uint8_t byte)
{
    while (UART_STATE & UART_TX_FULL) {
    }
    UART_DATA = byte;
}

/* The timer wraps after 2^32 ticks; the dual timer, 256 times slower, says how often it has. */
uint64_t port_ticks(void)
{
    const uint32_t ticks = 0u - TIMER_VALUE; /* both count down */
    const uint64_t roughly = (uint64_t)(0u - DUAL_TIMER_VALUE) << 8;
    return roughly + (uint64_t)(int64_t)(int32_t)(ticks - (uint32_t)roughly);
}
