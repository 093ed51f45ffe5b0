/* SPDX-License-Identifier: Apache-2.0 */
/* Cortex-M4F: vector table, memory set-up, painted stack, fault report. */
#include "frame.h"
#include "port.h"

#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CPACR REGISTER(0xE000ED88u) /* coprocessor access, Armv7-M ARM B3.2.20 */
#define CFSR REGISTER(0xE000ED28u)  /* configurable fault status, B3.2.15 */
#define BFAR REGISTER(0xE000ED38u)  /* bus fault address, B3.2.18 */

enum { PAINT = 0xA5, FAULT_STACK_BYTES = 256 };

extern uint8_t stack_start[], stack_end[], data_start[], data_end[], data_load[], bss_start[],
    bss_end[];

int main(void);
void reset_handler(void);
void fault_handler(void);
void fault_report(const uint32_t *stacked);

static uint8_t fault_stack[FAULT_STACK_BYTES] __attribute__((aligned(8), used));

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_end,     (const void *)reset_handler, (const void *)fault_handler,
    (const void *)fault_handler, (const void *)fault_handler, (const void *)fault_handler,
    (const void *)fault_handler, 0, 0, 0, 0,
    (const void *)fault_handler, (const void *)fault_handler, 0,
    (const void *)fault_handler, (const void *)fault_handler,
};

void reset_handler(void)
{
    CPACR |= 0xFu << 20; /* FPU on, before any instruction that needs it */
    __asm volatile("dsb\n isb" ::: "memory");
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    uint8_t *here = (uint8_t *)__builtin_frame_address(0) - 64;
    for (uint8_t *byte = stack_start; byte < here; byte++) {
        *(volatile uint8_t *)byte = PAINT;
    }
    (void)main();
    for (;;) {
    }
}

uint32_t port_stack_peak(void)
{
    const uint8_t *byte = stack_start;
    while (byte < stack_end && *byte == PAINT) {
        byte++;
    }
    return (uint32_t)(stack_end - byte);
}

/* The stack may be what failed: report from another one. */
__attribute__((naked)) void fault_handler(void)
{
    __asm volatile("mov r0, sp\n"
                   "ldr sp, =fault_stack + 256\n"
                   "b fault_report\n");
}

/* Sequence 255, status 'F': exception number, CFSR, BFAR, stacked PC and LR (0 without a stack). */
void fault_report(const uint32_t *stacked)
{
    static frame report;
    uint32_t exception;
    __asm volatile("mrs %0, ipsr" : "=r"(exception));
    const int32_t sane = (const uint8_t *)stacked >= stack_start &&
                         (const uint8_t *)stacked + 32 <= stack_end;
    const uint32_t facts[5] = {exception, CFSR, BFAR, sane ? stacked[6] : 0, sane ? stacked[5] : 0};
    report.bytes[0] = 255;
    report.bytes[1] = 'F';
    memcpy(report.bytes + 2, facts, sizeof facts);
    report.size = 2 + (int32_t)sizeof facts;
    port_write(0);
    frame_send(&report);
    for (;;) {
    }
}
