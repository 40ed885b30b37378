/* stream.c - the life of a stream: opened by either side, closed once, reset by its owner, freed.
 *
 * Invariants: see session.h. Elsewhere: what it sends (send.c), what comes in (headers.c, data.c).
 * Source: RFC 9113, 5.1 and 6.9.
 */
#include "base/assert.h"
#include "h2/session.h"

#define BACK_MAX_BYTES (256 * 1024) /* that may have to be moved; thousands of streams are often reset together */

struct rota_h2_stream *rota_h2_stream_new(struct rota_h2 *h2, int32_t id, void *user)
{
    struct rota_h2_stream *stream = rota_h2_pool_get(&h2->pool, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    *stream = (struct rota_h2_stream){
        .h2 = h2,
        .user = user,
        .id = id,
        .view = rota_h2_window_of_new(h2),
        .send_left = h2->peer_window_bytes,
        .body_left = -1,
    };
    if (!rota_h2_map_add(h2, stream)) {
        rota_h2_pool_put(&h2->pool, stream);
        return NULL;
    }
    rota_list_init(&stream->ready);
    rota_list_append(&h2->streams, &stream->link);
    h2->n_open++;
    return stream;
}

/* It is open no more. */
static void leave(struct rota_h2_stream *stream)
{
    struct rota_h2 *h2 = stream->h2;

    rota_h2_map_remove(h2, stream->id);
    rota_list_remove(&stream->ready);
    rota_list_remove(&stream->link);
    rota_h2_queue_clear(stream);
    if (--h2->n_open == 0)
        rota_h2_lifetime_idle(h2);
    stream->closed = true;
}

void rota_h2_stream_free(struct rota_h2_stream *stream)
{
    struct rota_h2 *h2 = stream->h2;

    if (!stream->closed)
        leave(stream);
    rota_h2_window_release(h2, NULL, stream->unconsumed);
    rota_list_remove(&stream->link);
    rota_h2_pool_put(&h2->pool, stream);
}

void rota_h2_stream_close(struct rota_h2_stream *stream, enum rota_h2_cause cause, uint32_t h2_code, const char *why)
{
    leave(stream);
    stream->cause = cause;
    stream->h2_code = h2_code;
    stream->why = why;
    rota_list_append(&stream->h2->closing, &stream->link);
}

void rota_h2_stream_close_unprocessed(struct rota_h2_stream *stream, bool unsent, const char *why)
{
    stream->unsent = unsent;
    rota_h2_stream_close(stream, ROTA_H2_UNPROCESSED, ROTA_H2_REFUSED_STREAM, why);
}

void rota_h2_stream_fail(struct rota_h2_stream *stream, uint32_t h2_code, const char *why)
{
    struct rota_h2 *h2 = stream->h2;

    rota_h2_tx_rst(h2, stream->id, h2_code);
    rota_h2_stream_close(stream, ROTA_H2_PROTOCOL, h2_code, why);
    rota_h2_peer_fault(h2);
}

bool rota_h2_stream_is_unsent(const struct rota_h2_stream *stream)
{
    const struct rota_h2 *h2 = stream->h2;

    return !h2->options.server && stream->head_at >= rota_h2_tx_out(h2);
}

uint32_t rota_h2_slots(const struct rota_h2 *h2)
{
    return h2->n_map + h2->tx.n_resets;
}

/* Nothing of it need go out, if no header block after it counts on what its own put into the peer's table. */
static bool take_back(struct rota_h2_stream *stream)
{
    struct rota_h2 *h2 = stream->h2;

    if (!rota_h2_stream_is_unsent(stream) || (stream->head_changed && h2->tx.last_head != stream->id))
        return false;
    if (h2->tx.base + h2->tx.used - stream->head_at > BACK_MAX_BYTES)
        return false;
    rota_h2_tx_drop(h2, stream);
    if (stream->head_changed)
        rota_hpack_encoder_restart(&h2->encoder);
    return true;
}

void rota_h2_reset(struct rota_h2_stream *stream, uint32_t h2_code)
{
    struct rota_h2 *h2 = stream->h2;

    if (stream == h2->returned)
        return;
    if (!stream->closed && rota_h2_fine(h2) && !take_back(stream))
        rota_h2_tx_rst(h2, stream->id, h2_code);
    if (h2_code == ROTA_H2_REFUSED_STREAM) /* what is on its way for it is our doing */
        rota_h2_allow_chores(h2);
    if (stream->n_events == 0) {
        rota_h2_stream_free(stream);
        return;
    }
    /* Events in the queue name it, so it stays until they have been passed over. */
    stream->detached = true;
    if (!stream->closed)
        leave(stream);
    rota_list_remove(&stream->link);
    rota_h2_window_release(h2, NULL, stream->unconsumed);
    stream->unconsumed = 0;
}

void rota_h2_consumed(struct rota_h2_stream *stream, size_t bytes)
{
    struct rota_h2 *h2 = stream->h2;

    ROTA_ASSERT(bytes <= stream->unconsumed);
    stream->unconsumed -= bytes;
    h2->bdp.taken_bytes += bytes;
    rota_h2_window_release(h2, stream->closed ? NULL : stream, bytes);
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
