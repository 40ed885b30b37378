/* headers.c - HEADERS and CONTINUATION: a block decoded into a request, a response or trailers.
 *
 * Every block is decoded to its end, whatever becomes of its stream, since the table must follow.
 * Decides: what a stream's next block is, what is left out (1xx), what is refused, what is too large.
 * Elsewhere: which fields are allowed (fields.c).
 * Sources: RFC 9113, 4.3, 5.1, 5.1.1, 6.2, 6.10, 8.1, 10.5.1; 5.3.1 of RFC 7540.
 */
#include "h2/session.h"

#define TOO_LARGE_FAULTS 8
/* What is ignored must be decoded all the same, a field a byte at worst. Blocks that are ignored for no fault of the peer's count as chores. */
#define BYTES_A_FAULT 128
#define CONTINUATIONS_FREE 32 /* of a block; some peers flush each byte, so more are chores */

/* --- Where a block belongs --- */

static bool begin_of_client(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, head->id);

    if (rota_h2_is_idle(h2, head->id))
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "HEADERS on an idle stream");
    if (stream == NULL) {
        rota_h2_peer_chores(h2, 1);
        rota_h2_block_begin(h2, head->id, ROTA_H2_BLOCK_IGNORED);
    } else {
        rota_h2_block_begin(h2, head->id, stream->headers_seen ? ROTA_H2_BLOCK_TRAILERS : ROTA_H2_BLOCK_RESPONSE);
    }
    return rota_h2_fine(h2);
}

/* What our last GOAWAY rules out must not be begun, even while it waits in tx. A stream over the limit may have been sent before
 * the limit was known, but not so often. */
static bool begin_request(struct rota_h2 *h2, int32_t id)
{
    bool late = h2->drain == ROTA_H2_DRAINED && id > h2->last_served;

    if (id > h2->newest + 2) {
        h2->gap_first = h2->newest + 2;
        h2->gap_last = id - 2;
    }
    h2->newest = id;
    if (!late && h2->n_map < h2->options.max_concurrent_streams) {
        rota_h2_block_begin(h2, id, ROTA_H2_BLOCK_REQUEST);
        return true;
    }
    rota_h2_block_begin(h2, id, ROTA_H2_BLOCK_IGNORED);
    if (late) {
        rota_h2_peer_chores(h2, 1); /* GOAWAY has said it */
    } else {
        rota_h2_tx_rst(h2, id, ROTA_H2_REFUSED_STREAM);
        rota_h2_peer_reset(h2);
    }
    return rota_h2_fine(h2);
}

static bool begin_of_server(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    struct rota_h2_stream *stream;

    if (head->id % 2 == 0)
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "a request with an even stream id");
    if (head->id > h2->newest)
        return begin_request(h2, head->id);
    stream = rota_h2_stream_find(h2, head->id);
    if (stream == NULL) {
        if (!rota_h2_closed_may_come(h2, head->id))
            return false;
        rota_h2_peer_chores(h2, 1);
    } else if (stream->peer_ended) {
        rota_h2_stream_fail(stream, ROTA_H2_STREAM_CLOSED, "HEADERS after its end");
        stream = NULL;
    }
    rota_h2_block_begin(h2, head->id, stream == NULL ? ROTA_H2_BLOCK_IGNORED : ROTA_H2_BLOCK_TRAILERS);
    return rota_h2_fine(h2);
}

static size_t padding_and_priority(const struct rota_h2_head *head)
{
    return ((head->flags & ROTA_H2_FLAG_PADDED) != 0 ? 1 : 0) + ((head->flags & ROTA_H2_FLAG_PRIORITY) != 0 ? 5 : 0);
}

/* In more pieces than are free a block may have twice the bytes of the largest list, and no more: whatever is in it, it is too large. */
static bool continuation_head(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    struct rota_h2_block *block = &h2->block;

    if (!block->open)
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "CONTINUATION without HEADERS");
    block->wire_bytes += head->length;
    if (++block->continuations <= CONTINUATIONS_FREE)
        return true;
    if (block->wire_bytes / 2 > h2->options.max_header_bytes)
        return rota_h2_send_flooder_away(h2, "the peer sent too many CONTINUATION frames for one header block");
    if (head->length > 0)
        rota_h2_peer_chores(h2, 1);
    else
        rota_h2_peer_fault(h2);
    return rota_h2_fine(h2);
}

bool rota_h2_headers_head(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    bool fine;

    if (head->type == ROTA_H2_TYPE_CONTINUATION)
        return continuation_head(h2, head);
    if (head->id == 0)
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "HEADERS on stream 0");
    if (head->length < padding_and_priority(head))
        return rota_h2_broke(h2, ROTA_H2_FRAME_SIZE_ERROR, "HEADERS without room for padding or priority");
    fine = h2->options.server ? begin_of_server(h2, head) : begin_of_client(h2, head);
    h2->block.end_stream = (head->flags & ROTA_H2_FLAG_END_STREAM) != 0;
    h2->block.wire_bytes = head->length;
    return fine;
}

