/* watch_service.c - etcdserverpb.Watch: requests and the life of streams. What goes out: watch_send.c. */
#include "registry/watch_stream.h"

#include "base/alloc.h"
#include "registry/state.h"

/* --- Life --- */

static void destroy(struct rota_watch_sub *sub)
{
    rota_list_remove(&sub->ready);
    rota_store_watch_close(sub->watch);
    rota_alloc_free(sub->stream->registry->alloc, sub);
}

void rota_watch_sub_free(struct rota_watch_sub *sub)
{
    rota_map_remove(&sub->stream->subs, rota_slice(&sub->id, sizeof(sub->id)));
    destroy(sub);
}

void rota_watch_stream_end(struct rota_watch_stream *stream, const struct rota_status *status)
{
    struct rota_server_call *call = stream->call;
    struct rota_map_entry *entry = NULL;

    /* Taken out one by one, each would be looked for from the first place on: there may be 100,000. */
    while ((entry = rota_map_next(&stream->subs, entry)) != NULL)
        destroy(entry->value);
    rota_map_fini(&stream->subs);
    rota_list_remove(&stream->link);
    rota_list_remove(&stream->busy);
    rota_alloc_free(stream->registry->alloc, stream);
    rota_server_call_finish(call, status);
}

static void on_start(struct rota_server_call *call, void *user)
{
    struct rota_registry *registry = user;
    struct rota_watch_stream *stream;

    if (rota_registry_refuses_stream(registry, call))
        return;
    stream = rota_alloc_zero(registry->alloc, 1, sizeof(*stream));
    if (stream == NULL) {
        struct rota_status no_memory = rota_fault_status(ROTA_FAULT_NO_MEMORY);
        rota_registry_refuse(call, &no_memory);
        return;
    }
    stream->registry = registry;
    stream->call = call;
    rota_list_append(&registry->streams, &stream->link);
    rota_list_init(&stream->busy);
    rota_list_init(&stream->ready);
    rota_map_init(&stream->subs, registry->alloc, registry->map_seed);
    rota_server_call_set_data(call, stream);
}

/* --- Requests --- */

static struct rota_watch_sub *find(const struct rota_watch_stream *stream, int64_t id)
{
    return rota_map_get(&stream->subs, rota_slice(&id, sizeof(id)));
}

static void answer(struct rota_watch_stream *stream, enum rota_watch_answer kind, int64_t id, const char *refusal)
{
    stream->answer = kind;
    stream->answer_id = id;
    stream->refusal = refusal;
}

static struct rota_store_watch_options options_of(const Etcdserverpb__WatchCreateRequest *request, struct rota_watch_sub *sub)
{
    struct rota_store_watch_options options = {
        .range = {rota_registry_slice(request->key), rota_registry_slice(request->range_end)},
        .start_revision = request->start_revision,
        .prev_kv = request->prev_kv,
        .user = sub,
    };

    if (options.range.key.size == 0)
        options.range.key = ROTA_SLICE("\0"); /* the smallest key */
    for (size_t i = 0; i < request->n_filters; i++) {
        options.no_put |= request->filters[i] == ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NOPUT;
        options.no_delete |= request->filters[i] == ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NODELETE;
    }
    return options;
}

static bool is_empty(const struct rota_store_range *range)
{
    bool open_ended = range->end.size == 1 && range->end.data[0] == 0;

    return range->end.size > 0 && !open_ended && rota_index_compare(range->key, range->end) >= 0;
}

/* The id the client chose, or the next free one; false: taken. */
static bool choose_id(struct rota_watch_stream *stream, int64_t wanted, int64_t *ret_id)
{
    if (wanted != 0) {
        *ret_id = wanted;
        return find(stream, wanted) == NULL;
    }
    while (find(stream, stream->next_id) != NULL)
        stream->next_id++;
    *ret_id = stream->next_id++;
    return true;
}

/* Makes the sub; on failure the reason in etcd's words, or ours. */
static const char *subscribe(struct rota_watch_stream *stream, const Etcdserverpb__WatchCreateRequest *request, struct rota_watch_sub *sub)
{
    struct rota_store_watch_options options = options_of(request, sub);
    rota_err err;

    if (is_empty(&options.range))
        return "mvcc: watcher range is empty";
    if (!choose_id(stream, request->watch_id, &sub->id))
        return "mvcc: duplicate watch ID provided on the WatchStream";
    err = rota_store_watch_open(stream->registry->store, &options, &sub->watch);
    if (err < 0)
        return err == ROTA_ELIMIT ? "registry: too many watches" : "registry: out of memory";
    if (rota_map_set(&stream->subs, rota_slice(&sub->id, sizeof(sub->id)), sub) < 0) {
        rota_store_watch_close(sub->watch);
        return "registry: out of memory";
    }
    return NULL;
}

