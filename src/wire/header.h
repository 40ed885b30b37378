/* header.h - HTTP/2 header fields as they pass between connection and call. Names are lower case; both are borrowed. */
#ifndef ROTA_WIRE_HEADER_H
#define ROTA_WIRE_HEADER_H

#include <rota/slice.h>

struct rota_header {
    struct rota_slice name, value;
};

#define ROTA_HEADER_OVERHEAD_BYTES 32 /* of a field in a header list, beside name and value: RFC 9113, 6.5.2 */
#define ROTA_HEADER_LIST_BYTES ((size_t)8 << 10) /* the longest that a client takes, counted so */
#define ROTA_HEADER_SENT_BYTES ((size_t)64 << 10) /* the longest that either side sends */

static inline size_t rota_header_list_bytes(const struct rota_header *headers, size_t count)
{
    size_t bytes = count * ROTA_HEADER_OVERHEAD_BYTES;

    for (size_t i = 0; i < count; i++)
        bytes += headers[i].name.size + headers[i].value.size;
    return bytes;
}

#endif
