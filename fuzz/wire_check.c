/* wire_check.c - see wire_check.h. */
#include "fuzz/wire_check.h"
#include "base/arena.h"
#include "base/assert.h"
#include "h2/frame.h"
#include "hpack/hpack.h"
#include <stdlib.h>

#define KEPT_BYTES (ROTA_H2_FRAME_MAX_BYTES + ROTA_H2_HEAD_BYTES)
#define WINDOW 65535 /* where nothing else was said */
#define BLOCK_MAX_BYTES (1 << 20)
#define UNLIMITED INT64_MAX

/* Cuts bytes into frames. Larger ones, which nobody may send, are passed over. */
struct frames {
    uint8_t bytes[KEPT_BYTES];
    size_t have;
    uint64_t skip; /* of a payload that is passed over */
    size_t preface; /* bytes of it that are to come */
};

struct stream {
    uint32_t id;
    int64_t sent, credit; /* DATA of the side's; what WINDOW_UPDATE gave it */
    bool headers, ended, reset; /* by the side; final headers */
    bool named, asked, peer_ended, peer_reset; /* by the peer; named: it has sent any frame of it, asked: it has opened it */
};

/* What SETTINGS say; -1: nothing. */
struct wishes {
    int64_t window, streams, table;
};

struct wire_check {
    bool server, greeted, over;
    struct frames in, out;
    struct stream *streams;
    size_t n_streams;
    uint32_t newest_in, newest_out; /* of HEADERS */
    struct wishes now, *asked; /* acknowledged; [n_acks..n_settings) are not */
    uint32_t n_settings, n_acks, n_pings, n_pongs;
    int64_t sent, credit, opened, came; /* the connection's DATA and WINDOW_UPDATE, out and in */
    uint32_t last_id; /* in the side's GOAWAY */
    bool away;
    uint32_t block_id; /* 0: none is open */
    bool block_ends;
    uint8_t *block;
    size_t block_bytes;
    struct rota_hpack_decoder decoder;
    struct rota_arena arena;
};

struct wire_check *wire_check_new(bool server)
{
    struct wire_check *w = calloc(1, sizeof(*w));

    ROTA_ASSERT(w != NULL);
    w->server = server;
    w->now = (struct wishes){WINDOW, UNLIMITED, ROTA_HPACK_TABLE_BYTES};
    w->last_id = INT32_MAX;
    *(server ? &w->in.preface : &w->out.preface) = ROTA_H2_PREFACE_BYTES;
    rota_hpack_decoder_init(&w->decoder, NULL);
    rota_arena_init(&w->arena, NULL, 0);
    return w;
}

void wire_check_free(struct wire_check *w)
{
    if (w == NULL)
        return;
    rota_hpack_decoder_fini(&w->decoder);
    rota_arena_fini(&w->arena);
    free(w->streams);
    free(w->asked);
    free(w->block);
    free(w);
}

size_t wire_check_requests(const struct wire_check *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_streams; i++)
        n += w->streams[i].asked && !w->streams[i].ended && !w->streams[i].reset && !w->streams[i].peer_reset;
    return n;
}

uint32_t wire_check_newest(const struct wire_check *w)
{
    return w->newest_out;
}

/* --- Both ways --- */

static struct stream *find(struct wire_check *w, uint32_t id)
{
    for (size_t i = w->n_streams; i > 0; i--)
        if (w->streams[i - 1].id == id)
            return &w->streams[i - 1];
    w->streams = realloc(w->streams, (w->n_streams + 1) * sizeof(*w->streams));
    ROTA_ASSERT(w->streams != NULL);
    w->streams[w->n_streams] = (struct stream){.id = id};
    return &w->streams[w->n_streams++];
}

static size_t take(struct rota_slice *bytes, uint64_t most)
{
    size_t n = bytes->size < most ? bytes->size : (size_t)most;

    *bytes = rota_slice(bytes->data + n, bytes->size - n);
    return n;
}

