/* follower.c - carries out the commands of watch.h with real calls.
 *
 * Invariants: at most one list call counts (`list`), at most one stream counts (`stream`); whatever else still comes back belongs to the
 * past and is ignored. What needs a login that is not there waits in `deferred`.
 */
#include "etcd/follower.h"

#include "base/alloc.h"
#include "base/log.h"
#include "etcd/client.h"
#include "etcd/explain.h"
#include "etcd/where.h"
#include <etcd.rota.h>
#include <stdio.h>

#define BEGUN (ROTA_ETCD_CMD_LIST | ROTA_ETCD_CMD_OPEN | ROTA_ETCD_CMD_CHECK) /* what needs a login */

struct list_call {
    struct rota_etcd_follower *follower;
    struct rota_call *call;
};

static void act(struct rota_etcd_follower *f);
static void begin(struct rota_etcd_follower *f, unsigned cmds);

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

static void apply_list(struct rota_etcd_follower *f, const Etcdserverpb__RangeResponse *reply)
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
    struct rota_etcd_follower *f = call->follower;
    bool counts = f->list == call && !f->stopped;

    rota_alloc_free(f->alloc, call);
    if (!counts)
        return;
    f->list = NULL;
    if (rota_etcd_login_refused(f->login, status, rota_loop_now_ns(f->loop)))
        begin(f, ROTA_ETCD_CMD_LIST);
    else if (status->code == ROTA_DEADLINE_EXCEEDED)
        rota_etcd_watch_list_late(&f->watch, status, rota_loop_now_ns(f->loop));
    else if (status->code != ROTA_OK)
        rota_etcd_watch_list_failed(&f->watch, status, rota_loop_now_ns(f->loop));
    else
        apply_list(f, reply);
    act(f);
}

static void list(struct rota_etcd_follower *f)
{
    struct rota_call_options options = {.size = sizeof(options), .timeout_ms = f->watch.list_ms};
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    struct list_call *call = rota_alloc_get(f->alloc, sizeof(*call));
    struct rota_metadata *metadata = NULL;
    struct rota_status why;
    rota_err err = call == NULL ? ROTA_ENOMEM : rota_etcd_login_metadata(f->login, false, &metadata);

    request.key = binary(f->key);
    request.range_end = binary(rota_slice(f->range_end, f->range_end_size));
    options.metadata = metadata;
    f->list = call;
    if (err == 0) {
        call->follower = f;
        err = etcdserverpb_kv_range_start(f->client, &options, &request, on_listed, call, &call->call);
    }
    rota_metadata_free(metadata);
    if (err == 0)
        return;
    rota_alloc_free(f->alloc, call);
    f->list = NULL;
    rota_status_set(&why, ROTA_UNAVAILABLE, "reading the list: %s", rota_err_text(err));
    rota_etcd_watch_list_failed(&f->watch, &why, rota_loop_now_ns(f->loop));
}

/* --- Checking how far the cluster is --- */

static void on_checked(void *arg, const struct rota_status *status, const Etcdserverpb__RangeResponse *reply)
{
    struct list_call *call = arg;
    struct rota_etcd_follower *f = call->follower;
    bool counts = f->check == call && !f->stopped;
    struct rota_etcd_head head;

    rota_alloc_free(f->alloc, call);
    if (!counts)
        return;
    f->check = NULL;
    if (rota_etcd_login_refused(f->login, status, rota_loop_now_ns(f->loop))) {
        begin(f, ROTA_ETCD_CMD_CHECK);
    } else if (status->code != ROTA_OK) {
        rota_etcd_watch_check_failed(&f->watch, rota_loop_now_ns(f->loop));
    } else {
        head = head_of(reply->header);
        rota_etcd_watch_checked(&f->watch, &head, rota_loop_now_ns(f->loop));
    }
    act(f);
}

