/* server_test.c - services, listeners, connections, drain and close. */
#include "server/server_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <string.h>

static void services_and_paths_are_unique(void **unused)
{
    struct rota_handler twice[2] = {server_fixture_service.handlers[0], server_fixture_service.handlers[0]};
    struct rota_service other = {.name = "t.Other", .handlers = twice, .n_handlers = 1};
    struct rota_method method = *twice[0].method;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    assert_int_equal(rota_server_add(f.server, &server_fixture_service, NULL, NULL), ROTA_EEXIST);
    assert_int_equal(rota_server_add(f.server, &other, NULL, NULL), ROTA_EEXIST); /* its path is another's */
    method.path = "/t.Other/Echo";
    twice[0].method = twice[1].method = &method;
    other.n_handlers = 2;
    assert_int_equal(rota_server_add(f.server, &other, NULL, NULL), ROTA_EEXIST);
    other.n_handlers = 1; /* nothing of what failed is left */
    assert_int_equal(rota_server_add(f.server, &other, NULL, NULL), 0);
    server_fixture_fini(&f);
}

static void options_are_checked_and_handed_on(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts;
    struct rota_server *server;
    struct server_fixture f;
    struct rota_errinfo info;

    (void)unused;
    options.max_concurrent_streams = 7;
    options.max_header_bytes = 1234;
    options.handshake_timeout_ms = 5;
    options.min_ping_interval_ms = 6;
    options.permit_pings_without_calls = true;
    server_fixture_init(&f, &options);
    assert_int_equal(f.acceptor.listeners[0].limits.max_concurrent_streams, 7);
    assert_int_equal(f.acceptor.listeners[0].limits.max_header_bytes, 1234);
    assert_int_equal(f.acceptor.listeners[0].limits.handshake_timeout_ns, 5 * ROTA_MS);
    assert_int_equal(f.acceptor.listeners[0].limits.min_ping_ns, 6 * ROTA_MS);
    assert_true(f.acceptor.listeners[0].limits.pings_without_calls);
    parts = *rota_server_parts(f.server);
    options.handshake_timeout_ms = -1;
    assert_int_equal(rota_server_make(&options, &parts, &server, &info), ROTA_EINVAL);
    assert_non_null(strstr(info.text, "handshake_timeout_ms"));
    /* A program built against a header without that option. */
    options.size = offsetof(struct rota_server_options, handshake_timeout_ms);
    assert_int_equal(rota_server_make(&options, &parts, &server, &info), 0);
    rota_server_shut(server, NULL, NULL);
    server_fixture_run(&f);
    server_fixture_fini(&f);
}

static void lifetimes_are_handed_on_and_checked(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    const struct rota_serve_limits *limits;
    struct rota_server_parts parts;
    struct rota_server *server;
    struct server_fixture f;
    struct rota_errinfo info;

    (void)unused;
    server_fixture_init(&f, NULL);
    limits = &f.acceptor.listeners[0].limits;
    assert_int_equal(limits->keepalive_time_ns, 7200000 * ROTA_MS);
    assert_int_equal(limits->keepalive_timeout_ns, 20000 * ROTA_MS);
    assert_int_equal(limits->write_timeout_ns, 60000 * ROTA_MS);
    assert_int_equal(limits->max_window_bytes, 16 << 20);
    assert_int_equal(limits->max_age_ns + limits->max_age_grace_ns + limits->max_idle_ns, 0);
    assert_ptr_equal(limits->queued_total, &f.server->held_bytes);
    parts = *rota_server_parts(f.server);
    options.max_connection_idle_ms = -1;
    assert_int_equal(rota_server_make(&options, &parts, &server, &info), ROTA_EINVAL);
    assert_string_equal(info.text, "max_connection_idle_ms: -1 is out of range");
    server_fixture_fini(&f);
    options.max_connection_idle_ms = 1;
    options.max_connection_age_ms = 2;
    options.max_connection_age_grace_ms = 3;
    options.keepalive_time_ms = options.write_timeout_ms = options.min_ping_interval_ms = -1;
    options.max_window_bytes = 4;
    server_fixture_init(&f, &options);
    limits = &f.acceptor.listeners[0].limits;
    assert_int_equal(limits->max_idle_ns, 1 * ROTA_MS);
    assert_int_equal(limits->max_age_ns, 2 * ROTA_MS);
    assert_int_equal(limits->max_age_grace_ns, 3 * ROTA_MS);
    assert_true(limits->keepalive_time_ns == INT64_MAX && limits->write_timeout_ns == INT64_MAX);
    assert_int_equal(limits->min_ping_ns, 0);
    assert_int_equal(limits->max_window_bytes, 4);
    server_fixture_fini(&f);
}

