/* dial.c - a channel's connections: the dialer table over sockets. */
#include "assembly/link_inside.h"

#include "base/alloc.h"
#include "wire/target.h"

static rota_err secure(struct rota_net_link *link, struct rota_tls_config *tls, const struct rota_dial *dial)
{
    const struct rota_address *address = dial->address;
    bool by_address = rota_tls_checks_address(tls) && address->kind != ROTA_ADDRESS_UNIX && address->kind != ROTA_ADDRESS_UNIX_ABSTRACT;

    return rota_tls_new(tls, by_address ? rota_authority_host(address->text) : dial->host, address->text, &link->out->cipher, link->host->now_ns,
                        &link->tls);
}

static rota_err dial(struct rota_dialer *dialer, const struct rota_dial *dial, const struct rota_conn_events *events, void *owner,
                     struct rota_conn **ret_conn)
{
    struct rota_net_dialer *d = ROTA_CONTAINER(dialer, struct rota_net_dialer, dialer);
    struct rota_net_link *link = rota_net_link_new(d->loop, d->alloc, &d->out, dial->address->text);
    struct rota_socket_rules rules = {.local_only = d->tls == NULL && !d->insecure,
                                      .user_timeout_ms = rota_net_user_timeout_ms(dial->keepalive_time_ns, dial->keepalive_timeout_ns)};
    rota_err err;

    if (link == NULL)
        return ROTA_ENOMEM;
    link->client = true;
    link->events = events;
    link->owner = owner;
    link->connect_deadline_ns = dial->deadline_ns;
    link->h2_options->high_mark_bytes = dial->high_mark_bytes;
    link->h2_options->max_window_bytes = d->max_window_bytes;
    link->h2_options->keepalive_time_ns = dial->keepalive_time_ns;
    link->h2_options->keepalive_timeout_ns = dial->keepalive_timeout_ns;
    link->h2_options->keepalive_without_streams = dial->keepalive_without_calls;
    link->proxy = d->proxy;
    link->exposed = d->proxy != NULL && rules.local_only;
    err = link->connect_deadline_ns == INT64_MAX ? 0 : rota_host_timer_set(link->host, &link->timer, link->connect_deadline_ns);
    link->timer_at_ns = link->connect_deadline_ns;
    if (err == 0 && d->tls != NULL)
        err = secure(link, d->tls, dial);
    if (err == 0)
        err = rota_socket_dial(d->loop, d->proxy != NULL ? &d->proxy->address : dial->address, &rules, &rota_net_link_socket_events, link, &link->socket);
    if (err < 0) {
        rota_net_link_free(link);
        return err;
    }
    *ret_conn = &link->conn;
    return 0;
}

static const struct rota_dialer_class dialer_class = {.dial = dial};

rota_err rota_net_dialer_init(struct rota_net_dialer *dialer, struct rota_loop *loop, const struct rota_alloc *alloc, const struct rota_log *log)
{
    *dialer = (struct rota_net_dialer){.dialer.class = &dialer_class, .loop = loop, .alloc = alloc};
    return rota_out_buffer_init(&dialer->out, alloc, log);
}

void rota_net_dialer_fini(struct rota_net_dialer *dialer)
{
    rota_out_buffer_fini(&dialer->out);
    rota_tls_config_unref(dialer->tls);
    rota_alloc_free(dialer->alloc, dialer->proxy);
}
