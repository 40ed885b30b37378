/* session.c - a connection set up, fed and pulled.
 *
 * Decides: the settings announced, and every limit that nghttp2 offers against a peer that costs more than it brings.
 * Elsewhere: streams (stream.c), what callbacks make of frames (receive.c, send.c), the end (goaway.c).
 * Sources: RFC 9113, 3.4, 6.5.
 */
#include "h2/session.h"
#include "base/alloc.h"
#include "base/errinfo.h"
#include <stdio.h>
#include <string.h>

#define HEADER_BYTES_DEFAULT (8 * 1024)
#define STREAM_WINDOW_DEFAULT 65535
#define CONN_WINDOW_DEFAULT (1024 * 1024)
#define HIGH_MARK_DEFAULT (64 * 1024)
#define STREAMS_DEFAULT 100 /* server, none given; client, until SETTINGS say */

/* What nghttp2 limits; resets by a rate above that of limits.c, which says why. */
#define RESETS_BURST 10000
#define RESETS_PER_S 2000
#define SETTINGS_ENTRIES_MAX 32
#define UNKNOWN_FRAMES_FIRST 10
#define ACKS_QUEUED_MAX 1000
#define CONTINUATIONS_MAX (8 * 9) /* nghttp2 counts each piece that the nine bytes of a head come in */

void rota_h2_check(struct rota_h2 *h2, int nghttp2_error)
{
    if (nghttp2_error < 0 && nghttp2_is_fatal(nghttp2_error) && h2->broken == 0)
        h2->broken = ROTA_ENOMEM;
}

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, rota_h2_on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, rota_h2_on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, rota_h2_on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, rota_h2_on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, rota_h2_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, rota_h2_on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, rota_h2_on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, rota_h2_on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, rota_h2_on_frame_not_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, rota_h2_on_send_data);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, rota_h2_on_extension);
}

static void set_options(nghttp2_option *option, bool server)
{
    if (server)
        nghttp2_option_set_no_http_messaging(option, 1); /* fields.c */
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1); /* closed.c */
    nghttp2_option_set_peer_max_concurrent_streams(option, STREAMS_DEFAULT);
    nghttp2_option_set_max_reserved_remote_streams(option, 0);
    nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_PER_S);
    nghttp2_option_set_max_settings(option, SETTINGS_ENTRIES_MAX);
    nghttp2_option_set_max_outbound_ack(option, ACKS_QUEUED_MAX);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    /* Of frames that it does not know the session tells nothing, so they are all said to be known: on_begin_frame counts them. */
    for (int type = UNKNOWN_FRAMES_FIRST; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
}

static rota_err make_session(struct rota_h2 *h2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_mem mem = rota_h2_pool_mem(&h2->pool);
    rota_err err = ROTA_ENOMEM;

    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        goto out;
    set_callbacks(callbacks);
    set_options(option, h2->options.server);
    if ((h2->options.server ? nghttp2_session_server_new3 : nghttp2_session_client_new3)(
            &h2->session, callbacks, h2, option, &mem) != 0) {
        h2->session = NULL;
        goto out;
    }
    err = 0;
out:
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return err;
}

static rota_err greet(struct rota_h2 *h2)
{
    const struct rota_h2_options *o = &h2->options;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o->stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)o->max_header_bytes},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };

    /* Only clients may say anything of push. */
    if (o->server)
        entries[2] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o->max_concurrent_streams};
    if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries, 3) != 0 ||
        nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)o->conn_window_bytes) != 0)
        return ROTA_ENOMEM;
    return 0;
}

