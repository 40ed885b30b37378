/* frame.h - the heads of HTTP/2 frames, and the numbers that the protocol gives to things.
 *
 * Source: RFC 9113, 4.1, 6, 7.
 */
#ifndef ROTA_H2_FRAME_H
#define ROTA_H2_FRAME_H

#include <stdint.h>
#include <string.h>

#define ROTA_H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" /* what a client begins with, before its first frame */
#define ROTA_H2_PREFACE_BYTES (sizeof(ROTA_H2_PREFACE) - 1)
#define ROTA_H2_HEAD_BYTES 9
#define ROTA_H2_PRIORITY_BYTES 5
#define ROTA_H2_FRAME_MAX_BYTES 16384 /* SETTINGS_MAX_FRAME_SIZE where nothing else is said; we never say more */

enum rota_h2_type {
    ROTA_H2_TYPE_DATA,
    ROTA_H2_TYPE_HEADERS,
    ROTA_H2_TYPE_PRIORITY,
    ROTA_H2_TYPE_RST_STREAM,
    ROTA_H2_TYPE_SETTINGS,
    ROTA_H2_TYPE_PUSH_PROMISE,
    ROTA_H2_TYPE_PING,
    ROTA_H2_TYPE_GOAWAY,
    ROTA_H2_TYPE_WINDOW_UPDATE,
    ROTA_H2_TYPE_CONTINUATION,
};

enum {
    ROTA_H2_FLAG_END_STREAM = 0x1,
    ROTA_H2_FLAG_ACK = 0x1,
    ROTA_H2_FLAG_END_HEADERS = 0x4,
    ROTA_H2_FLAG_PADDED = 0x8,
    ROTA_H2_FLAG_PRIORITY = 0x20,
};

enum rota_h2_code {
    ROTA_H2_NO_ERROR,
    ROTA_H2_PROTOCOL_ERROR,
    ROTA_H2_INTERNAL_ERROR,
    ROTA_H2_FLOW_CONTROL_ERROR,
    ROTA_H2_SETTINGS_TIMEOUT,
    ROTA_H2_STREAM_CLOSED,
    ROTA_H2_FRAME_SIZE_ERROR,
    ROTA_H2_REFUSED_STREAM,
    ROTA_H2_CANCEL,
    ROTA_H2_COMPRESSION_ERROR,
    ROTA_H2_CONNECT_ERROR,
    ROTA_H2_ENHANCE_YOUR_CALM,
    ROTA_H2_INADEQUATE_SECURITY,
    ROTA_H2_HTTP_1_1_REQUIRED,
};

enum rota_h2_setting_id {
    ROTA_H2_SETTINGS_HEADER_TABLE_SIZE = 1,
    ROTA_H2_SETTINGS_ENABLE_PUSH,
    ROTA_H2_SETTINGS_MAX_CONCURRENT_STREAMS,
    ROTA_H2_SETTINGS_INITIAL_WINDOW_SIZE,
    ROTA_H2_SETTINGS_MAX_FRAME_SIZE,
    ROTA_H2_SETTINGS_MAX_HEADER_LIST_SIZE,
};

struct rota_h2_setting {
    uint16_t id;
    uint32_t value;
};

struct rota_h2_head {
    uint32_t length;
    uint8_t type, flags;
    int32_t id;
};

static inline uint32_t rota_h2_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* 31 bits: the highest is reserved, and ignored. */
static inline int32_t rota_h2_u31(const uint8_t *bytes)
{
    return (int32_t)(rota_h2_u32(bytes) & 0x7fffffff);
}

static inline uint8_t *rota_h2_put_u32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
    return out + 4;
}

static inline struct rota_h2_head rota_h2_head_read(const uint8_t *bytes)
{
    return (struct rota_h2_head){
        .length = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2],
        .type = bytes[3],
        .flags = bytes[4],
        .id = rota_h2_u31(bytes + 5),
    };
}

static inline uint8_t *rota_h2_head_write(uint8_t *out, size_t length, enum rota_h2_type type, uint8_t flags, int32_t id)
{
    out[0] = (uint8_t)(length >> 16);
    out[1] = (uint8_t)(length >> 8);
    out[2] = (uint8_t)length;
    out[3] = (uint8_t)type;
    out[4] = flags;
    return rota_h2_put_u32(out + 5, (uint32_t)id);
}

/* "PROTOCOL_ERROR" and the like; "unknown" for numbers that the protocol does not give. */
const char *rota_h2_code_name(uint32_t h2_code);

#endif
