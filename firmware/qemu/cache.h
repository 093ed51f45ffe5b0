/* SPDX-License-Identifier: MIT */
/* The cache in front of a flash: fully or set associative, least recently used lines go first, a
 * line is filled sector by sector as these are missed. */
#ifndef CACHE_H
#define CACHE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t lines, ways, line_bytes, sector_bytes;
    uint64_t now;
    uint64_t *used;    /* when, by way */
    uint32_t *holds;   /* line number in flash, by way */
    uint64_t *filled;  /* sectors, a bit each, by way */
    int32_t *where;    /* way, by line number in flash; -1 is nowhere */
    uint32_t last;     /* sector read before */
} cache;

static uint32_t flash_origin, flash_bytes;

static bool in_flash(uint32_t address)
{
    return address - flash_origin < flash_bytes;
}

/* The least recently used way of the line's set. */
static uint32_t victim(const cache *c, uint32_t line)
{
    const uint32_t first = line % (c->lines / c->ways) * c->ways;
    uint32_t oldest = first;
    for (uint32_t way = first + 1; way < first + c->ways; way++) {
        oldest = c->used[way] < c->used[oldest] ? way : oldest;
    }
    return oldest;
}

/* 1 when the sector was not there; it is afterwards. */
static uint64_t missed(cache *c, uint32_t sector)
{
    if (sector == c->last) {
        return 0;
    }
    c->last = sector;
    if (!c->lines) {
        return 1;
    }
    const uint32_t sectors = c->line_bytes / c->sector_bytes;
    const uint32_t line = sector / sectors;
    const uint64_t bit = 1ull << sector % sectors;
    int32_t way = c->where[line];
    if (way < 0) {
        way = (int32_t)victim(c, line);
        if (c->used[way]) {
            c->where[c->holds[way]] = -1;
        }
        c->where[line] = way;
        c->holds[way] = line;
        c->filled[way] = 0;
    }
    c->used[way] = ++c->now;
    const bool there = c->filled[way] & bit;
    c->filled[way] |= bit;
    return !there;
}

static uint64_t all_missed(cache *c, uint32_t start, uint32_t end)
{
    uint64_t count = 0;
    if (c->sector_bytes && in_flash(start) && in_flash(end - 1)) {
        const uint32_t last = (end - 1 - flash_origin) / c->sector_bytes;
        for (uint32_t sector = (start - flash_origin) / c->sector_bytes; sector <= last; sector++) {
            count += missed(c, sector);
        }
    }
    return count;
}

/* False where the numbers are no cache. */
static bool make_cache(cache *c, const char *text)
{
    if (sscanf(text, "%" SCNu32 ":%" SCNu32 ":%" SCNu32 ":%" SCNu32, &c->lines, &c->ways, &c->line_bytes,
               &c->sector_bytes) != 4) {
        return false;
    }
    if (!c->ways || !c->sector_bytes || !c->line_bytes || c->lines % c->ways || c->line_bytes % c->sector_bytes ||
        c->line_bytes / c->sector_bytes > 64) {
        return false;
    }
    c->last = UINT32_MAX;
    if (!c->lines) {
        return true; /* a buffer of one sector */
    }
    const size_t flash_lines = flash_bytes / c->line_bytes + 1;
    c->used = calloc(c->lines, sizeof *c->used);
    c->holds = calloc(c->lines, sizeof *c->holds);
    c->filled = calloc(c->lines, sizeof *c->filled);
    c->where = malloc(flash_lines * sizeof *c->where);
    if (!c->used || !c->holds || !c->filled || !c->where) {
        return false;
    }
    memset(c->where, 0xFF, flash_lines * sizeof *c->where);
    return true;
}

#endif