/* Reads one key, be it there or not, for the head of the answer. */
static void check(struct rota_etcd_follower *f)
{
    struct rota_call_options options = {.size = sizeof(options), .timeout_ms = ROTA_ETCD_CALL_MS};
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    struct list_call *call = rota_alloc_get(f->alloc, sizeof(*call));
    struct rota_metadata *metadata = NULL;
    rota_err err = call == NULL ? ROTA_ENOMEM : rota_etcd_login_metadata(f->login, false, &metadata);

    request.key = binary(f->key);
    request.keys_only = true;
    options.metadata = metadata;
    f->check = call;
    if (err == 0) {
        call->follower = f;
        err = etcdserverpb_kv_range_start(f->client, &options, &request, on_checked, call, &call->call);
    }
    rota_metadata_free(metadata);
    if (err == 0)
        return;
    rota_alloc_free(f->alloc, call);
    f->check = NULL;
    rota_etcd_watch_check_failed(&f->watch, rota_loop_now_ns(f->loop));
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

/* The watch that is made next has a new token if this one ended for the sake of the old. */
static void mind_token(struct rota_etcd_follower *f, const char *cancel_reason)
{
    struct rota_status why;

    rota_status_set(&why, ROTA_UNAVAILABLE, "%s", cancel_reason == NULL ? "" : cancel_reason);
    if (rota_etcd_denies(&why))
        rota_etcd_login_denied(f->login, rota_loop_now_ns(f->loop));
    else
        (void)rota_etcd_login_refused(f->login, &why, rota_loop_now_ns(f->loop));
}

static void on_answer(struct rota_call *call, void *arg, const void *message)
{
    const Etcdserverpb__WatchResponse *response = message;
    struct rota_etcd_follower *f = arg;
    struct rota_etcd_watch_answer answer = {
        .head = head_of(response->header),
        .created = response->created,
        .canceled = response->canceled,
        .fragment = response->fragment,
        .requested = response->watch_id == -1 && !response->created && response->n_events == 0,
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
    if (answer.canceled && answer.compact_revision == 0)
        mind_token(f, answer.cancel_reason);
    rota_etcd_watch_answered(&f->watch, &answer, rota_loop_now_ns(f->loop));
    act(f);
}

static void on_stream_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct rota_etcd_follower *f = arg;
    struct rota_status why = *status;

    if (call != f->stream || f->stopped)
        return;
    f->stream = NULL;
    if (why.code == ROTA_OK)
        rota_status_set(&why, ROTA_UNAVAILABLE, "etcd ended the watch");
    (void)rota_etcd_login_refused(f->login, &why, rota_loop_now_ns(f->loop)); /* the next has a new one */
    rota_etcd_watch_ended(&f->watch, &why, rota_loop_now_ns(f->loop));
    act(f);
}

static const struct rota_call_events stream_events = {.on_message = on_answer, .on_done = on_stream_done};

static void open_stream(struct rota_etcd_follower *f)
{
    struct rota_call_options options = {.size = sizeof(options)};
    Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
    struct rota_metadata *metadata = NULL;
    struct rota_status why;
    rota_err err = rota_etcd_login_metadata(f->login, true, &metadata);

    options.metadata = metadata;
    if (err == 0)
        err = etcdserverpb_watch_watch_start(f->client, &options, &stream_events, f, &f->stream);
    rota_metadata_free(metadata);
    create.key = binary(f->key);
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

static void ask_progress(struct rota_etcd_follower *f)
{
    Etcdserverpb__WatchProgressRequest progress = ETCDSERVERPB__WATCH_PROGRESS_REQUEST__INIT;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;

    request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST;
    request.progress_request = &progress;
    /* What cannot be written will not be answered: the watchdog sees to it. */
    if (f->stream != NULL && etcdserverpb_watch_watch_write(f->stream, &request) < 0)
        rota_log_write(f->log, ROTA_LOG_DEBUG, "etcd", "%.*s: progress request not sent", (int)f->key.size, (const char *)f->key.data);
}

/* A list that takes long must not be at work while the next is. */
static void cancel(struct list_call **call)
{
    struct list_call *past = *call;

    *call = NULL;
    if (past != NULL)
        rota_call_cancel(past->call);
}

static void close_stream(struct rota_etcd_follower *f)
{
    struct rota_call *stream = f->stream;

    f->stream = NULL;
    f->deferred = 0;
    cancel(&f->list);
    cancel(&f->check);
    if (stream != NULL)
        rota_call_cancel(stream);
}

/* --- Logging in --- */

/* Tells the state machine of what was to be begun. */
static void not_begun(struct rota_etcd_follower *f, unsigned cmds, const struct rota_status *why)
{
    if (cmds & ROTA_ETCD_CMD_LIST)
        rota_etcd_watch_list_failed(&f->watch, why, rota_loop_now_ns(f->loop));
    else if (cmds & ROTA_ETCD_CMD_OPEN)
        rota_etcd_watch_ended(&f->watch, why, rota_loop_now_ns(f->loop));
    if (cmds & ROTA_ETCD_CMD_CHECK)
        rota_etcd_watch_check_failed(&f->watch, rota_loop_now_ns(f->loop));
}

/* LIST, OPEN and CHECK, now or when there is a login; a check that nothing depends on is left out then. */
static void begin(struct rota_etcd_follower *f, unsigned cmds)
{
    struct rota_status why;
    rota_err err;

    if (rota_etcd_login_good(f->login, (cmds & ROTA_ETCD_CMD_OPEN) != 0, rota_loop_now_ns(f->loop))) {
        if (cmds & ROTA_ETCD_CMD_LIST)
            list(f);
        if (cmds & ROTA_ETCD_CMD_OPEN)
            open_stream(f);
        if (cmds & ROTA_ETCD_CMD_CHECK)
            check(f);
        return;
    }
    if (cmds == ROTA_ETCD_CMD_CHECK && !rota_etcd_watch_doubts(&f->watch))
        return;
    f->deferred |= cmds;
    err = rota_etcd_login_ask(f->login);
    if (err == 0)
        return;
    f->deferred = 0;
    rota_status_set(&why, ROTA_UNAVAILABLE, "login: %s", rota_err_text(err));
    not_begun(f, cmds, &why);
}

void rota_etcd_follower_logged_in(struct rota_etcd_follower *f, const struct rota_status *why)
{
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

/* --- Doing --- */

static void tell(struct rota_etcd_follower *f)
{
    struct rota_status why;

    /* Once an outage and kind of failure: the retries that fail after it say nothing new. */
    if (f->told_down && f->told_code == f->watch.why.code)
        return;
    f->told_down = true;
    f->told_code = f->watch.why.code;
    rota_etcd_explain(&f->watch.why, f->login->where->user, &why);
    rota_status_set(&why, f->watch.why.code, "etcd: %s", why.message);
    f->events->on_error(f->owner, &why);
}

/* What was not published for want of memory would not change again by itself: the watch begins anew, which ends in a list. */
static void publish(struct rota_etcd_follower *f)
{
    struct rota_status why;

    if (f->events->on_publish(f->owner) == 0) {
        rota_etcd_watch_published(&f->watch);
        return;
    }
    rota_status_set(&why, ROTA_RESOURCE_EXHAUSTED, "out of memory while publishing the list");
    rota_etcd_watch_unpublished(&f->watch, &why, rota_loop_now_ns(f->loop));
}

/* Only moves it, for which there is memory: it is set from init to stop. */
static void set_timer(struct rota_etcd_follower *f, int64_t at_ns)
{
    if (rota_timer_set(f->timer, at_ns) < 0)
        rota_log_write(f->log, ROTA_LOG_ERROR, "etcd", "%.*s: no timer, out of memory", (int)f->key.size, (const char *)f->key.data);
}

/* Carries out what the state machine asks for, also what follows from failing at it. */
static void act(struct rota_etcd_follower *f)
{
    unsigned cmds;

    while (!f->stopped && (cmds = rota_etcd_watch_take(&f->watch)) != 0) {
        if (cmds & ROTA_ETCD_CMD_CLOSE)
            close_stream(f);
        if (cmds & ROTA_ETCD_CMD_PUBLISH)
            publish(f);
        if (cmds & ROTA_ETCD_CMD_ERROR)
            tell(f);
        if (cmds & BEGUN)
            begin(f, cmds & BEGUN);
        if (cmds & ROTA_ETCD_CMD_PROGRESS)
            ask_progress(f);
    }
    if (f->stopped)
        return;
    if (f->told_down && f->watch.state == ROTA_ETCD_WATCH_WATCHING && !f->watch.stale) {
        f->told_down = false;
        rota_log_write(f->log, ROTA_LOG_INFO, "etcd", "%.*s: watching again from revision %lld", (int)f->key.size,
            (const char *)f->key.data, (long long)f->watch.revision + 1);
    }
    set_timer(f, rota_etcd_watch_deadline_ns(&f->watch));
}

static void on_timer(void *arg)
{
    struct rota_etcd_follower *f = arg;

    set_timer(f, INT64_MAX); /* while its place is free */
    rota_etcd_watch_tick(&f->watch, rota_loop_now_ns(f->loop));
    act(f);
}

rota_err rota_etcd_follower_init(struct rota_etcd_follower *f, struct rota_slice key, bool prefix, const struct rota_etcd_keep_class *class, void *keep,
                                 struct rota_rng *rng)
{
    rota_err err;

    f->key = key;
    f->range_end = rota_alloc_get(f->alloc, key.size + 1);
    if (f->range_end == NULL)
        return ROTA_ENOMEM;
    f->range_end_size = prefix ? rota_etcd_range_end(key, f->range_end) : 0;
    rota_etcd_watch_init(&f->watch, class, keep, rng);
    err = rota_timer_new(f->loop, on_timer, f, &f->timer);
    return err < 0 ? err : rota_timer_set(f->timer, INT64_MAX);
}

void rota_etcd_follower_start(struct rota_etcd_follower *f)
{
    rota_etcd_watch_start(&f->watch, rota_loop_now_ns(f->loop));
    act(f);
}

void rota_etcd_follower_publish(struct rota_etcd_follower *f)
{
    if (f->stopped)
        return;
    publish(f);
    act(f);
}

void rota_etcd_follower_stop(struct rota_etcd_follower *f)
{
    if (f->stopped)
        return;
    f->stopped = true;
    if (f->timer != NULL)
        rota_timer_clear(f->timer);
}

void rota_etcd_follower_fini(struct rota_etcd_follower *f)
{
    rota_timer_free(f->timer);
    rota_alloc_free(f->alloc, f->range_end);
    f->timer = NULL;
    f->range_end = NULL;
}
