/* peer_client_unary.c - what a server must do with unary calls: messages, statuses, deadlines, cancelling, metadata, many at once. */
#include "peer_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool echo_5(const struct peer *peer)
{
    return echo(peer, 5);
}

static bool echo_nothing(const struct peer *peer)
{
    return echo(peer, 0);
}

static bool echo_1_mib(const struct peer *peer)
{
    return echo(peer, 1 << 20);
}

static bool too_big(const struct peer *peer)
{
    struct rota_call_options options = options_of(LONG_MS);
    Peer__Msg msg = message_of(5 << 20, 'x');
    struct rota_status status = peer_peer_unary(peer->channel, &options, &msg, NULL);

    return expect_status(&status, ROTA_RESOURCE_EXHAUSTED, NULL) && echo(peer, 5);
}

static bool ends_with(const struct peer *peer, int code, const char *text)
{
    struct rota_call_options options = options_of(LONG_MS);
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_status status;

    msg.code = code;
    msg.text = (char *)(uintptr_t)text;
    status = peer_peer_unary(peer->channel, &options, &msg, NULL);
    return expect_status(&status, (enum rota_code)code, text);
}

static bool status_and_message(const struct peer *peer)
{
    return ends_with(peer, ROTA_NOT_FOUND, "no such thing");
}

static bool message_of_any_text(const struct peer *peer)
{
    return ends_with(peer, ROTA_FAILED_PRECONDITION, "größer 100% \n\t語 %41");
}

static bool every_code(const struct peer *peer)
{
    char text[20];
    bool ok = true;

    for (int code = 1; ok && code <= 16; code++) {
        snprintf(text, sizeof(text), "code %d", code);
        ok = ends_with(peer, code, text);
    }
    return ok;
}

static bool is_unimplemented(const struct peer *peer, const char *path)
{
    struct rota_call_options options = options_of(LONG_MS);
    struct rota_method method = peer_peer_unary_method;
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_status status;

    method.path = path;
    status = rota_unary(peer->channel, &method, &options, &msg, NULL);
    return expect_status(&status, ROTA_UNIMPLEMENTED, NULL);
}

static bool unknown_method(const struct peer *peer)
{
    return is_unimplemented(peer, "/peer.Peer/None");
}

static bool unknown_service(const struct peer *peer)
{
    return is_unimplemented(peer, "/peer.None/Unary");
}

static bool deadline_is_kept(const struct peer *peer)
{
    struct rota_call_options options = options_of(200);
    Peer__Msg msg = PEER__MSG__INIT;
    int64_t start_ms = now_ms(peer), took_ms;
    struct rota_status status;

    msg.delay_ms = 5000;
    status = peer_peer_unary(peer->channel, &options, &msg, NULL);
    took_ms = now_ms(peer) - start_ms;
    return expect_status(&status, ROTA_DEADLINE_EXCEEDED, NULL) &&
           expect(took_ms >= 150 && took_ms <= 2000, "ended after %lld ms, want 200", (long long)took_ms);
}

static bool deadline_is_carried(const struct peer *peer)
{
    struct rota_call_options options = options_of(5000);
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_metadata *trailing = NULL;
    struct rota_slice left = {0};
    char text[20] = "";
    struct rota_status status;

    options.ret_trailing_metadata = &trailing;
    status = peer_peer_unary(peer->channel, &options, &msg, NULL);
    if (rota_metadata_get(trailing, "x-timeout-ms", &left))
        snprintf(text, sizeof(text), "%.*s", (int)left.size, (const char *)left.data);
    rota_metadata_free(trailing);
    return expect_status(&status, ROTA_OK, NULL) && expect(atoi(text) >= 3000 && atoi(text) <= 5100, "x-timeout-ms is \"%s\", want about 5000", text);
}

struct cancelling {
    struct rota_call *call;
    struct rota_status status;
    bool done;
};

static void on_done(void *arg, const struct rota_status *status, const Peer__Msg *reply)
{
    struct cancelling *c = arg;

    (void)reply;
    c->status = *status;
    c->done = true;
}

