/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiler shall do with the loop that follows. */
#ifndef MAI_UNROLL_H
#define MAI_UNROLL_H

#if defined(__clang__)
#define MAI_UNROLL _Pragma("clang loop unroll(full)")
#define MAI_UNROLL_8 _Pragma("clang loop unroll_count(8)")
#define MAI_ROLLED _Pragma("clang loop unroll(disable)")
#elif defined(__GNUC__)
#define MAI_UNROLL _Pragma("GCC unroll 16")
#define MAI_UNROLL_8 _Pragma("GCC unroll 8")
#define MAI_ROLLED _Pragma("GCC unroll 1")
#else
#define MAI_UNROLL
#define MAI_UNROLL_8
#define MAI_ROLLED
#endif

#endif
