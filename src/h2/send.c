/* send.c - what a stream sends: header fields at once into tx, data from a queue of chunk references when it is pulled, trailers after
 * the data.
 *
 * DATA goes frame by frame, stream after stream, as the windows allow, from the chunk straight into the caller's buffer where there is room.
 * What ends a stream and is small goes into tx whole, as if it were header fields: a unary call is one run of bytes, and nobody's turn is waited for.
 * Not so while anybody waits for the connection's window (h2->owed): that goes to who came first, or the small would use it up for ever. Nor may
 * they fill a whole buffer each time while others wait for room in it.
 * Sources: RFC 9113, 5.2, 6.1, 6.9, 8.1.
 */
#include "base/assert.h"
#include "h2/session.h"

#define SMALL_BYTES 1024
#define TX_FULL_BYTES (64 * 1024) /* the peer reads slowly: nothing more is sent out of turn */
#define TX_SHARE_BYTES (16 * 1024) /* of the caller's buffer, while others wait for their turn */
#define DIRECT_MIN_BYTES 1024     /* a frame is cut to fit into the caller's buffer unless it becomes smaller than this */

struct rota_h2_trailers {
    size_t count, bytes; /* of fields; of all that is allocated */
    struct rota_header fields[]; /* the bytes they point at follow */
};

/* --- Header fields --- */

static size_t bytes_of(const struct rota_header *headers, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += headers[i].name.size + headers[i].value.size;
    return bytes;
}

size_t rota_h2_max_header_bytes(const struct rota_h2 *h2)
{
    return h2->peer_max_header_bytes < ROTA_HEADER_SENT_BYTES ? h2->peer_max_header_bytes : ROTA_HEADER_SENT_BYTES;
}

static rota_err check_size(const struct rota_h2 *h2, const struct rota_header *headers, size_t count)
{
    return rota_header_list_bytes(headers, count) > rota_h2_max_header_bytes(h2) ? ROTA_ELIMIT : 0;
}

/* A timeout deserves a place in the compression table only when it comes again: one that is new in each call would
 * drive out what does. */
static enum rota_hpack_index index_of_timeout(struct rota_h2 *h2, struct rota_slice value)
{
    if (value.size == 0 || value.size > sizeof(h2->last_timeout))
        return ROTA_HPACK_PLAIN;
    if (value.size == h2->last_timeout_size && memcmp(value.data, h2->last_timeout, value.size) == 0)
        return ROTA_HPACK_ADD;
    memcpy(h2->last_timeout, value.data, value.size);
    h2->last_timeout_size = (uint8_t)value.size;
    return ROTA_HPACK_PLAIN;
}

/* A secret in the table could be guessed byte by byte by whoever puts fields beside it and sees sizes (RFC 7541, 7.1). */
static enum rota_hpack_index index_of(struct rota_h2 *h2, const struct rota_header *header)
{
    switch (header->name.size) {
    case 12:
        return memcmp(header->name.data, "grpc-timeout", 12) == 0 ? index_of_timeout(h2, header->value) : ROTA_HPACK_ADD;
    case 13:
        return memcmp(header->name.data, "authorization", 13) == 0 ? ROTA_HPACK_SECRET : ROTA_HPACK_ADD;
    default:
        return ROTA_HPACK_ADD;
    }
}

/* The block behind the head is longer than a frame may be: cuts it into CONTINUATION frames, for whose heads there is room. Returns how
 * much longer it is by these. */
static size_t split_block(uint8_t *head, size_t size, uint8_t flags, int32_t id)
{
    size_t n_more = (size - 1) / ROTA_H2_FRAME_MAX_BYTES;
    uint8_t *block = head + ROTA_H2_HEAD_BYTES;

    for (size_t i = n_more; i > 0; i--) {
        size_t from = i * ROTA_H2_FRAME_MAX_BYTES;
        size_t n = (i == n_more ? size : from + ROTA_H2_FRAME_MAX_BYTES) - from;
        uint8_t *to = block + from + i * ROTA_H2_HEAD_BYTES;

        memmove(to, block + from, n);
        rota_h2_head_write(to - ROTA_H2_HEAD_BYTES, n, ROTA_H2_TYPE_CONTINUATION, i == n_more ? ROTA_H2_FLAG_END_HEADERS : 0, id);
    }
    rota_h2_head_write(head, ROTA_H2_FRAME_MAX_BYTES, ROTA_H2_TYPE_HEADERS, flags, id);
    return n_more * ROTA_H2_HEAD_BYTES;
}

