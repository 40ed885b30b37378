/* events.c - what the owner is told, and when: a queue filled by feed and pull, and the closed streams after it.
 *
 * CLOSED needs no room in the queue: closed streams stand in a list of their own, which is handed out once the queue is
 * empty. So a stream's CLOSED comes after its other events, and cannot be lost for want of memory.
 * Header fields are copied only where they lie neither in a table of hpack.h nor in bytes that stay; data never is (it lies in the bytes fed).
 */
#include "base/alloc.h"
#include "h2/session.h"
#include <stdio.h>
#include <string.h>

#define AWAY_SHOWN_BYTES 180 /* leaves room for the sentence before it */
#define EVENTS_KEPT 64       /* a larger queue is given back once it is empty */

struct rota_h2_event *rota_h2_event_add(struct rota_h2 *h2, enum rota_h2_event_type type, struct rota_h2_stream *stream)
{
    struct rota_h2_event *event;

    if (h2->events_tail == h2->events_cap &&
        rota_alloc_reserve(h2->alloc, &h2->events, &h2->events_cap, h2->events_tail + 1, sizeof(*event)) < 0) {
        rota_h2_out_of_memory(h2);
        return NULL;
    }
    event = &h2->events[h2->events_tail++];
    memset(event, 0, sizeof(*event));
    event->type = type;
    event->stream = stream;
    if (stream != NULL)
        stream->n_events++;
    return event;
}

bool rota_h2_events_queued(const struct rota_h2 *h2)
{
    return h2->events_head < h2->events_tail || !rota_list_empty(&h2->closing);
}

void rota_h2_events_fini(struct rota_h2 *h2)
{
    for (size_t i = h2->events_head; i < h2->events_tail; i++) {
        struct rota_h2_stream *stream = h2->events[i].stream;
        if (stream != NULL && --stream->n_events == 0 && stream->detached)
            rota_h2_stream_free(stream);
    }
    rota_alloc_free(h2->alloc, h2->events);
    rota_alloc_free(h2->alloc, h2->block.fields);
    rota_arena_fini(&h2->arena);
}

void rota_h2_block_begin(struct rota_h2 *h2, int32_t id, enum rota_h2_block_kind kind)
{
    struct rota_h2_block *block = &h2->block;

    block->kind = kind;
    block->id = id;
    block->open = true;
    block->faulty = false;
    block->continuations = 0;
    block->since_ns = h2->now_ns;
    h2->whole_late = false;
    block->count = 0;
    block->bytes = 0;
    block->behind = h2->arena.used_bytes > 0 || h2->decoder.dropped != NULL;
    rota_h2_fields_begin(block);
    rota_hpack_begin(&h2->decoder);
}

static bool copy(struct rota_h2 *h2, struct rota_slice *bytes)
{
    return rota_arena_slice(&h2->arena, *bytes, bytes) == 0;
}

bool rota_h2_block_count(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value)
{
    h2->block.bytes += name.size + value.size + ROTA_HEADER_OVERHEAD_BYTES;
    return h2->block.bytes <= h2->options.max_header_bytes;
}

bool rota_h2_block_add(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value, bool copy_name, bool copy_value)
{
    struct rota_h2_block *block = &h2->block;

    if (block->count == block->cap && rota_alloc_reserve(h2->alloc, &block->fields, &block->cap, block->count + 1, sizeof(*block->fields)) < 0)
        return rota_h2_out_of_memory(h2);
    if ((copy_name && !copy(h2, &name)) || (copy_value && !copy(h2, &value)))
        return rota_h2_out_of_memory(h2);
    block->fields[block->count++] = (struct rota_header){name, value};
    return true;
}

bool rota_h2_block_take(struct rota_h2 *h2, struct rota_h2_event *event)
{
    struct rota_h2_block *block = &h2->block;
    struct rota_header *headers = rota_arena_get(&h2->arena, block->count * sizeof(*headers));

    if (headers == NULL)
        return rota_h2_out_of_memory(h2);
    if (block->count > 0)
        memcpy(headers, block->fields, block->count * sizeof(*headers));
    event->headers = headers;
    event->count = block->count;
    return true;
}

static const char *reset_detail(struct rota_h2 *h2, const struct rota_h2_stream *stream)
{
    char *text = rota_h2_words(h2, offsetof(struct rota_h2_words, text));

    if (text == NULL)
        return "the stream was reset";
    if (stream->cause == ROTA_H2_RESET)
        snprintf(text, ROTA_H2_WORDS_BYTES, "the peer reset the stream: %s", rota_h2_code_name(stream->h2_code));
    else
        snprintf(text, ROTA_H2_WORDS_BYTES, "stream reset with %s: %s", rota_h2_code_name(stream->h2_code), stream->why);
    return text;
}

