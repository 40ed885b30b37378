/* closed.c - server: frames on streams that are closed (RFC 9113, 5.1).
 *
 * The session forgets a stream with its end: remembering the last thousand, as it otherwise does, walks through far more memory than the
 * open ones need. What it would have told from that memory is told here: a frame on a stream that ended in order is a connection error,
 * one on a stream that was reset from here is the peer not having heard of it yet. So only the resets are remembered, the newest of them;
 * below those that were forgotten everything is forgiven.
 * Of DATA on a stream it does not know the session says nothing at all. So the frames' heads are read here too, and what is fed is cut
 * before the last byte of such a head: by then the session has done all that came before it.
 */
#include "h2/session.h"

#define HEAD_BYTES 9
#define PREFACE_BYTES 24

void rota_h2_closed_note_reset(struct rota_h2 *h2, int32_t id)
{
    int32_t *slot = &h2->resets_sent[h2->n_resets_sent++ % ROTA_H2_RESETS_KEPT];

    if (*slot > h2->resets_forgotten)
        h2->resets_forgotten = *slot;
    *slot = id;
}

static bool was_reset_here(const struct rota_h2 *h2, int32_t id)
{
    for (size_t i = 0; i < ROTA_H2_RESETS_KEPT; i++)
        if (h2->resets_sent[i] == id)
            return true;
    return false;
}

static bool forbidden(const struct rota_h2 *h2, int32_t id)
{
    if (id % 2 == 0 || id > h2->newest || id <= h2->resets_forgotten)
        return false;
    if (nghttp2_session_find_stream(h2->session, id) != NULL || was_reset_here(h2, id))
        return false;
    /* What came after our last GOAWAY was never begun. */
    return h2->drain != ROTA_H2_DRAINED || id <= h2->last_served;
}

void rota_h2_check_closed(struct rota_h2 *h2, int32_t id)
{
    if (forbidden(h2, id))
        rota_h2_send_away(h2, NGHTTP2_STREAM_CLOSED, "the peer broke HTTP/2 (STREAM_CLOSED): a frame on a stream that has ended");
}

/* What is late is forgiven, but no more of it than on a stream that is open. */
void rota_h2_check_late_data(struct rota_h2 *h2, int32_t id)
{
    const uint8_t *head = h2->walk.head;
    size_t size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];

    rota_h2_check_closed(h2, id);
    if (nghttp2_session_find_stream(h2->session, id) == NULL && (head[4] & NGHTTP2_FLAG_END_STREAM) == 0)
        rota_h2_count_data(h2, size);
}

void rota_h2_walk_init(struct rota_h2_walk *walk)
{
    *walk = (struct rota_h2_walk){.skip = PREFACE_BYTES};
}

/* The id of the stream, when the head is of DATA; else 0. */
static int32_t data_stream(const uint8_t *head)
{
    if (head[3] != NGHTTP2_DATA)
        return 0;
    return (int32_t)((uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]);
}

size_t rota_h2_walk(struct rota_h2 *h2, struct rota_slice bytes, int32_t *ret_unknown)
{
    struct rota_h2_walk *walk = &h2->walk;
    bool reset = false; /* what the session knows is about to change */
    size_t at = 0;

    while (at < bytes.size) {
        if (walk->skip > 0) {
            size_t n = bytes.size - at < walk->skip ? bytes.size - at : walk->skip;
            walk->skip -= (uint32_t)n;
            at += n;
            continue;
        }
        walk->head[walk->have] = bytes.data[at];
        if (walk->have + 1 < HEAD_BYTES) {
            walk->have++;
            at++;
            continue;
        }
        if (!walk->told) {
            *ret_unknown = data_stream(walk->head);
            if (*ret_unknown != 0 && (reset || nghttp2_session_find_stream(h2->session, *ret_unknown) == NULL)) {
                walk->told = true;
                return at;
            }
            reset = reset || walk->head[3] == NGHTTP2_RST_STREAM;
        }
        at++;
        walk->skip = (uint32_t)walk->head[0] << 16 | (uint32_t)walk->head[1] << 8 | walk->head[2];
        walk->have = 0;
        walk->told = false;
    }
    *ret_unknown = 0;
    return at;
}
