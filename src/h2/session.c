/* session.c - a connection set up, fed and pulled.
 *
 * Decides: the settings announced, what a quiet connection keeps.
 * Elsewhere: streams (stream.c), what frames mean (rx.c and what it calls), what is sent (tx.c, send.c), the end (goaway.c).
 * Sources: RFC 9113, 3.4, 6.5.
 */
#include "h2/session.h"
#include "base/alloc.h"
#include "base/errinfo.h"

#define CONN_WINDOW_DEFAULT (1024 * 1024)
#define HIGH_MARK_DEFAULT (64 * 1024)
#define STREAMS_DEFAULT 100 /* server, none given; client, until SETTINGS say */

bool rota_h2_out_of_memory(struct rota_h2 *h2)
{
    if (h2->broken == 0)
        h2->broken = ROTA_ENOMEM;
    return false;
}

void rota_h2_count(const struct rota_h2 *h2, size_t *counted, size_t bytes)
{
    size_t more = bytes - *counted;

    *counted = bytes;
    if (h2->options.queued_total != NULL)
        *h2->options.queued_total += more;
    if (h2->options.queued_here != NULL)
        *h2->options.queued_here += more;
}

char *rota_h2_words(struct rota_h2 *h2, size_t offset)
{
    if (h2->words == NULL)
        h2->words = rota_alloc_zero(h2->alloc, 1, sizeof(*h2->words));
    return h2->words == NULL ? NULL : (char *)h2->words + offset;
}

static rota_err greet(struct rota_h2 *h2)
{
    const struct rota_h2_options *o = &h2->options;
    struct rota_h2_setting settings[] = {
        {ROTA_H2_SETTINGS_INITIAL_WINDOW_SIZE, o->stream_window_bytes},
        {ROTA_H2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)o->max_header_bytes},
        {ROTA_H2_SETTINGS_ENABLE_PUSH, 0},
    };
    uint8_t *out;

    /* Only clients may say anything of push. */
    if (o->server) {
        settings[2] = (struct rota_h2_setting){ROTA_H2_SETTINGS_MAX_CONCURRENT_STREAMS, o->max_concurrent_streams};
        h2->rx.state = ROTA_H2_RX_PREFACE;
    } else {
        h2->rx.state = ROTA_H2_RX_HEAD;
        out = rota_h2_tx_reserve(h2, ROTA_H2_PREFACE_BYTES);
        if (out == NULL)
            return ROTA_ENOMEM;
        memcpy(out, ROTA_H2_PREFACE, ROTA_H2_PREFACE_BYTES);
        h2->tx.used += ROTA_H2_PREFACE_BYTES;
    }
    rota_h2_tx_settings(h2, settings, 3);
    if (o->conn_window_bytes > ROTA_H2_WINDOW_DEFAULT) {
        rota_h2_tx_window_update(h2, 0, o->conn_window_bytes - ROTA_H2_WINDOW_DEFAULT);
        h2->view = o->conn_window_bytes;
    }
    return h2->broken;
}

static void fill_in(struct rota_h2_options *o)
{
    if (o->max_concurrent_streams == 0)
        o->max_concurrent_streams = STREAMS_DEFAULT;
    if (o->max_header_bytes == 0)
        o->max_header_bytes = ROTA_HEADER_LIST_BYTES;
    if (o->max_header_bytes > UINT32_MAX)
        o->max_header_bytes = UINT32_MAX;
    if (o->stream_window_bytes == 0)
        o->stream_window_bytes = ROTA_H2_WINDOW_DEFAULT;
    if (o->conn_window_bytes == 0)
        o->conn_window_bytes = CONN_WINDOW_DEFAULT;
    if (o->stream_window_bytes > INT32_MAX)
        o->stream_window_bytes = INT32_MAX;
    if (o->conn_window_bytes > INT32_MAX)
        o->conn_window_bytes = INT32_MAX;
    if (o->high_mark_bytes == 0)
        o->high_mark_bytes = HIGH_MARK_DEFAULT;
}

static void begin(struct rota_h2 *h2, int64_t now_ns)
{
    rota_h2_pool_init(&h2->pool, h2->alloc);
    rota_arena_init(&h2->arena, h2->alloc, 0);
    rota_hpack_decoder_init(&h2->decoder, h2->alloc);
    rota_hpack_encoder_init(&h2->encoder, h2->alloc);
    rota_list_init(&h2->streams);
    rota_list_init(&h2->closing);
    rota_list_init(&h2->ready);
    rota_list_init(&h2->blocked);
    rota_list_init(&h2->ending);
    h2->now_ns = h2->last_read_ns = now_ns;
    h2->ping_deadline_ns = INT64_MAX;
    h2->pinged_ns = INT64_MIN;
    h2->next_id = 1;
    h2->newest = -1;
    h2->peer_last = INT32_MAX;
    h2->peer_max_streams = STREAMS_DEFAULT;
    h2->peer_max_header_bytes = SIZE_MAX;
    h2->peer_window_bytes = h2->send_left = h2->view = ROTA_H2_WINDOW_DEFAULT;
    rota_h2_limits_init(h2);
    rota_h2_lifetime_init(h2);
    rota_h2_window_init(h2);
}

