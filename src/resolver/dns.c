/* dns.c - when a name is looked up, and what becomes of the answer.
 *
 * Invariants: at most one of `lookup` and `timer` is set, and neither for a literal. With neither, the last answer was
 * good and the next lookup waits for a hint. `held` only while `txt` is under way.
 */
#include "resolver/dns.h"
#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/log.h"
#include "resolver/sink.h"
#include "wire/target.h"
#include <stdio.h>

#define DEFAULT_PORT 443
#define CONFIG_NAME "_grpc_config."
#define HOST_MAX_BYTES 255
#define BACKOFF_FIRST_NS INT64_C(1000000000)
#define BACKOFF_MAX_NS INT64_C(120000000000)
#define BACKOFF_FACTOR 1.6
#define BACKOFF_JITTER 0.2

/* --- The target --- */

/* The address's kind tells a literal from a name. */
static rota_err parse(const struct rota_target *target, struct rota_slice *ret_host, char *text, struct rota_address *ret_address,
    struct rota_errinfo *info)
{
    char whole[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_errinfo why = {""};
    uint16_t port;

    if (target->authority[0] != '\0')
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\": naming a DNS server (\"%.100s\") is not supported, use dns:///HOST:PORT",
            target->text, target->authority);
    if (target->n_params > 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\": dns takes no parameters", target->text);
    if (rota_host_port_split(rota_slice_str(target->path), DEFAULT_PORT, ret_host, &port, &why) < 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "target %.400s", why.text);
    if (port == 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\": port 0 cannot be dialed", target->text);
    if (snprintf(whole, sizeof(whole), target->path[0] == '[' ? "[%.*s]:%u" : "%.*s:%u", (int)(ret_host->size < 400 ? ret_host->size : 400),
            (const char *)ret_host->data, (unsigned)port) >= (int)sizeof(whole) ||
        rota_address_parse(rota_slice_str(whole), text, ret_address, NULL) < 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\": \"%.*s\" is neither an IP address nor a host name", target->text,
            (int)(ret_host->size < 100 ? ret_host->size : 100), (const char *)ret_host->data);
    return 0;
}

rota_err rota_dns_check(const struct rota_target *target, struct rota_errinfo *info)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;
    struct rota_slice host;

    return parse(target, &host, text, &address, info);
}

/* --- Answers --- */

static void drop_held(struct rota_dns *dns)
{
    for (size_t i = 0; i < dns->n_held; i++)
        rota_endpoint_unref(dns->held[i]);
    rota_alloc_free(rota_resolver_sink_alloc(dns->sink), (void *)dns->held);
    dns->held = NULL;
    dns->n_held = 0;
}

static void publish_held(struct rota_dns *dns)
{
    if (dns->held == NULL)
        return;
    rota_resolver_sink_endpoints(dns->sink, dns->held, dns->n_held, NULL);
    drop_held(dns);
}

/* Now, or when the service config is known. ROTA_ENOMEM. */
static rota_err publish(struct rota_dns *dns, const struct rota_address *addresses, size_t count)
{
    const struct rota_alloc *alloc = rota_resolver_sink_alloc(dns->sink);
    const struct rota_endpoint **endpoints = rota_alloc_zero(alloc, count, sizeof(*endpoints));
    rota_err err = endpoints == NULL ? ROTA_ENOMEM : 0;
    size_t made = 0;

    for (; err == 0 && made < count; made += err == 0)
        err = rota_endpoint_new(alloc, &(struct rota_endpoint){.addresses = &addresses[made], .n_addresses = 1}, &endpoints[made]);
    drop_held(dns);
    dns->held = endpoints;
    dns->n_held = made;
    if (err < 0)
        drop_held(dns);
    else if (dns->txt == NULL)
        publish_held(dns);
    return err;
}

static void wait_until(struct rota_dns *dns, int64_t at_ns)
{
    /* Without memory for the timer the next hint starts the lookup instead. */
    if (rota_host_timer_set(dns->sink->host, &dns->timer, at_ns) < 0)
        rota_log_write(dns->sink->log, ROTA_LOG_WARN, "resolver", "%s: out of memory for a timer", dns->target->text);
}

static void failed(struct rota_dns *dns, const char *detail)
{
    struct rota_host *host = dns->sink->host;
    struct rota_status why;
    double next_ns = (double)dns->backoff_ns * BACKOFF_FACTOR;

    dns->backoff_ns = dns->backoff_ns == 0 ? BACKOFF_FIRST_NS : next_ns < (double)BACKOFF_MAX_NS ? (int64_t)next_ns : BACKOFF_MAX_NS;
    wait_until(dns, host->now_ns + (int64_t)((double)dns->backoff_ns * rota_rng_between(&host->rng, 1 - BACKOFF_JITTER, 1 + BACKOFF_JITTER)));
    rota_status_set(&why, ROTA_UNAVAILABLE, "cannot resolve %.200s: %.200s", dns->target->text, detail);
    rota_resolver_sink_error(dns->sink, &why);
}