static void listening_can_fail(void **unused)
{
    struct server_fixture f;
    struct rota_errinfo info;

    (void)unused;
    server_fixture_init(&f, NULL);
    assert_int_equal(rota_server_listen(f.server, "127.0.0.1:no", NULL, &info), ROTA_EPARSE);
    f.acceptor.listen_err = ROTA_EADDRINUSE;
    assert_int_equal(rota_server_listen(f.server, "127.0.0.1:2", NULL, &info), ROTA_EADDRINUSE);
    f.acceptor.listen_err = 0;
    rota_server_drain(f.server, 0, NULL, NULL);
    assert_int_equal(rota_server_listen(f.server, "127.0.0.1:2", NULL, &info), ROTA_ESTATE);
    server_fixture_run(&f);
    server_fixture_fini(&f);
}

static void connections_have_a_limit(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_asker *second;
    struct server_fixture f;

    (void)unused;
    options.max_connections = 2;
    server_fixture_init(&f, &options);
    second = rota_fake_connect(&f.acceptor);
    assert_non_null(second->events);
    assert_null(rota_fake_connect(&f.acceptor)->events);
    rota_fake_hang_up(second);
    assert_non_null(rota_fake_connect(&f.acceptor)->events);
    assert_int_equal(rota_server_stats(f.server).connections_accepted, 3);
    assert_int_equal(rota_server_stats(f.server).connections_open, 2);
    server_fixture_fini(&f);
}

struct lines {
    unsigned n;
    char last[200];
};

static void note_line(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct lines *lines = ctx;

    (void)area;
    if (level != ROTA_LOG_WARN)
        return;
    lines->n++;
    snprintf(lines->last, sizeof(lines->last), "%s", text);
}

static void refused_connections_are_told_once_a_second(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct lines lines = {0};
    const struct rota_log log = {.write = note_line, .ctx = &lines, .level = ROTA_LOG_WARN};
    struct server_fixture f;

    (void)unused;
    options.max_connections = 1;
    options.log = &log;
    server_fixture_init(&f, &options);
    for (int i = 0; i < 10; i++)
        assert_null(rota_fake_connect(&f.acceptor)->events);
    assert_int_equal(lines.n, 1);
    assert_non_null(strstr(lines.last, ": refused, 1 connections are open"));
    assert_null(strstr(lines.last, "more like it"));
    rota_virtual_host_advance(&f.v, INT64_C(1000000000));
    assert_null(rota_fake_connect(&f.acceptor)->events);
    assert_int_equal(lines.n, 2);
    assert_non_null(strstr(lines.last, "are open (and 9 more like it)"));
    server_fixture_fini(&f);
}

/* The handler of /t.S/Quiet has no on_cancel and does not finish its call. */
static void handlers_of_calls_that_are_gone_are_bounded(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_ask *ask;
    struct rota_server_call *left[2];
    struct server_fixture f;

    (void)unused;
    options.max_concurrent_streams = 2;
    server_fixture_init(&f, &options);
    for (int i = 0; i < 2; i++) {
        ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
        left[i] = f.call;
        rota_fake_ask_cancel(ask);
    }
    f.call = NULL;
    assert_string_equal(rota_fake_answer_status(rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL)), "reset 7");
    assert_null(f.call);
    rota_server_call_finish(left[0], NULL);
    ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
    assert_string_equal(rota_fake_answer_status(ask), "open");
    /* The last one outlives its connection. */
    rota_fake_hang_up(f.asker);
    rota_server_call_finish(f.call, NULL);
    rota_server_call_finish(left[1], NULL);
    server_fixture_fini(&f);
}

