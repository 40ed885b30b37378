/* peer_client_stream.c - what a server must do with streaming calls of all three kinds. */
#include "peer_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the call, which must end so; ok: whether all was well until here. */
static bool finish(struct rota_call *call, bool ok, enum rota_code code, const char *text)
{
    struct rota_status status = rota_call_finish(call);

    return expect_status(&status, code, text) && ok;
}

/* --- Client streaming --- */

static bool client_stream(const struct peer *peer, int count, size_t size)
{
    struct rota_call_options options = options_of(LONG_MS);
    Peer__Msg msg = message_of(size, 'y'), *reply = NULL;
    struct rota_status status;
    struct rota_call *call;
    bool ok = true;

    if (!expect(peer_peer_client_stream_open(peer->channel, &options, &call) == 0, "it does not open"))
        return false;
    for (int i = 0; ok && i < count; i++)
        ok = expect(peer_peer_client_stream_send(call, &msg) == 0, "message %d is not sent", i);
    status = peer_peer_client_stream_finish(call, &reply);
    ok = expect_status(&status, ROTA_OK, NULL) && expect_msg(reply, (size_t)count * size, 'y', count) && ok;
    if (reply != NULL)
        peer__msg__free_unpacked(reply, NULL);
    return ok;
}

static bool client_stream_100(const struct peer *peer)
{
    return client_stream(peer, 100, 100);
}

static bool client_stream_empty(const struct peer *peer)
{
    return client_stream(peer, 0, 0);
}

static bool client_stream_2_mib(const struct peer *peer)
{
    return client_stream(peer, 32, 65536);
}

/* Nothing but the server's status ends it: the client never says that it is done. */
static bool client_stream_status_before_half_close(const struct peer *peer)
{
    struct rota_call_options options = options_of(LONG_MS);
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_call *call;
    void *reply;
    bool ok;

    msg.code = ROTA_ABORTED;
    msg.text = (char *)"enough";
    if (!expect(peer_peer_client_stream_open(peer->channel, &options, &call) == 0, "it does not open"))
        return false;
    ok = expect(peer_peer_client_stream_send(call, &msg) == 0, "the message is not sent");
    ok = expect(!rota_call_recv(call, &reply), "there is a reply") && ok;
    return finish(call, ok, ROTA_ABORTED, "enough");
}

/* --- Server streaming --- */

/* Opens it for `count` replies of that size. */
static bool open_server_stream(const struct peer *peer, int64_t timeout_ms, const Peer__Msg *msg, struct rota_call **ret_call)
{
    struct rota_call_options options = options_of(timeout_ms);

    return expect(peer_peer_server_stream_open(peer->channel, &options, msg, ret_call) == 0, "it does not open");
}

static bool next(struct rota_call *call, size_t size, char fill, int32_t count)
{
    Peer__Msg *reply;
    bool ok;

    if (!expect(peer_peer_server_stream_recv(call, &reply), "it ends before reply %d", (int)count))
        return false;
    ok = expect_msg(reply, size, fill, count);
    peer__msg__free_unpacked(reply, NULL);
    return ok;
}

static bool is_over(struct rota_call *call)
{
    Peer__Msg *reply;

    if (!peer_peer_server_stream_recv(call, &reply))
        return true;
    peer__msg__free_unpacked(reply, NULL);
    return expect(false, "one more reply has come");
}

static bool server_stream(const struct peer *peer, int count, size_t size, enum rota_code code, const char *text)
{
    Peer__Msg msg = message_of(size, 'z');
    struct rota_call *call;
    bool ok = true;

    msg.count = count;
    msg.code = code;
    msg.text = (char *)(uintptr_t)text;
    if (!open_server_stream(peer, LONG_MS, &msg, &call))
        return false;
    for (int i = 1; ok && i <= count; i++) {
        ok = next(call, size, 'z', i);
        /* Other calls go on beside a large stream that is read slowly. */
        if (ok && size > 1000 && i % 16 == 0)
            ok = echo(peer, 5);
    }
    return finish(call, ok && is_over(call), code, code == 0 ? NULL : text);
}

static bool server_stream_100(const struct peer *peer)
{
    return server_stream(peer, 100, 100, ROTA_OK, "");
}

static bool server_stream_empty(const struct peer *peer)
{
    return server_stream(peer, 0, 0, ROTA_OK, "");
}

static bool server_stream_8_mib(const struct peer *peer)
{
    return server_stream(peer, 128, 65536, ROTA_OK, "");
}

static bool server_stream_status(const struct peer *peer)
{
    return server_stream(peer, 3, 0, ROTA_OUT_OF_RANGE, "that was all");
}

static bool server_stream_deadline(const struct peer *peer)
{
    Peer__Msg msg = PEER__MSG__INIT, *reply;
    struct rota_call *call;
    bool ok;

    msg.count = 1000;
    msg.delay_ms = 50;
    if (!open_server_stream(peer, 300, &msg, &call))
        return false;
    ok = next(call, 0, 'z', 1);
    while (peer_peer_server_stream_recv(call, &reply))
        peer__msg__free_unpacked(reply, NULL);
    return finish(call, ok, ROTA_DEADLINE_EXCEEDED, NULL);
}

