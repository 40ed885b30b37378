/* registrar.c - rota_registrar_*: carries out the commands of lease.h with real calls.
 *
 * What needs a login that is not there waits in `deferred`.
 * Invariants: every call carries the epoch it was made in; DROP begins a new one, and what comes back from an older is ignored. The struct lives
 * until the client channel has reported closed.
 */
#include <rota/registrar.h>

#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/log.h"
#include "base/map.h"
#include "base/options.h"
#include "etcd/client.h"
#include "etcd/entry.h"
#include "etcd/explain.h"
#include "etcd/lease.h"
#include "etcd/login.h"
#include "etcd/where.h"
#include "loop/host.h"
#include "wire/target.h"
#include <etcd.rota.h>

/* Revokes that the registry may refuse; one that cannot be reached is tried for as long as closing may take. */
#define REVOKES 3
#define REVOKE_PAUSE_NS INT64_C(100000000)
#define MAX_CLOSE_MS 3600000

struct rota_registrar {
    struct rota_registrar_options options;
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_loop *loop;
    struct rota_etcd_where where;
    struct rota_channel *client;
    struct rota_timer *timer, *close_timer;
    struct rota_rng rng;
    struct rota_etcd_lease lease;
    struct rota_etcd_login login;
    unsigned deferred; /* commands, until the login is answered */
    bool revoke_waits; /* the revoke, likewise */
    struct rota_call *stream; /* of keepalives; NULL: none */
    unsigned epoch;
    char *key, *value;
    bool closing, client_closing;
    int64_t revoke_ms; /* for one attempt, so that the next meets another member */
    int64_t revoke_ns; /* when the last began */
    unsigned revokes_left;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

struct errand {
    struct rota_registrar *registrar;
    unsigned epoch;
};

static void act(struct rota_registrar *r);
static void begin(struct rota_registrar *r, unsigned cmds);

static ProtobufCBinaryData binary(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static struct errand *errand_new(struct rota_registrar *r)
{
    struct errand *errand = rota_alloc_get(r->alloc, sizeof(*errand));

    if (errand != NULL)
        *errand = (struct errand){r, r->epoch};
    return errand;
}

/* The registrar, or NULL when the errand's time is past. */
static struct rota_registrar *errand_end(struct errand *errand)
{
    struct rota_registrar *r = errand->registrar;
    bool counts = errand->epoch == r->epoch && !r->closing;

    rota_alloc_free(r->alloc, errand);
    return counts ? r : NULL;
}

static struct rota_call_options call_options(const struct rota_registrar *r)
{
    int64_t timeout_ms = rota_etcd_lease_call_ms(&r->lease, r->options.lease_seconds);

    return (struct rota_call_options){.size = sizeof(struct rota_call_options), .timeout_ms = timeout_ms};
}

static struct rota_status not_started(rota_err err)
{
    struct rota_status why;

    rota_status_set(&why, ROTA_UNAVAILABLE, "%s", rota_err_text(err));
    return why;
}

/* Whether the call was begun again, since its token did not hold any more. */
static bool begun_again(struct rota_registrar *r, const struct rota_status *status, unsigned cmd)
{
    if (!rota_etcd_login_refused(&r->login, status, rota_loop_now_ns(r->loop)))
        return false;
    begin(r, cmd);
    act(r);
    return true;
}

/* --- Grant --- */

static void on_granted(void *arg, const struct rota_status *status, const Etcdserverpb__LeaseGrantResponse *reply)
{
    struct rota_registrar *r = errand_end(arg);

    if (r == NULL || begun_again(r, status, ROTA_ETCD_LEASE_GRANT))
        return;
    rota_etcd_lease_granted(&r->lease, status, status->code == ROTA_OK ? reply->id : 0, status->code == ROTA_OK ? reply->ttl : 0, rota_loop_now_ns(r->loop));
    act(r);
}

static void grant(struct rota_registrar *r)
{
    Etcdserverpb__LeaseGrantRequest request = ETCDSERVERPB__LEASE_GRANT_REQUEST__INIT;
    struct rota_call_options options = call_options(r);
    struct errand *errand = errand_new(r);
    struct rota_metadata *metadata = NULL;
    rota_err err = errand == NULL ? ROTA_ENOMEM : rota_etcd_login_metadata(&r->login, false, &metadata);
    struct rota_status why;

    options.metadata = metadata;
    request.ttl = r->options.lease_seconds;
    if (err == 0)
        err = etcdserverpb_lease_lease_grant_start(r->client, &options, &request, on_granted, errand, NULL);
    rota_metadata_free(metadata);
    if (err == 0)
        return;
    rota_alloc_free(r->alloc, errand);
    why = not_started(err);
    rota_etcd_lease_granted(&r->lease, &why, 0, 0, rota_loop_now_ns(r->loop));
}

/* --- Put --- */

static void on_put(void *arg, const struct rota_status *status, const Etcdserverpb__PutResponse *reply)
{
    struct rota_registrar *r = errand_end(arg);

    (void)reply;
    if (r == NULL || begun_again(r, status, ROTA_ETCD_LEASE_PUT))
        return;
    rota_etcd_lease_put_done(&r->lease, status, rota_loop_now_ns(r->loop));
    act(r);
}

static void put(struct rota_registrar *r)
{
    Etcdserverpb__PutRequest request = ETCDSERVERPB__PUT_REQUEST__INIT;
    struct rota_call_options options = call_options(r);
    struct errand *errand = errand_new(r);
    struct rota_metadata *metadata = NULL;
    rota_err err = errand == NULL ? ROTA_ENOMEM : rota_etcd_login_metadata(&r->login, false, &metadata);
    struct rota_status why;

    options.metadata = metadata;
    request.key = binary(r->key);
    request.value = binary(r->value);
    request.lease = r->lease.id;
    if (err == 0)
        err = etcdserverpb_kv_put_start(r->client, &options, &request, on_put, errand, NULL);
    rota_metadata_free(metadata);
    if (err == 0)
        return;
    rota_alloc_free(r->alloc, errand);
    why = not_started(err);
    rota_etcd_lease_put_done(&r->lease, &why, rota_loop_now_ns(r->loop));
}

/* --- Look --- */

static void on_looked(void *arg, const struct rota_status *status, const Etcdserverpb__RangeResponse *reply)
{
    struct rota_registrar *r = errand_end(arg);

    if (r == NULL || begun_again(r, status, ROTA_ETCD_LEASE_LOOK) || status->code != ROTA_OK)
        return;
    rota_etcd_lease_looked(&r->lease, reply->n_kvs > 0, reply->n_kvs > 0 ? reply->kvs[0]->lease : 0, rota_loop_now_ns(r->loop));
    act(r);
}

static void look(struct rota_registrar *r)
{
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    struct rota_call_options options = call_options(r);
    struct errand *errand = errand_new(r);
    struct rota_metadata *metadata = NULL;
    rota_err err = errand == NULL ? ROTA_ENOMEM : rota_etcd_login_metadata(&r->login, false, &metadata);

    options.metadata = metadata;
    request.key = binary(r->key);
    request.keys_only = true;
    if (err == 0)
        err = etcdserverpb_kv_range_start(r->client, &options, &request, on_looked, errand, NULL);
    rota_metadata_free(metadata);
    /* A look that cannot be made is made again after the next keepalive. */
    if (err < 0)
        rota_alloc_free(r->alloc, errand);
}

/* --- Keepalive --- */

static void on_kept_alive(struct rota_call *call, void *arg, const void *message)
{
    const Etcdserverpb__LeaseKeepAliveResponse *response = message;
    struct rota_registrar *r = arg;

    if (call != r->stream || r->closing)
        return;
    rota_etcd_lease_kept_alive(&r->lease, response->id, response->ttl, rota_loop_now_ns(r->loop));
    act(r);
}

static void on_stream_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct rota_registrar *r = arg;

    if (call != r->stream)
        return;
    r->stream = NULL;
    if (r->closing)
        return;
    rota_log_write(r->log, ROTA_LOG_DEBUG, "etcd", "%s: keepalive ended: %s", r->key, status->message);
    (void)rota_etcd_login_refused(&r->login, status, rota_loop_now_ns(r->loop)); /* the next stream has a new token */
    rota_etcd_lease_stream_ended(&r->lease, status, rota_loop_now_ns(r->loop));
    act(r);
}

static const struct rota_call_events stream_events = {.on_message = on_kept_alive, .on_done = on_stream_done};

static rota_err open_stream(struct rota_registrar *r)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_metadata *metadata = NULL;
    rota_err err = rota_etcd_login_metadata(&r->login, false, &metadata);