static struct rota_fake_ask *ask_later(struct server_fixture *f)
{
    struct rota_fake_ask *ask = rota_fake_ask(f->asker, "/t.S/Later", NULL, NULL);

    rota_fake_ask_message(ask, "a");
    rota_fake_ask_end(ask);
    return ask;
}

static void drain_waits_for_calls(void **unused)
{
    struct rota_fake_asker *idle;
    struct rota_fake_ask *ask, *between;
    struct rota_server_call *late;
    struct server_fixture f;
    struct rota_errinfo info;

    (void)unused;
    server_fixture_init(&f, NULL);
    assert_int_equal(rota_server_listen(f.server, "unix:/tmp/x", NULL, &info), 0);
    idle = rota_fake_connect(&f.acceptor);
    ask = ask_later(&f);
    late = f.call;
    rota_server_drain(f.server, 1000, server_fixture_on_drained, &f);
    assert_int_equal(f.drained, 0);
    server_fixture_run(&f);
    assert_true(f.acceptor.listeners[0].closed && f.acceptor.listeners[1].closed);
    assert_int_equal(idle->drains, 1);
    assert_int_equal(f.asker->drains, 1);
    /* What the client sent before it heard of the drain is served. */
    between = rota_fake_ask(f.asker, "/t.S/Echo", NULL, NULL);
    rota_fake_ask_message(between, "b");
    rota_fake_ask_end(between);
    assert_string_equal(rota_fake_answer_status(between), "OK");
    assert_true(idle->closed);
    assert_false(f.asker->closed);
    rota_virtual_host_advance(&f.v, 998 * ROTA_MS);
    assert_int_equal(f.drained, 0);
    f.call = late;
    server_fixture_reply(&f, "r");
    rota_fake_ask_writable(ask); /* the reply is on the wire */
    assert_string_equal(rota_fake_answer_status(ask), "OK");
    assert_true(f.asker->closed);
    assert_int_equal(f.drained, 1);
    rota_virtual_host_advance(&f.v, ROTA_S);
    assert_int_equal(f.drained, 1);
    server_fixture_fini(&f);
}

static void drain_ends_calls_after_the_grace_period(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct lines lines = {0};
    const struct rota_log log = {.write = note_line, .ctx = &lines, .level = ROTA_LOG_WARN};
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    options.log = &log;
    server_fixture_init(&f, &options);
    ask = rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    rota_server_drain(f.server, 100, server_fixture_on_drained, &f);
    rota_virtual_host_advance(&f.v, 99 * ROTA_MS);
    assert_string_equal(f.trace, "S");
    rota_virtual_host_advance(&f.v, ROTA_MS);
    assert_string_equal(f.trace, "SC");
    assert_true(ask->dead);
    assert_int_equal(f.drained, 1);
    assert_int_equal(lines.n, 1);
    assert_string_equal(lines.last, "drain: the grace period is over: 1 calls are reset, 1 connections closed");
    server_fixture_fini(&f);
}

static void close_overtakes_drain(void **unused)
{
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    (void)rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    rota_server_drain(f.server, 1000, server_fixture_on_drained, &f);
    server_fixture_close(&f);
    assert_string_equal(f.trace, "SC");
    assert_int_equal(f.drained, 1);
    assert_int_equal(f.closed, 1);
    server_fixture_fini(&f);
}

static void a_second_drain_begins_anew(void **unused)
{
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    (void)rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    rota_server_drain(f.server, 1000, server_fixture_on_drained, &f);
    server_fixture_run(&f);
    rota_server_drain(f.server, 10, server_fixture_on_drained, &f);
    rota_virtual_host_advance(&f.v, 10 * ROTA_MS);
    assert_int_equal(f.drained, 1);
    server_fixture_fini(&f);
}