static bool server_stream_cancel(const struct peer *peer)
{
    Peer__Msg msg = message_of(1000, 'z');
    struct rota_call *call;
    bool ok;

    msg.count = 100000;
    if (!open_server_stream(peer, LONG_MS, &msg, &call))
        return false;
    ok = next(call, 1000, 'z', 1);
    return finish(call, ok, ROTA_CANCELLED, NULL) && echo(peer, 5);
}

/* --- Both --- */

static bool open_bidi(const struct peer *peer, struct rota_call **ret_call)
{
    struct rota_call_options options = options_of(LONG_MS);

    return expect(peer_peer_bidi_open(peer->channel, &options, ret_call) == 0, "it does not open");
}

static bool bidi_ping_pong(const struct peer *peer)
{
    struct rota_call *call;
    bool ok = true;

    if (!open_bidi(peer, &call))
        return false;
    for (int i = 1; ok && i <= 50; i++) {
        Peer__Msg msg = message_of((size_t)i, 'p');
        msg.count = 1;
        ok = expect(peer_peer_bidi_send(call, &msg) == 0, "message %d is not sent", i) && next(call, (size_t)i, 'p', i);
    }
    rota_call_send_end(call);
    return finish(call, ok && is_over(call), ROTA_OK, NULL);
}

static bool bidi_replies_after_half_close(const struct peer *peer)
{
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_call *call;
    bool ok = true;

    msg.count = 2;
    msg.delay_ms = 5;
    if (!open_bidi(peer, &call))
        return false;
    for (int i = 0; ok && i < 10; i++)
        ok = expect(peer_peer_bidi_send(call, &msg) == 0, "message %d is not sent", i);
    rota_call_send_end(call);
    for (int i = 1; ok && i <= 20; i++)
        ok = next(call, 0, 'p', i);
    return finish(call, ok && is_over(call), ROTA_OK, NULL);
}

static bool bidi_status(const struct peer *peer)
{
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_call *call;
    bool ok;

    msg.count = 1;
    msg.code = ROTA_UNAVAILABLE;
    msg.text = (char *)"gone fishing";
    if (!open_bidi(peer, &call))
        return false;
    ok = expect(peer_peer_bidi_send(call, &msg) == 0, "the message is not sent") && next(call, 0, 'p', 1) && is_over(call);
    return finish(call, ok, ROTA_UNAVAILABLE, "gone fishing");
}

static bool bidi_cancel(const struct peer *peer)
{
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_call *call;
    bool ok;

    msg.count = 1;
    if (!open_bidi(peer, &call))
        return false;
    ok = expect(peer_peer_bidi_send(call, &msg) == 0, "the message is not sent") && next(call, 0, 'p', 1);
    return finish(call, ok, ROTA_CANCELLED, NULL) && echo(peer, 5);
}

struct first_headers {
    bool headers, ok, done;
    struct rota_status status;
};

/* Only now may the server see that nothing follows. */
static void on_headers(struct rota_call *call, void *arg)
{
    struct first_headers *seen = arg;

    seen->headers = true;
    rota_call_write_end(call);
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    (void)call;
    (void)message;
    ((struct first_headers *)arg)->ok = expect(false, "a reply has come");
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct first_headers *seen = arg;

    seen->status = *status;
    seen->ok = expect(seen->headers, "no headers before the end") &&
               expect_metadata(rota_call_initial_metadata(call), rota_call_trailing_metadata(call));
    seen->done = true;
}

static bool bidi_initial_metadata_first(const struct peer *peer)
{
    static const struct rota_call_events events = {.on_headers = on_headers, .on_message = on_message, .on_done = on_done};
    struct rota_call_options options = options_of(LONG_MS);
    struct rota_metadata *metadata = metadata_to_echo();
    struct first_headers seen = {.ok = true};
    struct rota_call *call;
    rota_err err;

    options.metadata = metadata;
    err = peer_peer_bidi_start(peer->channel, &options, &events, &seen, &call);
    while (err == 0 && !seen.done)
        err = turn(peer->loop);
    rota_metadata_free(metadata);
    return expect(err == 0, "%s", rota_err_text(err)) && expect_status(&seen.status, ROTA_OK, NULL) && seen.ok;
}

const struct check stream_checks[] = {
    {"client_stream_100", client_stream_100},
    {"client_stream_empty", client_stream_empty},
    {"client_stream_2_mib", client_stream_2_mib},
    {"client_stream_status_before_half_close", client_stream_status_before_half_close},
    {"server_stream_100", server_stream_100},
    {"server_stream_empty", server_stream_empty},
    {"server_stream_8_mib_slow_reader", server_stream_8_mib},
    {"server_stream_status_after_replies", server_stream_status},
    {"server_stream_deadline", server_stream_deadline},
    {"server_stream_cancel", server_stream_cancel},
    {"bidi_ping_pong", bidi_ping_pong},
    {"bidi_replies_after_half_close", bidi_replies_after_half_close},
    {"bidi_initial_metadata_first", bidi_initial_metadata_first},
    {"bidi_status", bidi_status},
    {"bidi_cancel", bidi_cancel},
    {NULL, NULL},
};