    options.metadata = metadata;
    if (err == 0)
        err = etcdserverpb_lease_lease_keep_alive_start(r->client, &options, &stream_events, r, &r->stream);
    rota_metadata_free(metadata);
    return err;
}

static void keep_alive(struct rota_registrar *r)
{
    Etcdserverpb__LeaseKeepAliveRequest request = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
    struct rota_status why;
    rota_err err = 0;

    request.id = r->lease.id;
    if (r->stream == NULL)
        err = open_stream(r);
    if (err == 0)
        err = etcdserverpb_lease_lease_keep_alive_write(r->stream, &request);
    if (err == 0)
        return;
    why = not_started(err);
    rota_etcd_lease_stream_ended(&r->lease, &why, rota_loop_now_ns(r->loop));
}

static void drop(struct rota_registrar *r)
{
    struct rota_call *stream = r->stream;

    r->epoch++;
    r->deferred = 0;
    r->stream = NULL;
    rota_etcd_login_cancel(&r->login);
    if (stream != NULL)
        rota_call_cancel(stream);
}

/* --- Logging in --- */

/* What goes to etcd; all but a look is waited for by the state machine. */
static void carry_out(struct rota_registrar *r, unsigned cmds)
{
    if (cmds & ROTA_ETCD_LEASE_GRANT)
        grant(r);
    if (cmds & ROTA_ETCD_LEASE_PUT)
        put(r);
    if (cmds & ROTA_ETCD_LEASE_KEEPALIVE)
        keep_alive(r);
    if (cmds & ROTA_ETCD_LEASE_LOOK)
        look(r);
}