/* HEADERS into tx. False: no memory, and h2 is broken. */
static bool put_headers(struct rota_h2 *h2, int32_t id, const struct rota_header *headers, size_t count, bool end)
{
    uint8_t flags = end ? ROTA_H2_FLAG_END_STREAM : 0;
    size_t bound = ROTA_HPACK_BLOCK_BOUND + count * ROTA_HPACK_FIELD_BOUND + bytes_of(headers, count);
    uint8_t *head = rota_h2_tx_reserve(h2, ROTA_H2_HEAD_BYTES * (1 + bound / ROTA_H2_FRAME_MAX_BYTES) + bound), *out;
    size_t size;

    if (head == NULL)
        return false;
    out = rota_hpack_encode_begin(&h2->encoder, head + ROTA_H2_HEAD_BYTES);
    for (size_t i = 0; i < count; i++)
        out = rota_hpack_encode(&h2->encoder, headers[i].name, headers[i].value, index_of(h2, &headers[i]), out);
    size = (size_t)(out - head) - ROTA_H2_HEAD_BYTES;
    h2->tx.last_head = id;
    rota_h2_forgive_pings(h2);
    rota_h2_allow_chores(h2);
    if (size > ROTA_H2_FRAME_MAX_BYTES)
        size += split_block(head, size, flags, id);
    else
        rota_h2_head_write(head, size, ROTA_H2_TYPE_HEADERS, flags | ROTA_H2_FLAG_END_HEADERS, id);
    h2->tx.used += ROTA_H2_HEAD_BYTES + size;
    return true;
}

/* --- The queue --- */

/* More, or by a negative number less. */
static void tell_queued(struct rota_h2 *h2, size_t bytes)
{
    if (h2->options.queued_total != NULL)
        *h2->options.queued_total += bytes;
    if (h2->options.queued_here != NULL)
        *h2->options.queued_here += bytes;
}

static void count_queued(struct rota_h2_stream *stream, size_t bytes)
{
    stream->queued += bytes;
    tell_queued(stream->h2, bytes);
}

static rota_err trailers_new(struct rota_h2 *h2, const struct rota_header *headers, size_t count, struct rota_h2_trailers **ret_trailers)
{
    size_t bytes = sizeof(struct rota_h2_trailers) + count * sizeof(struct rota_header) + bytes_of(headers, count);
    struct rota_h2_trailers *trailers = rota_h2_pool_get(&h2->pool, bytes);
    uint8_t *copy;

    if (trailers == NULL)
        return ROTA_ENOMEM;
    trailers->count = count;
    trailers->bytes = bytes;
    tell_queued(h2, bytes);
    copy = (uint8_t *)&trailers->fields[count];
    for (size_t i = 0; i < count; i++) {
        struct rota_slice name = headers[i].name, value = headers[i].value;

        memcpy(copy, name.data, name.size);
        if (value.size > 0)
            memcpy(copy + name.size, value.data, value.size);
        trailers->fields[i] = (struct rota_header){rota_slice(copy, name.size), rota_slice(copy + name.size, value.size)};
        copy += name.size + value.size;
    }
    *ret_trailers = trailers;
    return 0;
}

static void trailers_drop(struct rota_h2_stream *stream)
{
    if (stream->trailers == NULL)
        return;
    tell_queued(stream->h2, -stream->trailers->bytes);
    rota_h2_pool_put(&stream->h2->pool, stream->trailers);
    stream->trailers = NULL;
}

static void queue_pop(struct rota_h2_stream *stream)
{
    struct rota_h2_piece *piece = stream->first;

    stream->first = piece->next;
    rota_chunk_unref(piece->chunk);
    rota_h2_pool_put(&stream->h2->pool, piece);
}

void rota_h2_queue_clear(struct rota_h2_stream *stream)
{
    while (stream->first != NULL)
        queue_pop(stream);
    count_queued(stream, -stream->queued);
    trailers_drop(stream);
}

/* Takes the reference. */
static rota_err queue_push(struct rota_h2_stream *stream, struct rota_chunk *chunk)
{
    struct rota_h2_piece *piece;

    if (chunk->size == 0) {
        rota_chunk_unref(chunk);
        return 0;
    }
    piece = rota_h2_pool_get(&stream->h2->pool, sizeof(*piece));
    if (piece == NULL) {
        rota_chunk_unref(chunk);
        return ROTA_ENOMEM;
    }
    *piece = (struct rota_h2_piece){.chunk = chunk};
    if (stream->first == NULL)
        stream->first = piece;
    else
        stream->last->next = piece;
    stream->last = piece;
    count_queued(stream, chunk->size);
    if (stream->queued >= stream->h2->options.high_mark_bytes)
        stream->was_high = true;
    return 0;
}