/* Takes bytes up to the end of a frame. True: it is all there, the payload behind the head in f->bytes. *newest: raised by the heads of HEADERS. */
static bool cut(struct frames *f, struct rota_slice *bytes, struct rota_h2_head *ret_head, uint32_t *newest)
{
    f->preface -= take(bytes, f->preface);
    for (;;) {
        size_t whole = ROTA_H2_HEAD_BYTES, n;
        const uint8_t *from;

        f->skip -= take(bytes, f->skip);
        if (f->have >= ROTA_H2_HEAD_BYTES) {
            *ret_head = rota_h2_head_read(f->bytes);
            whole += ret_head->length;
            if (newest != NULL && ret_head->type == ROTA_H2_TYPE_HEADERS && (uint32_t)ret_head->id > *newest)
                *newest = (uint32_t)ret_head->id;
        }
        if (f->have >= ROTA_H2_HEAD_BYTES && f->have == whole) {
            f->have = 0;
            return true;
        }
        if (whole > KEPT_BYTES) {
            f->skip = whole - f->have;
            f->have = 0;
            continue;
        }
        if (bytes->size == 0)
            return false;
        from = bytes->data;
        n = take(bytes, whole - f->have);
        memcpy(f->bytes + f->have, from, n);
        f->have += n;
    }
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The most that the peer allows, as far as the side can know. */
static struct wishes allowed(const struct wire_check *w)
{
    struct wishes most = w->now;

    for (uint32_t i = w->n_acks; i < w->n_settings; i++) {
        most.window = larger(most.window, w->asked[i].window);
        most.streams = larger(most.streams, w->asked[i].streams);
        most.table = larger(most.table, w->asked[i].table);
    }
    return most;
}

/* --- What comes in --- */

static void settings_in(struct wire_check *w, const uint8_t *payload, size_t size)
{
    struct wishes wishes = {-1, -1, -1};

    for (size_t i = 0; i + 6 <= size; i += 6) {
        unsigned id = (unsigned)payload[i] << 8 | payload[i + 1];
        int64_t value = rota_h2_u32(payload + i + 2);

        if (id == ROTA_H2_SETTINGS_HEADER_TABLE_SIZE)
            wishes.table = value;
        else if (id == ROTA_H2_SETTINGS_MAX_CONCURRENT_STREAMS)
            wishes.streams = value;
        else if (id == ROTA_H2_SETTINGS_INITIAL_WINDOW_SIZE)
            wishes.window = value;
    }
    w->asked = realloc(w->asked, (w->n_settings + 1) * sizeof(*w->asked));
    ROTA_ASSERT(w->asked != NULL);
    w->asked[w->n_settings++] = wishes;
}

static void frame_in(struct wire_check *w, const struct rota_h2_head *head, const uint8_t *payload)
{
    uint32_t id = (uint32_t)head->id;

    if (id != 0)
        find(w, id)->named = true;
    switch (head->type) {
    case ROTA_H2_TYPE_DATA:
        w->came += head->length;
        break;
    case ROTA_H2_TYPE_HEADERS:
        find(w, id)->asked = true;
        break;
    case ROTA_H2_TYPE_RST_STREAM:
        find(w, id)->peer_reset = true;
        break;
    case ROTA_H2_TYPE_SETTINGS:
        if ((head->flags & ROTA_H2_FLAG_ACK) == 0)
            settings_in(w, payload, head->length);
        break;
    case ROTA_H2_TYPE_PING:
        w->n_pings += (head->flags & ROTA_H2_FLAG_ACK) == 0;
        break;
    case ROTA_H2_TYPE_WINDOW_UPDATE:
        if (head->length == 4)
            *(id == 0 ? &w->credit : &find(w, id)->credit) += rota_h2_u31(payload);
        break;
    default:
        break;
    }
    if ((head->type == ROTA_H2_TYPE_DATA || head->type == ROTA_H2_TYPE_HEADERS) && (head->flags & ROTA_H2_FLAG_END_STREAM) != 0)
        find(w, id)->peer_ended = true;
}

void wire_check_in(struct wire_check *w, struct rota_slice bytes)
{
    struct rota_h2_head head;

    while (cut(&w->in, &bytes, &head, &w->newest_in))
        frame_in(w, &head, w->in.bytes + ROTA_H2_HEAD_BYTES);
}

/* --- What goes out: streams --- */

static bool is_idle(const struct wire_check *w, uint32_t id)
{
    return id % 2 == 0 || id > (w->server ? w->newest_in : w->newest_out);
}

static void check_count(struct wire_check *w)
{
    int64_t open = 0;

    for (size_t i = 0; i < w->n_streams; i++) {
        const struct stream *s = &w->streams[i];
        open += s->headers && !s->reset && !s->peer_reset && !(s->ended && s->peer_ended);
    }
    ROTA_ASSERT(open <= allowed(w).streams);
}

static void headers_out(struct wire_check *w, const struct rota_h2_head *head)
{
    uint32_t id = (uint32_t)head->id;
    bool end = (head->flags & ROTA_H2_FLAG_END_STREAM) != 0;
    struct stream *s;

    ROTA_ASSERT((head->flags & ~(ROTA_H2_FLAG_END_STREAM | ROTA_H2_FLAG_END_HEADERS)) == 0);
    ROTA_ASSERT(id % 2 == 1 && (w->server ? id <= w->newest_in && id <= w->last_id : id > w->newest_out && !w->away));
    s = find(w, id);
    ROTA_ASSERT(!s->ended && !s->reset && (!s->headers || end));
    if (id > w->newest_out)
        w->newest_out = id;
    s->ended = end;
    s->headers = s->headers || !w->server;
    w->block_id = id;
    w->block_ends = end;
    w->block_bytes = 0;
    if (!w->server)
        check_count(w);
}

static void data_out(struct wire_check *w, const struct rota_h2_head *head)
{
    struct stream *s;

    ROTA_ASSERT((head->flags & ~ROTA_H2_FLAG_END_STREAM) == 0 && !is_idle(w, (uint32_t)head->id));
    s = find(w, (uint32_t)head->id);
    ROTA_ASSERT(s->headers && !s->ended && !s->reset);
    s->ended = (head->flags & ROTA_H2_FLAG_END_STREAM) != 0;
    s->sent += head->length;
    w->sent += head->length;
    if (head->length > 0)
        ROTA_ASSERT(s->sent <= allowed(w).window + s->credit && w->sent <= WINDOW + w->credit);
}

/* --- What goes out: header blocks --- */

static bool is_name(struct rota_slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] >= 0x7f || (name.data[i] >= 'A' && name.data[i] <= 'Z') || (i > 0 && name.data[i] == ':'))
            return false;
    return name.size > 0;
}