static void not_begun(struct rota_registrar *r, unsigned cmds, const struct rota_status *why)
{
    int64_t now_ns = rota_loop_now_ns(r->loop);

    if (cmds & ROTA_ETCD_LEASE_GRANT)
        rota_etcd_lease_granted(&r->lease, why, 0, 0, now_ns);
    if (cmds & ROTA_ETCD_LEASE_PUT)
        rota_etcd_lease_put_done(&r->lease, why, now_ns);
    if (cmds & ROTA_ETCD_LEASE_KEEPALIVE)
        rota_etcd_lease_stream_ended(&r->lease, why, now_ns);
}

/* Commands, now or when there is a login. */
static void begin(struct rota_registrar *r, unsigned cmds)
{
    bool stream;
    struct rota_status why;
    rota_err err;

    /* On an open stream it needs no login, and must not wait for a member that hangs over one. */
    if ((cmds & ROTA_ETCD_LEASE_KEEPALIVE) != 0 && r->stream != NULL) {
        keep_alive(r);
        cmds &= ~(unsigned)ROTA_ETCD_LEASE_KEEPALIVE;
    }
    if (cmds == 0)
        return;
    stream = (cmds & ROTA_ETCD_LEASE_KEEPALIVE) != 0;
    if (rota_etcd_login_good(&r->login, stream, rota_loop_now_ns(r->loop))) {
        carry_out(r, cmds);
        return;
    }
    r->deferred |= cmds;
    r->login.ask_ms = rota_etcd_lease_call_ms(&r->lease, r->options.lease_seconds);
    err = rota_etcd_login_ask(&r->login);
    if (err == 0)
        return;
    r->deferred = 0;
    why = not_started(err);
    not_begun(r, cmds, &why);
}

static void revoke(struct rota_registrar *r);

static void on_login(void *arg, const struct rota_status *why)
{
    struct rota_registrar *r = arg;
    unsigned cmds = r->deferred;

    if (r->revoke_waits)
        revoke(r); /* without a token it fails, and says so */
    if (r->closing || cmds == 0)
        return;
    r->deferred = 0;
    if (why->code == ROTA_OK)
        begin(r, cmds);
    else
        not_begun(r, cmds, why);
    act(r);
}

/* --- Running --- */

static void tell(struct rota_registrar *r)
{
    enum rota_registrar_state state = r->lease.registered ? ROTA_REGISTRAR_REGISTERED : ROTA_REGISTRAR_REGISTERING;
    struct rota_status why;

    rota_etcd_explain(&r->lease.why, r->where.user, &why);
    if (r->lease.registered)
        rota_log_write(r->log, ROTA_LOG_INFO, "etcd", "%s: registered", r->key);
    else
        rota_log_write(r->log, ROTA_LOG_WARN, "etcd", "%s: not registered: %s", r->key, why.message);
    if (r->options.on_state != NULL)
        r->options.on_state(r->options.arg, state, &why);
}

/* Only moves it, for which there is memory: it is set for as long as the registrar is open. */
static void set_timer(struct rota_registrar *r, int64_t at_ns)
{
    if (rota_timer_set(r->timer, at_ns) < 0)
        rota_log_write(r->log, ROTA_LOG_ERROR, "etcd", "%s: no timer, out of memory", r->key);
}