static void on_closed(void *arg)
{
    struct server_fixture *f = arg;

    f->closed++;
    f->server = NULL;
}

static void close_when_drained(void *arg)
{
    struct server_fixture *f = arg;

    f->drained++;
    rota_server_shut(f->server, on_closed, f);
    assert_int_equal(f->closed, 0); /* not from inside */
}

static void close_may_be_asked_for_by_on_drained(void **unused)
{
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    rota_server_drain(f.server, 1000, close_when_drained, &f);
    server_fixture_run(&f);
    rota_fake_hang_up(f.asker);
    assert_int_equal(f.drained, 1);
    assert_int_equal(f.closed, 1);
    server_fixture_fini(&f);
}

/* A handler that has not been heard of for long still has its call. */
static void close_waits_for_handlers(void **unused)
{
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    (void)ask_later(&f);
    server_fixture_close(&f);
    assert_int_equal(f.closed, 0);
    rota_virtual_host_advance(&f.v, 1000 * ROTA_S);
    assert_int_equal(f.closed, 0);
    server_fixture_reply(&f, "r");
    assert_int_equal(f.closed, 1);
    server_fixture_fini(&f);
}

/* One call with everything, every allocation failed once; whatever fails, the server goes on and closes. */
static rota_err serve_once(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts;
    struct server_fixture f = {0};
    struct rota_fake_ask *ask;
    struct rota_errinfo info;
    rota_err err;

    (void)ctx;
    rota_virtual_host_init(&f.v, alloc, 1);
    rota_fake_acceptor_init(&f.acceptor, &f.v, NULL);
    parts = (struct rota_server_parts){.host = &f.v.host, .acceptor = &f.acceptor.acceptor};
    err = rota_server_make(&options, &parts, &f.server, &info);
    if (err == 0) {
        err = rota_server_add(f.server, &server_fixture_service, NULL, &f);
        if (err == 0)
            err = rota_server_listen(f.server, "127.0.0.1:1", NULL, &info);
        if (err == 0 && (f.asker = rota_fake_connect(&f.acceptor))->events == NULL)
            err = ROTA_ENOMEM;
        if (err == 0) {
            ask = rota_fake_ask(f.asker, "/t.S/Join", "grpc-timeout", "1S");
            rota_fake_ask_data(ask, ROTA_SLICE("\0\0\0\0\2a"));
            rota_fake_ask_data(ask, ROTA_SLICE("b"));
            rota_fake_ask_end(ask);
            if (strcmp(rota_fake_answer_status(ask), "OK") != 0)
                err = ROTA_ENOMEM;
        }
        rota_server_shut(f.server, on_closed, &f);
        server_fixture_run(&f);
        assert_int_equal(f.closed, 1);
    }
    rota_virtual_host_fini(&f.v);
    rota_fake_acceptor_fini(&f.acceptor);
    return err;
}

static void out_of_memory_is_an_error(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep(serve_once, NULL) > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_and_paths_are_unique),
        cmocka_unit_test(options_are_checked_and_handed_on),
        cmocka_unit_test(handlers_of_calls_that_are_gone_are_bounded),
        cmocka_unit_test(lifetimes_are_handed_on_and_checked),
        cmocka_unit_test(listening_can_fail),
        cmocka_unit_test(connections_have_a_limit),
        cmocka_unit_test(refused_connections_are_told_once_a_second),
        cmocka_unit_test(drain_waits_for_calls),
        cmocka_unit_test(drain_ends_calls_after_the_grace_period),
        cmocka_unit_test(close_overtakes_drain),
        cmocka_unit_test(a_second_drain_begins_anew),
        cmocka_unit_test(close_may_be_asked_for_by_on_drained),
        cmocka_unit_test(close_waits_for_handlers),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