static void create(struct rota_watch_stream *stream, const Etcdserverpb__WatchCreateRequest *request)
{
    struct rota_watch_sub *sub = rota_alloc_zero(stream->registry->alloc, 1, sizeof(*sub));
    const char *refusal = "registry: out of memory";

    if (sub != NULL) {
        sub->stream = stream;
        sub->fragment = request->fragment;
        sub->progress_notify = request->progress_notify;
        rota_list_init(&sub->ready);
        refusal = subscribe(stream, request, sub);
        if (refusal != NULL)
            rota_alloc_free(stream->registry->alloc, sub);
    }
    answer(stream, ROTA_WATCH_CREATED, refusal == NULL ? sub->id : -1, refusal);
}

static void on_message(struct rota_server_call *call, const Etcdserverpb__WatchRequest *request, void *user)
{
    struct rota_watch_stream *stream = rota_server_call_data(call);
    struct rota_watch_sub *sub;

    switch (request->request_union_case) {
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST:
        create(stream, request->create_request);
        break;
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CANCEL_REQUEST:
        sub = find(stream, request->cancel_request->watch_id);
        if (sub == NULL)
            return; /* etcd does not answer either */
        rota_watch_sub_free(sub);
        answer(stream, ROTA_WATCH_CANCELED, request->cancel_request->watch_id, NULL);
        break;
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST:
        answer(stream, ROTA_WATCH_PROGRESS, -1, NULL);
        break;
    default:
        return;
    }
    stream->held = true;
    rota_server_call_hold(call);
    if (rota_list_empty(&stream->busy))
        rota_list_append(&((struct rota_registry *)user)->busy_streams, &stream->busy);
    rota_registry_watches_serve(user);
}

/* A client that sends no more may still listen, as long as there is something to hear. */
static void on_end(struct rota_server_call *call, void *user)
{
    struct rota_watch_stream *stream = rota_server_call_data(call);

    (void)user;
    if (stream->subs.count == 0)
        rota_watch_stream_end(stream, NULL);
}

static void on_writable(struct rota_server_call *call, void *user)
{
    struct rota_watch_stream *stream = rota_server_call_data(call);

    (void)user;
    stream->blocked = false;
    rota_watch_stream_serve(stream);
}

static void on_cancel(struct rota_server_call *call, void *user)
{
    (void)user;
    rota_watch_stream_end(rota_server_call_data(call), NULL);
}

const struct etcdserverpb_watch_handlers rota_registry_watch_handlers = {
    .watch = {.start = on_start, .message = on_message, .end = on_end, .writable = on_writable, .cancel = on_cancel},
};

/* --- All streams --- */

static void make_busy(struct rota_watch_sub *sub)
{
    struct rota_watch_stream *stream = sub->stream;

    if (rota_list_empty(&sub->ready))
        rota_list_append(&stream->ready, &sub->ready);
    if (rota_list_empty(&stream->busy))
        rota_list_append(&stream->registry->busy_streams, &stream->busy);
}

void rota_registry_watches_serve(struct rota_registry *registry)
{
    struct rota_store_watch *watch;
    struct rota_link *link;

    while ((watch = rota_store_watch_next_ready(registry->store)) != NULL)
        make_busy(rota_store_watch_user(watch));
    while ((link = rota_list_pop(&registry->busy_streams)) != NULL)
        rota_watch_stream_serve(ROTA_CONTAINER(link, struct rota_watch_stream, busy));
}

void rota_registry_watches_progress(struct rota_registry *registry)
{
    for (struct rota_link *link = registry->streams.next; link != &registry->streams; link = link->next) {
        struct rota_watch_stream *stream = ROTA_CONTAINER(link, struct rota_watch_stream, link);
        for (struct rota_map_entry *entry = NULL; (entry = rota_map_next(&stream->subs, entry)) != NULL;) {
            struct rota_watch_sub *sub = entry->value;
            sub->notice = sub->progress_notify;
            if (sub->notice)
                make_busy(sub);
        }
    }
    rota_registry_watches_serve(registry);
}

void rota_registry_watches_end(struct rota_registry *registry, const struct rota_status *status)
{
    while (!rota_list_empty(&registry->streams))
        rota_watch_stream_end(ROTA_CONTAINER(registry->streams.next, struct rota_watch_stream, link), status);
}
