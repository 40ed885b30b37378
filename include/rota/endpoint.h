/* rota/endpoint.h - where a service is: addresses, endpoints (one server, one or more addresses), attributes.
 *
 * Endpoints are immutable and refcounted; a resolver that finds one unchanged should publish the same object
 * again, then nothing below it is touched. Threading: ref, unref and reading are safe anywhere.
 * Terms as in gRPC (gRFC A61): an endpoint's identity is the unordered set of its addresses.
 */
#ifndef ROTA_ENDPOINT_H
#define ROTA_ENDPOINT_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>

ROTA_BEGIN_DECLS

enum rota_address_kind {
    ROTA_ADDRESS_IPV4,
    ROTA_ADDRESS_IPV6,
    ROTA_ADDRESS_UNIX,          /* path in text after "unix:" */
    ROTA_ADDRESS_UNIX_ABSTRACT, /* name in text after "unix-abstract:" */
    ROTA_ADDRESS_NAME,          /* "localhost:8001": looked up when dialed, all its addresses tried */
};

struct rota_address {
    enum rota_address_kind kind;
    uint16_t port;
    uint32_t scope_id; /* IPv6 only */
    uint8_t ip[16];    /* network order; IPv4 uses the first four */
    const char *text;  /* canonical: "127.0.0.1:8001", "[::1]:8001", "unix:/run/x", "localhost:8001" */
};

struct rota_attribute {
    const char *key;
    const char *value;
};

struct rota_endpoint {
    const struct rota_address *addresses; /* at least one */
    size_t n_addresses;
    uint32_t weight;     /* 0: none given */
    const char *zone;    /* NULL: none given */
    const char *version; /* NULL: none given */
    const struct rota_attribute *attributes; /* the resolver's other knowledge: metadata, "etcd.key", ... */
    size_t n_attributes;
};

/* Reads "1.2.3.4:80", "[::1]:80", "host:80", ":80" (that is localhost), "unix:/path", "unix-abstract:name" into *ret_address;
 * its text is written to `text` (at least ROTA_ADDRESS_TEXT_SIZE bytes). ROTA_EPARSE: info says what is wrong with it. */
#define ROTA_ADDRESS_TEXT_SIZE 288
ROTA_API ROTA_MUST_USE rota_err rota_address_parse(struct rota_slice input, char *text, struct rota_address *ret_address,
                                                   struct rota_errinfo *info);

/* A copy of `from` with one reference: all it points to is copied. ROTA_EINVAL: no address, or one without its text, or an
 * attribute without key or value; ROTA_ENOMEM. The last unref, on whatever thread, frees through alloc. */
ROTA_API ROTA_MUST_USE rota_err rota_endpoint_new(const struct rota_alloc *alloc, const struct rota_endpoint *from,
                                                  const struct rota_endpoint **ret_endpoint);
ROTA_API const struct rota_endpoint *rota_endpoint_ref(const struct rota_endpoint *endpoint);
ROTA_API void rota_endpoint_unref(const struct rota_endpoint *endpoint); /* NULL is fine */

/* Same addresses in any order. */
ROTA_API bool rota_endpoint_same(const struct rota_endpoint *a, const struct rota_endpoint *b);
/* Same in every field. */
ROTA_API bool rota_endpoint_equal(const struct rota_endpoint *a, const struct rota_endpoint *b);
/* The attribute's value or NULL. */
ROTA_API const char *rota_endpoint_attribute(const struct rota_endpoint *endpoint, const char *key);

ROTA_END_DECLS
#endif