static void act(struct rota_registrar *r)
{
    unsigned cmds;

    while (!r->closing && (cmds = rota_etcd_lease_take(&r->lease)) != 0) {
        if (cmds & ROTA_ETCD_LEASE_DROP)
            drop(r);
        begin(r, cmds & ~(unsigned)(ROTA_ETCD_LEASE_DROP | ROTA_ETCD_LEASE_TELL));
        if (cmds & ROTA_ETCD_LEASE_TELL)
            tell(r);
    }
    if (r->closing)
        return;
    set_timer(r, r->lease.wake_ns);
}

static void on_timer(void *arg)
{
    struct rota_registrar *r = arg;

    if (r->closing) {
        revoke(r);
        return;
    }
    set_timer(r, INT64_MAX); /* while its place is free */
    rota_etcd_lease_tick(&r->lease, rota_loop_now_ns(r->loop));
    act(r);
}

/* --- Opening --- */

static rota_err read_uri(struct rota_registrar *r, const char *uri, struct rota_errinfo *info)
{
    static const char *const known[] = {"etcd", NULL};
    struct rota_target *target;
    rota_err err = rota_target_parse(uri, known, r->alloc, &target, info);

    if (err < 0)
        return err;
    if (strcmp(target->scheme, "etcd") != 0)
        err = rota_errinfo_set(info, ROTA_EINVAL, "%s: no registry; expected etcd://members/service", target->text);
    else
        err = rota_etcd_where_read(target, r->alloc, &r->where, info);
    rota_target_free(r->alloc, target);
    return err;
}

static void destroy(struct rota_registrar *r)
{
    rota_timer_free(r->timer);
    rota_timer_free(r->close_timer);
    rota_etcd_login_fini(&r->login);
    rota_alloc_free(r->alloc, r->key);
    rota_alloc_free(r->alloc, r->value);
    if (r->where.alloc != NULL)
        rota_etcd_where_fini(&r->where);
    rota_alloc_free(r->alloc, r);
}

static void on_close_timer(void *arg);

static rota_err prepare(struct rota_registrar *r, const char *uri, struct rota_errinfo *info)
{
    rota_err err = read_uri(r, uri, info);

    if (err == 0)
        err = rota_etcd_entry_new(&r->where, &r->options, r->alloc, &r->key, &r->value, info);
    /* The first step is made in a turn of the loop, where callbacks belong. */
    if (err == 0 && (rota_timer_new(r->loop, on_timer, r, &r->timer) < 0 || rota_timer_new(r->loop, on_close_timer, r, &r->close_timer) < 0 ||
                        rota_timer_set(r->timer, rota_loop_now_ns(r->loop)) < 0))
        err = rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    if (err == 0)
        err = rota_etcd_client_open(&r->where, r->loop, r->alloc, r->log, &r->client, info);
    if (err == 0)
        rota_etcd_login_init(&r->login, &r->where, r->client, r->alloc, on_login, r);
    return err;
}

rota_err rota_registrar_open(const char *uri, const struct rota_registrar_options *given, struct rota_registrar **ret_registrar,
                             struct rota_errinfo *info)
{
    struct rota_registrar_options options = ROTA_REGISTRAR_OPTIONS_INIT;
    struct rota_registrar *r;
    rota_err err = rota_options_take(&options, sizeof(options), given, "ROTA_REGISTRAR_OPTIONS_INIT", info);