static void cancel(void *arg)
{
    struct cancelling *c = arg;

    if (!c->done)
        rota_call_cancel(c->call);
}

static bool is_cancelled(const struct peer *peer)
{
    struct rota_call_options options = options_of(LONG_MS);
    struct cancelling c = {0};
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_timer *timer;
    rota_err err;

    msg.delay_ms = 5000;
    if (!expect(rota_timer_new(peer->loop, cancel, &c, &timer) == 0, "no timer"))
        return false;
    err = rota_timer_set(timer, rota_loop_now_ns(peer->loop) + 100000000);
    if (err == 0)
        err = peer_peer_unary_start(peer->channel, &options, &msg, on_done, &c, &c.call);
    while (err == 0 && !c.done)
        err = turn(peer->loop);
    rota_timer_free(timer);
    return expect(err == 0, "%s", rota_err_text(err)) && expect_status(&c.status, ROTA_CANCELLED, NULL) && echo(peer, 5);
}

static bool metadata_with(const struct peer *peer, int code, const char *text)
{
    struct rota_call_options options = options_of(LONG_MS);
    struct rota_metadata *sent = metadata_to_echo(), *initial = NULL, *trailing = NULL;
    Peer__Msg msg = PEER__MSG__INIT;
    struct rota_status status;
    bool ok;

    options.metadata = sent;
    options.ret_initial_metadata = &initial;
    options.ret_trailing_metadata = &trailing;
    msg.code = code;
    msg.text = (char *)(uintptr_t)text;
    status = peer_peer_unary(peer->channel, &options, &msg, NULL);
    ok = expect_status(&status, (enum rota_code)code, code == 0 ? NULL : text) && expect_metadata(initial, trailing);
    rota_metadata_free(sent);
    rota_metadata_free(initial);
    rota_metadata_free(trailing);
    return ok;
}

static bool metadata(const struct peer *peer)
{
    return metadata_with(peer, ROTA_OK, "");
}

static bool metadata_with_error(const struct peer *peer)
{
    return metadata_with(peer, ROTA_PERMISSION_DENIED, "no");
}

struct many {
    int n_open, n_good;
};

static void on_one_of_many(void *arg, const struct rota_status *status, const Peer__Msg *reply)
{
    struct many *many = arg;

    if (expect_status(status, ROTA_OK, NULL))
        many->n_good += expect_msg(reply, 7, 'm', 1);
    many->n_open--;
}

static bool many_at_once(const struct peer *peer)
{
    struct rota_call_options options = options_of(LONG_MS);
    Peer__Msg msg = message_of(7, 'm');
    struct many many = {0};
    rota_err err = 0;

    msg.delay_ms = 50;
    for (; err == 0 && many.n_open < 100; many.n_open++)
        err = peer_peer_unary_start(peer->channel, &options, &msg, on_one_of_many, &many, NULL);
    while (err == 0 && many.n_open > 0)
        err = turn(peer->loop);
    return expect(err == 0, "%s", rota_err_text(err)) && expect(many.n_good == 100, "%d of 100 succeeded", many.n_good);
}

static bool many_in_a_row(const struct peer *peer)
{
    bool ok = true;

    for (size_t i = 0; ok && i < 1000; i++)
        ok = echo(peer, i);
    return ok;
}

const struct check unary_checks[] = {
    {"unary_echo", echo_5},
    {"unary_empty", echo_nothing},
    {"unary_1_mib", echo_1_mib},
    {"unary_request_over_4_mib_is_refused", too_big},
    {"unary_status_and_message", status_and_message},
    {"unary_message_of_any_text", message_of_any_text},
    {"unary_every_code", every_code},
    {"unary_unknown_method", unknown_method},
    {"unary_unknown_service", unknown_service},
    {"unary_deadline_is_kept", deadline_is_kept},
    {"unary_deadline_is_carried", deadline_is_carried},
    {"unary_cancel", is_cancelled},
    {"unary_metadata", metadata},
    {"unary_metadata_with_error", metadata_with_error},
    {"unary_100_at_once", many_at_once},
    {"unary_1000_in_a_row", many_in_a_row},
    {NULL, NULL},
};