/* Whoever goes elsewhere, and who cannot, hears of the trouble that the peer has told of (keep_words has done so where the connection was lost). */
static const char *closed_detail(struct rota_h2 *h2, const struct rota_h2_stream *stream)
{
    struct rota_h2_words *words = h2->words;

    if (stream->cause == ROTA_H2_RESET || stream->cause == ROTA_H2_PROTOCOL)
        return reset_detail(h2, stream);
    if (stream->cause != ROTA_H2_UNPROCESSED || words == NULL || words->away[0] == '\0' || stream->why == words->lost || stream->why == words->fault)
        return stream->why;
    snprintf(words->text, sizeof(words->text), "%s (%.*s)", stream->why, AWAY_SHOWN_BYTES, words->away);
    return words->text;
}

static void closed_event(struct rota_h2 *h2, struct rota_h2_stream *stream, struct rota_h2_event *ret_event)
{
    rota_list_remove(&stream->link);
    h2->returned = stream;
    *ret_event = (struct rota_h2_event){
        .type = ROTA_H2_CLOSED,
        .stream = stream,
        .cause = stream->cause,
        .unsent = stream->unsent,
        .h2_code = stream->h2_code,
        .detail = closed_detail(h2, stream),
    };
}

/* Does the arena stay, for a block that goes on? A peer could see to it that one is open whenever the queue is emptied, so what came before
 * goes all the same, and the block's fields are copied: once a block, since nothing comes in between. */
static bool is_for_block(struct rota_h2 *h2)
{
    struct rota_h2_block *block = &h2->block;
    struct rota_arena old = h2->arena;
    bool behind = block->behind;

    block->behind = false;
    if (!block->open || block->kind == ROTA_H2_BLOCK_IGNORED || block->count == 0)
        return false;
    if (!behind)
        return true;
    rota_arena_init(&h2->arena, h2->alloc, 0);
    for (size_t i = 0; i < block->count && h2->broken == 0; i++)
        if (!copy(h2, &block->fields[i].name) || !copy(h2, &block->fields[i].value))
            rota_h2_out_of_memory(h2);
    rota_arena_fini(&old);
    rota_hpack_let_go(&h2->decoder);
    return true;
}

static void queue_emptied(struct rota_h2 *h2)
{
    h2->events_head = h2->events_tail = 0;
    if (h2->events_cap > EVENTS_KEPT) {
        rota_alloc_free(h2->alloc, h2->events);
        h2->events = NULL;
        h2->events_cap = 0;
    }
    if (is_for_block(h2))
        return;
    rota_arena_reset(&h2->arena);
    rota_hpack_let_go(&h2->decoder);
}

/* The next queued event whose stream the owner still has. */
static bool take_queued(struct rota_h2 *h2, struct rota_h2_event *ret_event)
{
    while (h2->events_head < h2->events_tail) {
        struct rota_h2_event *event = &h2->events[h2->events_head++];
        struct rota_h2_stream *stream = event->stream;

        if (stream != NULL) {
            stream->n_events--;
            if (stream->detached) {
                if (stream->n_events == 0)
                    rota_h2_stream_free(stream);
                continue;
            }
        }
        *ret_event = *event;
        return true;
    }
    return false;
}

bool rota_h2_next(struct rota_h2 *h2, struct rota_h2_event *ret_event)
{
    if (h2->returned != NULL) {
        rota_h2_stream_free(h2->returned);
        h2->returned = NULL;
    }
    if (take_queued(h2, ret_event))
        return true;
    queue_emptied(h2);
    if (!rota_list_empty(&h2->closing)) {
        closed_event(h2, ROTA_CONTAINER(h2->closing.next, struct rota_h2_stream, link), ret_event);
        return true;
    }
    if (h2->want_room && rota_h2_slots(h2) < h2->peer_max_streams && rota_h2_may_open(h2)) {
        h2->want_room = false;
        *ret_event = (struct rota_h2_event){.type = ROTA_H2_ROOM};
        return true;
    }
    if (h2->n_open == 0 && h2->rest_check_ns == INT64_MAX) /* nor was one lately */
        rota_h2_rest(h2);
    return false;
}
