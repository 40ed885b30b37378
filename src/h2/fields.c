/* fields.c - is a request what HTTP/2 allows? (RFC 9113, 8.1 to 8.3.1)
 *
 * The session's own check is off on servers: it refuses the stream for an :authority that is a whole URL, and that is what etcd's Go client
 * sends when it asks one member for its status. Everything else it looks at is looked at here; a client keeps the session's check.
 * What breaks a rule costs the stream; a plain field whose value has other control characters than NUL, CR and LF is left out, as
 * nghttp2 does.
 */
#include "h2/session.h"

enum { METHOD = 1, SCHEME = 2, PATH = 4, AUTHORITY = 8, PLAIN = 16 };

static enum rota_h2_field pseudo(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value, uint8_t *ret_kind)
{
    static const struct {
        struct rota_slice name;
        uint8_t bit;
    } known[] = {
        {{(const uint8_t *)":method", 7}, METHOD},
        {{(const uint8_t *)":scheme", 7}, SCHEME},
        {{(const uint8_t *)":path", 5}, PATH},
        {{(const uint8_t *)":authority", 10}, AUTHORITY},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!rota_slice_equal(name, known[i].name))
            continue;
        if (nghttp2_check_header_value(value.data, value.size) == 0 || (value.size == 0 && known[i].bit != AUTHORITY))
            return ROTA_H2_FIELD_REFUSE;
        *ret_kind = known[i].bit;
        return rota_h2_field_again(h2, known[i].bit);
    }
    return ROTA_H2_FIELD_REFUSE;
}

/* Fields of a connection that HTTP/2 has no use for. */
static bool is_hop_by_hop(struct rota_slice name, struct rota_slice value)
{
    return rota_slice_equal(name, ROTA_SLICE("connection")) || rota_slice_equal(name, ROTA_SLICE("keep-alive")) ||
           rota_slice_equal(name, ROTA_SLICE("proxy-connection")) || rota_slice_equal(name, ROTA_SLICE("transfer-encoding")) ||
           rota_slice_equal(name, ROTA_SLICE("upgrade")) ||
           (rota_slice_equal(name, ROTA_SLICE("te")) && !rota_slice_equal(value, ROTA_SLICE("trailers")));
}

/* What an HTTP/1 hop behind us would take for more than one field (8.2.1). */
static bool splits(struct rota_slice value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] == '\0' || value.data[i] == '\r' || value.data[i] == '\n')
            return true;
    return false;
}

static bool read_length(struct rota_h2 *h2, struct rota_slice value)
{
    int64_t length = 0;

    if (h2->body_bytes >= 0 || value.size == 0 || value.size > 18)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        length = length * 10 + (value.data[i] - '0');
    }
    h2->body_bytes = length;
    return true;
}

void rota_h2_fields_begin(struct rota_h2 *h2, bool trailers)
{
    h2->fields_seen = trailers ? PLAIN : 0;
    h2->body_bytes = -1;
}

/* No pseudo field comes twice, or after a plain one. */
enum rota_h2_field rota_h2_field_again(struct rota_h2 *h2, uint8_t kind)
{
    if (kind != PLAIN && (h2->fields_seen & (kind | PLAIN)) != 0)
        return ROTA_H2_FIELD_REFUSE;
    h2->fields_seen |= kind;
    return ROTA_H2_FIELD_KEEP;
}

enum rota_h2_field rota_h2_field_check(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value, uint8_t *ret_kind)
{
    *ret_kind = 0;
    if (name.size > 0 && name.data[0] == ':')
        return pseudo(h2, name, value, ret_kind);
    h2->fields_seen |= PLAIN;
    if (nghttp2_check_header_name(name.data, name.size) == 0 || is_hop_by_hop(name, value))
        return ROTA_H2_FIELD_REFUSE;
    if (nghttp2_check_header_value(value.data, value.size) == 0)
        return splits(value) ? ROTA_H2_FIELD_REFUSE : ROTA_H2_FIELD_DROP;
    if (rota_slice_equal(name, ROTA_SLICE("content-length")))
        return read_length(h2, value) ? ROTA_H2_FIELD_KEEP : ROTA_H2_FIELD_REFUSE;
    *ret_kind = PLAIN;
    return ROTA_H2_FIELD_KEEP;
}

bool rota_h2_fields_complete(const struct rota_h2 *h2, bool end)
{
    return (h2->fields_seen & (METHOD | SCHEME | PATH)) == (METHOD | SCHEME | PATH) && !(end && h2->body_bytes > 0);
}
