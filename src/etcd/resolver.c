/* resolver.c - the resolver for etcd: targets: carries out the commands of watch.h with real calls and publishes the roster.
 *
 * Invariants: at most one list call counts (`list`), at most one stream counts (`stream`); whatever else still comes back belongs to the
 * past and is ignored. What needs a login that is not there waits in `deferred`. The state lives until the client channel has reported closed, for which the sink is held.
 */
#include "etcd/etcd.h"

#include "base/alloc.h"
#include "base/log.h"
#include "etcd/client.h"
#include "etcd/explain.h"
#include "etcd/login.h"
#include "etcd/watch.h"
#include "etcd/where.h"
#include "resolver/sink.h"
#include <etcd.rota.h>
#include <stdio.h>

struct follower {
    struct rota_resolver_sink *sink;
    struct rota_loop *loop;
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_etcd_where where;
    struct rota_channel *client;
    struct rota_etcd_login login;
    unsigned deferred; /* LIST and OPEN, until the login is answered */
    struct rota_timer *timer;
    struct rota_etcd_roster roster;
    struct rota_etcd_watch watch;
    struct list_call *list;   /* the one that counts */
    struct rota_call *stream; /* the one that counts */
    uint8_t *range_end;
    size_t range_end_size;
    char member[ROTA_ADDRESS_TEXT_SIZE]; /* that answered last */
    bool stopped, told_down;
    enum rota_code told_code;
};

struct list_call {
    struct follower *follower;
};

static void act(struct follower *f);
static void begin(struct follower *f, unsigned cmds);

static ProtobufCBinaryData binary(struct rota_slice s)
{
    return (ProtobufCBinaryData){.len = s.size, .data = (uint8_t *)(uintptr_t)s.data};
}

static struct rota_slice bytes(const ProtobufCBinaryData *b)
{
    return rota_slice(b->data, b->len);
}

static struct rota_etcd_kv kv_of(const Mvccpb__KeyValue *kv)
{
    return (struct rota_etcd_kv){.key = bytes(&kv->key), .value = bytes(&kv->value), .mod_revision = kv->mod_revision, .lease = kv->lease};
}

static struct rota_etcd_head head_of(const Etcdserverpb__ResponseHeader *header)
{
    return header == NULL ? (struct rota_etcd_head){0} : (struct rota_etcd_head){header->cluster_id, header->revision};
}

/* --- Listing --- */

static void apply_list(struct follower *f, const Etcdserverpb__RangeResponse *reply)
{
    struct rota_etcd_head head = head_of(reply->header);
    int64_t now_ns = rota_loop_now_ns(f->loop);

    if (!rota_etcd_watch_list_begin(&f->watch, &head, now_ns))
        return;
    for (size_t i = 0; i < reply->n_kvs; i++) {
        struct rota_etcd_kv kv = kv_of(reply->kvs[i]);
        rota_etcd_watch_list_kv(&f->watch, &kv);
    }
    rota_etcd_watch_list_end(&f->watch, &head, now_ns);
}

static void on_listed(void *arg, const struct rota_status *status, const Etcdserverpb__RangeResponse *reply)
{
    struct list_call *call = arg;
    struct follower *f = call->follower;
    bool counts = f->list == call && !f->stopped;

    rota_alloc_free(f->alloc, call);
    if (!counts)
        return;
    f->list = NULL;
    if (rota_etcd_login_refused(&f->login, status, rota_loop_now_ns(f->loop)))
        begin(f, ROTA_ETCD_CMD_LIST);
    else if (status->code != ROTA_OK)
        rota_etcd_watch_list_failed(&f->watch, status, rota_loop_now_ns(f->loop));
    else
        apply_list(f, reply);
    act(f);
}

