/* link.c - drives one connection: bytes from the socket into the session, its events to the owner, its bytes to the socket.
 *
 * Invariants: events are dispatched only from socket callbacks, timers and flushes, never inside an operation of the
 * connection; operations only mark the link for the flush at the end of the turn, so a turn writes once per connection.
 * The session exists from the moment the socket is connected. The link is freed when the socket has closed and the owner has heard of it, and by nothing else.
 * Elsewhere: TLS (link_tls.c), the stream operations (link_stream.c), dialing and listening (dial.c, accept.c).
 */
#include "assembly/link_inside.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include <stdarg.h>

/* While anything waits in the socket no more is put together: the streams' queues hold it and the high mark does its work, and no byte
 * is copied once more to wait. But a GOAWAY goes behind what waits, within reason. */
#define GOAWAY_BACKLOG_BYTES ((size_t)256 << 10)
#define QUIET_NS INT64_C(1000000000)
#define LOOKS 4 /* within each write_timeout_ns */
/* A server's connection that flooded stays open for that long, nothing of it is read, and only then it hears of it: who floods without end
 * stands still before a full socket, and others are served meanwhile. Told or closed at once it would be back at once; read to its end, as other
 * connections are, it would go on. Up to so many at a time, since each costs the system what its socket holds. */
#define SHUN_NS INT64_C(1000000000)
#define SHUNNED_MAX 128

static const struct rota_status no_memory = {.code = ROTA_UNAVAILABLE, .message = "out of memory"};

/* A timer that is early is left as it is: keepalive puts its deadline off with each read, and finds nothing to do at the old one. */
static void set_timer(struct rota_net_link *link)
{
    int64_t at_ns = link->h2 != NULL ? rota_h2_deadline_ns(link->h2) : INT64_MAX;

    if (!link->ready && link->connect_deadline_ns < at_ns)
        at_ns = link->connect_deadline_ns;
    if (link->stall_at_ns != INT64_MAX && link->look_at_ns < at_ns)
        at_ns = link->look_at_ns;
    if (link->stall_at_ns < at_ns)
        at_ns = link->stall_at_ns;
    if (at_ns >= link->timer_at_ns)
        return;
    link->timer_at_ns = at_ns;
    if (rota_host_timer_set(link->host, &link->timer, at_ns) < 0)
        rota_net_link_fail(link, "out of memory");
}

/* While bytes wait in the socket the peer must take some within each write_timeout_ns. That it does shows in what is left with the system, which
 * takes more of us only when a third of its buffer is free: with a slow reader that may be minutes later. */
static void watch_writes(struct rota_net_link *link)
{
    bool armed = link->stall_at_ns != INT64_MAX;
    uint64_t taken;

    if (rota_net_link_pending(link) == 0 || link->write_timeout_ns == INT64_MAX) {
        link->stall_at_ns = INT64_MAX;
        return;
    }
    if (armed && link->host->now_ns < link->look_at_ns && link->host->now_ns < link->stall_at_ns)
        return;
    taken = link->written_bytes - rota_socket_left(link->socket);
    if (!armed || (int64_t)(taken - link->taken_bytes) > 0) {
        link->taken_bytes = taken;
        link->stall_at_ns = rota_host_later_ns(link->host, link->write_timeout_ns);
    }
    link->look_at_ns = rota_host_later_ns(link->host, link->write_timeout_ns / LOOKS);
}

static void on_request(struct rota_net_link *link, const struct rota_h2_event *event)
{
    struct rota_net_stream *stream = rota_net_stream_make(link, event->stream);

    if (stream == NULL) {
        rota_h2_reset(event->stream, ROTA_H2_REFUSED_STREAM);
        return;
    }
    link->offered = stream;
    link->events->on_stream(link->owner, &stream->stream, event->headers, event->count, event->end);
    /* Still offered: neither adopted nor reset. */
    if (link->offered != NULL)
        rota_net_conn_class.reset(&stream->stream, ROTA_H2_REFUSED_STREAM);
    link->offered = NULL;
}

