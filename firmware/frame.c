/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "port.h"

/* CRC-32 as in IEEE 802.3, bit by bit: the link is slower than this loop. */
static uint32_t crc32(const uint8_t *bytes, int32_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (int32_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int32_t bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

/* One COBS frame up to its zero; the decoded size, or -1 when it is too long or broken. */
static int32_t receive_cobs(uint8_t *bytes)
{
    int32_t size = 0;
    int32_t left = 0;    /* data bytes until the next code byte */
    int32_t owed = 0;    /* whether a zero follows the block that just ended */
    int32_t broken = 0;
    for (;;) {
        const uint8_t byte = port_read();
        if (byte == 0) {
            return broken || left > 0 ? -1 : size;
        }
        const int32_t is_code = left == 0;
        if ((!is_code || owed) && size == FRAME_BYTES) {
            broken = 1;
        }
        if (is_code) {
            if (owed && !broken) {
                bytes[size++] = 0;
            }
            left = byte - 1;
            owed = byte != 0xFF;
        } else {
            if (!broken) {
                bytes[size++] = byte;
            }
            left--;
        }
    }
}

static void send_cobs(const uint8_t *bytes, int32_t size)
{
    int32_t start = 0;
    for (;;) {
        int32_t end = start;
        while (end < size && bytes[end] != 0 && end - start < 254) {
            end++;
        }
        port_write((uint8_t)(end - start + 1));
        for (int32_t i = start; i < end; i++) {
            port_write(bytes[i]);
        }
        if (end == size) {
            break;
        }
        start = end - start < 254 ? end + 1 : end;
    }
    port_write(0);
}

void frame_receive(frame *f)
{
    for (;;) {
        const int32_t size = receive_cobs(f->bytes);
        if (size < 6) {
            continue;
        }
        const uint8_t *tail = f->bytes + size - 4;
        const uint32_t sent = (uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 |
                              (uint32_t)tail[3] << 24;
        if (sent == crc32(f->bytes, size - 4)) {
            f->size = size - 4;
            return;
        }
    }
}

void frame_send(frame *f)
{
    const uint32_t crc = crc32(f->bytes, f->size);
    for (int32_t i = 0; i < 4; i++) {
        f->bytes[f->size + i] = (uint8_t)(crc >> (8 * i));
    }
    send_cobs(f->bytes, f->size + 4);
}