static void list(struct follower *f)
{
    struct rota_call_options options = {.size = sizeof(options), .timeout_ms = ROTA_ETCD_CALL_MS};
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    struct list_call *call = rota_alloc_get(f->alloc, sizeof(*call));
    struct rota_metadata *metadata = NULL;
    struct rota_status why;
    rota_err err = call == NULL ? ROTA_ENOMEM : rota_etcd_login_metadata(&f->login, false, &metadata);

    request.key = binary(rota_slice_str(f->where.prefix));
    request.range_end = binary(rota_slice(f->range_end, f->range_end_size));
    options.metadata = metadata;
    f->list = call;
    if (err == 0) {
        call->follower = f;
        err = etcdserverpb_kv_range_start(f->client, &options, &request, on_listed, call, NULL);
    }
    rota_metadata_free(metadata);
    if (err == 0)
        return;
    rota_alloc_free(f->alloc, call);
    f->list = NULL;
    rota_status_set(&why, ROTA_UNAVAILABLE, "reading the list: %s", rota_err_text(err));
    rota_etcd_watch_list_failed(&f->watch, &why, rota_loop_now_ns(f->loop));
}

/* --- Watching --- */

static struct rota_etcd_event event_at(const void *events, size_t i)
{
    const Mvccpb__Event *event = ((Mvccpb__Event *const *)events)[i];
    struct rota_etcd_event out = {.deleted = event->type == MVCCPB__EVENT__EVENT_TYPE__DELETE};

    if (event->kv != NULL)
        out.kv = kv_of(event->kv);
    return out;
}

static void on_answer(struct rota_call *call, void *arg, const void *message)
{
    const Etcdserverpb__WatchResponse *response = message;
    struct follower *f = arg;
    struct rota_etcd_watch_answer answer = {
        .head = head_of(response->header),
        .created = response->created,
        .canceled = response->canceled,
        .fragment = response->fragment,
        .compact_revision = response->compact_revision,
        .cancel_reason = response->cancel_reason,
        .n_events = response->n_events,
        .event = event_at,
        .events = response->events,
    };

    if (call != f->stream || f->stopped)
        return;
    if (rota_call_peer(call) != NULL)
        snprintf(f->member, sizeof(f->member), "%s", rota_call_peer(call));
    rota_etcd_watch_answered(&f->watch, &answer, rota_loop_now_ns(f->loop));
    act(f);
}

static void on_stream_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct follower *f = arg;
    struct rota_status why = *status;

    if (call != f->stream || f->stopped)
        return;
    f->stream = NULL;
    if (why.code == ROTA_OK)
        rota_status_set(&why, ROTA_UNAVAILABLE, "etcd ended the watch");
    (void)rota_etcd_login_refused(&f->login, &why, rota_loop_now_ns(f->loop)); /* the next has a new one in any case */
    rota_etcd_watch_ended(&f->watch, &why, rota_loop_now_ns(f->loop));
    act(f);
}

static const struct rota_call_events stream_events = {.on_message = on_answer, .on_done = on_stream_done};

static void open_stream(struct follower *f)
{
    struct rota_call_options options = {.size = sizeof(options)};
    Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
    struct rota_metadata *metadata = NULL;
    struct rota_status why;
    rota_err err = rota_etcd_login_metadata(&f->login, true, &metadata);

    options.metadata = metadata;
    if (err == 0)
        err = etcdserverpb_watch_watch_start(f->client, &options, &stream_events, f, &f->stream);
    rota_metadata_free(metadata);
    create.key = binary(rota_slice_str(f->where.prefix));
    create.range_end = binary(rota_slice(f->range_end, f->range_end_size));
    create.start_revision = f->watch.revision + 1;
    create.progress_notify = true;
    create.fragment = true;
    request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
    request.create_request = &create;
    if (err < 0)
        f->stream = NULL;
    else
        err = etcdserverpb_watch_watch_write(f->stream, &request);
    if (err == 0)
        return;
    if (f->stream != NULL)
        rota_call_cancel(f->stream);
    f->stream = NULL;
    rota_status_set(&why, ROTA_UNAVAILABLE, "opening the watch: %s", rota_err_text(err));
    rota_etcd_watch_ended(&f->watch, &why, rota_loop_now_ns(f->loop));
}