static void on_stream_closed(struct rota_net_link *link, const struct rota_h2_event *event)
{
    struct rota_net_stream *stream = rota_h2_user(event->stream);
    struct rota_stream_end end = {
        .cause = (enum rota_stream_cause)event->cause, .h2_code = event->h2_code, .unsent = event->unsent, .detail = event->detail};

    if (event->cause == ROTA_H2_PROTOCOL && !link->client) /* a client's failure is told by its channel */
        rota_net_link_complain(link, "", event->detail);
    stream->h2 = NULL;
    stream->events->on_closed(stream->owner, &end);
    rota_net_stream_drop(link, stream);
}

static void on_goaway(struct rota_net_link *link, const struct rota_h2_event *event)
{
    if (event->h2_code == ROTA_H2_ENHANCE_YOUR_CALM && rota_slice_equal(event->data, ROTA_SLICE("too_many_pings")) &&
        link->events->on_too_many_pings != NULL)
        link->events->on_too_many_pings(link->owner);
    if (event->h2_code != 0)
        rota_net_link_complain(link, "GOAWAY, ", event->detail);
    else
        rota_log_write(link->log, ROTA_LOG_DEBUG, "net", "%s: %s", link->peer, event->detail);
    link->events->on_draining(link->owner, NULL);
}

static void on_stream_event(const struct rota_h2_event *event)
{
    struct rota_net_stream *stream = rota_h2_user(event->stream);

    switch (event->type) {
    case ROTA_H2_HEADERS: stream->events->on_headers(stream->owner, &stream->stream, event->headers, event->count, event->end); break;
    case ROTA_H2_DATA: stream->events->on_data(stream->owner, &stream->stream, event->data); break;
    case ROTA_H2_END: stream->events->on_end(stream->owner, &stream->stream, event->headers, event->count); break;
    case ROTA_H2_WRITABLE: stream->events->on_writable(stream->owner, &stream->stream); break;
    default: break;
    }
}

void rota_net_link_dispatch(struct rota_net_link *link)
{
    struct rota_h2_event event;

    ROTA_ASSERT(!link->dispatching);
    link->dispatching = true;
    while (link->h2 != NULL && rota_h2_next(link->h2, &event)) {
        switch (event.type) {
        case ROTA_H2_READY:
            link->ready = true;
            if (link->client)
                link->events->on_ready(link->owner);
            break;
        case ROTA_H2_REQUEST: on_request(link, &event); break;
        case ROTA_H2_CLOSED: on_stream_closed(link, &event); break;
        case ROTA_H2_GOAWAY: on_goaway(link, &event); break;
        case ROTA_H2_ROOM: link->events->on_room(link->owner); break;
        default: on_stream_event(&event);
        }
    }
    link->dispatching = false;
}

void rota_net_link_touch(struct rota_net_link *link)
{
    if (!link->closing)
        rota_loop_flush(link->loop, &link->flush);
}

void rota_net_link_complain(const struct rota_net_link *link, const char *during, const char *what)
{
    struct rota_out_buffer *shared = link->out;
    uint32_t n_untold = shared->n_untold;

    if (!link->client && link->host->now_ns < shared->quiet_until_ns) {
        shared->n_untold++;
        return;
    }
    shared->quiet_until_ns = link->host->now_ns + QUIET_NS;
    shared->n_untold = 0;
    if (n_untold == 0)
        rota_log_write(link->log, ROTA_LOG_WARN, "net", "%s: %s%s", link->peer, during, what);
    else
        rota_log_write(link->log, ROTA_LOG_WARN, "net", "%s: %s%s (and %u more like it)", link->peer, during, what, n_untold);
}

/* Puts frames together and writes them while no more than `backlog_bytes` wait; false when the connection has failed. */
static bool write_out(struct rota_net_link *link, size_t backlog_bytes)
{
    size_t size = 1;

    while (size > 0 && rota_net_link_pending(link) <= backlog_bytes) {
        rota_err err = rota_h2_pull(link->h2, link->out->data, ROTA_OUT_BUFFER_BYTES, link->host->now_ns, &size);

        if (err == ROTA_EPROTO && !link->expelled)
            rota_net_link_complain(link, "", rota_h2_fault(link->h2));
        if (err < 0) {
            rota_net_link_fail(link, err == ROTA_EPROTO ? rota_h2_fault(link->h2) : rota_err_text(err));
            return false;
        }
        if (size > 0 && !rota_net_link_write(link, rota_slice(link->out->data, size)))
            return false;
    }
    return true;
}

