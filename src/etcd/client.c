/* client.c - see client.h. The members are published by a resolver of this file's own, so that names and addresses mix. */
#include "etcd/client.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "etcd/where.h"

/* round_robin, so that a call or stream that is made again meets another member. */
static const char service_config[] = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";

#define MAX_MEMBERS ROTA_ETCD_MAX_MEMBERS
#define PUBLISH_AGAIN_NS ((int64_t)1000000000)

static rota_err publish(const char *list, const struct rota_alloc *alloc, const struct rota_endpoint **endpoints, size_t *ret_count)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];

    *ret_count = 0;
    for (;;) {
        size_t n = strcspn(list, ",");
        struct rota_address address;
        struct rota_endpoint endpoint = {.addresses = &address, .n_addresses = 1};
        rota_err err = rota_address_parse(rota_slice(list, n), text, &address, NULL);
        if (err == 0)
            err = rota_endpoint_new(alloc, &endpoint, &endpoints[*ret_count]);
        if (err < 0)
            return err;
        ++*ret_count;
        if (list[n] == '\0' || *ret_count == MAX_MEMBERS)
            return 0;
        list += n + 1;
    }
}

struct members {
    struct rota_timer *timer;
    const struct rota_target *target;
    struct rota_resolver_sink *sink;
    struct rota_loop *loop;
    bool due; /* the timer is set for a time that comes; it is always set, so that moving it needs no memory */
};

static void publish_at(struct members *m, int64_t at_ns)
{
    if (!m->due)
        m->due = rota_timer_set(m->timer, at_ns) == 0;
}

static void publish_members(void *arg)
{
    struct members *m = arg;
    const struct rota_endpoint *endpoints[MAX_MEMBERS];
    bool again = rota_timer_set(m->timer, INT64_MAX) < 0;
    size_t count = 0;
    rota_err err = publish(m->target->path, rota_resolver_sink_alloc(m->sink), endpoints, &count);
    struct rota_status why;

    m->due = false;
    if (err < 0) {
        again = true;
        rota_status_set(&why, ROTA_UNAVAILABLE, "etcd members: %s", rota_err_text(err));
        rota_resolver_sink_error(m->sink, &why);
    } else {
        rota_resolver_sink_endpoints(m->sink, endpoints, count, NULL);
    }
    for (size_t i = 0; i < count; i++)
        rota_endpoint_unref(endpoints[i]);
    if (again)
        publish_at(m, rota_loop_now_ns(m->loop) + PUBLISH_AGAIN_NS);
}

static rota_err start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    struct members *m = state;
    rota_err err;

    *m = (struct members){.target = target, .sink = sink, .loop = loop};
    err = rota_timer_new(loop, publish_members, m, &m->timer);
    if (err < 0)
        return err;
    publish_at(m, rota_loop_now_ns(loop));
    if (m->due)
        return 0;
    rota_timer_free(m->timer);
    return ROTA_ENOMEM;
}

static void refresh(void *state)
{
    struct members *m = state;

    /* The members are what they were, but publishing them may have failed for want of memory. */
    publish_at(m, rota_loop_now_ns(m->loop) + PUBLISH_AGAIN_NS);
}

static void stop(void *state)
{
    struct members *m = state;

    rota_timer_free(m->timer);
}

static const struct rota_resolver_class members_class = {
    .scheme = ROTA_ETCD_MEMBERS_SCHEME, .state_size = sizeof(struct members), .start = start, .refresh = refresh, .stop = stop};

rota_err rota_etcd_client_open(const struct rota_etcd_where *where, struct rota_loop *loop, const struct rota_alloc *alloc, const struct rota_log *log,
                               struct rota_channel **ret_channel, struct rota_errinfo *info)
{
    static const struct rota_resolver_class *const resolvers[] = {&members_class, NULL};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
    char *target = rota_etcd_where_members_target(where, alloc);
    rota_err err;

    if (target == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    tls.ca_file = where->ca_file;
    tls.cert_file = where->cert_file;
    tls.key_file = where->key_file;
    tls.server_name = where->server_name;
    tls.check_address = true;
    options.tls = where->secure ? &tls : &rota_tls_insecure; /* etcd:// says it, as http:// does */
    options.loop = loop;
    options.alloc = alloc;
    options.log = log;
    options.resolvers = resolvers;
    options.service_config = service_config;
    options.authority = "etcd";
    options.max_reply_bytes = (size_t)64 << 20; /* long lists of servers */
    options.idle_timeout_ms = -1;
    /* A registry that returns is found again within seconds. */
    options.backoff_initial_ms = 200;
    options.backoff_max_ms = 2000;
    options.connect_timeout_ms = 3000;
    options.keepalive_time_ms = 6000; /* etcd allows a ping each 5 s */
    options.frequent_keepalive = true;
    options.keepalive_timeout_ms = 3000;
    err = rota_channel_open(target, &options, ret_channel, info);
    rota_alloc_free(alloc, target);
    return err;
}
