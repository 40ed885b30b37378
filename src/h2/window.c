/* window.c - windows that follow what bdp.h says: its pings sent after bulky DATA, its verdict announced.
 *
 * DATA is bulky when a stream has brought half a window in all, or all streams half the connection's since the last ping. So short
 * calls are not pinged for.
 * A stream's window is announced by SETTINGS, which moves those of the open streams too; the connection's is twice as large, so that
 * one stream that is held leaves room for others.
 */
#include "h2/session.h"
#include <string.h>

#define WINDOW_MAX_BYTES (1u << 30) /* RFC 9113, 6.9.1 has the double of it as what must never be exceeded */

static const uint8_t window_ping[8] = {'r', 'o', 't', 'a', 'w', 'i', 'n', 'd'};

void rota_h2_window_init(struct rota_h2 *h2)
{
    if (h2->options.max_window_bytes > WINDOW_MAX_BYTES)
        h2->options.max_window_bytes = WINDOW_MAX_BYTES;
    rota_h2_bdp_init(&h2->bdp, h2->options.stream_window_bytes, h2->options.max_window_bytes, h2->now_ns);
}

void rota_h2_window_arrived(struct rota_h2 *h2, struct rota_h2_stream *stream, size_t bytes)
{
    stream->arrived_bytes += bytes;
    h2->arrived_bytes += bytes;
    if (stream->arrived_bytes < h2->bdp.window_bytes / 2 && h2->arrived_bytes < h2->options.conn_window_bytes / 2)
        return;
    if (!rota_h2_bdp_ping(&h2->bdp, h2->now_ns))
        return;
    h2->arrived_bytes = 0;
    rota_h2_check(h2, nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, window_ping));
}

void rota_h2_window_answer(struct rota_h2 *h2, const uint8_t *opaque)
{
    nghttp2_settings_entry entry = {.settings_id = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE};
    uint32_t conn_bytes;

    if (memcmp(opaque, window_ping, sizeof(window_ping)) != 0 || !rota_h2_bdp_answer(&h2->bdp, h2->now_ns))
        return;
    entry.value = h2->bdp.window_bytes;
    rota_h2_check(h2, nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, &entry, 1));
    conn_bytes = entry.value >= WINDOW_MAX_BYTES ? INT32_MAX : 2 * entry.value;
    if (conn_bytes <= h2->options.conn_window_bytes)
        return;
    h2->options.conn_window_bytes = conn_bytes;
    rota_h2_check(h2, nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)conn_bytes));
}
