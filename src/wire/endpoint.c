/* endpoint.c - addresses as text and as bytes; endpoints as immutable, counted objects.
 *
 * Invariants: an address parsed here has one text for all the ways to write it (numbers normalised, names in lower case),
 * so equal texts mean equal addresses; an endpoint and all it points to is one block. Elsewhere: names are
 * looked up when dialed (src/net).
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/errinfo.h"
#include "wire/target.h"
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>

#define SHOWN(slice) (int)((slice).size < 200 ? (slice).size : 200), (const char *)(slice).data

#define UNIX_PATH_MAX_BYTES 107 /* what struct sockaddr_un holds, with a zero */
#define HOST_MAX_BYTES 253      /* RFC 1035 */
#define LABEL_MAX_BYTES 63

/* --- Unix sockets --- */

static bool has_prefix(struct rota_slice text, const char *prefix)
{
    size_t size = strlen(prefix);

    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

/* Schemes have no case (RFC 3986): were "Unix:x" a host and a port, its canonical text would read as a path. */
static bool has_scheme(struct rota_slice text, const char *scheme)
{
    size_t size = strlen(scheme);

    for (size_t i = 0; i < size; i++)
        if (i >= text.size || (text.data[i] >= 'A' && text.data[i] <= 'Z' ? text.data[i] | 0x20 : text.data[i]) != (uint8_t)scheme[i])
            return false;
    return true;
}

static struct rota_slice after(struct rota_slice text, size_t size)
{
    return rota_slice(text.data + size, text.size - size);
}

static rota_err parse_unix(struct rota_slice input, const char *prefix, enum rota_address_kind kind, char *text,
    struct rota_address *ret_address, struct rota_errinfo *info)
{
    struct rota_slice path = after(input, strlen(prefix));

    /* unix:///run/x is the URI's way to write unix:/run/x. */
    while (kind == ROTA_ADDRESS_UNIX && has_prefix(path, "///"))
        path = after(path, 2);
    if (path.size == 0 || memchr(path.data, 0, path.size) != NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "address \"%.*s\": there is no %s after \"%s\"", SHOWN(input),
            kind == ROTA_ADDRESS_UNIX ? "path" : "name", prefix);
    if (path.size > UNIX_PATH_MAX_BYTES)
        return rota_errinfo_set(info, ROTA_EPARSE, "address \"%.*s\": %zu bytes after \"%s\", the system takes %d at most", SHOWN(input),
            path.size, prefix, UNIX_PATH_MAX_BYTES);
    snprintf(text, ROTA_ADDRESS_TEXT_SIZE, "%s%.*s", prefix, (int)path.size, (const char *)path.data);
    *ret_address = (struct rota_address){.kind = kind, .text = text};
    return 0;
}

/* --- Hosts --- */

static bool copy_text(struct rota_slice from, char *out, size_t cap)
{
    if (from.size >= cap || (from.size > 0 && memchr(from.data, 0, from.size) != NULL))
        return false;
    if (from.size > 0)
        memcpy(out, from.data, from.size);
    out[from.size] = '\0';
    return true;
}

/* "fe80::1%3": the part after the percent sign is the interface's number. */
static bool parse_scope(char *host, uint32_t *ret_scope)
{
    char *percent = strchr(host, '%');
    uint64_t scope = 0;

    *ret_scope = 0;
    if (percent == NULL)
        return true;
    *percent = '\0';
    if (percent[1] == '\0' || strlen(percent + 1) > 10)
        return false;
    for (const char *digit = percent + 1; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        scope = scope * 10 + (uint64_t)(*digit - '0');
    }
    *ret_scope = (uint32_t)scope;
    return scope <= UINT32_MAX;
}

static bool parse_ipv6(struct rota_slice host, uint16_t port, char *text, struct rota_address *ret_address)
{
    char digits[INET6_ADDRSTRLEN + 11];
    struct rota_address address = {.kind = ROTA_ADDRESS_IPV6, .port = port, .text = text};

    if (!copy_text(host, digits, sizeof(digits)) || !parse_scope(digits, &address.scope_id) ||
        inet_pton(AF_INET6, digits, address.ip) != 1 || inet_ntop(AF_INET6, address.ip, digits, sizeof(digits)) == NULL)
        return false;
    if (address.scope_id != 0)
        snprintf(text, ROTA_ADDRESS_TEXT_SIZE, "[%s%%%u]:%u", digits, (unsigned)address.scope_id, (unsigned)port);
    else
        snprintf(text, ROTA_ADDRESS_TEXT_SIZE, "[%s]:%u", digits, (unsigned)port);
    *ret_address = address;
    return true;
}

static bool parse_ipv4(struct rota_slice host, uint16_t port, char *text, struct rota_address *ret_address)
{
    char digits[INET_ADDRSTRLEN];
    struct rota_address address = {.kind = ROTA_ADDRESS_IPV4, .port = port, .text = text};

    if (!copy_text(host, digits, sizeof(digits)) || inet_pton(AF_INET, digits, address.ip) != 1)
        return false;
    snprintf(text, ROTA_ADDRESS_TEXT_SIZE, "%u.%u.%u.%u:%u", address.ip[0], address.ip[1], address.ip[2], address.ip[3], (unsigned)port);
    *ret_address = address;
    return true;
}

/* Letters, digits, '-' and '_' in labels of 1 to 63; a dot may end it. Digits and dots alone are a failed IPv4 address. */
static bool is_name(struct rota_slice host)
{
    size_t label = 0;
    bool letter_seen = false;

    if (host.size > HOST_MAX_BYTES)
        return false;
    for (size_t i = 0; i < host.size; i++) {
        uint8_t byte = host.data[i];
        uint8_t lower = byte | 0x20;

        if (byte == '.' && label > 0) {
            label = 0;
            continue;
        }
        letter_seen |= (lower >= 'a' && lower <= 'z') || byte == '-' || byte == '_';
        if (!((lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_'))
            return false;
        if (++label > LABEL_MAX_BYTES)
            return false;
    }
    return letter_seen;
}

static rota_err name_address(struct rota_slice host, uint16_t port, char *text, struct rota_address *ret_address)
{
    for (size_t i = 0; i < host.size; i++)
        text[i] = (char)(host.data[i] >= 'A' && host.data[i] <= 'Z' ? host.data[i] | 0x20 : host.data[i]);
    snprintf(text + host.size, ROTA_ADDRESS_TEXT_SIZE - host.size, ":%u", (unsigned)port);
    *ret_address = (struct rota_address){.kind = ROTA_ADDRESS_NAME, .port = port, .text = text};
    return 0;
}

rota_err rota_address_parse(struct rota_slice input, char *text, struct rota_address *ret_address, struct rota_errinfo *info)
{
    struct rota_slice host;
    uint16_t port;
    rota_err err;

    if (text == NULL || ret_address == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "there is nowhere to put the address");
    if (input.size == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "the address is empty, expected HOST:PORT or unix:PATH");
    if (has_scheme(input, "unix:"))
        return parse_unix(input, "unix:", ROTA_ADDRESS_UNIX, text, ret_address, info);
    if (has_scheme(input, "unix-abstract:"))
        return parse_unix(input, "unix-abstract:", ROTA_ADDRESS_UNIX_ABSTRACT, text, ret_address, info);
    if (input.data[0] == ':' && memchr(input.data + 1, ':', input.size - 1) == NULL) {
        char local[sizeof("localhost:65535")];

        if (snprintf(local, sizeof(local), "localhost%.*s", SHOWN(input)) < (int)sizeof(local))
            return rota_address_parse(rota_slice_str(local), text, ret_address, info);
    }
    err = rota_host_port_split(input, 0, &host, &port, info);
    if (err < 0)
        return err;
    if (host.data + host.size + (input.data[0] == '[') == input.data + input.size)
        return rota_errinfo_set(info, ROTA_EPARSE, "address \"%.*s\" has no port, expected HOST:PORT (IPv6: [ADDRESS]:PORT)", SHOWN(input));
    if (input.data[0] == '[') {
        if (parse_ipv6(host, port, text, ret_address))
            return 0;
        return rota_errinfo_set(info, ROTA_EPARSE, "address \"%.*s\": what stands in [] is no IPv6 address", SHOWN(input));
    }
    if (parse_ipv4(host, port, text, ret_address))
        return 0;
    if (is_name(host))
        return name_address(host, port, text, ret_address);
    return rota_errinfo_set(info, ROTA_EPARSE, "address \"%.*s\": \"%.*s\" is neither an IP address nor a host name", SHOWN(input), SHOWN(host));
}

/* --- Endpoints --- */

struct counted {
    struct rota_endpoint endpoint; /* first: what the public pointer points to */
    const struct rota_alloc *alloc;
    atomic_size_t refs;
};

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

/* The block's size, or 0 when a part of `from` is missing. */
static size_t block_size(const struct rota_endpoint *from)
{
    size_t size = sizeof(struct counted) + from->n_addresses * sizeof(*from->addresses) + from->n_attributes * sizeof(*from->attributes);

    for (size_t i = 0; i < from->n_addresses; i++) {
        if (from->addresses[i].text == NULL)
            return 0;
        size += text_size(from->addresses[i].text);
    }
    for (size_t i = 0; i < from->n_attributes; i++) {
        if (from->attributes[i].key == NULL || from->attributes[i].value == NULL)
            return 0;
        size += text_size(from->attributes[i].key) + text_size(from->attributes[i].value);
    }
    return size + text_size(from->zone) + text_size(from->version);
}

static const char *put_text(char **at, const char *text)
{
    size_t size = text_size(text);
    const char *copy = *at;

    if (size == 0)
        return NULL;
    memcpy(*at, text, size);
    *at += size;
    return copy;
}

static void fill(struct counted *counted, const struct rota_endpoint *from)
{
    struct rota_address *addresses = (struct rota_address *)(counted + 1);
    struct rota_attribute *attributes = (struct rota_attribute *)(addresses + from->n_addresses);
    char *at = (char *)(attributes + from->n_attributes);

    for (size_t i = 0; i < from->n_addresses; i++) {
        addresses[i] = from->addresses[i];
        addresses[i].text = put_text(&at, from->addresses[i].text);
    }
    for (size_t i = 0; i < from->n_attributes; i++) {
        attributes[i].key = put_text(&at, from->attributes[i].key);
        attributes[i].value = put_text(&at, from->attributes[i].value);
    }
    counted->endpoint = (struct rota_endpoint){
        .addresses = addresses,
        .n_addresses = from->n_addresses,
        .weight = from->weight,
        .zone = put_text(&at, from->zone),
        .version = put_text(&at, from->version),
        .attributes = from->n_attributes == 0 ? NULL : attributes,
        .n_attributes = from->n_attributes,
    };
}

rota_err rota_endpoint_new(const struct rota_alloc *alloc, const struct rota_endpoint *from, const struct rota_endpoint **ret_endpoint)
{
    struct counted *counted;
    size_t size;

    if (from == NULL || ret_endpoint == NULL || from->n_addresses == 0 || from->addresses == NULL ||
        (from->n_attributes > 0 && from->attributes == NULL))
        return ROTA_EINVAL;
    size = block_size(from);
    if (size == 0)
        return ROTA_EINVAL;
    counted = rota_alloc_get(alloc, size);
    if (counted == NULL)
        return ROTA_ENOMEM;
    counted->alloc = alloc;
    atomic_init(&counted->refs, 1);
    fill(counted, from);
    *ret_endpoint = &counted->endpoint;
    return 0;
}

/* The count is the one part of an endpoint that changes, so the pointer to it loses its const here alone. */
static struct counted *counted_of(const struct rota_endpoint *endpoint)
{
    return (struct counted *)(uintptr_t)endpoint;
}

const struct rota_endpoint *rota_endpoint_ref(const struct rota_endpoint *endpoint)
{
    if (endpoint != NULL)
        atomic_fetch_add_explicit(&counted_of(endpoint)->refs, 1, memory_order_relaxed);
    return endpoint;
}

void rota_endpoint_unref(const struct rota_endpoint *endpoint)
{
    size_t refs;

    if (endpoint == NULL)
        return;
    refs = atomic_fetch_sub_explicit(&counted_of(endpoint)->refs, 1, memory_order_acq_rel);
    ROTA_ASSERT(refs > 0);
    if (refs == 1)
        rota_alloc_free(counted_of(endpoint)->alloc, counted_of(endpoint));
}

/* --- Comparing --- */

static bool same_address(const struct rota_address *a, const struct rota_address *b)
{
    return a->kind == b->kind && a->port == b->port && a->scope_id == b->scope_id && strcmp(a->text, b->text) == 0;
}

static bool has_all(const struct rota_endpoint *set, const struct rota_endpoint *of)
{
    for (size_t i = 0; i < of->n_addresses; i++) {
        bool found = false;

        for (size_t j = 0; j < set->n_addresses && !found; j++)
            found = same_address(&set->addresses[(i + j) % set->n_addresses], &of->addresses[i]);
        if (!found)
            return false;
    }
    return true;
}

bool rota_endpoint_same(const struct rota_endpoint *a, const struct rota_endpoint *b)
{
    if (a == NULL || b == NULL || a == b)
        return a == b;
    return has_all(a, b) && has_all(b, a);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool rota_endpoint_equal(const struct rota_endpoint *a, const struct rota_endpoint *b)
{
    if (a == NULL || b == NULL || a == b)
        return a == b;
    if (a->n_addresses != b->n_addresses || a->n_attributes != b->n_attributes || a->weight != b->weight ||
        !same_text(a->zone, b->zone) || !same_text(a->version, b->version))
        return false;
    for (size_t i = 0; i < a->n_addresses; i++)
        if (!same_address(&a->addresses[i], &b->addresses[i]))
            return false;
    for (size_t i = 0; i < a->n_attributes; i++)
        if (!same_text(a->attributes[i].key, b->attributes[i].key) || !same_text(a->attributes[i].value, b->attributes[i].value))
            return false;
    return true;
}

const char *rota_endpoint_attribute(const struct rota_endpoint *endpoint, const char *key)
{
    if (endpoint == NULL || key == NULL)
        return NULL;
    for (size_t i = 0; i < endpoint->n_attributes; i++)
        if (strcmp(endpoint->attributes[i].key, key) == 0)
            return endpoint->attributes[i].value;
    return NULL;
}
