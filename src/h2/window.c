/* window.c - our windows: what the peer may send, and how much more it is given as the owner takes what came.
 *
 * Of a window's size some is held (it came in, or a frame's head has announced it), some is in the peer's view; the rest is told to it
 * when that is half of the size or more. So short messages cost no frame each.
 * Against a client's connection nothing is held: its window is given back as bytes come, and what is not taken is bounded by the
 * windows of the calls that the program has made. Otherwise a few that it does not read would stop those that it waits for. A server
 * does not choose its calls, so there the connection's window bounds what they make it keep.
 * The windows follow what bdp.h says: its pings are sent after bulky DATA, its verdict is announced. DATA is bulky when a stream has
 * brought half a window in all, or all streams half the connection's since the last ping. So short calls are not pinged for.
 * A stream's window is announced by SETTINGS, which moves those of the open streams too; the connection's is twice as large, so that
 * on a server one stream that is held leaves room for others. A peer may use a larger window as soon as it was announced, and the one that it
 * began with until it has answered.
 * Source: RFC 9113, 6.5.3, 6.9.
 */
#include "h2/session.h"

#define WINDOW_MAX_BYTES (1u << 30) /* RFC 9113, 6.9.1 has the double of it as what must never be exceeded */

static const uint8_t window_ping[8] = {'r', 'o', 't', 'a', 'w', 'i', 'n', 'd'};

void rota_h2_window_init(struct rota_h2 *h2)
{
    if (h2->options.max_window_bytes > WINDOW_MAX_BYTES)
        h2->options.max_window_bytes = WINDOW_MAX_BYTES;
    h2->window_bytes = h2->options.stream_window_bytes;
    rota_h2_bdp_init(&h2->bdp, h2->window_bytes, h2->options.max_window_bytes, h2->now_ns);
}

/* --- What is given back --- */

/* More for the peer to see: half of the window at least, or (at once) anything. */
static int64_t due(int64_t size, int64_t view, int64_t held, bool at_once)
{
    int64_t more = size - held - view;

    return more > 0 && (at_once || more >= (size + 1) / 2) ? more : 0;
}

static void open_connection(struct rota_h2 *h2, bool at_once)
{
    int64_t more = due(h2->options.conn_window_bytes, h2->view, (int64_t)h2->held, at_once);

    if (more == 0 || !rota_h2_fine(h2))
        return;
    h2->view += more;
    rota_h2_tx_window_update(h2, 0, (uint32_t)more);
}

void rota_h2_window_used(struct rota_h2 *h2, size_t bytes)
{
    h2->view -= (int64_t)bytes;
    if (h2->options.server)
        h2->held += bytes;
    else
        open_connection(h2, false);
}

static void open_stream(struct rota_h2_stream *stream)
{
    struct rota_h2 *h2 = stream->h2;
    int64_t more = due(h2->window_bytes, stream->view, stream->held, false);

    /* A half that is over needs no window. */
    if (more == 0 || stream->peer_ended || !rota_h2_fine(h2))
        return;
    stream->view += (int32_t)more;
    rota_h2_tx_window_update(h2, stream->id, (uint32_t)more);
}

void rota_h2_window_release(struct rota_h2 *h2, struct rota_h2_stream *stream, size_t bytes)
{
    if (bytes == 0)
        return;
    if (h2->options.server) {
        h2->held -= bytes;
        open_connection(h2, false);
    }
    if (stream == NULL)
        return;
    stream->held -= (uint32_t)bytes;
    open_stream(stream);
}

/* --- What is announced --- */

int32_t rota_h2_window_of_new(const struct rota_h2 *h2)
{
    return !h2->greeted && h2->window_bytes < ROTA_H2_WINDOW_DEFAULT ? ROTA_H2_WINDOW_DEFAULT : (int32_t)h2->window_bytes;
}

/* A window that this leaves below nothing is opened again at once: it may be that none of it is held, so that no release would. */
static void move_streams(struct rota_h2 *h2, int32_t more)
{
    for (struct rota_link *link = h2->streams.next; link != &h2->streams; link = link->next) {
        struct rota_h2_stream *stream = ROTA_CONTAINER(link, struct rota_h2_stream, link);

        stream->view += more;
        if (more < 0)
            open_stream(stream);
    }
}

void rota_h2_window_acked(struct rota_h2 *h2)
{
    if (h2->greeted)
        return;
    h2->greeted = true;
    if (h2->options.stream_window_bytes < ROTA_H2_WINDOW_DEFAULT)
        move_streams(h2, (int32_t)h2->options.stream_window_bytes - ROTA_H2_WINDOW_DEFAULT);
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
    rota_h2_tx_ping(h2, window_ping, false);
}

void rota_h2_window_answer(struct rota_h2 *h2, const uint8_t *opaque)
{
    struct rota_h2_setting setting = {.id = ROTA_H2_SETTINGS_INITIAL_WINDOW_SIZE};
    uint32_t conn_bytes;

    if (memcmp(opaque, window_ping, sizeof(window_ping)) != 0 || !h2->greeted || !rota_h2_bdp_answer(&h2->bdp, h2->now_ns))
        return;
    setting.value = h2->bdp.window_bytes;
    rota_h2_tx_settings(h2, &setting, 1);
    move_streams(h2, (int32_t)(setting.value - h2->window_bytes));
    h2->window_bytes = setting.value;
    conn_bytes = setting.value >= WINDOW_MAX_BYTES ? INT32_MAX : 2 * setting.value;
    if (conn_bytes <= h2->options.conn_window_bytes)
        return;
    h2->options.conn_window_bytes = conn_bytes;
    open_connection(h2, true);
}