static void ask_progress(struct follower *f)
{
    Etcdserverpb__WatchProgressRequest progress = ETCDSERVERPB__WATCH_PROGRESS_REQUEST__INIT;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;

    request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST;
    request.progress_request = &progress;
    /* What cannot be written will not be answered: the watchdog sees to it. */
    if (f->stream != NULL && etcdserverpb_watch_watch_write(f->stream, &request) < 0)
        rota_log_write(f->log, ROTA_LOG_DEBUG, "etcd", "%s: progress request not sent", f->where.prefix);
}

static void close_stream(struct follower *f)
{
    struct rota_call *stream = f->stream;

    f->stream = NULL;
    f->list = NULL;
    f->deferred = 0;
    if (stream != NULL)
        rota_call_cancel(stream);
}

/* --- Logging in --- */

/* Tells the state machine of what was to be begun. */
static void not_begun(struct follower *f, unsigned cmds, const struct rota_status *why)
{
    if (cmds & ROTA_ETCD_CMD_LIST)
        rota_etcd_watch_list_failed(&f->watch, why, rota_loop_now_ns(f->loop));
    else if (cmds & ROTA_ETCD_CMD_OPEN)
        rota_etcd_watch_ended(&f->watch, why, rota_loop_now_ns(f->loop));
}

/* LIST and OPEN, now or when there is a login. */
static void begin(struct follower *f, unsigned cmds)
{
    struct rota_status why;
    rota_err err;

    if (rota_etcd_login_good(&f->login, (cmds & ROTA_ETCD_CMD_OPEN) != 0, rota_loop_now_ns(f->loop))) {
        if (cmds & ROTA_ETCD_CMD_LIST)
            list(f);
        if (cmds & ROTA_ETCD_CMD_OPEN)
            open_stream(f);
        return;
    }
    f->deferred |= cmds;
    err = rota_etcd_login_ask(&f->login);
    if (err == 0)
        return;
    f->deferred = 0;
    rota_status_set(&why, ROTA_UNAVAILABLE, "login: %s", rota_err_text(err));
    not_begun(f, cmds, &why);
}

static void on_login(void *arg, const struct rota_status *why)
{
    struct follower *f = arg;
    unsigned cmds = f->deferred;

    if (f->stopped || cmds == 0)
        return;
    f->deferred = 0;
    if (why->code == ROTA_OK)
        begin(f, cmds);
    else
        not_begun(f, cmds, why);
    act(f);
}

/* --- Publishing --- */

static void publish(struct follower *f)
{
    struct rota_resolver_source source = {
        .revision = f->watch.revision, .stale = f->watch.stale, .skipped = f->roster.unreadable, .registry = f->member};
    const struct rota_endpoint **endpoints;
    size_t count;

    if (!f->watch.listed)
        return;
    endpoints = rota_etcd_roster_endpoints(&f->roster, &count);
    if (endpoints == NULL) {
        rota_log_write(f->log, ROTA_LOG_ERROR, "etcd", "%s: list not published, out of memory", f->where.prefix);
        return;
    }
    (void)rota_etcd_roster_take_changed(&f->roster);
    rota_resolver_sink_endpoints(f->sink, endpoints, count, &source);
    rota_alloc_free(f->alloc, endpoints);
}

static void tell(struct follower *f)
{
    struct rota_status why;

    /* Once an outage and kind of failure: the retries that fail after it say nothing new. */
    if (f->told_down && f->told_code == f->watch.why.code)
        return;
    f->told_down = true;
    f->told_code = f->watch.why.code;
    rota_etcd_explain(&f->watch.why, f->where.user, &why);
    rota_status_set(&why, f->watch.why.code, "etcd: %s", why.message);
    rota_resolver_sink_error(f->sink, &why);
}

