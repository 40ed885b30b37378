/* tx.c - the bytes that are to go out before any DATA, whole frames in their order.
 *
 * What is counted of the frames that wait is counted until they are out. No frame is looked at for that: all that was counted up to a mark is
 * forgotten once the mark is out, and the next mark is set at the end. So a peer that reads all we send, if ever so late, has at most two marks'
 * worth to its account, though there may never be a moment when nothing waits.
 * Elsewhere: header blocks and DATA that are written here (send.c).
 * Source: RFC 9113, 6.
 */
#include "base/alloc.h"
#include "h2/session.h"

#define FIRST_BYTES 512
#define ACKS_MAX 10000 /* answers that the peer has not read yet; of one read of ours, which may be 7000 pings, it can have read none */
#define COUNTED_MIN_BYTES (64 * 1024) /* beyond what busy connections need */
#define RESETS_MAX 10000 /* of a server, beside its streams: resets that the peer has not read yet */

/* Where in tx the first frame begins: a client's preface is none. */
static size_t first_frame(const struct rota_h2 *h2)
{
    return h2->options.server || h2->tx.base > 0 ? 0 : ROTA_H2_PREFACE_BYTES;
}

/* Forgets what is out, up to the last frame that begins there. */
static void shift(struct rota_h2 *h2)
{
    struct rota_h2_tx *tx = &h2->tx;
    size_t at = 0, next = first_frame(h2);

    while (next <= tx->sent && next < tx->used) {
        at = next;
        next += ROTA_H2_HEAD_BYTES + rota_h2_head_read(tx->bytes + at).length;
    }
    if (next <= tx->sent)
        at = next;
    memmove(tx->bytes, tx->bytes + at, tx->used - at);
    tx->base += at;
    tx->sent -= at;
    tx->used -= at;
}

/* Header blocks of those who read nothing. */
static void count_cap(struct rota_h2 *h2)
{
    rota_h2_count(h2, &h2->tx.counted, h2->tx.cap >= COUNTED_MIN_BYTES ? h2->tx.cap : 0);
}

void rota_h2_tx_free(struct rota_h2 *h2)
{
    struct rota_h2_tx *tx = &h2->tx;

    rota_alloc_free(h2->alloc, tx->bytes);
    tx->bytes = NULL;
    tx->base += tx->sent;
    tx->cap = tx->sent = tx->used = 0;
    count_cap(h2);
}

uint8_t *rota_h2_tx_reserve(struct rota_h2 *h2, size_t size)
{
    struct rota_h2_tx *tx = &h2->tx;

    if (tx->cap - tx->used >= size)
        return tx->bytes + tx->used;
    if (tx->sent > tx->used / 2)
        shift(h2);
    if (rota_alloc_reserve(h2->alloc, &tx->bytes, &tx->cap, tx->used + (size < FIRST_BYTES ? FIRST_BYTES : size), 1) < 0) {
        rota_h2_out_of_memory(h2);
        return NULL;
    }
    count_cap(h2);
    return tx->bytes + tx->used;
}

/* Room for a frame's payload behind its head. NULL: no memory, or our GOAWAY for a fault is in tx, which is the last frame. */
static uint8_t *begin(struct rota_h2 *h2, size_t length, enum rota_h2_type type, uint8_t flags, int32_t id)
{
    uint8_t *out = h2->fault != NULL ? NULL : rota_h2_tx_reserve(h2, ROTA_H2_HEAD_BYTES + length);

    if (out == NULL)
        return NULL;
    h2->tx.used += ROTA_H2_HEAD_BYTES + length;
    return rota_h2_head_write(out, length, type, flags, id);
}

void rota_h2_tx_settings(struct rota_h2 *h2, const struct rota_h2_setting *settings, size_t count)
{
    uint8_t *out = begin(h2, 6 * count, ROTA_H2_TYPE_SETTINGS, 0, 0);

    if (out == NULL)
        return;
    h2->n_unacked++;
    for (size_t i = 0; i < count; i++) {
        *out++ = (uint8_t)(settings[i].id >> 8);
        *out++ = (uint8_t)settings[i].id;
        out = rota_h2_put_u32(out, settings[i].value);
    }
}

static void count_ack(struct rota_h2 *h2)
{
    if (++h2->tx.n_acks > ACKS_MAX)
        rota_h2_send_flooder_away(h2, "the peer does not read the answers to its PING and SETTINGS frames");
}

void rota_h2_tx_settings_ack(struct rota_h2 *h2)
{
    if (begin(h2, 0, ROTA_H2_TYPE_SETTINGS, ROTA_H2_FLAG_ACK, 0) != NULL)
        count_ack(h2);
}

void rota_h2_tx_ping(struct rota_h2 *h2, const uint8_t *opaque, bool ack)
{
    uint8_t *out = begin(h2, 8, ROTA_H2_TYPE_PING, ack ? ROTA_H2_FLAG_ACK : 0, 0);

    if (out == NULL)
        return;
    memcpy(out, opaque, 8);
    if (ack)
        count_ack(h2);
}

static void number(struct rota_h2 *h2, enum rota_h2_type type, int32_t id, uint32_t value)
{
    uint8_t *out = begin(h2, 4, type, 0, id);

    if (out != NULL)
        rota_h2_put_u32(out, value);
}

void rota_h2_tx_window_update(struct rota_h2 *h2, int32_t id, uint32_t increment)
{
    number(h2, ROTA_H2_TYPE_WINDOW_UPDATE, id, increment);
}

