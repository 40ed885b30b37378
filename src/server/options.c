/* options.c - a server's options: defaults filled in, ranges checked, and what of them connections are told. */
#include "server/server.h"

#include "base/errinfo.h"
#include "base/options.h"

#define NS_PER_MS INT64_C(1000000)
#define FOREVER_MS (INT64_MAX / NS_PER_MS)

static void fill_sizes(struct rota_server_options *o)
{
    if (o->max_request_bytes == 0)
        o->max_request_bytes = 4u << 20;
    if (o->max_reply_bytes == 0)
        o->max_reply_bytes = UINT32_MAX;
    if (o->send_queue_bytes == 0)
        o->send_queue_bytes = 64u << 10;
    if (o->max_concurrent_streams == 0)
        o->max_concurrent_streams = 1000;
    if (o->max_connections == 0)
        o->max_connections = 65536;
    if (o->max_header_bytes == 0)
        o->max_header_bytes = 16u << 10;
    if (o->max_pending_bytes == 0)
        o->max_pending_bytes = 512u << 20;
    if (o->max_window_bytes == 0)
        o->max_window_bytes = 16u << 20;
    if (o->max_total_bytes == 0)
        o->max_total_bytes = 1u << 30;
}

/* Negative is never, where an option may say so; so is what no clock will see. */
static rota_err fill_times(struct rota_server_options *o, struct rota_errinfo *info)
{
    const struct {
        const char *name;
        int64_t *ms, default_ms;
        bool may_be_never;
    } times[] = {
        {"handshake_timeout_ms", &o->handshake_timeout_ms, 20000, false},
        {"min_ping_interval_ms", &o->min_ping_interval_ms, 300000, true},
        {"keepalive_time_ms", &o->keepalive_time_ms, 7200000, true},
        {"keepalive_timeout_ms", &o->keepalive_timeout_ms, 20000, false},
        {"write_timeout_ms", &o->write_timeout_ms, 60000, true},
        {"max_connection_age_ms", &o->max_connection_age_ms, FOREVER_MS, false},
        {"max_connection_age_grace_ms", &o->max_connection_age_grace_ms, FOREVER_MS, false},
        {"max_connection_idle_ms", &o->max_connection_idle_ms, FOREVER_MS, false},
    };

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t *ms = times[i].ms;
        if (*ms < 0 && !times[i].may_be_never)
            return rota_errinfo_set(info, ROTA_EINVAL, "%s: %lld is out of range", times[i].name, (long long)*ms);
        if (*ms == 0)
            *ms = times[i].default_ms;
        if (*ms < 0 || *ms > FOREVER_MS)
            *ms = FOREVER_MS;
    }
    return 0;
}

rota_err rota_server_options_read(const struct rota_server_options *options, struct rota_server_options *ret_full, struct rota_errinfo *info)
{
    struct rota_server_options full = {0};
    rota_err err = rota_options_take(&full, sizeof(full), options, "ROTA_SERVER_OPTIONS_INIT", info);

    if (err < 0)
        return err;
    fill_sizes(&full);
    err = fill_times(&full, info);
    if (err == 0)
        *ret_full = full;
    return err;
}

static int64_t ns(int64_t ms)
{
    return ms == FOREVER_MS ? INT64_MAX : ms * NS_PER_MS;
}

/* As the session has it: 0 is never. */
static int64_t ns_or_0(int64_t ms)
{
    return ms == FOREVER_MS ? 0 : ms * NS_PER_MS;
}

struct rota_serve_limits rota_server_limits(struct rota_server *server)
{
    const struct rota_server_options *o = &server->options;

    return (struct rota_serve_limits){
        .max_concurrent_streams = o->max_concurrent_streams,
        .max_header_bytes = o->max_header_bytes,
        .handshake_timeout_ns = ns(o->handshake_timeout_ms),
        .high_mark_bytes = o->send_queue_bytes,
        .min_ping_ns = ns_or_0(o->min_ping_interval_ms),
        .pings_without_calls = o->permit_pings_without_calls,
        .share_port = o->reuse_port,
        .max_window_bytes = o->max_window_bytes < UINT32_MAX ? (uint32_t)o->max_window_bytes : UINT32_MAX,
        .queued_total = &server->held_bytes,
        .keepalive_time_ns = ns(o->keepalive_time_ms),
        .keepalive_timeout_ns = ns(o->keepalive_timeout_ms),
        .write_timeout_ns = ns(o->write_timeout_ms),
        .max_age_ns = ns_or_0(o->max_connection_age_ms),
        .max_age_grace_ns = ns_or_0(o->max_connection_age_grace_ms),
        .max_idle_ns = ns_or_0(o->max_connection_idle_ms),
    };
}
