/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of the Cortex-M4's DSP extension (Armv7-M Architecture Reference Manual, A7.7), and
 * the same in plain C elsewhere. A pair is two halfwords in a word, the first one low. */
#ifndef MAI_SIMD_H
#define MAI_SIMD_H

#include "mai_unroll.h"

#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_DSP) && defined(__thumb__)
#define MAI_DSP 1
#else
#define MAI_DSP 0
#endif

/* Loops written in assembly take sizes as immediates, which only an optimizing compiler finds. */
#ifndef MAI_TILES /* gcc's -Og does not find them all: give it -DMAI_TILES=0 */
#if MAI_DSP && defined(__OPTIMIZE__)
#define MAI_TILES 1
#else
#define MAI_TILES 0
#endif
#endif

/* Of an immediate offset in LDR. */
#define MAI_LARGEST_OFFSET 4095

#if defined(__GNUC__)
#define MAI_INLINE static inline __attribute__((always_inline))
#define MAI_NOINLINE static __attribute__((noinline, unused))
#else
#define MAI_INLINE static inline
#define MAI_NOINLINE static
#endif

/* A word from anywhere; one LDR, also unaligned. */
MAI_INLINE uint32_t mai_load(const void *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

MAI_INLINE void mai_store(void *to, uint32_t word)
{
    memcpy(to, &word, sizeof word);
}

MAI_INLINE int32_t mai_low(uint32_t pair)
{
    return (int16_t)(uint16_t)pair;
}

MAI_INLINE int32_t mai_high(uint32_t pair)
{
    return (int16_t)(uint16_t)(pair >> 16);
}

/* The pair (low halfword of a, low halfword of b); and of the high ones. */
MAI_INLINE uint32_t mai_pair(uint32_t a, uint32_t b)
{
#if MAI_DSP
    uint32_t pair;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(a), "r"(b));
    return pair;
#else
    return (a & 0xFFFF) | b << 16;
#endif
}

MAI_INLINE uint32_t mai_pair_high(uint32_t a, uint32_t b)
{
#if MAI_DSP
    uint32_t pair;
    __asm("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(b), "r"(a));
    return pair;
#else
    return a >> 16 | (b & 0xFFFF0000);
#endif
}

/* acc + a.low * b.low + a.high * b.high, modulo 2^32 */
MAI_INLINE int32_t mai_smlad(uint32_t a, uint32_t b, int32_t acc)
{
#if MAI_DSP
    int32_t sum;
    __asm("smlad %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
#else
    const uint32_t low = (uint32_t)(mai_low(a) * mai_low(b));
    return (int32_t)((uint32_t)acc + low + (uint32_t)(mai_high(a) * mai_high(b)));
#endif
}

/* The same with a 64-bit sum. */
MAI_INLINE int64_t mai_smlald(uint32_t a, uint32_t b, int64_t acc)
{
#if MAI_DSP
    __asm("smlald %Q0, %R0, %1, %2" : "+r"(acc) : "r"(a), "r"(b));
    return acc;
#else
    return acc + mai_low(a) * mai_low(b) + (int64_t)(mai_high(a) * mai_high(b));
#endif
}

/* acc + a.low * b.low, and acc + a.high * b.high */
MAI_INLINE int32_t mai_smlabb(uint32_t a, uint32_t b, int32_t acc)
{
#if MAI_DSP
    int32_t sum;
    __asm("smlabb %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
#else
    return acc + mai_low(a) * mai_low(b);
#endif
}

MAI_INLINE int64_t mai_smlalbb(uint32_t a, uint32_t b, int64_t acc)
{
#if MAI_DSP
    __asm("smlalbb %Q0, %R0, %1, %2" : "+r"(acc) : "r"(a), "r"(b));
    return acc;
#else
    return acc + mai_low(a) * mai_low(b);
#endif
}

MAI_INLINE int32_t mai_smlatt(uint32_t a, uint32_t b, int32_t acc)
{
#if MAI_DSP
    int32_t sum;
    __asm("smlatt %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
#else
    return acc + mai_high(a) * mai_high(b);
#endif
}

MAI_INLINE int64_t mai_smlaltt(uint32_t a, uint32_t b, int64_t acc)
{
#if MAI_DSP
    __asm("smlaltt %Q0, %R0, %1, %2" : "+r"(acc) : "r"(a), "r"(b));
    return acc;
#else
    return acc + mai_high(a) * mai_high(b);
#endif
}

/* Upper word of a * b, plus c. */
MAI_INLINE int32_t mai_smmla(int32_t a, int32_t b, int32_t c)
{
#if MAI_DSP
    int32_t sum;
    __asm("smmla %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
    return sum;
#else
    return (int32_t)(((int64_t)a * b) >> 32) + c;
#endif
}

/* Bytes 0 and 2 as a pair, sign-extended; and bytes 1 and 3. */
MAI_INLINE uint32_t mai_even_bytes(uint32_t word)
{
#if MAI_DSP
    uint32_t pair;
    __asm("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
#else
    const uint32_t low = (uint32_t)(int8_t)(uint8_t)word;
    return mai_pair(low, (uint32_t)(int8_t)(uint8_t)(word >> 16));
#endif
}

MAI_INLINE uint32_t mai_odd_bytes(uint32_t word)
{
#if MAI_DSP
    uint32_t pair;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
#else
    return mai_even_bytes(word >> 8 | word << 24);
#endif
}

/* Pair plus bytes 0 and 2 of the word, each halfword by itself; and plus bytes 1 and 3. */
MAI_INLINE uint32_t mai_add_even_bytes(uint32_t pair, uint32_t word)
{
#if MAI_DSP
    uint32_t sum;
    __asm("sxtab16 %0, %1, %2" : "=r"(sum) : "r"(pair), "r"(word));
    return sum;
#else
    const uint32_t bytes = mai_even_bytes(word);
    return mai_pair(pair + bytes, (pair >> 16) + (bytes >> 16));
#endif
}

MAI_INLINE uint32_t mai_add_odd_bytes(uint32_t pair, uint32_t word)
{
#if MAI_DSP
    uint32_t sum;
    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(sum) : "r"(pair), "r"(word));
    return sum;
#else
    return mai_add_even_bytes(pair, word >> 8 | word << 24);
#endif
}

/* The larger of each of four signed bytes; of each of two signed halfwords. */
MAI_INLINE uint32_t mai_max_bytes(uint32_t a, uint32_t b)
{
#if MAI_DSP
    uint32_t larger;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(larger) : "r"(a), "r"(b) : "cc");
    return larger;
#else
    uint32_t larger = 0;
    for (int32_t i = 0; i < 32; i += 8) {
        const int8_t left = (int8_t)(uint8_t)(a >> i);
        const int8_t right = (int8_t)(uint8_t)(b >> i);
        larger |= (uint32_t)(uint8_t)(left > right ? left : right) << i;
    }
    return larger;
#endif
}

MAI_INLINE uint32_t mai_max_pairs(uint32_t a, uint32_t b)
{
#if MAI_DSP
    uint32_t larger;
    __asm("ssub16 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(larger) : "r"(a), "r"(b) : "cc");
    return larger;
#else
    const int32_t low = mai_low(a) > mai_low(b) ? mai_low(a) : mai_low(b);
    const int32_t high = mai_high(a) > mai_high(b) ? mai_high(a) : mai_high(b);
    return mai_pair((uint32_t)low, (uint32_t)high);
#endif
}

#endif
