/* canned_frames.c - the bytes that canned answers with: HTTP/2 frame headers, HPACK literals, protobuf messages. */
#include "canned_frames.h"

#include <string.h>

uint8_t *canned_put_u32(uint8_t *to, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *to++ = (uint8_t)(value >> shift);
    return to;
}

uint8_t *canned_put_frame_header(uint8_t *to, size_t size, enum frame_type type, int flags, uint32_t stream)
{
    canned_put_u32(to, (uint32_t)size << 8);
    to[3] = (uint8_t)type;
    to[4] = (uint8_t)flags;
    return canned_put_u32(to + 5, stream);
}

uint8_t *canned_put_text(uint8_t *to, const void *text, size_t size)
{
    *to++ = (uint8_t)size;
    memcpy(to, text, size);
    return to + size;
}

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
    for (; value > 127; value >>= 7)
        *to++ = (uint8_t)(value | 128);
    *to++ = (uint8_t)value;
    return to;
}

static size_t base64(char *to, const uint8_t *from, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;

    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = (uint32_t)from[i] << 16 | (i + 1 < size ? (uint32_t)from[i + 1] << 8 : 0) | (i + 2 < size ? from[i + 2] : 0);
        for (size_t digit = 0; digit < 4 && i * 8 + digit * 6 < size * 8; digit++)
            to[n++] = digits[bits >> (18 - 6 * digit) & 63];
    }
    return n;
}

/* A literal field that is not indexed: an xds.data.orca.v3.OrcaLoadReport with cpu, rps and application utilization. */
uint8_t *canned_put_load_report(uint8_t *to, double utilization, double per_second)
{
    const double values[] = {utilization, per_second, utilization};
    const uint8_t fields[] = {1, 6, 9};
    uint8_t report[32];
    char text[48];
    size_t size = 0;

    for (size_t i = 0; i < sizeof(fields); i++) {
        report[size++] = (uint8_t)(fields[i] << 3 | 1);
        memcpy(report + size, &values[i], sizeof(values[i]));
        size += sizeof(values[i]);
    }
    *to++ = 0;
    to = canned_put_text(to, "endpoint-load-metrics-bin", 25);
    return canned_put_text(to, text, base64(text, report, size));
}

size_t canned_put_message(uint8_t *to, int code, const struct request *request)
{
    uint8_t *end = to + GRPC_PREFIX;

    *end++ = 1 << 3;
    end = put_varint(end, (uint64_t)code);
    *end++ = 2 << 3 | 2;
    *end++ = (uint8_t)(6 + request->size);
    memcpy(end, "hello ", 6);
    memcpy(end + 6, request->name, request->size);
    end += 6 + request->size;
    to[0] = 0;
    canned_put_u32(to + 1, (uint32_t)(end - to - GRPC_PREFIX));
    return (size_t)(end - to);
}