static bool is_to_shun(const struct rota_net_link *link)
{
    return !link->client && link->h2 != NULL && rota_h2_flooded(link->h2) && link->out->n_shunned < SHUNNED_MAX;
}

/* As write_out, but for the GOAWAY at the end, which is kept, unless there is no memory for it. */
static bool write_but_last(struct rota_net_link *link)
{
    size_t size = 1, kept = 0;

    while (size > 0 && kept == 0 && rota_net_link_pending(link) <= GOAWAY_BACKLOG_BYTES) {
        const uint8_t *data = link->out->data;

        if (rota_h2_pull(link->h2, link->out->data, ROTA_OUT_BUFFER_BYTES, link->host->now_ns, &size) < 0)
            return true;
        kept = rota_h2_wants_write(link->h2) || size < rota_h2_last_bytes(link->h2) ? 0 : rota_h2_last_bytes(link->h2);
        if (kept > 0 && rota_buffer_append(&link->last_words, rota_slice(data + size - kept, kept)) < 0)
            kept = 0;
        if (size > kept && !rota_net_link_write(link, rota_slice(data, size - kept)))
            return false;
    }
    return true;
}

/* Tells the peer that has done wrong, now or later; false when the connection has failed over it. */
static bool write_last(struct rota_net_link *link)
{
    if (!is_to_shun(link))
        return write_out(link, GOAWAY_BACKLOG_BYTES);
    if (!link->expelled)
        rota_net_link_complain(link, "", rota_h2_fault(link->h2));
    return write_but_last(link);
}

static void on_flush(struct rota_flush *flush)
{
    struct rota_net_link *link = ROTA_CONTAINER(flush, struct rota_net_link, flush);

    if (link->closing || link->h2 == NULL || !write_out(link, link->expelled ? GOAWAY_BACKLOG_BYTES : 0))
        return;
    if (link->expelled) { /* its GOAWAY stands behind more than that, which is not kept for one that may never read it */
        rota_net_link_fail(link, rota_h2_fault(link->h2));
        return;
    }
    if (rota_h2_ping_leaves(link->h2)) /* in the socket, or behind what waits for it */
        rota_h2_ping_left(link->h2, link->host->clock(link->host));
    /* Sending may have ended streams. */
    rota_net_link_dispatch(link);
    if (link->closing)
        return;
    /* What waits in the socket may be the last reply, of which the peer takes as long as it likes. */
    if (rota_h2_finished(link->h2) && rota_net_link_pending(link) == 0) {
        link->closing = link->lingering = true;
        rota_h2_abort(link->h2, ""); /* nothing is left of it but memory, which would be held against others for as long as the peer likes */
        rota_net_link_bye(link);
        rota_socket_finish(link->socket);
        return;
    }
    watch_writes(link);
    set_timer(link);
}

static bool shun(struct rota_net_link *link)
{
    if (!is_to_shun(link) || rota_host_timer_set(link->host, &link->timer, rota_host_later_ns(link->host, SHUN_NS)) < 0)
        return false;
    link->shunned = true;
    link->out->n_shunned++;
    rota_socket_shun(link->socket);
    return true;
}

void rota_net_link_leave(struct rota_net_link *link)
{
    struct rota_slice words = rota_buffer_peek(&link->last_words);

    if (words.size > 0)
        (void)rota_net_link_write(link, words);
    rota_buffer_clear(&link->last_words);
    rota_net_link_bye(link);
    rota_socket_close(link->socket);
}

static void on_timer(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_net_link *link = ROTA_CONTAINER(timer, struct rota_net_link, timer);
    struct rota_errinfo info = {{0}};

    link->timer_at_ns = INT64_MAX;
    if (link->shunned)
        rota_net_link_leave(link);
    if (link->closing)
        return;
    if (!link->ready && now_ns >= link->connect_deadline_ns) {
        if (!link->client)
            rota_net_link_complain(link, "", "timed out in the TLS handshake");
        rota_net_link_fail(link, link->shaking ? "timed out in the TLS handshake" : link->tunnel != NULL ? "timed out waiting for the proxy" : "timed out connecting");
        return;
    }
    if (link->h2 == NULL)
        return;
    if (rota_h2_tick(link->h2, now_ns, &info) < 0) {
        if (!link->client)
            rota_net_link_complain(link, "cut off, ", info.text);
        link->expelled = true; /* and was complained of */
        if (rota_h2_fault(link->h2)[0] == '\0' || write_out(link, GOAWAY_BACKLOG_BYTES))
            rota_net_link_fail(link, info.text);
        return;
    }
    if (rota_h2_streams(link->h2) == 0) /* the session's tick, too, gives back what only streams need */
        rota_net_streams_forget(link);
    watch_writes(link);
    if (now_ns >= link->stall_at_ns) {
        rota_net_link_complain(link, "cut off, ", "it reads nothing of what is sent to it");
        rota_net_link_fail(link, "the peer reads nothing of what is sent to it");
        return;
    }
    rota_net_link_touch(link);
    set_timer(link);
}