static bool is_value(struct rota_slice value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] == '\0' || value.data[i] == '\r' || value.data[i] == '\n')
            return false;
    return value.size == 0 || (value.data[0] != ' ' && value.data[0] != '\t' && value.data[value.size - 1] != ' ');
}

static void check_block(struct wire_check *w)
{
    struct rota_slice bytes = rota_slice(w->block, w->block_bytes);
    struct stream *s = find(w, w->block_id);
    bool fields = false, interim = false;
    unsigned n_pseudo = 0;
    struct rota_hpack_field field;
    enum rota_hpack_result result;

    rota_hpack_begin(&w->decoder);
    while ((result = rota_hpack_decode(&w->decoder, &bytes, false, &w->arena, &field)) == ROTA_HPACK_FIELD) {
        ROTA_ASSERT(is_name(field.name) && is_value(field.value) && !rota_slice_equal(field.name, ROTA_SLICE("connection")));
        if (field.name.data[0] == ':') {
            ROTA_ASSERT(!fields);
            n_pseudo++;
            interim = interim || (rota_slice_equal(field.name, ROTA_SLICE(":status")) && field.value.size == 3 && field.value.data[0] == '1');
        } else {
            fields = true;
        }
        rota_arena_reset(&w->arena);
    }
    ROTA_ASSERT(result == ROTA_HPACK_END && w->decoder.max_bytes <= allowed(w).table);
    ROTA_ASSERT(w->server ? n_pseudo == !s->headers : n_pseudo >= 3);
    ROTA_ASSERT(!interim || !w->block_ends);
    s->headers = s->headers || !interim;
    w->block_id = 0;
}

static void add_to_block(struct wire_check *w, const struct rota_h2_head *head, const uint8_t *payload)
{
    if (head->length > 0) {
        w->block = realloc(w->block, w->block_bytes + head->length);
        ROTA_ASSERT(w->block != NULL);
        memcpy(w->block + w->block_bytes, payload, head->length);
        w->block_bytes += head->length;
        ROTA_ASSERT(w->block_bytes <= BLOCK_MAX_BYTES);
    }
    if ((head->flags & ROTA_H2_FLAG_END_HEADERS) != 0)
        check_block(w);
}

/* --- What goes out: the connection --- */

static void settings_out(struct wire_check *w, const struct rota_h2_head *head)
{
    const struct wishes *wishes;

    ROTA_ASSERT(head->id == 0 && head->length % 6 == 0);
    if (head->flags == 0)
        return;
    ROTA_ASSERT(head->flags == ROTA_H2_FLAG_ACK && head->length == 0 && w->n_acks < w->n_settings);
    wishes = &w->asked[w->n_acks++];
    w->now.window = wishes->window >= 0 ? wishes->window : w->now.window;
    w->now.streams = wishes->streams >= 0 ? wishes->streams : w->now.streams;
    w->now.table = wishes->table >= 0 ? wishes->table : w->now.table;
}