void rota_h2_tx_rst(struct rota_h2 *h2, int32_t id, uint32_t h2_code)
{
    number(h2, ROTA_H2_TYPE_RST_STREAM, id, h2_code);
    rota_h2_closed_note_reset(h2, id);
    rota_h2_tx_count_reset(h2);
}

void rota_h2_tx_count_reset(struct rota_h2 *h2)
{
    if (++h2->tx.n_resets > RESETS_MAX && h2->options.server && h2->tx.n_resets - RESETS_MAX > h2->options.max_concurrent_streams)
        rota_h2_send_flooder_away(h2, "the peer does not read what becomes of the streams that it opens");
}

void rota_h2_tx_goaway(struct rota_h2 *h2, int32_t last_id, uint32_t h2_code, const char *debug)
{
    size_t size = strlen(debug);
    uint8_t *out = begin(h2, 8 + size, ROTA_H2_TYPE_GOAWAY, 0, 0);

    if (out == NULL)
        return;
    out = rota_h2_put_u32(out, (uint32_t)last_id);
    out = rota_h2_put_u32(out, h2_code);
    memcpy(out, debug, size);
}

/* A frame that stays was moved to `to`: its stream's marks follow. */
static void moved(struct rota_h2 *h2, const struct rota_h2_head *head, size_t to, struct rota_h2_stream *stream)
{
    if (stream == NULL)
        return;
    if (head->type == ROTA_H2_TYPE_HEADERS)
        stream->head_at = h2->tx.base + to;
    if ((head->type == ROTA_H2_TYPE_HEADERS || head->type == ROTA_H2_TYPE_DATA) && (head->flags & ROTA_H2_FLAG_END_STREAM) != 0)
        stream->end_at = h2->tx.base + to + ROTA_H2_HEAD_BYTES + head->length;
}

static void pass_mark(struct rota_h2_tx *tx)
{
    tx->n_acks -= tx->acks_before;
    tx->n_resets -= tx->resets_before;
    tx->acks_before = tx->n_acks;
    tx->resets_before = tx->n_resets;
    tx->mark = tx->base + tx->used;
}

static void check_out(struct rota_h2_tx *tx)
{
    if (tx->sent < tx->used) {
        if (tx->base + tx->sent >= tx->mark)
            pass_mark(tx);
        return;
    }
    tx->base += tx->used;
    tx->sent = tx->used = 0;
    tx->n_acks = tx->n_resets = tx->acks_before = tx->resets_before = 0;
    tx->mark = tx->base;
}

/* The stream of the first header block that has not begun to go out. Those behind it are unsent too, however they have ended here; 0: none is. */
static int32_t first_unsent(const struct rota_h2 *h2)
{
    const struct rota_h2_tx *tx = &h2->tx;

    for (size_t at = first_frame(h2); at < tx->used;) {
        struct rota_h2_head head = rota_h2_head_read(tx->bytes + at);

        if (at >= tx->sent && head.type == ROTA_H2_TYPE_HEADERS)
            return head.id;
        at += ROTA_H2_HEAD_BYTES + head.length;
    }
    return 0;
}

/* A frame never goes out. */
static void give_back(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    if (head->type == ROTA_H2_TYPE_DATA)
        h2->send_left += head->length;
    if (head->type == ROTA_H2_TYPE_RST_STREAM)
        h2->tx.n_resets--;
}

/* A mark behind the end would be reached too late. */
static void shorten(struct rota_h2_tx *tx, size_t used)
{
    tx->used = used;
    if (tx->mark > tx->base + used)
        tx->mark = tx->base + used;
    if (tx->resets_before > tx->n_resets)
        tx->resets_before = tx->n_resets;
    check_out(tx);
}

static void drop(struct rota_h2 *h2, size_t from, int32_t first_id, int32_t last_id)
{
    struct rota_h2_tx *tx = &h2->tx;
    size_t to = from, size;

    for (size_t at = from; at < tx->used; at += size) {
        struct rota_h2_head head = rota_h2_head_read(tx->bytes + at);

        size = ROTA_H2_HEAD_BYTES + head.length;
        if (at >= tx->sent && head.id >= first_id && head.id <= last_id) {
            give_back(h2, &head);
            continue;
        }
        if (to < at) {
            memmove(tx->bytes + to, tx->bytes + at, size);
            moved(h2, &head, to, head.id == 0 ? NULL : rota_h2_stream_find(h2, head.id));
        }
        to += size;
    }
    shorten(tx, to);
}

void rota_h2_tx_drop(struct rota_h2 *h2, const struct rota_h2_stream *stream)
{
    drop(h2, (size_t)(stream->head_at - h2->tx.base), stream->id, stream->id);
}

void rota_h2_tx_drop_unsent(struct rota_h2 *h2)
{
    int32_t id = rota_h2_tx_empty(h2) ? 0 : first_unsent(h2);

    if (id != 0)
        drop(h2, first_frame(h2), id, INT32_MAX);
}

bool rota_h2_tx_empty(const struct rota_h2 *h2)
{
    return h2->tx.sent == h2->tx.used;
}

size_t rota_h2_tx_take(struct rota_h2 *h2, uint8_t *out, size_t cap)
{
    struct rota_h2_tx *tx = &h2->tx;
    size_t n = tx->used - tx->sent < cap ? tx->used - tx->sent : cap;

    if (n == 0)
        return 0;
    memcpy(out, tx->bytes + tx->sent, n);
    tx->sent += n;
    check_out(tx);
    return n;
}

uint64_t rota_h2_tx_out(const struct rota_h2 *h2)
{
    return h2->tx.base + h2->tx.sent;
}
