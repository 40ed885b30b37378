/* accept.c - a server's connections: the acceptor table over listening sockets. */
#include "assembly/link_inside.h"

#include "base/alloc.h"
#include "base/errinfo.h"

struct rota_listener {
    struct rota_net_acceptor *acceptor;
    struct rota_listen *listen;
    struct rota_serve_limits limits;
    const struct rota_listener_events *events;
    void *owner;
    bool secure;
};

/* The handshake has as long as the peer's SETTINGS, together. */
static bool secure(struct rota_net_link *link, const struct rota_listener *listener)
{
    link->ready = false;
    link->shaking = true;
    link->timer_at_ns = link->connect_deadline_ns = link->h2_options->handshake_deadline_ns;
    return rota_host_timer_set(link->host, &link->timer, link->timer_at_ns) == 0 &&
           rota_tls_new(listener->acceptor->tls, rota_slice(NULL, 0), NULL, &link->out->cipher, link->host->now_ns, &link->tls) == 0;
}

/* It varies by a tenth, so that clients that came together do not all come again together. */
static int64_t vary_age(int64_t age_ns, struct rota_rng *rng)
{
    double varied_ns = (double)age_ns * rota_rng_between(rng, 0.9, 1.1);

    return varied_ns < (double)INT64_MAX ? (int64_t)varied_ns : INT64_MAX;
}

static void limit_life(struct rota_net_link *link, const struct rota_serve_limits *limits)
{
    struct rota_h2_options *o = link->h2_options;

    o->max_window_bytes = limits->max_window_bytes;
    o->queued_total = limits->queued_total;
    o->queued_here = &link->conn.queued_bytes;
    o->keepalive_time_ns = limits->keepalive_time_ns;
    o->keepalive_timeout_ns = limits->keepalive_timeout_ns;
    o->keepalive_without_streams = true;
    o->max_age_ns = vary_age(limits->max_age_ns, &link->host->rng);
    o->max_age_grace_ns = limits->max_age_grace_ns;
    o->max_idle_ns = limits->max_idle_ns;
    link->write_timeout_ns = limits->write_timeout_ns;
}

static void *on_accept(void *owner, struct rota_socket *socket, const struct rota_socket_events **ret_events)
{
    struct rota_listener *listener = owner;
    struct rota_net_acceptor *a = listener->acceptor;
    struct rota_net_link *link = rota_net_link_new(a->loop, a->alloc, &a->out, rota_socket_peer(socket));

    if (link == NULL)
        return NULL;
    link->socket = socket;
    link->ready = true;
    link->h2_options->server = true;
    link->h2_options->max_concurrent_streams = listener->limits.max_concurrent_streams;
    link->h2_options->max_header_bytes = listener->limits.max_header_bytes;
    link->h2_options->high_mark_bytes = listener->limits.high_mark_bytes;
    link->h2_options->handshake_deadline_ns = rota_host_later_ns(link->host, listener->limits.handshake_timeout_ns);
    link->h2_options->header_timeout_ns = listener->limits.handshake_timeout_ns;
    link->h2_options->min_ping_ns = listener->limits.min_ping_ns;
    link->h2_options->pings_without_streams = listener->limits.pings_without_calls;
    limit_life(link, &listener->limits);
    if (listener->secure && !secure(link, listener)) {
        rota_net_link_free(link);
        return NULL;
    }
    if (!listener->events->on_accept(listener->owner, &link->conn, &link->events, &link->owner)) {
        rota_net_link_free(link);
        return NULL;
    }
    *ret_events = &rota_net_link_socket_events;
    if (link->tls == NULL && rota_net_link_start(link) < 0)
        link->conn.class->close(&link->conn);
    return link;
}

static void on_listen_closed(void *owner)
{
    struct rota_listener *listener = owner;
    struct rota_net_acceptor *acceptor = listener->acceptor;

    listener->events->on_closed(listener->owner, listener);
    rota_alloc_free(acceptor->alloc, listener);
}

static const struct rota_listen_events listen_events = {.on_accept = on_accept, .on_closed = on_listen_closed};

/* The system counts, beside silence, a peer that acknowledges everything and takes nothing: for that it has the write timeout. */
static uint32_t user_timeout_ms(const struct rota_serve_limits *limits)
{
    int64_t timeout_ns = limits->write_timeout_ns > limits->keepalive_timeout_ns ? limits->write_timeout_ns : limits->keepalive_timeout_ns;

    return rota_net_user_timeout_ms(limits->keepalive_time_ns, timeout_ns);
}

static rota_err start_listening(struct rota_acceptor *acceptor, const struct rota_address *address, const struct rota_serve_limits *limits,
                       const struct rota_listener_events *events, void *owner, char *bound, struct rota_listener **ret_listener,
                       struct rota_errinfo *info)
{
    struct rota_net_acceptor *a = ROTA_CONTAINER(acceptor, struct rota_net_acceptor, acceptor);
    struct rota_listener *listener = rota_alloc_zero(a->alloc, 1, sizeof(*listener));
    struct rota_socket_rules rules = {.local_only = a->tls == NULL && !a->insecure, .share_port = limits->share_port, .log = a->out.log,
                                      .user_timeout_ms = user_timeout_ms(limits)};
    rota_err err;

    if (listener == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "%s: out of memory", address->text);
    *listener = (struct rota_listener){.acceptor = a, .limits = *limits, .events = events, .owner = owner,
                                        .secure = a->tls != NULL && address->kind != ROTA_ADDRESS_UNIX && address->kind != ROTA_ADDRESS_UNIX_ABSTRACT};
    err = rota_listen_open(a->loop, address, &rules, &listen_events, listener, bound, &listener->listen, info);
    if (err < 0) {
        rota_alloc_free(a->alloc, listener);
        return err;
    }
    *ret_listener = listener;
    return 0;
}

static void stop_listening(struct rota_listener *listener)
{
    rota_listen_close(listener->listen);
}

static const struct rota_acceptor_class acceptor_class = {.listen = start_listening, .close = stop_listening};

rota_err rota_net_acceptor_init(struct rota_net_acceptor *acceptor, struct rota_loop *loop, const struct rota_alloc *alloc, const struct rota_log *log)
{
    *acceptor = (struct rota_net_acceptor){.acceptor.class = &acceptor_class, .loop = loop, .alloc = alloc};
    return rota_out_buffer_init(&acceptor->out, alloc, log);
}

void rota_net_acceptor_fini(struct rota_net_acceptor *acceptor)
{
    rota_out_buffer_fini(&acceptor->out);
    rota_tls_config_unref(acceptor->tls);
}
