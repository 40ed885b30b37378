/* fields.c - are the fields of a request, a response, or of trailers what HTTP/2 allows? (RFC 9113, 8.1 to 8.5)
 *
 * What breaks a rule costs the stream; a plain field whose value has other control characters than NUL, CR and LF is left out. An
 * :authority may be a whole URL: that is what etcd's Go client sends when it asks one member for its status.
 * A field that is in a table is looked at once; its note says which it is.
 */
#include "h2/session.h"

enum { METHOD = 1, SCHEME = 2, PATH = 4, AUTHORITY = 8, STATUS = 16, PLAIN = 32, CONNECT = 64 };

/* What may stand in a name (RFC 9110's tokens but for capitals), and in a value: all but control characters. */
static bool is_name_byte(uint8_t c)
{
    static const uint32_t set[4] = {0, 0x03ff6cfa, 0xc0000000, 0x57ffffff};

    return c < 128 && (set[c / 32] >> c % 32 & 1) != 0;
}

static bool is_name(struct rota_slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!is_name_byte(name.data[i]))
            return false;
    return name.size > 0;
}

static bool is_value(struct rota_slice value)
{
    for (size_t i = 0; i < value.size; i++)
        if ((value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7f)
            return false;
    return true;
}

static bool is_status(struct rota_slice value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
    return value.size == 3 && !rota_slice_equal(value, ROTA_SLICE("101"));
}

static uint8_t pseudo(struct rota_slice name, struct rota_slice value)
{
    if (!is_value(value))
        return 0;
    if (rota_slice_equal(name, ROTA_SLICE(":authority")))
        return AUTHORITY;
    if (value.size == 0)
        return 0;
    if (rota_slice_equal(name, ROTA_SLICE(":path")))
        return PATH;
    if (rota_slice_equal(name, ROTA_SLICE(":method")))
        return rota_slice_equal(value, ROTA_SLICE("CONNECT")) ? METHOD | CONNECT : METHOD;
    if (rota_slice_equal(name, ROTA_SLICE(":scheme")))
        return SCHEME;
    return rota_slice_equal(name, ROTA_SLICE(":status")) && is_status(value) ? STATUS : 0;
}

/* Fields of a connection that HTTP/2 has no use for. */
static bool is_hop_by_hop(struct rota_slice name, struct rota_slice value)
{
    switch (name.size) {
    case 2:
        return rota_slice_equal(name, ROTA_SLICE("te")) && !rota_slice_equal(value, ROTA_SLICE("trailers"));
    case 7:
        return rota_slice_equal(name, ROTA_SLICE("upgrade"));
    case 10:
        return rota_slice_equal(name, ROTA_SLICE("connection")) || rota_slice_equal(name, ROTA_SLICE("keep-alive"));
    case 16:
        return rota_slice_equal(name, ROTA_SLICE("proxy-connection"));
    case 17:
        return rota_slice_equal(name, ROTA_SLICE("transfer-encoding"));
    default:
        return false;
    }
}

/* What an HTTP/1 hop behind us would take for more than one field (8.2.1). */
static bool splits(struct rota_slice value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] == '\0' || value.data[i] == '\r' || value.data[i] == '\n')
            return true;
    return false;
}

static bool read_length(struct rota_h2_block *block, struct rota_slice value)
{
    int64_t length = 0;

    if (block->body_bytes >= 0 || value.size == 0 || value.size > 18)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        length = length * 10 + (value.data[i] - '0');
    }
    block->body_bytes = length;
    return true;
}

void rota_h2_fields_begin(struct rota_h2_block *block)
{
    block->seen = 0;
    block->body_bytes = -1;
}

/* No pseudo field comes twice, or after a plain one, or where it has no meaning. */
static enum rota_h2_field pass(struct rota_h2_block *block, uint8_t kind)
{
    static const uint8_t allowed[] = {
        [ROTA_H2_BLOCK_REQUEST] = METHOD | SCHEME | PATH | AUTHORITY,
        [ROTA_H2_BLOCK_RESPONSE] = STATUS,
        [ROTA_H2_BLOCK_TRAILERS] = 0,
    };

    if (kind != PLAIN && ((block->seen & (kind | PLAIN)) != 0 || (allowed[block->kind] & kind) == 0))
        return ROTA_H2_FIELD_REFUSE;
    block->seen |= kind;
    return ROTA_H2_FIELD_KEEP;
}

enum rota_h2_field rota_h2_field_check(struct rota_h2_block *block, struct rota_slice name, struct rota_slice value, uint8_t *kind)
{
    uint8_t is = PLAIN;

    if (kind != NULL && *kind != 0)
        return pass(block, *kind);
    if (name.size > 0 && name.data[0] == ':') {
        is = pseudo(name, value);
        if (is == 0)
            return ROTA_H2_FIELD_REFUSE;
    } else {
        block->seen |= PLAIN;
        if (!is_name(name) || is_hop_by_hop(name, value))
            return ROTA_H2_FIELD_REFUSE;
        if (!is_value(value))
            return splits(value) ? ROTA_H2_FIELD_REFUSE : ROTA_H2_FIELD_DROP;
        if (rota_slice_equal(name, ROTA_SLICE("content-length")))
            return read_length(block, value) ? ROTA_H2_FIELD_KEEP : ROTA_H2_FIELD_REFUSE;
    }
    if (kind != NULL)
        *kind = is;
    return pass(block, is);
}

const char *rota_h2_fields_flaw(const struct rota_h2_block *block)
{
    switch (block->kind) {
    case ROTA_H2_BLOCK_REQUEST:
        if ((block->seen & CONNECT) != 0) { /* asks for a host, and for nothing there (8.5) */
            if ((block->seen & (SCHEME | PATH | AUTHORITY)) != AUTHORITY)
                return "a CONNECT request with other pseudo fields than :method and :authority";
        } else if ((block->seen & (METHOD | SCHEME | PATH)) != (METHOD | SCHEME | PATH)) {
            return "a request that lacks :method, :scheme or :path";
        }
        break;
    case ROTA_H2_BLOCK_RESPONSE:
        if ((block->seen & STATUS) == 0)
            return "a response without :status";
        break;
    default:
        return NULL;
    }
    return block->end_stream && block->body_bytes > 0 ? "less DATA than its content-length" : NULL;
}
