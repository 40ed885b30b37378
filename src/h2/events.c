/* events.c - what the owner is told, and when: a queue filled by feed and pull, and the closed streams after it.
 *
 * CLOSED needs no room in the queue: closed streams stand in a list of their own, which is handed out once the queue is
 * empty. So a stream's CLOSED comes after its other events, and cannot be lost for want of memory.
 * Header fields are copied (the session's are gone when the callback returns) unless they are known (known.c), data is not (it lies in
 * the bytes fed).
 */
#include "base/alloc.h"
#include "h2/session.h"
#include <stdio.h>
#include <string.h>

#define EVENTS_KEPT 64       /* a larger queue is given back once it is empty */
#define FIELD_OVERHEAD_BYTES 32 /* RFC 9113, 6.5.2: SETTINGS_MAX_HEADER_LIST_SIZE */

struct rota_h2_event *rota_h2_event_add(struct rota_h2 *h2, enum rota_h2_event_type type, struct rota_h2_stream *stream)
{
    struct rota_h2_event *event;

    if (h2->events_tail == h2->events_cap &&
        rota_alloc_reserve(h2->alloc, &h2->events, &h2->events_cap, h2->events_tail + 1, sizeof(*event)) < 0) {
        h2->broken = ROTA_ENOMEM;
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
    rota_alloc_free(h2->alloc, h2->block);
    rota_arena_fini(&h2->arena);
}

void rota_h2_block_begin(struct rota_h2 *h2)
{
    h2->block_count = 0;
    h2->block_bytes = 0;
    h2->block_open = true;
    h2->block_since_ns = h2->now_ns;
}

enum rota_h2_block_verdict rota_h2_block_add(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value, bool copy)
{
    uint8_t *bytes;

    h2->block_bytes += name.size + value.size + FIELD_OVERHEAD_BYTES;
    if (h2->block_bytes > h2->options.max_header_bytes)
        return ROTA_H2_BLOCK_TOO_LARGE;
    if (h2->block_count == h2->block_cap &&
        rota_alloc_reserve(h2->alloc, &h2->block, &h2->block_cap, h2->block_count + 1, sizeof(*h2->block)) < 0)
        return ROTA_H2_BLOCK_NOMEM;
    if (copy) {
        bytes = rota_arena_get(&h2->arena, name.size + value.size);
        if (bytes == NULL)
            return ROTA_H2_BLOCK_NOMEM;
        memcpy(bytes, name.data, name.size);
        memcpy(bytes + name.size, value.data, value.size);
        name.data = bytes;
        value.data = bytes + name.size;
    }
    h2->block[h2->block_count++] = (struct rota_header){name, value};
    return ROTA_H2_BLOCK_OK;
}

bool rota_h2_block_take(struct rota_h2 *h2, struct rota_h2_event *event)
{
    struct rota_header *headers = rota_arena_get(&h2->arena, h2->block_count * sizeof(*headers));

    h2->block_open = false;
    if (headers == NULL) {
        h2->broken = ROTA_ENOMEM;
        return false;
    }
    if (h2->block_count > 0)
        memcpy(headers, h2->block, h2->block_count * sizeof(*headers));
    event->headers = headers;
    event->count = h2->block_count;
    h2->block_count = 0;
    return true;
}

static const char *closed_detail(struct rota_h2 *h2, const struct rota_h2_stream *stream)
{
    switch (stream->cause) {
    case ROTA_H2_RESET:
        snprintf(h2->text, sizeof(h2->text), "the peer reset the stream: %s", nghttp2_http2_strerror(stream->h2_code));
        return h2->text;
    case ROTA_H2_PROTOCOL:
        snprintf(h2->text, sizeof(h2->text), "stream reset with %s: %s", nghttp2_http2_strerror(stream->h2_code),
            stream->why);
        return h2->text;
    default:
        return stream->why;
    }
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

static void queue_emptied(struct rota_h2 *h2)
{
    h2->events_head = h2->events_tail = 0;
    if (h2->events_cap > EVENTS_KEPT) {
        rota_alloc_free(h2->alloc, h2->events);
        h2->events = NULL;
        h2->events_cap = 0;
    }
    if (h2->block_open)
        return;
    rota_arena_reset(&h2->arena);
    rota_h2_known_let_go(h2);
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
    if (h2->want_room && h2->n_slots < h2->peer_max_streams && rota_h2_may_open(h2)) {
        h2->want_room = false;
        *ret_event = (struct rota_h2_event){.type = ROTA_H2_ROOM};
        return true;
    }
    return false;
}
