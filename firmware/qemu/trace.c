/* SPDX-License-Identifier: MIT */
/* A QEMU plugin: counts what runs between marks, and simulates the cache in front of the flash.
 *
 * MIT, not Apache-2.0 as the rest: it is loaded into QEMU, which is under GPL version 2.
 * One source for QEMU 7.2 (plugin API 1) and 10 (API 4): neither's header is needed, the few
 * functions are declared here, and what only one of them has is imported weakly.
 *
 * Arguments: out=FILE, flash=ORIGIN:BYTES, code=LINES:WAYS:LINE_BYTES:SECTOR_BYTES, data=the same
 * (or data=code for one cache of both; 0 lines leave a buffer of one sector), mark=ADDRESS (any
 * number). Whenever a mark's instruction
 * is about to run, what ran since the mark before is written, all numbers decimal:
 *
 *   block ID START INSTRUCTIONS              a block when it first runs
 *   ran ID TIMES TAKEN CODE DATA PARTS       of one block: how often it ran and was left by a
 *                                            jump, sectors missed by fetches and by data accesses,
 *                                            further parts that unaligned accesses were cut into
 *   mark ADDRESS                             ends the list
 */
#include "cache.h"

#define EXPORT __attribute__((visibility("default")))
#define WEAK __attribute__((weak))

typedef uint64_t plugin_id;
typedef void translated(plugin_id id, void *tb);
typedef void entered(unsigned int cpu, void *with);
typedef void accessed(unsigned int cpu, uint32_t info, uint64_t address, void *with);
enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, translated *call);
extern void qemu_plugin_register_vcpu_tb_exec_cb(void *tb, entered *call, int flags, void *with);
extern void qemu_plugin_register_vcpu_mem_cb(void *insn, accessed *call, int flags, int which, void *with);
extern size_t qemu_plugin_tb_n_insns(const void *tb);
extern void *qemu_plugin_tb_get_insn(const void *tb, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const void *insn);
extern unsigned int qemu_plugin_mem_size_shift(uint32_t info);
/* API 1: insn -> the bytes; later: insn, to, bytes -> bytes copied. Both pass pointers and sizes as
 * words, so one declaration calls either. */
extern const void *qemu_plugin_insn_data(const void *insn, void *to, size_t bytes);
extern WEAK void qemu_plugin_scoreboard_new(void); /* there since API 4 */

EXPORT int qemu_plugin_version = 1;

static bool is_new(void)
{
    return qemu_plugin_scoreboard_new != NULL;
}

static __attribute__((constructor)) void choose_version(void)
{
    qemu_plugin_version = is_new() ? 4 : 1;
}

typedef struct block block;
struct block {
    block *next; /* in its bucket */
    block *older;
    uint32_t start, end, instructions, id;
    bool announced, marks;
    uint64_t times, taken, code_missed, data_missed, parts;
};

enum { BUCKETS = 1 << 14, MOST_MARKS = 4096 };
static block *buckets[BUCKETS];
static block *newest, *running;
static uint32_t block_count;
static uint32_t marks[MOST_MARKS], mark_count;
static cache code_cache, own_data_cache, *data_cache;
static FILE *out;

static void write_block(block *b)
{
    if (!b->announced) {
        fprintf(out, "block %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", b->id, b->start, b->instructions);
        b->announced = true;
    }
    fprintf(out, "ran %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", b->id,
            b->times, b->taken, b->code_missed, b->data_missed, b->parts);
    b->times = b->taken = b->code_missed = b->data_missed = b->parts = 0;
}

static void write_window(uint32_t mark)
{
    for (block *b = newest; b; b = b->older) {
        if (b->times) {
            write_block(b);
        }
    }
    fprintf(out, "mark %" PRIu32 "\n", mark);
    fflush(out);
}