void rota_net_link_fail(struct rota_net_link *link, const char *detail)
{
    struct rota_status *why;

    if (link->closing)
        return;
    link->closing = true;
    why = rota_alloc_get(link->alloc, sizeof(*why));
    if (why != NULL)
        rota_status_set(why, ROTA_UNAVAILABLE, "%s: %s", link->peer, detail);
    link->why = why != NULL ? why : &no_memory;
    if (!shun(link))
        rota_net_link_leave(link);
    if (link->client) /* or calls would be sent here while the socket lingers over its last bytes */
        link->events->on_draining(link->owner, link->why);
    if (link->h2 == NULL)
        return;
    rota_h2_abort(link->h2, link->why->message);
    rota_net_link_dispatch(link);
    if (!link->client)
        link->events->on_room(link->owner);
}

rota_err rota_net_link_start(struct rota_net_link *link)
{
    rota_err err = rota_h2_new(link->h2_options, link->host->now_ns, &link->h2);

    if (err < 0)
        return err;
    rota_alloc_free(link->alloc, link->h2_options);
    link->h2_options = NULL;
    rota_net_link_touch(link);
    set_timer(link);
    return 0;
}

/* There is a way to the server. */
static void begin(struct rota_net_link *link)
{
    if (link->tls != NULL)
        rota_net_link_shake(link);
    else if (rota_net_link_start(link) < 0)
        rota_net_link_fail(link, "out of memory");
}

static void on_connected(void *owner)
{
    struct rota_net_link *link = owner;

    if (link->closing)
        return;
    if (link->exposed)
        rota_net_link_fail(link, "through a proxy plaintext must be asked for: set options.tls (&rota_tls_insecure is plaintext)");
    else if (link->proxy != NULL)
        rota_net_link_ask_proxy(link);
    else
        begin(link);
}

void rota_net_link_take(struct rota_net_link *link, struct rota_slice bytes)
{
    size_t before_bytes = link->conn.queued_bytes;
    struct rota_errinfo info = {{0}};
    const char *refused;
    rota_err err;

    err = rota_h2_feed(link->h2, bytes, link->host->now_ns, &info);
    refused = rota_h2_take_refused(link->h2);
    if (refused != NULL)
        rota_net_link_complain(link, "request refused: ", refused);
    rota_net_link_dispatch(link);
    if (link->closing)
        return;
    if (err < 0) {
        if (write_last(link)) /* the GOAWAY that tells the peer why */
            rota_net_link_fail(link, info.text);
        return;
    }
    if (!link->client && link->conn.queued_bytes > before_bytes)
        link->events->on_room(link->owner);
    rota_net_link_touch(link);
}

static void on_read(void *owner, struct rota_slice bytes)
{
    struct rota_net_link *link = owner;

    if (link->closing)
        return;
    if (link->tunnel != NULL) {
        if (!rota_net_link_read_proxy(link, &bytes))
            return;
        begin(link);
        if (link->closing || bytes.size == 0)
            return;
    }
    if (link->tls != NULL)
        rota_net_link_read_tls(link, bytes);
    else if (link->h2 != NULL)
        rota_net_link_take(link, bytes);
}

static void on_drained(void *owner)
{
    rota_net_link_touch(owner);
}

static void on_gone(void *owner)
{
    rota_net_link_leave(owner);
}

/* When the socket closed, for the sentence that says so. */
static const char *phase_of(const struct rota_net_link *link)
{
    if (link->tunnel != NULL)
        return " before the proxy answered CONNECT";
    if (link->proxy != NULL && link->h2 == NULL && !link->shaking)
        return " (the proxy that the environment names)";
    if (link->shaking)
        return " during the TLS handshake";
    if (link->client && link->h2 != NULL && !link->ready && link->tls == NULL)
        return " before it spoke HTTP/2 (does it expect TLS?)";
    return "";
}

