/* proxied.c - see proxied.h. */
#include "assembly/proxied.h"

#include "assembly/dns.h"
#include "base/alloc.h"
#include "base/log.h"
#include "resolver/dns.h"
#include "resolver/resolvers.h"
#include "wire/target.h"
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_PORT 443 /* as the dns resolver's */

static const char *from_environment(void *ctx, const char *name)
{
    (void)ctx;
    return secure_getenv(name);
}

rota_err rota_proxied_choose(const char *target, const struct rota_resolver_class *const *resolvers, const struct rota_alloc *alloc, const struct rota_log *log,
                             struct rota_proxy **ret_proxy)
{
    const struct rota_resolver_class *class;
    struct rota_errinfo info = {{0}};
    struct rota_target *parsed;
    struct rota_proxy *proxy;
    struct rota_slice host;
    bool found = false;
    uint16_t port;
    rota_err err;

    *ret_proxy = NULL;
    if (!rota_proxy_wanted(from_environment, NULL))
        return 0;
    err = rota_resolver_find(target, resolvers, alloc, &parsed, &class, NULL);
    if (err < 0)
        return err == ROTA_ENOMEM ? err : 0;
    proxy = class == &rota_resolver_dns ? rota_alloc_zero(alloc, 1, sizeof(*proxy)) : NULL;
    if (proxy != NULL && rota_host_port_split(rota_slice_str(parsed->path), DEFAULT_PORT, &host, &port, NULL) == 0 &&
        rota_proxy_find(host, port, from_environment, NULL, proxy, &found, &info) < 0)
        rota_log_write(log, ROTA_LOG_WARN, "channel", "%s: %s; connecting without one", parsed->text, info.text);
    rota_target_free(alloc, parsed);
    if (found)
        *ret_proxy = proxy;
    else
        rota_alloc_free(alloc, proxy);
    return class == &rota_resolver_dns && proxy == NULL ? ROTA_ENOMEM : 0;
}

static rota_err start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    char whole[ROTA_ADDRESS_TEXT_SIZE], text[ROTA_ADDRESS_TEXT_SIZE];
    const struct rota_endpoint *endpoint;
    struct rota_address address;
    struct rota_slice host;
    uint16_t port;
    rota_err err = rota_host_port_split(rota_slice_str(target->path), DEFAULT_PORT, &host, &port, NULL);

    (void)state;
    (void)loop;
    if (err < 0)
        return err;
    snprintf(whole, sizeof(whole), target->path[0] == '[' ? "[%.*s]:%u" : "%.*s:%u", (int)host.size, (const char *)host.data, (unsigned)port);
    err = rota_address_parse(rota_slice_str(whole), text, &address, NULL);
    if (err == 0)
        err = rota_endpoint_new(rota_resolver_sink_alloc(sink), &(struct rota_endpoint){.addresses = &address, .n_addresses = 1}, &endpoint);
    if (err < 0)
        return err;
    rota_resolver_sink_endpoints(sink, &endpoint, 1, NULL);
    rota_endpoint_unref(endpoint);
    return 0;
}

/* There is nothing to look up again or to free. */
static void refresh(void *state)
{
    (void)state;
}

const struct rota_resolver_class rota_resolver_proxied = {
    .scheme = "dns", .check = rota_dns_check, .start = start, .refresh = refresh, .stop = refresh};