/* --- A block that goes wrong: its stream is reset, the rest of it decoded --- */

static void refuse(struct rota_h2 *h2, uint32_t h2_code, const char *why)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, h2->block.id);

    if (h2->block.kind == ROTA_H2_BLOCK_REQUEST)
        h2->refusal = why;
    h2->block.kind = ROTA_H2_BLOCK_IGNORED;
    h2->block.faulty = true;
    if (stream != NULL) {
        rota_h2_stream_fail(stream, h2_code, why);
    } else {
        rota_h2_tx_rst(h2, h2->block.id, h2_code);
        rota_h2_peer_fault(h2);
    }
}

const char *rota_h2_take_refused(struct rota_h2 *h2)
{
    const char *why = h2->refusal;

    h2->refusal = NULL;
    return why;
}

/* ENHANCE_YOUR_CALM becomes RESOURCE_EXHAUSTED at a gRPC client, which is what the limit means; the peer is not told
 * more, since an answer would cost us more than the request costs it. */
static void refuse_too_large(struct rota_h2 *h2)
{
    refuse(h2, ROTA_H2_ENHANCE_YOUR_CALM, "the peer's header list is larger than the limit announced to it");
    rota_h2_peer_faults(h2, TOO_LARGE_FAULTS);
}

/* A frame of a block of which all or the rest was ignored. */
static bool count_ignored(struct rota_h2 *h2, uint32_t frame_bytes)
{
    if (h2->block.faulty)
        rota_h2_peer_faults(h2, frame_bytes / BYTES_A_FAULT);
    else
        rota_h2_peer_chores(h2, frame_bytes / ROTA_H2_BYTES_A_CHORE);
    return rota_h2_fine(h2);
}

/* --- Fields --- */

static bool add_field(struct rota_h2 *h2, const struct rota_hpack_field *field, bool in_place)
{
    if (!rota_h2_block_count(h2, field->name, field->value)) {
        refuse_too_large(h2);
        return rota_h2_fine(h2);
    }
    switch (rota_h2_field_check(&h2->block, field->name, field->value, field->kind)) {
    case ROTA_H2_FIELD_REFUSE:
        refuse(h2, ROTA_H2_PROTOCOL_ERROR, "header fields that HTTP/2 does not allow");
        return rota_h2_fine(h2);
    case ROTA_H2_FIELD_DROP:
        return true;
    default:
        return rota_h2_block_add(h2, field->name, field->value, field->name_borrowed && !in_place, field->value_borrowed && !in_place);
    }
}

/* Fields of a block that is ignored need memory one at a time: the peer may name thousands that are large in few bytes. */
static enum rota_hpack_result decode_field(struct rota_h2 *h2, struct rota_slice *bytes, struct rota_arena *scratch, struct rota_hpack_field *ret_field)
{
    if (h2->block.kind != ROTA_H2_BLOCK_IGNORED)
        return rota_hpack_decode(&h2->decoder, bytes, true, &h2->arena, ret_field);
    rota_arena_reset(scratch);
    return rota_hpack_decode(&h2->decoder, bytes, false, scratch, ret_field);
}

/* What is left of the bytes is the beginning of a field. */
static bool decode(struct rota_h2 *h2, struct rota_slice *bytes, bool in_place)
{
    struct rota_hpack_field field;
    enum rota_hpack_result result;
    struct rota_arena scratch;
    bool fine = true;

    rota_arena_init(&scratch, h2->alloc, 0);
    do {
        result = decode_field(h2, bytes, &scratch, &field);
        if (result == ROTA_HPACK_FIELD && h2->block.kind != ROTA_H2_BLOCK_IGNORED)
            fine = add_field(h2, &field, in_place);
    } while (fine && result == ROTA_HPACK_FIELD);
    rota_arena_fini(&scratch);
    if (result == ROTA_HPACK_BAD)
        return rota_h2_broke(h2, ROTA_H2_COMPRESSION_ERROR, "a header block that is no HPACK");
    return result == ROTA_HPACK_NOMEM ? rota_h2_out_of_memory(h2) : fine;
}

/* --- Blocks that are whole --- */

/* Memory for the fields is asked for first, so that no event is without them. */
static bool add_event(struct rota_h2 *h2, enum rota_h2_event_type type, struct rota_h2_stream *stream)
{
    struct rota_h2_event fields = {.end = h2->block.end_stream}, *event;

    if (!rota_h2_block_take(h2, &fields))
        return false;
    event = rota_h2_event_add(h2, type, stream);
    if (event == NULL)
        return false;
    event->headers = fields.headers;
    event->count = fields.count;
    event->end = fields.end;
    return true;
}