static void on_entry(unsigned int cpu, void *with)
{
    block *const b = with;
    (void)cpu;
    if (running && running->end != b->start) {
        running->taken++;
    }
    if (b->marks) {
        write_window(b->start);
    }
    running = b;
    b->times++;
    b->code_missed += all_missed(&code_cache, b->start, b->end);
}

/* A word at an odd address is read as byte, halfword, byte; anything else unaligned in two parts.
 * Doublewords are two words. */
static void on_access(unsigned int cpu, uint32_t info, uint64_t address, void *with)
{
    block *const b = with;
    const uint32_t at = (uint32_t)address, size = 1u << qemu_plugin_mem_size_shift(info);
    const uint32_t offset = at % (size < 4 ? size : 4);
    (void)cpu;
    if (offset) {
        b->parts += size >= 4 && offset % 2 ? 2 : 1;
    }
    b->data_missed += all_missed(data_cache, at, at + size);
}

/* API 1 reports two bytes too many near the end of a page: the encoding tells the truth
 * (Armv7-M ARM, A5.1). */
static uint32_t size_of(const void *insn)
{
    uint16_t first = 0;
    const void *const bytes = qemu_plugin_insn_data(insn, &first, sizeof first);
    if (!is_new()) {
        memcpy(&first, bytes, sizeof first);
    }
    return first >= 0xE800 ? 4 : 2;
}

static bool is_mark(uint32_t address)
{
    for (uint32_t i = 0; i < mark_count; i++) {
        if (marks[i] == address) {
            return true;
        }
    }
    return false;
}

/* The same code may be translated again, after QEMU has thrown it away. */
static block *block_of(uint32_t start, uint32_t end, uint32_t instructions)
{
    block **const bucket = &buckets[start / 2 % BUCKETS];
    for (block *b = *bucket; b; b = b->next) {
        if (b->start == start && b->instructions == instructions) {
            return b;
        }
    }
    block *const b = calloc(1, sizeof *b);
    if (!b) {
        abort();
    }
    *b = (block){.next = *bucket, .older = newest, .start = start, .end = end,
                 .instructions = instructions, .id = block_count++, .marks = is_mark(start)};
    return newest = *bucket = b;
}

static void on_translation(plugin_id id, void *tb)
{
    const size_t count = qemu_plugin_tb_n_insns(tb);
    const void *const last = qemu_plugin_tb_get_insn(tb, count - 1);
    const uint32_t start = (uint32_t)qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    const uint32_t end = (uint32_t)qemu_plugin_insn_vaddr(last) + size_of(last);
    block *const b = block_of(start, end, (uint32_t)count);
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_entry, NO_REGISTERS, b);
    for (size_t i = 0; i < count; i++) {
        void *const insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGISTERS, READS_AND_WRITES, b);
    }
}

static bool take(const char *argument)
{
    const char *const value = strchr(argument, '=');
    const size_t length = value ? (size_t)(value - argument) : 0;
    const char name = argument[0];
    if (length == 3 && name == 'o') {
        return (out = fopen(value + 1, "w")) != NULL;
    }
    if (length == 5 && name == 'f') {
        return sscanf(value + 1, "%" SCNu32 ":%" SCNu32, &flash_origin, &flash_bytes) == 2;
    }
    if (length == 4 && name == 'c') {
        return make_cache(&code_cache, value + 1);
    }
    if (length == 4 && name == 'd') {
        const bool shared = strcmp(value + 1, "code") == 0;
        data_cache = shared ? &code_cache : &own_data_cache;
        return shared || make_cache(data_cache, value + 1);
    }
    if (length == 4 && name == 'm' && mark_count < MOST_MARKS) {
        return sscanf(value + 1, "%" SCNu32, &marks[mark_count++]) == 1;
    }
    return false;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    data_cache = &own_data_cache;
    for (int i = 0; i < argc; i++) {
        if (!take(argv[i])) {
            fprintf(stderr, "trace plugin: bad argument %s\n", argv[i]);
            return -1;
        }
    }
    if (!out) {
        fprintf(stderr, "trace plugin: out=FILE is missing\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