static void goaway_out(struct wire_check *w, const struct rota_h2_head *head, const uint8_t *payload)
{
    uint32_t last_id;

    ROTA_ASSERT(head->id == 0 && head->flags == 0 && head->length >= 8);
    last_id = rota_h2_u32(payload);
    ROTA_ASSERT(last_id <= w->last_id && (w->server ? last_id == INT32_MAX || last_id <= w->newest_in : last_id == 0));
    w->last_id = last_id;
    w->away = true;
    w->over = rota_h2_u32(payload + 4) != ROTA_H2_NO_ERROR;
}

static void window_out(struct wire_check *w, const struct rota_h2_head *head, const uint8_t *payload)
{
    uint32_t id = (uint32_t)head->id;

    ROTA_ASSERT(head->flags == 0 && head->length == 4);
    ROTA_ASSERT(rota_h2_u32(payload) > 0 && rota_h2_u32(payload) <= INT32_MAX);
    if (id == 0) {
        w->opened += rota_h2_u32(payload);
        ROTA_ASSERT(WINDOW + w->opened - w->came <= INT32_MAX);
    } else {
        ROTA_ASSERT(!is_idle(w, id) && !find(w, id)->reset);
    }
}

static void reset_out(struct wire_check *w, const struct rota_h2_head *head)
{
    uint32_t id = (uint32_t)head->id;

    ROTA_ASSERT(head->flags == 0 && head->length == 4 && id % 2 == 1);
    ROTA_ASSERT(!is_idle(w, id) || (!w->server && find(w, id)->named)); /* a client may have taken it back before it was sent */
    find(w, id)->reset = true;
}

static void ping_out(struct wire_check *w, const struct rota_h2_head *head)
{
    ROTA_ASSERT(head->id == 0 && head->length == 8 && (head->flags & ~ROTA_H2_FLAG_ACK) == 0);
    w->n_pongs += head->flags != 0;
    ROTA_ASSERT(w->n_pongs <= w->n_pings);
}

/* --- What goes out --- */

static void check_place(struct wire_check *w, const struct rota_h2_head *head)
{
    ROTA_ASSERT(!w->over && head->length <= ROTA_H2_FRAME_MAX_BYTES);
    ROTA_ASSERT(w->block_id == 0 ? head->type != ROTA_H2_TYPE_CONTINUATION : head->type == ROTA_H2_TYPE_CONTINUATION && (uint32_t)head->id == w->block_id);
    ROTA_ASSERT(w->greeted || (head->type == ROTA_H2_TYPE_SETTINGS && head->flags == 0));
    w->greeted = true;
}

static void frame_out(struct wire_check *w, const struct rota_h2_head *head, const uint8_t *payload)
{
    check_place(w, head);
    switch (head->type) {
    case ROTA_H2_TYPE_DATA: data_out(w, head); break;
    case ROTA_H2_TYPE_HEADERS:
        headers_out(w, head);
        add_to_block(w, head, payload);
        break;
    case ROTA_H2_TYPE_RST_STREAM: reset_out(w, head); break;
    case ROTA_H2_TYPE_SETTINGS: settings_out(w, head); break;
    case ROTA_H2_TYPE_PING: ping_out(w, head); break;
    case ROTA_H2_TYPE_GOAWAY: goaway_out(w, head, payload); break;
    case ROTA_H2_TYPE_WINDOW_UPDATE: window_out(w, head, payload); break;
    case ROTA_H2_TYPE_CONTINUATION:
        ROTA_ASSERT((head->flags & ~ROTA_H2_FLAG_END_HEADERS) == 0);
        add_to_block(w, head, payload);
        break;
    default:
        ROTA_ASSERT(!"a frame that this side never sends");
    }
}

void wire_check_out(struct wire_check *w, struct rota_slice bytes)
{
    struct rota_h2_head head;

    for (size_t i = 0; i < bytes.size && w->out.preface > i; i++)
        ROTA_ASSERT(bytes.data[i] == (uint8_t)ROTA_H2_PREFACE[ROTA_H2_PREFACE_BYTES - w->out.preface + i]);
    while (cut(&w->out, &bytes, &head, NULL))
        frame_out(w, &head, w->out.bytes + ROTA_H2_HEAD_BYTES);
}
