/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAI_CLAMP_F32_H
#define MAI_CLAMP_F32_H

#include <math.h>

/* value limited to low..high */
static inline float mai_clamp_f32(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

#endif