/* Carries out what the state machine asks for, also what follows from failing at it. */
static void act(struct follower *f)
{
    unsigned cmds;

    while ((cmds = rota_etcd_watch_take(&f->watch)) != 0) {
        if (cmds & ROTA_ETCD_CMD_CLOSE)
            close_stream(f);
        if (cmds & ROTA_ETCD_CMD_PUBLISH)
            publish(f);
        if (cmds & ROTA_ETCD_CMD_ERROR)
            tell(f);
        if (cmds & (ROTA_ETCD_CMD_LIST | ROTA_ETCD_CMD_OPEN))
            begin(f, cmds & (ROTA_ETCD_CMD_LIST | ROTA_ETCD_CMD_OPEN));
        if (cmds & ROTA_ETCD_CMD_PROGRESS)
            ask_progress(f);
    }
    if (f->told_down && f->watch.state == ROTA_ETCD_WATCH_WATCHING) {
        f->told_down = false;
        rota_log_write(f->log, ROTA_LOG_INFO, "etcd", "%s: watching again from revision %lld", f->where.prefix, (long long)f->watch.revision + 1);
    }
    if (rota_etcd_watch_deadline_ns(&f->watch) == INT64_MAX)
        rota_timer_clear(f->timer);
    else if (rota_timer_set(f->timer, rota_etcd_watch_deadline_ns(&f->watch)) < 0)
        rota_log_write(f->log, ROTA_LOG_ERROR, "etcd", "%s: no timer, out of memory", f->where.prefix);
}

static void on_timer(void *arg)
{
    struct follower *f = arg;

    rota_etcd_watch_tick(&f->watch, rota_loop_now_ns(f->loop));
    act(f);
}

/* --- The resolver's table --- */

static rota_err check(const struct rota_target *target, struct rota_errinfo *info)
{
    struct rota_etcd_where where;
    rota_err err = rota_etcd_where_read(target, NULL, &where, info);

    if (err == 0)
        rota_etcd_where_fini(&where);
    return err;
}

static rota_err prepare(struct follower *f, const struct rota_target *target)
{
    struct rota_slice prefix;
    struct rota_errinfo info;
    rota_err err = rota_etcd_where_read(target, f->alloc, &f->where, &info);

    if (err < 0)
        return err;
    prefix = rota_slice_str(f->where.prefix);
    f->range_end = rota_alloc_get(f->alloc, prefix.size + 1);
    if (f->range_end == NULL)
        return ROTA_ENOMEM;
    f->range_end_size = rota_etcd_range_end(prefix, f->range_end);
    rota_etcd_roster_init(&f->roster, f->alloc, f->log, f->where.dialect, prefix, rota_rng_next(&f->sink->host->rng));
    rota_etcd_watch_init(&f->watch, &f->roster, &f->sink->host->rng);
    err = rota_timer_new(f->loop, on_timer, f, &f->timer);
    if (err == 0)
        err = rota_etcd_client_open(&f->where, f->loop, f->alloc, f->log, &f->client, &info);
    if (err == 0)
        rota_etcd_login_init(&f->login, &f->where, f->client, f->alloc, on_login, f);
    return err;
}

static void release(struct follower *f)
{
    rota_timer_free(f->timer);
    rota_etcd_login_fini(&f->login);
    if (f->range_end != NULL)
        rota_etcd_roster_fini(&f->roster);
    rota_alloc_free(f->alloc, f->range_end);
    rota_etcd_where_fini(&f->where);
}

static rota_err start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    struct follower *f = state;
    rota_err err;

    *f = (struct follower){.sink = sink, .loop = loop, .alloc = rota_resolver_sink_alloc(sink), .log = rota_resolver_sink_log(sink)};
    err = prepare(f, target);
    if (err < 0) {
        release(f);
        return err;
    }
    rota_etcd_watch_start(&f->watch, rota_loop_now_ns(loop));
    act(f);
    return 0;
}

static void refresh(void *state)
{
    (void)state; /* the watch knows before the channel does */
}

static void on_client_closed(void *arg)
{
    struct follower *f = arg;

    release(f);
    rota_resolver_sink_release(f->sink);
}

static void stop(void *state)
{
    struct follower *f = state;

    f->stopped = true;
    rota_timer_clear(f->timer);
    rota_resolver_sink_hold(f->sink);
    rota_channel_close(f->client, on_client_closed, f);
}

const struct rota_resolver_class rota_resolver_etcd = {
    .scheme = "etcd", .state_size = sizeof(struct follower), .check = check, .start = start, .refresh = refresh, .stop = stop};
