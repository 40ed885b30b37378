/* ip.c - ipv4: and ipv6: targets: a list of addresses, published once. */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "resolver/resolvers.h"
#include "wire/target.h"
#include <stdio.h>

#define DEFAULT_PORT 443 /* gRPC's, whatever the transport */

#define SHOWN(slice) (int)((slice).size < 100 ? (slice).size : 100), (const char *)(slice).data

/* Cuts the piece before the next comma off; false when there is none left. A list ends without a comma. */
static bool next_piece(const char **at, struct rota_slice *ret_piece)
{
    size_t size;

    if (*at == NULL)
        return false;
    size = strcspn(*at, ",");
    *ret_piece = rota_slice(*at, size);
    *at = (*at)[size] == ',' ? *at + size + 1 : NULL;
    return true;
}

static rota_err parse_piece(struct rota_slice piece, enum rota_address_kind kind, char *text, struct rota_address *ret_address,
    struct rota_errinfo *info)
{
    const char *family = kind == ROTA_ADDRESS_IPV4 ? "an IPv4" : "an IPv6";
    char whole[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_slice host;
    uint16_t port;
    rota_err err;
    int size;

    if (piece.size == 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "an address of the list is empty");
    err = rota_host_port_split(piece, DEFAULT_PORT, &host, &port, info);
    if (err < 0)
        return ROTA_EINVAL;
    size = snprintf(whole, sizeof(whole), piece.data[0] == '[' ? "[%.*s]:%u" : "%.*s:%u", SHOWN(host), (unsigned)port);
    if (size >= (int)sizeof(whole) || rota_address_parse(rota_slice_str(whole), text, ret_address, NULL) < 0 || ret_address->kind != kind)
        return rota_errinfo_set(info, ROTA_EINVAL, "\"%.*s\" is not %s address", SHOWN(piece), family);
    if (port == 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "\"%.*s\": port 0 cannot be dialed", SHOWN(piece));
    return 0;
}

static rota_err check(const struct rota_target *target, enum rota_address_kind kind, struct rota_errinfo *info)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_errinfo why = {""};
    struct rota_address address;
    struct rota_slice piece;
    const char *at = target->path;

    if (target->authority[0] != '\0' || target->n_params > 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\": expected %s:ADDRESS:PORT,... and nothing more", target->text, target->scheme);
    while (next_piece(&at, &piece))
        if (parse_piece(piece, kind, text, &address, &why) < 0)
            return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\": %.250s", target->text, why.text);
    return 0;
}

static void unref_all(const struct rota_endpoint **endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rota_endpoint_unref(endpoints[i]);
}

static rota_err make_all(const struct rota_alloc *alloc, const char *list, enum rota_address_kind kind, const struct rota_endpoint **endpoints,
    size_t *ret_count)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;
    struct rota_slice piece;
    size_t count = 0;
    rota_err err = 0;

    while (err == 0 && next_piece(&list, &piece)) {
        err = parse_piece(piece, kind, text, &address, NULL);
        if (err == 0)
            err = rota_endpoint_new(alloc, &(struct rota_endpoint){.addresses = &address, .n_addresses = 1}, &endpoints[count]);
        if (err == 0)
            count++;
    }
    if (err < 0)
        unref_all(endpoints, count);
    else
        *ret_count = count;
    return err;
}

static rota_err publish(const struct rota_target *target, enum rota_address_kind kind, struct rota_resolver_sink *sink)
{
    const struct rota_alloc *alloc = rota_resolver_sink_alloc(sink);
    const struct rota_endpoint **endpoints;
    size_t n_commas = 0, count;
    rota_err err;

    for (const char *at = target->path; *at != '\0'; at++)
        n_commas += *at == ',';
    endpoints = rota_alloc_zero(alloc, n_commas + 1, sizeof(*endpoints));
    if (endpoints == NULL)
        return ROTA_ENOMEM;
    err = make_all(alloc, target->path, kind, endpoints, &count);
    if (err == 0) {
        rota_resolver_sink_endpoints(sink, endpoints, count, NULL);
        unref_all(endpoints, count);
    }
    rota_alloc_free(alloc, (void *)endpoints);
    return err;
}

static rota_err check_ipv4(const struct rota_target *target, struct rota_errinfo *info)
{
    return check(target, ROTA_ADDRESS_IPV4, info);
}

static rota_err check_ipv6(const struct rota_target *target, struct rota_errinfo *info)
{
    return check(target, ROTA_ADDRESS_IPV6, info);
}

static rota_err start_ipv4(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    (void)state;
    (void)loop;
    return publish(target, ROTA_ADDRESS_IPV4, sink);
}

static rota_err start_ipv6(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    (void)state;
    (void)loop;
    return publish(target, ROTA_ADDRESS_IPV6, sink);
}

/* The list is the target's own: there is nothing to look up again or to free. */
static void refresh(void *state)
{
    (void)state;
}

static void stop(void *state)
{
    (void)state;
}

const struct rota_resolver_class rota_resolver_ipv4 = {
    .scheme = "ipv4", .check = check_ipv4, .start = start_ipv4, .refresh = refresh, .stop = stop};
const struct rota_resolver_class rota_resolver_ipv6 = {
    .scheme = "ipv6", .check = check_ipv6, .start = start_ipv6, .refresh = refresh, .stop = stop};
