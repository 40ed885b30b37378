/* wire_fixture.c - see wire_fixture.h. */
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

void wire_raw(struct wire *wire, const void *bytes, size_t size)
{
    assert_true(size <= sizeof(wire->bytes) - wire->size);
    if (size > 0)
        memcpy(wire->bytes + wire->size, bytes, size);
    wire->size += size;
}

void wire_frame(struct wire *wire, enum wire_type type, uint8_t flags, uint32_t stream, const void *payload, size_t size)
{
    uint8_t head[9] = {(uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size, (uint8_t)type, flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};

    wire_raw(wire, head, sizeof(head));
    wire_raw(wire, payload, size);
}

void wire_magic(struct wire *wire)
{
    static const char magic[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    wire_raw(wire, magic, sizeof(magic) - 1);
    wire_frame(wire, WIRE_SETTINGS, 0, 0, NULL, 0);
}

void wire_number(struct wire *wire, enum wire_type type, uint32_t stream, uint32_t number)
{
    uint8_t payload[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};

    wire_frame(wire, type, 0, stream, payload, sizeof(payload));
}

static size_t put_string(uint8_t *out, const char *text, size_t size)
{
    assert_true(size < 127);
    out[0] = (uint8_t)size;
    memcpy(out + 1, text, size);
    return size + 1;
}

void wire_headers(struct wire *wire, uint8_t flags, uint32_t stream, const char *fields)
{
    uint8_t block[4096];
    size_t size = 0;

    while (*fields != '\0') {
        const char *value = strchr(fields + 1, '=') + 1;
        size_t value_size = strcspn(value, "|");

        block[size++] = 0; /* literal, not indexed, new name */
        size += put_string(block + size, fields, (size_t)(value - 1 - fields));
        size += put_string(block + size, value, value_size);
        fields = value + value_size;
        fields += *fields == '|';
    }
    wire_frame(wire, WIRE_HEADERS, flags | WIRE_END_HEADERS, stream, block, size);
}
