/* closed.c - which streams are idle, and what may still come on those that are closed (RFC 9113, 5.1, 5.1.1).
 *
 * A stream is forgotten with its end: remembering thousands walks through far more memory than the open ones need. To a server a frame
 * on a stream that ended in order is a connection error, one on a stream that was reset from here is the peer not having heard of it
 * yet. So only the resets are remembered, the newest of them; below those that were forgotten everything is forgiven. Of the ids that
 * the peer left out the last gap is remembered.
 * A client forgives: what a server sends too late is counted like all that brings nothing.
 */
#include "base/alloc.h"
#include "h2/session.h"

bool rota_h2_is_idle(const struct rota_h2 *h2, int32_t id)
{
    const struct rota_h2_stream *stream;

    if (id % 2 == 0)
        return true;
    if (h2->options.server)
        return id > h2->newest;
    stream = rota_h2_stream_find(h2, id);
    return (uint32_t)id >= h2->next_id || (stream != NULL && rota_h2_stream_is_unsent(stream));
}

/* Without memory for the ids, everything is forgiven. */
void rota_h2_closed_note_reset(struct rota_h2 *h2, int32_t id)
{
    int32_t *slot;

    if (!h2->options.server)
        return;
    if (h2->resets == NULL)
        h2->resets = rota_alloc_zero(h2->alloc, 1, sizeof(*h2->resets));
    if (h2->resets == NULL) {
        h2->resets_forgotten = id > h2->resets_forgotten ? id : h2->resets_forgotten;
        return;
    }
    slot = &h2->resets->ids[h2->resets->n++ % ROTA_H2_RESETS_KEPT];
    if (*slot > h2->resets_forgotten)
        h2->resets_forgotten = *slot;
    *slot = id;
}

static bool was_reset_here(const struct rota_h2 *h2, int32_t id)
{
    for (size_t i = 0; h2->resets != NULL && i < ROTA_H2_RESETS_KEPT; i++)
        if (h2->resets->ids[i] == id)
            return true;
    return false;
}

bool rota_h2_closed_may_come(struct rota_h2 *h2, int32_t id)
{
    if (!h2->options.server)
        return true;
    if (id >= h2->gap_first && id <= h2->gap_last)
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "a stream id that was left out before");
    if (id <= h2->resets_forgotten || was_reset_here(h2, id))
        return true;
    /* What came after our last GOAWAY was never begun. */
    if (h2->drain == ROTA_H2_DRAINED && id > h2->last_served)
        return true;
    return rota_h2_broke(h2, ROTA_H2_STREAM_CLOSED, "a frame on a stream that has ended");
}