static bool on_request(struct rota_h2 *h2)
{
    struct rota_h2_stream *stream = rota_h2_stream_new(h2, h2->block.id, NULL);

    if (stream == NULL)
        return rota_h2_out_of_memory(h2);
    stream->headers_seen = true;
    stream->peer_ended = h2->block.end_stream;
    stream->body_left = h2->block.body_bytes;
    if (!add_event(h2, ROTA_H2_REQUEST, stream)) {
        rota_h2_stream_free(stream); /* the owner has not heard of it */
        return false;
    }
    return true;
}

/* Which it is was seen when :status was checked: it stands in front of all others. */
static bool is_informational(const struct rota_h2_block *block)
{
    return block->kind == ROTA_H2_BLOCK_RESPONSE && block->count > 0 && block->fields[0].value.data[0] == '1';
}

static bool on_answer(struct rota_h2 *h2)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, h2->block.id);
    bool first = h2->block.kind == ROTA_H2_BLOCK_RESPONSE;

    if (is_informational(&h2->block)) {
        rota_h2_peer_chores(h2, 1);
        return rota_h2_fine(h2);
    }
    if (first) {
        stream->headers_seen = true;
        stream->body_left = h2->block.body_bytes;
    }
    if (!add_event(h2, first ? ROTA_H2_HEADERS : ROTA_H2_END, stream))
        return false;
    if (h2->block.end_stream)
        rota_h2_peer_ended(h2, stream);
    return rota_h2_fine(h2);
}

/* Trailers end their stream, with as much body as it said. NULL: all is well. */
static const char *flaw(struct rota_h2 *h2)
{
    const struct rota_h2_block *block = &h2->block;
    const char *what = rota_h2_fields_flaw(block);

    if (what != NULL)
        return what;
    if (block->kind == ROTA_H2_BLOCK_TRAILERS && !block->end_stream)
        return "trailers that do not end their stream";
    if (block->kind == ROTA_H2_BLOCK_TRAILERS && rota_h2_stream_find(h2, block->id)->body_left > 0)
        return "less DATA than its content-length";
    return block->end_stream && is_informational(block) ? "a 1xx response that ends its stream" : NULL;
}

static bool end_block(struct rota_h2 *h2)
{
    const char *what;
    bool fine = true;

    if (h2->block.kind != ROTA_H2_BLOCK_IGNORED && rota_h2_stream_find(h2, h2->block.id) == NULL && h2->block.kind != ROTA_H2_BLOCK_REQUEST)
        h2->block.kind = ROTA_H2_BLOCK_IGNORED; /* its owner has reset it since the block began */
    what = h2->block.kind == ROTA_H2_BLOCK_IGNORED ? NULL : flaw(h2);
    if (what != NULL)
        refuse(h2, ROTA_H2_PROTOCOL_ERROR, what);
    if (h2->block.kind == ROTA_H2_BLOCK_REQUEST)
        fine = on_request(h2);
    else if (h2->block.kind != ROTA_H2_BLOCK_IGNORED)
        fine = on_answer(h2);
    h2->block.open = false;
    return fine && rota_h2_fine(h2);
}

/* Takes padding and priority off HEADERS. False: the padding is longer than the frame. */
static bool strip(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice *payload)
{
    size_t front = padding_and_priority(head);
    size_t pad = (head->flags & ROTA_H2_FLAG_PADDED) != 0 ? payload->data[0] : 0;

    if (front == 0)
        return true;
    if (pad > payload->size - front)
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "padding longer than its frame");
    if ((head->flags & ROTA_H2_FLAG_PRIORITY) != 0 && rota_h2_u31(payload->data + front - 5) == head->id &&
        h2->block.kind != ROTA_H2_BLOCK_IGNORED)
        refuse(h2, ROTA_H2_PROTOCOL_ERROR, "a stream that depends on itself");
    *payload = rota_slice(payload->data + front, payload->size - front - pad);
    return rota_h2_fine(h2);
}

bool rota_h2_on_block(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice *payload, bool in_place)
{
    if (head->type == ROTA_H2_TYPE_HEADERS && !strip(h2, head, payload))
        return false;
    if (!decode(h2, payload, in_place))
        return false;
    if (h2->block.kind == ROTA_H2_BLOCK_IGNORED && !count_ignored(h2, head->length))
        return false;
    if ((head->flags & ROTA_H2_FLAG_END_HEADERS) == 0)
        return true;
    if (payload->size > 0)
        return rota_h2_broke(h2, ROTA_H2_COMPRESSION_ERROR, "a header block that ends inside a field");
    return end_block(h2);
}
