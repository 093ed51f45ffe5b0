/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_SOURCES_H
#define MAI_SOURCES_H

#include "mai_window.h"

/* The input pixels that reach an output pixel of a transposed convolution along one axis: first to
 * end - 1; pixel i does so through tap at - i * stride. */
typedef struct {
    int32_t at;
    int32_t first, end;
} mai_sources;

static inline mai_sources mai_sources_at(int32_t at, int32_t size, int32_t kernel, int32_t stride)
{
    const int32_t last = at / stride;
    const mai_sources sources = {
        .at = at,
        .first = at < kernel ? 0 : (at - kernel) / stride + 1,
        .end = last < size ? last + 1 : size,
    };
    return sources;
}

/* The sources of output row i, and of output column j. */
static inline mai_sources mai_sources_h(mai_window n, int32_t i)
{
    return mai_sources_at(i + n.pad_h, n.in_h, n.k_h, n.stride_h);
}

static inline mai_sources mai_sources_w(mai_window n, int32_t j)
{
    return mai_sources_at(j + n.pad_w, n.in_w, n.k_w, n.stride_w);
}

#endif