static void queue_take(struct rota_h2_stream *stream, uint8_t *out, size_t size)
{
    count_queued(stream, -size);
    while (size > 0) {
        struct rota_h2_piece *piece = stream->first;
        size_t left = piece->chunk->size - piece->offset;
        size_t n = left < size ? left : size;

        memcpy(out, piece->chunk->data + piece->offset, n);
        out += n;
        size -= n;
        piece->offset += n;
        if (n == left)
            queue_pop(stream);
    }
}

/* --- What may be sent now --- */

static bool has_end_to_send(const struct rota_h2_stream *stream)
{
    return stream->ended && !stream->end_written;
}

static void make_ready(struct rota_h2_stream *stream)
{
    struct rota_h2 *h2 = stream->h2;
    bool waits = stream->queued > 0 ? stream->send_left <= 0 : !has_end_to_send(stream);

    if (!waits && rota_list_empty(&stream->ready))
        rota_list_append(&h2->ready, &stream->ready);
}

void rota_h2_send_more(struct rota_h2 *h2, struct rota_h2_stream *stream)
{
    if (stream != NULL) {
        make_ready(stream);
    } else if (h2->send_left > 0) { /* before those who came since */
        rota_list_take(&h2->blocked, &h2->ready);
        rota_list_take(&h2->ready, &h2->blocked);
    }
}

static size_t sendable(const struct rota_h2_stream *stream)
{
    int64_t n = (int64_t)stream->queued;

    if (n > stream->send_left)
        n = stream->send_left;
    if (n > stream->h2->send_left)
        n = stream->h2->send_left;
    if (n > ROTA_H2_FRAME_MAX_BYTES)
        n = ROTA_H2_FRAME_MAX_BYTES;
    return n > 0 ? (size_t)n : 0;
}

/* Its end goes out with the byte before `end_at`. */
static void end_at(struct rota_h2_stream *stream, uint64_t end_at)
{
    stream->end_written = true;
    stream->end_at = end_at;
    rota_list_remove(&stream->ready);
    if (stream->h2->options.server)
        rota_list_append(&stream->h2->ending, &stream->ready);
}

/* A DATA frame of so many bytes of the queue at out. */
static void write_data(struct rota_h2_stream *stream, uint8_t *out, size_t size, bool end)
{
    struct rota_h2 *h2 = stream->h2;

    rota_h2_head_write(out, size, ROTA_H2_TYPE_DATA, end ? ROTA_H2_FLAG_END_STREAM : 0, stream->id);
    queue_take(stream, out + ROTA_H2_HEAD_BYTES, size);
    stream->send_left -= (int64_t)size;
    h2->send_left -= (int64_t)size;
    rota_h2_forgive_pings(h2);
    if (size >= ROTA_H2_CRUMB_BYTES) /* less is sent where the peer opens its window by so little; that earns it nothing */
        rota_h2_allow_chores(h2);
    /* Half of it rounded up: nothing is below half of one. */
    if (stream->was_high && stream->queued < h2->options.high_mark_bytes - h2->options.high_mark_bytes / 2) {
        stream->was_high = false;
        rota_h2_event_add(h2, ROTA_H2_WRITABLE, stream);
    }
}

static bool data_into_tx(struct rota_h2_stream *stream, size_t size, bool end)
{
    struct rota_h2 *h2 = stream->h2;
    uint8_t *out = rota_h2_tx_reserve(h2, ROTA_H2_HEAD_BYTES + size);

    if (out == NULL)
        return false;
    write_data(stream, out, size, end);
    h2->tx.used += ROTA_H2_HEAD_BYTES + size;
    if (end)
        end_at(stream, h2->tx.base + h2->tx.used);
    return true;
}

static bool trailers_into_tx(struct rota_h2_stream *stream, const struct rota_header *headers, size_t count)
{
    struct rota_h2 *h2 = stream->h2;

    if (!put_headers(h2, stream->id, headers, count, true))
        return false;
    end_at(stream, h2->tx.base + h2->tx.used);
    return true;
}