static void on_done(void *arg, rota_err err, const char *detail, const struct rota_address *addresses, size_t count)
{
    struct rota_dns *dns = arg;

    dns->lookup = NULL;
    if (err == 0 && count == 0)
        failed(dns, "the name has no addresses");
    else if (err < 0)
        failed(dns, detail != NULL && detail[0] != '\0' ? detail : rota_err_text(err));
    else if (publish(dns, addresses, count) < 0)
        failed(dns, rota_err_text(ROTA_ENOMEM));
    else {
        dns->backoff_ns = 0;
        dns->answered_ns = dns->sink->host->now_ns;
    }
}

/* --- The service config --- */

static void take_records(struct rota_dns *dns, const struct rota_slice *values, size_t count)
{
    char origin[ROTA_ORIGIN_SIZE];
    struct rota_slice json;

    for (size_t i = 0; i < count; i++) {
        if (!rota_config_choice_txt(values[i], &json))
            continue;
        snprintf(origin, sizeof(origin), "the TXT record of " CONFIG_NAME "%.*s", (int)dns->host.size, (const char *)dns->host.data);
        rota_resolver_sink_config_choices(dns->sink, json, origin);
        return;
    }
    rota_resolver_sink_service_config(dns->sink, rota_slice(NULL, 0));
}

static void on_txt(void *arg, rota_err err, const char *detail, const struct rota_slice *values, size_t count)
{
    struct rota_dns *dns = arg;

    dns->txt = NULL;
    if (err == 0 || err == ROTA_ENOTFOUND)
        take_records(dns, values, err == 0 ? count : 0);
    else
        rota_log_write(dns->sink->log, ROTA_LOG_WARN, "resolver", "%s: service config not looked up: %s", dns->target->text,
            detail != NULL && detail[0] != '\0' ? detail : rota_err_text(err));
    publish_held(dns);
}

static void look_up_config(struct rota_dns *dns)
{
    char name[HOST_MAX_BYTES + sizeof(CONFIG_NAME)];
    rota_err err;

    if (dns->txt != NULL || dns->class->start_txt == NULL || !rota_resolver_sink_wants_config(dns->sink, false))
        return;
    snprintf(name, sizeof(name), CONFIG_NAME "%.*s", (int)(dns->host.size < HOST_MAX_BYTES ? dns->host.size : HOST_MAX_BYTES), (const char *)dns->host.data);
    err = dns->class->start_txt(dns->loop, name, on_txt, dns, &dns->txt);
    if (err == 0)
        return;
    dns->txt = NULL;
    rota_log_write(dns->sink->log, ROTA_LOG_WARN, "resolver", "%s: service config not looked up: %s", dns->target->text, rota_err_text(err));
}

/* --- Lookups --- */

static void look_up(struct rota_dns *dns)
{
    rota_err err;

    look_up_config(dns);
    err = dns->class->start(dns->loop, dns->host, dns->port, on_done, dns, &dns->lookup);
    if (err == 0)
        return;
    dns->lookup = NULL;
    failed(dns, rota_err_text(err));
}

static void on_timer(struct rota_host_timer *timer, int64_t now_ns)
{
    (void)now_ns;
    look_up(ROTA_CONTAINER(timer, struct rota_dns, timer));
}

/* --- The resolver --- */

rota_err rota_dns_start(struct rota_dns *dns, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink,
    const struct rota_dns_lookup_class *lookup, int64_t min_interval_ns)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;
    rota_err err;

    *dns = (struct rota_dns){
        .class = lookup, .target = target, .loop = loop, .sink = sink, .timer.fire = on_timer, .min_interval_ns = min_interval_ns};
    err = parse(target, &dns->host, text, &address, NULL);
    if (err < 0)
        return err;
    dns->port = address.port;
    if (address.kind != ROTA_ADDRESS_NAME) {
        dns->literal = true;
        return publish(dns, &address, 1);
    }
    look_up(dns);
    return 0;
}

void rota_dns_refresh(void *state)
{
    struct rota_dns *dns = state;
    int64_t next_ns = dns->answered_ns + dns->min_interval_ns;

    if (dns->literal || dns->lookup != NULL || rota_host_timer_is_set(&dns->timer))
        return;
    /* backoff_ns without a timer: there was no memory for it. */
    if (dns->backoff_ns == 0 && dns->sink->host->now_ns < next_ns)
        wait_until(dns, next_ns);
    else
        look_up(dns);
}

void rota_dns_stop(void *state)
{
    struct rota_dns *dns = state;

    if (dns->lookup != NULL)
        dns->class->cancel(dns->lookup);
    if (dns->txt != NULL)
        dns->class->cancel(dns->txt);
    dns->lookup = dns->txt = NULL;
    drop_held(dns);
    rota_host_timer_clear(dns->sink->host, &dns->timer);
}
