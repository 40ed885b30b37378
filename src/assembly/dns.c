/* dns.c - gives the dns: resolver (resolver/dns.h) its lookups (net/net.h). */
#include "assembly/dns.h"

#include "net/net.h"
#include "resolver/dns.h"

static rota_err start_lookup(struct rota_loop *loop, struct rota_slice host, uint16_t port, rota_dns_done done, void *arg, void **ret_lookup)
{
    struct rota_lookup *lookup;
    rota_err err = rota_lookup_start(loop, host, port, done, arg, &lookup);

    if (err == 0)
        *ret_lookup = lookup;
    return err;
}

static rota_err start_txt(struct rota_loop *loop, const char *name, rota_dns_txt_done done, void *arg, void **ret_lookup)
{
    struct rota_lookup *lookup;
    rota_err err = rota_lookup_txt_start(loop, name, done, arg, &lookup);

    if (err == 0)
        *ret_lookup = lookup;
    return err;
}

static void cancel_lookup(void *lookup)
{
    rota_lookup_cancel(lookup);
}

static const struct rota_dns_lookup_class lookup_class = {.start = start_lookup, .start_txt = start_txt, .cancel = cancel_lookup};

static rota_err start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    return rota_dns_start(state, target, loop, sink, &lookup_class, ROTA_DNS_MIN_INTERVAL_NS);
}

const struct rota_resolver_class rota_resolver_dns = {.scheme = "dns",
                                                      .state_size = sizeof(struct rota_dns),
                                                      .check = rota_dns_check,
                                                      .start = start,
                                                      .refresh = rota_dns_refresh,
                                                      .stop = rota_dns_stop};
