/* call_log_test.c - the lines of a call log, on a channel and on a server. */
#include "channel/channel_fixture.h"
#include "server/server_fixture.h"
#include <rota/call_log.h>
#include <stdio.h>

#define A "1.1.1.1:1"

/* What was written: "level area: text" a line. */
static struct {
    char lines[2000];
    unsigned count;
} at;

static void write_line(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    size_t used = strlen(at.lines);

    (void)ctx;
    at.count++;
    snprintf(at.lines + used, sizeof(at.lines) - used, "%d %s: %s\n", (int)level, area, text);
}

static struct rota_call_log *make(const struct rota_log *log, int32_t max_per_second)
{
    struct rota_call_log_options options = ROTA_CALL_LOG_OPTIONS_INIT;
    struct rota_call_log *call_log;

    memset(&at, 0, sizeof(at));
    options.log = log;
    options.max_per_second = max_per_second;
    assert_int_equal(rota_call_log_new(&options, &call_log), 0);
    return call_log;
}

static const struct rota_log debug = {.write = write_line, .level = ROTA_LOG_DEBUG};
static const struct rota_log info = {.write = write_line, .level = ROTA_LOG_INFO};
static const struct rota_log warn = {.write = write_line, .level = ROTA_LOG_WARN};

static const struct client_case {
    const char *rule;
    const struct rota_log *log;
    char end; /* R replied, F failed, C cancelled before there was a connection */
    const char *want;
} client_cases[] = {
    {"a call that is OK", &debug, 'R', "4 channel: /test.Echo/Say to 1.1.1.1:1: OK in 2500.000 ms, 5 bytes out, 7 in\n"},
    {"is a detail", &info, 'R', ""},
    {"a failure says why", &info, 'F', "3 channel: /test.Echo/Say to 1.1.1.1:1: NOT_FOUND in 2500.000 ms, 5 bytes out, 0 in: none\n"},
    {"which some do not want to know", &warn, 'F', ""},
    {"a call that never had a peer", &info, 'C', "3 channel: /test.Echo/Say to nobody: CANCELLED in 2500.000 ms, 5 bytes out, 0 in: cancelled by the caller\n"},
};

static void a_channels_calls(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(client_cases); i++) {
        const struct client_case *c = &client_cases[i];
        struct rota_call_log *call_log = make(c->log, 0);
        const struct rota_client_interceptor interceptors[] = {{&rota_call_log_client, call_log}, {NULL, NULL}};
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("  %s\n", c->rule);
        options.interceptors = interceptors;
        rota_channel_fixture_init(&f, &options);
        if (c->end != 'C')
            rota_fixture_ready(&f, A);
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        rota_virtual_host_advance(&f.v, 2500 * ROTA_MS);
        if (c->end == 'R')
            rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "goodbye");
        else if (c->end == 'F')
            rota_fake_trailers_only(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), ROTA_NOT_FOUND, "none");
        else
            rota_call_cancel(seen.call);
        rota_virtual_host_run(&f.v);
        assert_int_equal(seen.dones, 1);
        assert_string_equal(at.lines, c->want);
        rota_channel_fixture_fini(&f);
        rota_call_log_free(call_log);
    }
}

static void a_servers_calls(void **unused)
{
    struct rota_call_log *call_log = make(&debug, 0);
    const struct rota_server_interceptor interceptors[] = {{&rota_call_log_server, call_log}, {NULL, NULL}};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct server_fixture f;
    struct rota_fake_ask *ask;

    (void)unused;
    options.interceptors = interceptors;
    server_fixture_init(&f, &options);
    ask = rota_fake_ask(f.asker, "/t.S/Echo", "authorization", "Bearer secret");
    rota_fake_ask_message(ask, "hello");
    rota_fake_ask_end(ask);
    (void)rota_fake_ask(f.asker, "/t.S/N\none", NULL, NULL);
    assert_string_equal(at.lines, "4 server: /t.S/Echo from 192.0.2.1:5000: OK in 0.000 ms, 5 bytes out, 5 in\n"
                                  "3 server: /t.S/N one from 192.0.2.1:5000: UNIMPLEMENTED in 0.000 ms, 0 bytes out, 0 in: "
                                  "unknown method N one for service t.S\n");
    server_fixture_fini(&f);
    rota_call_log_free(call_log);
}

static void only_so_many_lines_a_second(void **unused)
{
    struct rota_call_log *call_log = make(&debug, 3);
    const struct rota_server_interceptor interceptors[] = {{&rota_call_log_server, call_log}, {NULL, NULL}};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct server_fixture f;

    (void)unused;
    options.interceptors = interceptors;
    server_fixture_init(&f, &options);
    for (int i = 0; i < 5; i++)
        (void)rota_fake_ask(f.asker, "/t.S/None", NULL, NULL);
    assert_int_equal(at.count, 3);
    rota_fake_ask_message(rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL), "failures leave room for others");
    rota_fake_ask_end(f.asker->asks[5]);
    assert_int_equal(at.count, 4);
    rota_virtual_host_advance(&f.v, ROTA_S);
    at.lines[0] = '\0';
    (void)rota_fake_ask(f.asker, "/t.S/None", NULL, NULL);
    assert_int_equal(at.count, 6);
    assert_ptr_equal(strstr(at.lines, "3 server: 2 more calls ended and are not in this log\n"), at.lines);
    server_fixture_fini(&f);
    rota_call_log_free(call_log);
}

static rota_err make_one(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_call_log_options options = ROTA_CALL_LOG_OPTIONS_INIT;
    struct rota_call_log *call_log;
    rota_err err;

    (void)ctx;
    options.alloc = alloc;
    err = rota_call_log_new(&options, &call_log);
    if (err == 0)
        rota_call_log_free(call_log);
    return err;
}

static void making_one_needs_memory(void **unused)
{
    (void)unused;
    assert_int_equal(rota_alloc_sweep(make_one, NULL), 1);
    rota_call_log_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channels_calls),
        cmocka_unit_test(a_servers_calls),
        cmocka_unit_test(only_so_many_lines_a_second),
        cmocka_unit_test(making_one_needs_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