static bool others_are_ready(const struct rota_h2_stream *stream)
{
    const struct rota_link *ready = &stream->h2->ready;

    return ready->next != ready->prev || (ready->next != ready && ready->next != &stream->ready);
}

/* All that is left of the stream is little, and may go. */
static bool may_go_at_once(const struct rota_h2_stream *stream)
{
    const struct rota_h2 *h2 = stream->h2;
    size_t waiting = h2->tx.used - h2->tx.sent;

    if (stream->queued > 0 && (h2->owed || stream->queued > SMALL_BYTES || sendable(stream) != stream->queued))
        return false;
    return waiting < TX_SHARE_BYTES || (waiting < TX_FULL_BYTES && !others_are_ready(stream));
}

/* --- Pulling --- */

/* The next of a stream's frames; into out, or into tx where out has no room for it. Returns how much of out was used. */
static size_t send_data(struct rota_h2_stream *stream, uint8_t *out, size_t room)
{
    struct rota_h2 *h2 = stream->h2;
    size_t size = sendable(stream);
    bool end;

    if (room < ROTA_H2_HEAD_BYTES + size && room >= ROTA_H2_HEAD_BYTES + DIRECT_MIN_BYTES)
        size = room - ROTA_H2_HEAD_BYTES;
    end = size == stream->queued && has_end_to_send(stream) && stream->trailers == NULL;
    if (room < ROTA_H2_HEAD_BYTES + size) {
        data_into_tx(stream, size, end);
        return 0;
    }
    write_data(stream, out, size, end);
    if (end)
        end_at(stream, rota_h2_tx_out(h2));
    return ROTA_H2_HEAD_BYTES + size;
}

static void wait_for_window(struct rota_h2_stream *stream)
{
    rota_list_append(&stream->h2->blocked, &stream->ready);
    stream->h2->owed = true;
}

/* It keeps its place when the window ends inside it. Others have had their turn when they have sent a frame, however long. */
static bool is_soon_over(const struct rota_h2_stream *stream)
{
    return stream->ended && stream->queued > 0 && stream->queued <= ROTA_H2_FRAME_MAX_BYTES;
}

static size_t send_next(struct rota_h2 *h2, struct rota_h2_stream *stream, uint8_t *out, size_t room)
{
    size_t used = 0;

    rota_list_remove(&stream->ready);
    if (stream->queued > 0 && stream->send_left <= 0)
        return 0; /* SETTINGS have taken back its window since */
    if (stream->queued > 0 && h2->send_left <= 0) {
        wait_for_window(stream);
        return 0;
    }
    if (stream->queued > 0 || stream->trailers == NULL)
        used = send_data(stream, out, room);
    if (stream->queued == 0 && stream->trailers != NULL) {
        trailers_into_tx(stream, stream->trailers->fields, stream->trailers->count);
        trailers_drop(stream);
    } else if (h2->send_left <= 0 && is_soon_over(stream)) {
        wait_for_window(stream);
    } else if (!stream->end_written) {
        make_ready(stream);
    }
    return used;
}

/* A server that has answered in full does not wait for the rest of the request (RFC 9113, 8.1). */
static void end_streams(struct rota_h2 *h2)
{
    uint64_t out = rota_h2_tx_out(h2);

    while (!rota_list_empty(&h2->ending)) {
        struct rota_h2_stream *stream = ROTA_CONTAINER(h2->ending.next, struct rota_h2_stream, ready);

        if (stream->end_at > out)
            return;
        if (!stream->peer_ended)
            rota_h2_tx_rst(h2, stream->id, ROTA_H2_NO_ERROR);
        rota_h2_stream_close(stream, ROTA_H2_DONE, ROTA_H2_NO_ERROR, "the stream ended in order");
    }
}

size_t rota_h2_send_pull(struct rota_h2 *h2, uint8_t *out, size_t cap)
{
    size_t used = 0;

    for (;;) {
        used += rota_h2_tx_take(h2, out + used, cap - used);
        end_streams(h2);
        if (!rota_h2_tx_empty(h2) && used < cap)
            continue;
        if (rota_list_empty(&h2->ready))
            h2->owed = !rota_list_empty(&h2->blocked);
        if (used == cap || !rota_h2_fine(h2) || rota_list_empty(&h2->ready))
            return used;
        if (used > 0 && cap - used < ROTA_H2_HEAD_BYTES + DIRECT_MIN_BYTES)
            return used; /* the next buffer has more room */
        used += send_next(h2, ROTA_CONTAINER(h2->ready.next, struct rota_h2_stream, ready), out + used, cap - used);
    }
}

