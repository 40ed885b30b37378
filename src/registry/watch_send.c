/* watch_send.c - what goes out on a watch stream; vocabulary and order in watch_stream.h.
 *
 * Events are pulled only to be sent at once. What did not go out is taken back (rota_store_watch_unpull), so a client that does not read
 * costs its send queue and a cursor.
 */
#include "registry/watch_stream.h"

#include "registry/kv_message.h"
#include "registry/state.h"

#define PULL_BYTES ((size_t)512 << 10)    /* of one response, up to the end of a revision */
#define FRAGMENT_BYTES ((size_t)1400 << 10) /* of one response to a client that takes fragments */
#define EVENT_OVERHEAD 64                 /* numbers and tags of an event, at most */

static rota_err send(struct rota_watch_stream *stream, Etcdserverpb__WatchResponse *response)
{
    Etcdserverpb__ResponseHeader header;

    rota_registry_header(stream->registry, &header);
    response->header = &header;
    return etcdserverpb_watch_watch_send_reply(stream->call, response);
}

/* --- Answers --- */

static rota_err send_answer(struct rota_watch_stream *stream)
{
    Etcdserverpb__WatchResponse response = ETCDSERVERPB__WATCH_RESPONSE__INIT;
    rota_err err;

    response.watch_id = stream->answer_id;
    response.created = stream->answer == ROTA_WATCH_CREATED;
    response.canceled = stream->answer == ROTA_WATCH_CANCELED || stream->refusal != NULL;
    if (stream->refusal != NULL)
        response.cancel_reason = (char *)stream->refusal;
    err = send(stream, &response);
    if (err == 0)
        stream->answer = ROTA_WATCH_NOTHING;
    return err;
}

/* --- Events --- */

static size_t size_of(const struct rota_store_event *event)
{
    return EVENT_OVERHEAD + event->kv.key.size + event->kv.value.size + event->prev.key.size + event->prev.value.size;
}

/* How many of the n events (at least one) go into one response. */
static size_t fit(const struct rota_store_event *events, size_t n)
{
    size_t bytes = size_of(&events[0]), i = 1;

    while (i < n && bytes + size_of(&events[i]) <= FRAGMENT_BYTES)
        bytes += size_of(&events[i++]);
    return i;
}

struct event_message {
    Mvccpb__Event event;
    Mvccpb__KeyValue kv, prev;
};

static rota_err send_events(struct rota_watch_sub *sub, const struct rota_store_event *events, size_t n, bool more)
{
    struct rota_arena *arena = &sub->stream->registry->outgoing;
    struct event_message *messages = rota_arena_zero(arena, n, sizeof(*messages));
    Mvccpb__Event **pointers = rota_arena_zero(arena, n, sizeof(*pointers));
    Etcdserverpb__WatchResponse response = ETCDSERVERPB__WATCH_RESPONSE__INIT;

    if (messages == NULL || pointers == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct event_message *m = &messages[i];
        pointers[i] = &m->event;
        mvccpb__event__init(&m->event);
        m->event.type = events[i].deleted ? MVCCPB__EVENT__EVENT_TYPE__DELETE : MVCCPB__EVENT__EVENT_TYPE__PUT;
        rota_kv_message(&events[i].kv, &m->kv);
        m->event.kv = &m->kv;
        if (events[i].prev.mod_revision != 0) {
            rota_kv_message(&events[i].prev, &m->prev);
            m->event.prev_kv = &m->prev;
        }
    }
    response.watch_id = sub->id;
    response.fragment = more;
    response.events = pointers;
    response.n_events = n;
    return send(sub->stream, &response);
}

/* All of them, in fragments if the client takes those; sub->sent says how far it came. */
static rota_err send_all(struct rota_watch_sub *sub, const struct rota_store_event *events, size_t n)
{
    while (sub->sent < n) {
        size_t left = n - sub->sent, part = sub->fragment ? fit(events + sub->sent, left) : left;
        rota_err err = send_events(sub, events + sub->sent, part, part < left);
        if (err < 0)
            return err;
        sub->sent += part;
    }
    sub->sent = 0;
    return 0;
}

static rota_err send_compacted(struct rota_watch_sub *sub, int64_t compact_revision)
{
    Etcdserverpb__WatchResponse response = ETCDSERVERPB__WATCH_RESPONSE__INIT;
    rota_err err;

    response.watch_id = sub->id;
    response.canceled = true;
    response.compact_revision = compact_revision;
    err = send(sub->stream, &response);
    if (err == 0)
        rota_watch_sub_free(sub);
    return err;
}

static rota_err send_notice(struct rota_watch_sub *sub)
{
    Etcdserverpb__WatchResponse response = ETCDSERVERPB__WATCH_RESPONSE__INIT;
    rota_err err;

    response.watch_id = sub->id;
    err = send(sub->stream, &response);
    if (err == 0)
        sub->notice = false;
    return err;
}

/* One response's worth; the sub then is ready no more, or again at the end of the queue, or gone. */
static rota_err serve_sub(struct rota_watch_sub *sub)
{
    struct rota_arena *arena = &sub->stream->registry->outgoing;
    struct rota_store_event *events;
    int64_t compact_revision;
    rota_err err;
    size_t n;

    rota_arena_reset(arena);
    err = rota_store_watch_pull(sub->watch, PULL_BYTES, &arena->as_alloc, &events, &n, &compact_revision);
    if (err == ROTA_ENOTFOUND)
        return send_compacted(sub, compact_revision);
    if (err == 0 && n > 0) {
        err = send_all(sub, events, n);
        if (err < 0)
            rota_store_watch_unpull(sub->watch);
        else
            sub->notice = false;
    } else if (err == 0 && sub->notice) {
        err = send_notice(sub);
    }
    if (err < 0)
        return err;
    rota_list_remove(&sub->ready);
    if (rota_store_watch_pending(sub->watch))
        rota_list_append(&sub->stream->ready, &sub->ready);
    return 0;
}

static rota_err serve(struct rota_watch_stream *stream)
{
    rota_err err = 0;

    if (stream->answer != ROTA_WATCH_NOTHING && stream->answer != ROTA_WATCH_PROGRESS)
        err = send_answer(stream);
    while (err == 0 && !rota_list_empty(&stream->ready))
        err = serve_sub(ROTA_CONTAINER(stream->ready.next, struct rota_watch_sub, ready));
    if (err == 0 && stream->answer == ROTA_WATCH_PROGRESS)
        err = send_answer(stream);
    return err;
}

void rota_watch_stream_serve(struct rota_watch_stream *stream)
{
    rota_err err;

    if (stream->blocked)
        return;
    err = serve(stream);
    if (err == ROTA_EAGAIN || err == ROTA_ECLOSED) {
        stream->blocked = true; /* until on_writable; or on_cancel */
    } else if (err < 0) {
        struct rota_status status = rota_fault_status(ROTA_FAULT_NO_MEMORY);
        rota_watch_stream_end(stream, &status);
    } else if (stream->held) {
        stream->held = false;
        rota_server_call_resume(stream->call);
    }
}
