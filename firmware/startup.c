/* SPDX-License-Identifier: Apache-2.0 */
/* Cortex-M4F: vector table, memory set-up, painted stack, fault report. */
#include "frame.h"
#include "port.h"

#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CPACR REGISTER(0xE000ED88u) /* coprocessor access, Armv7-M ARM B3.2.20 */
#define SHCSR REGISTER(0xE000ED24u) /* system handler control, B3.2.13 */
#define CFSR REGISTER(0xE000ED28u)  /* configurable fault status, B3.2.15 */
#define FPCCR REGISTER(0xE000EF34u) /* floating-point context control, B3.2.21 */
#define MPU_CTRL REGISTER(0xE000ED94u) /* memory protection unit, B3.5 */
#define MPU_RBAR REGISTER(0xE000ED9Cu)
#define MPU_RASR REGISTER(0xE000EDA0u)
#define MPU_NO_ACCESS_256_BYTES (1u << 28 | 7u << 1 | 1u)
#define BFAR REGISTER(0xE000ED38u)  /* bus fault address, B3.2.18 */

enum { PAINT = 0xA5, FAULT_STACK_BYTES = 256 };

extern uint8_t stack_guard[], stack_start[], stack_end[];
extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[];

int main(void);
void reset_handler(void);
void fault_handler(void);

/* Faults have a stack of their own (the main stack pointer): the program's may be what failed. */
static uint8_t fault_stack[FAULT_STACK_BYTES] __attribute__((aligned(8), section(".fault_stack")));

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    fault_stack + FAULT_STACK_BYTES,
    (const void *)reset_handler,
    (const void *)fault_handler, /* NMI */
    (const void *)fault_handler, /* hard fault */
    (const void *)fault_handler, /* memory management */
    (const void *)fault_handler, /* bus fault */
    (const void *)fault_handler, /* usage fault */
    0, 0, 0, 0,
    (const void *)fault_handler, /* SVCall */
    (const void *)fault_handler, /* debug monitor */
    0,
    (const void *)fault_handler, /* PendSV */
    (const void *)fault_handler, /* SysTick */
};

/* From here on the program's stack: the process stack pointer. */
static __attribute__((naked, noreturn)) void start(void)
{
    __asm volatile("ldr r0, =stack_end\n"
                   "msr psp, r0\n"
                   "movs r0, #2\n"
                   "msr control, r0\n"
                   "isb\n"
                   "bl main\n"
                   "b .\n");
}

void reset_handler(void)
{
    CPACR |= 0xFu << 20; /* FPU on, before any instruction that needs it */
    FPCCR &= ~(3u << 30); /* faults never return: no FPU state to save on a stack that is gone */
    MPU_RBAR = (uint32_t)stack_guard;
    MPU_RASR = MPU_NO_ACCESS_256_BYTES;
    MPU_CTRL = 5; /* on, all other addresses as without it */
    SHCSR |= 7u << 16;   /* memory, bus and usage faults as themselves, not as hard faults */
    __asm volatile("dsb\n isb" ::: "memory");
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    memset(stack_start, PAINT, (size_t)(stack_end - stack_start));
    start();
}

uint32_t port_stack_peak(void)
{
    const uint8_t *byte = stack_start;
    while (byte < stack_end && *byte == PAINT) {
        byte++;
    }
    return (uint32_t)(stack_end - byte);
}

/* Sequence 255, status 'F': exception number, CFSR, BFAR, stacked PC and LR (0 without a stack). */
static void fault_report(const uint32_t *stacked)
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

void fault_handler(void)
{
    uint32_t stacked;
    __asm volatile("mrs %0, psp" : "=r"(stacked));
    fault_report((const uint32_t *)stacked);
}

/* newlib's assert() comes here: a usage fault whose report names the caller in LR. */
void __assert_func(const char *file, int line, const char *function, const char *expression);
__attribute__((noreturn)) void __assert_func(const char *file, int line, const char *function,
                                             const char *expression)
{
    (void)file;
    (void)line;
    (void)function;
    (void)expression;
    __builtin_trap();
}