    if (err < 0)
        return err;
    if (uri == NULL || options.loop == NULL || options.address == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "a registrar needs a URI, options.loop and options.address");
    if (options.lease_seconds < 0 || options.lease_seconds > 9000000)
        return rota_errinfo_set(info, ROTA_EINVAL, "lease_seconds: %lld is not between 1 and 9000000", (long long)options.lease_seconds);
    if (rota_loop_check_thread(options.loop, info) < 0)
        return ROTA_ESTATE;
    options.alloc = options.alloc != NULL ? options.alloc : rota_loop_host(options.loop)->alloc;
    options.log = options.log != NULL ? options.log : rota_loop_host(options.loop)->log;
    options.lease_seconds = options.lease_seconds != 0 ? options.lease_seconds : 5;
    r = rota_alloc_zero(options.alloc, 1, sizeof(*r));
    if (r == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    *r = (struct rota_registrar){.options = options, .alloc = options.alloc, .log = options.log, .loop = options.loop};
    err = prepare(r, uri, info);
    if (err < 0) {
        destroy(r);
        return err;
    }
    rota_rng_init(&r->rng, rota_hash_bytes(rota_slice_str(r->key), (uint64_t)rota_loop_now_ns(r->loop)));
    rota_etcd_lease_init(&r->lease, &r->rng);
    rota_etcd_lease_start(&r->lease, rota_loop_now_ns(r->loop));
    *ret_registrar = r;
    return 0;
}

enum rota_registrar_state rota_registrar_state(const struct rota_registrar *r)
{
    return r->closing ? ROTA_REGISTRAR_CLOSED : r->lease.registered ? ROTA_REGISTRAR_REGISTERED : ROTA_REGISTRAR_REGISTERING;
}

const char *rota_registrar_key(const struct rota_registrar *r)
{
    return r->key;
}

const char *rota_registrar_value(const struct rota_registrar *r)
{
    return r->value;
}

/* --- Closing --- */

static void on_client_closed(void *arg)
{
    struct rota_registrar *r = arg;
    void (*on_closed)(void *arg) = r->on_closed;
    void *closed_arg = r->closed_arg;

    destroy(r);
    if (on_closed != NULL)
        on_closed(closed_arg);
}

static void close_client(struct rota_registrar *r)
{
    if (r->client_closing)
        return;
    r->client_closing = true;
    rota_timer_clear(r->timer);
    rota_timer_clear(r->close_timer);
    rota_channel_close(r->client, on_client_closed, r);
}

static void on_close_timer(void *arg)
{
    struct rota_registrar *r = arg;

    rota_log_write(r->log, ROTA_LOG_WARN, "etcd", "%s: lease not revoked in time; the entry goes when its lease ends", r->key);
    close_client(r);
}

/* Not at once: a registry that restarts refuses connections faster than it comes back. */
static void revoke_again(struct rota_registrar *r)
{
    if (rota_timer_set(r->timer, r->revoke_ns + REVOKE_PAUSE_NS) < 0)
        revoke(r);
}

static void on_revoked(void *arg, const struct rota_status *status, const Etcdserverpb__LeaseRevokeResponse *reply)
{
    struct rota_registrar *r = arg;
    bool gone = status->code == ROTA_OK || status->code == ROTA_NOT_FOUND;
    bool away = status->code == ROTA_UNAVAILABLE || status->code == ROTA_DEADLINE_EXCEEDED;

    (void)reply;
    if (r->client_closing)
        return;
    (void)rota_etcd_login_refused(&r->login, status, rota_loop_now_ns(r->loop));
    if (away || (!gone && --r->revokes_left > 0)) {
        revoke_again(r);
        return;
    }
    if (!gone)
        rota_log_write(r->log, ROTA_LOG_WARN, "etcd", "%s: lease not revoked: %s; the entry goes when its lease ends", r->key, status->message);
    close_client(r);
}

static void revoke(struct rota_registrar *r)
{
    Etcdserverpb__LeaseRevokeRequest request = ETCDSERVERPB__LEASE_REVOKE_REQUEST__INIT;
    struct rota_call_options options = {.size = sizeof(options), .timeout_ms = r->revoke_ms, .wait_for_ready = ROTA_WAIT_FOR_READY};
    struct rota_metadata *metadata = NULL;
    rota_err err;

    request.id = rota_etcd_lease_to_revoke(&r->lease);
    r->login.ask_ms = r->revoke_ms;
    r->revoke_waits = request.id != 0 && !r->revoke_waits && !rota_etcd_login_good(&r->login, false, rota_loop_now_ns(r->loop)) &&
                      rota_etcd_login_ask(&r->login) == 0;
    if (r->revoke_waits)
        return;
    r->revoke_ns = rota_loop_now_ns(r->loop);
    err = rota_etcd_login_metadata(&r->login, false, &metadata);
    options.metadata = metadata;
    if (request.id == 0 || err < 0 || etcdserverpb_lease_lease_revoke_start(r->client, &options, &request, on_revoked, r, NULL) < 0)
        close_client(r);
    rota_metadata_free(metadata);
}

void rota_registrar_close(struct rota_registrar *r, int64_t timeout_ms, void (*on_closed)(void *arg), void *arg)
{
    int64_t limit_ms = timeout_ms < 1 ? 1 : timeout_ms > MAX_CLOSE_MS ? MAX_CLOSE_MS : timeout_ms;

    r->on_closed = on_closed;
    r->closed_arg = arg;
    r->closing = true;
    drop(r);
    rota_timer_clear(r->timer);
    r->revokes_left = REVOKES;
    r->revoke_ms = (limit_ms + 2) / 3;
    if (rota_timer_set(r->close_timer, rota_loop_now_ns(r->loop) + limit_ms * 1000000) < 0)
        close_client(r);
    else
        revoke(r);
}