/* --- Called by the owner --- */

/* Whoever opens streams here goes elsewhere, as after the peer's GOAWAY (RFC 9113, 5.1.1). Without memory for the event the connection is
 * broken, which tells it too. */
static void drain_without_ids(struct rota_h2 *h2)
{
    struct rota_h2_event *event = rota_h2_event_add(h2, ROTA_H2_GOAWAY, NULL);

    if (event != NULL)
        event->detail = "the connection has no stream ids left";
    rota_h2_drain(h2, h2->now_ns);
}

rota_err rota_h2_open(struct rota_h2 *h2, const struct rota_header *headers, size_t count, bool end, void *user,
    struct rota_h2_stream **ret_stream)
{
    uint32_t changes = h2->encoder.changes;
    struct rota_h2_stream *stream;
    rota_err err;

    ROTA_ASSERT(!h2->options.server);
    if (!rota_h2_may_open(h2))
        return ROTA_ECLOSED;
    if (rota_h2_slots(h2) >= h2->peer_max_streams) {
        h2->want_room = true;
        return ROTA_EAGAIN;
    }
    err = check_size(h2, headers, count);
    if (err < 0)
        return err;
    stream = rota_h2_stream_new(h2, (int32_t)h2->next_id, user);
    if (stream == NULL)
        return ROTA_ENOMEM;
    stream->head_at = h2->tx.base + h2->tx.used;
    if (!put_headers(h2, stream->id, headers, count, end)) {
        rota_h2_stream_free(stream);
        return ROTA_ENOMEM;
    }
    h2->next_id += 2;
    stream->head_changed = h2->encoder.changes != changes;
    stream->ended = end;
    if (end)
        end_at(stream, h2->tx.base + h2->tx.used);
    if (h2->next_id > INT32_MAX)
        drain_without_ids(h2);
    *ret_stream = stream;
    return 0;
}

static rota_err state_to_send(const struct rota_h2_stream *stream)
{
    if (stream->closed || !rota_h2_fine(stream->h2))
        return ROTA_ECLOSED;
    return stream->ended ? ROTA_ESTATE : 0;
}

rota_err rota_h2_send_headers(struct rota_h2_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    struct rota_h2 *h2 = stream->h2;
    rota_err err = state_to_send(stream);

    ROTA_ASSERT(h2->options.server);
    if (err == 0 && stream->headers_sent)
        err = ROTA_ESTATE;
    if (err == 0)
        err = check_size(h2, headers, count);
    if (err < 0)
        return err;
    if (!put_headers(h2, stream->id, headers, count, end))
        return ROTA_ENOMEM;
    stream->headers_sent = true;
    stream->ended = end;
    if (end)
        end_at(stream, h2->tx.base + h2->tx.used);
    return 0;
}

rota_err rota_h2_send(struct rota_h2_stream *stream, struct rota_chunk *chunk, bool end)
{
    rota_err err = state_to_send(stream);

    if (err == 0 && stream->h2->options.server && !stream->headers_sent)
        err = ROTA_ESTATE;
    if (err < 0) {
        rota_chunk_unref(chunk);
        return err;
    }
    if (chunk != NULL)
        err = queue_push(stream, chunk);
    if (err < 0)
        return err;
    stream->ended = end;
    if (!end || !may_go_at_once(stream)) {
        make_ready(stream);
        return 0;
    }
    return data_into_tx(stream, stream->queued, true) ? 0 : ROTA_ENOMEM;
}

rota_err rota_h2_send_trailers(struct rota_h2_stream *stream, const struct rota_header *headers, size_t count)
{
    struct rota_h2 *h2 = stream->h2;
    rota_err err = state_to_send(stream);

    if (err == 0 && !stream->headers_sent)
        err = ROTA_ESTATE;
    if (err == 0)
        err = check_size(h2, headers, count);
    if (err < 0)
        return err;
    if (!may_go_at_once(stream)) {
        err = trailers_new(h2, headers, count, &stream->trailers);
        stream->ended = err == 0;
        make_ready(stream);
        return err;
    }
    if (stream->queued > 0 && !data_into_tx(stream, stream->queued, false))
        return ROTA_ENOMEM;
    stream->ended = true;
    return trailers_into_tx(stream, headers, count) ? 0 : ROTA_ENOMEM;
}