static void on_closed(void *owner, rota_err err, const char *detail)
{
    struct rota_net_link *link = owner;
    struct rota_status why = {.code = ROTA_OK};

    link->closing = true;
    if (link->why != NULL)
        why = *link->why;
    else if (!link->closed_here)
        rota_status_set(&why, ROTA_UNAVAILABLE, "%s%s%s%s", err == 0 ? link->peer : "", err == 0 ? ": " : "", detail, /* errors name it */
                        phase_of(link));
    if (link->h2 != NULL) {
        rota_h2_abort(link->h2, link->closed_here ? "the connection was closed" : why.message);
        rota_net_link_dispatch(link);
    }
    link->out->n_shunned -= link->shunned ? 1 : 0;
    link->events->on_closed(link->owner, &why);
    rota_net_link_free(link);
}

rota_err rota_out_buffer_init(struct rota_out_buffer *out, const struct rota_alloc *alloc, const struct rota_log *log)
{
    uint8_t *data = rota_alloc_get(alloc, ROTA_OUT_BUFFER_BYTES);

    if (data == NULL)
        return ROTA_ENOMEM;
    *out = (struct rota_out_buffer){.alloc = alloc, .log = log, .data = data};
    rota_buffer_init(&out->cipher, alloc, 0);
    return 0;
}

void rota_out_buffer_fini(struct rota_out_buffer *out)
{
    rota_alloc_free(out->alloc, out->data);
    rota_buffer_fini(&out->cipher);
}

const struct rota_socket_events rota_net_link_socket_events = {
    .on_connected = on_connected, .on_read = on_read, .on_drained = on_drained, .on_gone = on_gone, .on_closed = on_closed};

uint32_t rota_net_user_timeout_ms(int64_t keepalive_time_ns, int64_t keepalive_timeout_ns)
{
    int64_t ms = keepalive_timeout_ns / 1000000;

    if (keepalive_time_ns == INT64_MAX || ms > INT32_MAX)
        return 0;
    return ms < 1 ? 1 : (uint32_t)ms;
}

struct rota_net_link *rota_net_link_new(struct rota_loop *loop, const struct rota_alloc *alloc, struct rota_out_buffer *out, const char *peer)
{
    size_t peer_size = strlen(peer) + 1;
    struct rota_net_link *link = rota_alloc_zero(alloc, 1, sizeof(*link) + peer_size);
    struct rota_h2_options *h2_options = rota_alloc_zero(alloc, 1, sizeof(*h2_options));

    if (link == NULL || h2_options == NULL) {
        rota_alloc_free(alloc, link);
        rota_alloc_free(alloc, h2_options);
        return NULL;
    }
    memcpy(link->peer, peer, peer_size);
    link->h2_options = h2_options;
    rota_buffer_init(&link->last_words, alloc, 0);
    h2_options->alloc = alloc;
    h2_options->keepalive_time_ns = h2_options->keepalive_timeout_ns = INT64_MAX;
    h2_options->handshake_deadline_ns = INT64_MAX;
    link->conn.class = &rota_net_conn_class;
    link->loop = loop;
    link->host = rota_loop_host(loop);
    link->log = out->log;
    link->alloc = alloc;
    link->out = out;
    link->flush.run = on_flush;
    link->timer.fire = on_timer;
    link->timer_at_ns = INT64_MAX;
    link->connect_deadline_ns = link->write_timeout_ns = link->stall_at_ns = INT64_MAX;
    rota_list_init(&link->spare);
    return link;
}

void rota_net_link_free(struct rota_net_link *link)
{
    rota_host_timer_clear(link->host, &link->timer);
    rota_loop_unflush(link->loop, &link->flush);
    rota_buffer_fini(&link->last_words);
    rota_h2_free(link->h2);
    rota_tls_free(link->tls);
    rota_alloc_free(link->alloc, link->tunnel);
    rota_alloc_free(link->alloc, link->h2_options);
    if (link->why != &no_memory)
        rota_alloc_free(link->alloc, (void *)link->why);
    rota_net_streams_forget(link);
    rota_alloc_free(link->alloc, link);
}