static void fill_in(struct rota_h2_options *o)
{
    if (o->max_concurrent_streams == 0)
        o->max_concurrent_streams = STREAMS_DEFAULT;
    if (o->max_header_bytes == 0)
        o->max_header_bytes = HEADER_BYTES_DEFAULT;
    if (o->max_header_bytes > UINT32_MAX)
        o->max_header_bytes = UINT32_MAX;
    if (o->stream_window_bytes == 0)
        o->stream_window_bytes = STREAM_WINDOW_DEFAULT;
    if (o->conn_window_bytes == 0)
        o->conn_window_bytes = CONN_WINDOW_DEFAULT;
    if (o->stream_window_bytes > INT32_MAX)
        o->stream_window_bytes = INT32_MAX;
    if (o->conn_window_bytes > INT32_MAX)
        o->conn_window_bytes = INT32_MAX;
    if (o->high_mark_bytes == 0)
        o->high_mark_bytes = HIGH_MARK_DEFAULT;
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
    rota_h2_pool_init(&h2->pool, h2->alloc);
    rota_arena_init(&h2->arena, h2->alloc, 0);
    rota_list_init(&h2->streams);
    rota_list_init(&h2->closing);
    h2->now_ns = h2->last_read_ns = now_ns;
    h2->ping_deadline_ns = INT64_MAX;
    h2->pinged_ns = INT64_MIN;
    h2->peer_max_streams = STREAMS_DEFAULT;
    h2->peer_max_header_bytes = SIZE_MAX;
    h2->newest = -1;
    rota_h2_limits_init(h2);
    rota_h2_walk_init(&h2->walk);
    rota_h2_lifetime_init(h2);
    rota_h2_window_init(h2);
    err = make_session(h2);
    if (err == 0)
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
    rota_h2_known_fini(h2);
    nghttp2_session_del(h2->session);
    rota_h2_pool_fini(&h2->pool);
    rota_alloc_free(h2->alloc, h2);
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

static rota_err fault(struct rota_h2 *h2, struct rota_errinfo *info)
{
    return rota_errinfo_set(info, ROTA_EPROTO, "%s", h2->fault);
}

static rota_err recv_failed(struct rota_h2 *h2, ssize_t error, struct rota_errinfo *info)
{
    if (h2->broken == 0)
        rota_h2_check(h2, error == NGHTTP2_ERR_NOMEM ? NGHTTP2_ERR_NOMEM : 0);
    if (h2->broken != 0)
        return rota_errinfo_set(info, h2->broken, "%s", rota_err_text(h2->broken));
    snprintf(h2->fault, sizeof(h2->fault), "%s",
        error == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? "the client does not speak HTTP/2" : nghttp2_strerror((int)error));
    rota_h2_check(h2, nghttp2_session_terminate_session(h2->session,
                          error == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR));
    return fault(h2, info);
}

/* A server's: cut where closed.c wants to look first. */
static ssize_t recv_walking(struct rota_h2 *h2, struct rota_slice bytes)
{
    ssize_t n = 0;

    while (n >= 0 && bytes.size > 0 && h2->broken == 0) {
        int32_t unknown;
        size_t size = rota_h2_walk(h2, bytes, &unknown);

        if (size > 0)
            n = nghttp2_session_mem_recv(h2->session, bytes.data, size);
        if (n >= 0 && unknown != 0)
            rota_h2_check_late_data(h2, unknown);
        bytes = rota_slice(bytes.data + size, bytes.size - size);
    }
    return n;
}

rota_err rota_h2_feed(struct rota_h2 *h2, struct rota_slice bytes, int64_t now_ns, struct rota_errinfo *info)
{
    ssize_t n;

    h2->now_ns = now_ns;
    if (h2->broken != 0)
        return rota_errinfo_set(info, h2->broken, "%s", rota_err_text(h2->broken));
    if (h2->fault[0] != '\0')
        return fault(h2, info);
    if (bytes.size == 0)
        return 0;
    if (!h2->fed) {
        const char *what = stranger(h2, bytes.data[0]);

        h2->fed = true;
        if (what != NULL) {
            snprintf(h2->fault, sizeof(h2->fault), "%s", what);
            rota_h2_check(h2, nghttp2_session_terminate_session(h2->session, NGHTTP2_PROTOCOL_ERROR));
            return fault(h2, info);
        }
    }
    rota_h2_keepalive_read(h2);
    n = h2->options.server ? recv_walking(h2, bytes) : nghttp2_session_mem_recv(h2->session, bytes.data, bytes.size);
    if (n < 0 || h2->broken != 0)
        return recv_failed(h2, n, info);
    return h2->fault[0] != '\0' ? fault(h2, info) : 0;
}

bool rota_h2_wants_write(const struct rota_h2 *h2)
{
    if (h2->broken != 0)
        return false;
    return h2->rest_bytes > 0 || rota_h2_goaway_due(h2) || nghttp2_session_want_write(h2->session) != 0;
}

static void copy_rest(struct rota_h2 *h2)
{
    size_t room = h2->out_cap - h2->out_used;
    size_t n = h2->rest_bytes < room ? h2->rest_bytes : room;

    if (n == 0)
        return;
    memcpy(h2->out + h2->out_used, h2->rest, n);
    h2->out_used += n;
    h2->rest += n;
    h2->rest_bytes -= n;
}

rota_err rota_h2_pull(struct rota_h2 *h2, uint8_t *out, size_t cap, size_t *ret_size)
{
    *ret_size = 0;
    if (h2->broken != 0)
        return h2->broken;
    if (rota_h2_goaway_due(h2))
        rota_h2_goaway_final(h2);
    h2->out = out;
    h2->out_cap = cap;
    h2->out_used = 0;
    copy_rest(h2);
    while (h2->broken == 0 && h2->out_used < cap) {
        ssize_t n = nghttp2_session_mem_send(h2->session, &h2->rest);

        if (n < 0 && h2->broken == 0)
            h2->broken = ROTA_ENOMEM;
        if (n <= 0)
            break;
        h2->rest_bytes = (size_t)n;
        copy_rest(h2);
    }
    h2->out = NULL;
    h2->out_cap = 0;
    if (h2->broken != 0)
        return h2->broken;
    *ret_size = h2->out_used;
    return h2->out_used == 0 && cap > 0 && h2->fault[0] != '\0' ? ROTA_EPROTO : 0;
}
