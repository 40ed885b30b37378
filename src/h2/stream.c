/* stream.c - the life of a stream: opened by either side, closed once, reset by its owner, freed.
 *
 * Invariants: see session.h. Elsewhere: what it sends (send.c), what comes in (receive.c).
 * Source: RFC 9113, 5.1 and 6.9.
 */
#include "base/assert.h"
#include "h2/session.h"
#include <string.h>

struct rota_h2_stream *rota_h2_stream_new(struct rota_h2 *h2, int32_t id, void *user)
{
    struct rota_h2_stream *stream = rota_h2_pool_get(&h2->pool, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    memset(stream, 0, sizeof(*stream));
    stream->h2 = h2;
    stream->id = id;
    stream->user = user;
    rota_list_append(&h2->streams, &stream->link);
    h2->n_open++;
    return stream;
}

static void leave(struct rota_h2 *h2)
{
    if (--h2->n_open == 0)
        h2->idle_since_ns = h2->now_ns;
}

void rota_h2_credit(struct rota_h2 *h2, size_t bytes)
{
    if (bytes > 0 && h2->broken == 0)
        rota_h2_check(h2, nghttp2_session_consume_connection(h2->session, bytes));
}

void rota_h2_stream_free(struct rota_h2_stream *stream)
{
    struct rota_h2 *h2 = stream->h2;

    rota_h2_credit(h2, stream->unconsumed);
    rota_h2_queue_clear(stream);
    rota_list_remove(&stream->link);
    if (!stream->closed)
        leave(h2);
    rota_h2_pool_put(&h2->pool, stream);
}

struct rota_h2_stream *rota_h2_stream_find(struct rota_h2 *h2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h2->session, id);
}

void rota_h2_stream_close(struct rota_h2_stream *stream, enum rota_h2_cause cause, uint32_t h2_code, const char *why)
{
    struct rota_h2 *h2 = stream->h2;

    stream->closed = true;
    stream->cause = cause;
    stream->h2_code = h2_code;
    stream->why = why;
    leave(h2);
    rota_list_remove(&stream->link);
    rota_list_append(&h2->closing, &stream->link);
    rota_h2_queue_clear(stream);
    if (h2->broken == 0)
        nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
}

void rota_h2_stream_close_unprocessed(struct rota_h2_stream *stream, bool unsent, const char *why)
{
    stream->unsent = unsent;
    rota_h2_stream_close(stream, ROTA_H2_UNPROCESSED, NGHTTP2_REFUSED_STREAM, why);
}

void rota_h2_reset(struct rota_h2_stream *stream, uint32_t h2_code)
{
    struct rota_h2 *h2 = stream->h2;

    if (stream == h2->returned)
        return;
    if (!stream->closed && h2->broken == 0) {
        nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
        rota_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, h2_code));
    }
    if (stream->n_events == 0) {
        rota_h2_stream_free(stream);
        return;
    }
    /* Events in the queue name it, so it stays until they have been passed over. */
    stream->detached = true;
    rota_h2_credit(h2, stream->unconsumed);
    stream->unconsumed = 0;
    rota_h2_queue_clear(stream);
    rota_list_remove(&stream->link);
    if (!stream->closed)
        leave(h2);
    stream->closed = true;
}

void rota_h2_consumed(struct rota_h2_stream *stream, size_t bytes)
{
    struct rota_h2 *h2 = stream->h2;

    ROTA_ASSERT(bytes <= stream->unconsumed);
    stream->unconsumed -= bytes;
    h2->bdp.taken_bytes += bytes;
    if (bytes == 0 || h2->broken != 0)
        return;
    /* A half that is over needs no window of its own. */
    if (stream->closed || stream->peer_ended)
        rota_h2_credit(h2, bytes);
    else
        rota_h2_check(h2, nghttp2_session_consume(h2->session, stream->id, bytes));
}

size_t rota_h2_queued(const struct rota_h2_stream *stream)
{
    return stream->queued;
}

uint32_t rota_h2_streams(const struct rota_h2 *h2)
{
    return h2->n_open;
}

void rota_h2_set_user(struct rota_h2_stream *stream, void *user)
{
    stream->user = user;
}

void *rota_h2_user(const struct rota_h2_stream *stream)
{
    return stream->user;
}

struct rota_h2 *rota_h2_of(const struct rota_h2_stream *stream)
{
    return stream->h2;
}