rota_err rota_h2_new(const struct rota_h2_options *options, int64_t now_ns, struct rota_h2 **ret_h2)
{
    struct rota_h2 *h2 = rota_alloc_zero(options->alloc, 1, sizeof(*h2));
    rota_err err;

    if (h2 == NULL)
        return ROTA_ENOMEM;
    h2->alloc = rota_alloc_or_default(options->alloc);
    h2->options = *options;
    fill_in(&h2->options);
    begin(h2, now_ns);
    err = greet(h2);
    if (err < 0) {
        rota_h2_free(h2);
        return err;
    }
    *ret_h2 = h2;
    return 0;
}

static void free_all(struct rota_link *streams)
{
    while (!rota_list_empty(streams))
        rota_h2_stream_free(ROTA_CONTAINER(streams->next, struct rota_h2_stream, link));
}

void rota_h2_free(struct rota_h2 *h2)
{
    if (h2 == NULL)
        return;
    h2->broken = ROTA_ECLOSED;
    rota_h2_events_fini(h2);
    if (h2->returned != NULL)
        rota_h2_stream_free(h2->returned);
    free_all(&h2->streams);
    free_all(&h2->closing);
    rota_hpack_decoder_fini(&h2->decoder);
    rota_hpack_encoder_fini(&h2->encoder);
    rota_h2_pool_fini(&h2->pool);
    rota_alloc_free(h2->alloc, h2->map);
    rota_h2_rx_free(h2);
    rota_h2_tx_free(h2);
    rota_alloc_free(h2->alloc, h2->resets);
    rota_alloc_free(h2->alloc, h2->words);
    rota_alloc_free(h2->alloc, h2);
}

void rota_h2_rest(struct rota_h2 *h2)
{
    if (h2->n_open > 0 || h2->block.open || !rota_h2_tx_empty(h2) || h2->returned != NULL || rota_h2_events_queued(h2))
        return;
    rota_h2_tx_free(h2);
    rota_alloc_free(h2->alloc, h2->map);
    h2->map = NULL;
    rota_alloc_free(h2->alloc, h2->events);
    h2->events = NULL;
    h2->events_cap = 0;
    rota_alloc_free(h2->alloc, h2->block.fields);
    h2->block.fields = NULL;
    h2->block.cap = 0;
    rota_arena_fini(&h2->arena);
    rota_h2_pool_fini(&h2->pool);
}

/* What a peer speaks that does not speak HTTP/2, by the first byte it sends. */
static const char *stranger(const struct rota_h2 *h2, uint8_t first)
{
    if (h2->options.server) {
        if (first == 'P') /* of PRI, or POST: the session tells them apart */
            return NULL;
        if (first == 0x16)
            return "the client speaks TLS, but this port does not";
        return first >= 'A' && first <= 'Z' ? "the client speaks HTTP/1, not HTTP/2" : "the client does not speak HTTP/2";
    }
    if (first == 0)
        return NULL;
    if (first == 'H')
        return "the server speaks HTTP/1, not HTTP/2";
    return first == 0x15 || first == 0x16 ? "the server speaks TLS" : "the server does not speak HTTP/2";
}

static rota_err ended(const struct rota_h2 *h2, struct rota_errinfo *info)
{
    if (h2->broken != 0)
        return rota_errinfo_set(info, h2->broken, "%s", rota_err_text(h2->broken));
    return rota_errinfo_set(info, ROTA_EPROTO, "%s", h2->fault);
}

rota_err rota_h2_feed(struct rota_h2 *h2, struct rota_slice bytes, int64_t now_ns, struct rota_errinfo *info)
{
    h2->now_ns = now_ns;
    if (!rota_h2_fine(h2))
        return ended(h2, info);
    if (bytes.size == 0)
        return 0;
    if (!h2->fed) {
        const char *what = stranger(h2, bytes.data[0]);

        h2->fed = true;
        if (what != NULL) {
            rota_h2_send_away(h2, ROTA_H2_PROTOCOL_ERROR, what);
            return ended(h2, info);
        }
    }
    rota_h2_keepalive_read(h2);
    return rota_h2_rx_bytes(h2, bytes) ? 0 : ended(h2, info);
}

bool rota_h2_wants_write(const struct rota_h2 *h2)
{
    if (h2->broken != 0)
        return false;
    if (!rota_h2_tx_empty(h2))
        return true;
    return h2->fault == NULL && (!rota_list_empty(&h2->ready) || rota_h2_goaway_due(h2));
}

rota_err rota_h2_pull(struct rota_h2 *h2, uint8_t *out, size_t cap, int64_t now_ns, size_t *ret_size)
{
    size_t size;

    h2->now_ns = now_ns;
    if (h2->idle_anew)
        h2->idle_since_ns = now_ns;
    *ret_size = 0;
    if (h2->broken != 0)
        return h2->broken;
    if (h2->fault == NULL && rota_h2_goaway_due(h2))
        rota_h2_goaway_final(h2);
    size = rota_h2_send_pull(h2, out, cap);
    h2->idle_anew = false;
    if (h2->broken != 0)
        return h2->broken;
    *ret_size = size;
    return size == 0 && cap > 0 && h2->fault != NULL ? ROTA_EPROTO : 0;
}
