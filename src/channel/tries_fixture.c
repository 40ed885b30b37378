/* tries_fixture.c - plays the words of tries_fixture.h over the channel's fixture. */
#include "channel/tries_fixture.h"
#include "base/assert.h"
#include "channel/call.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const addresses[] = {"1.1.1.1:1", "2.2.2.2:2", "3.3.3.3:3"};

/* --- The trace --- */

static void put(struct rota_tries_fixture *t, const char *format, ...) ROTA_PRINTF(2, 3);
static void put(struct rota_tries_fixture *t, const char *format, ...)
{
    size_t used = strlen(t->trace);
    va_list args;

    if (used > 0 && used + 1 < sizeof(t->trace))
        t->trace[used++] = ' ';
    va_start(args, format);
    vsnprintf(t->trace + used, sizeof(t->trace) - used, format, args);
    va_end(args);
}

static char letter_of(const struct rota_fake_conn *conn)
{
    for (size_t i = 0; i < ROTA_COUNT(addresses); i++)
        if (strcmp(conn->address, addresses[i]) == 0)
            return (char)('a' + i);
    return '?';
}

static void put_news(struct rota_tries_fixture *t)
{
    for (size_t i = 0; i < t->f.transport.n_conns; i++) {
        struct rota_fake_conn *conn = t->f.transport.conns[i];
        for (size_t n = t->seen_streams[i]; n < conn->n_streams; n++) {
            const char *previous = rota_fake_header(conn->streams[n], "grpc-previous-rpc-attempts");
            put(t, "%c%s", letter_of(conn), previous == NULL ? "0" : previous);
        }
        t->seen_streams[i] = conn->n_streams;
        assert_true(conn->n_streams <= ROTA_TRIES_STREAMS);
        for (size_t n = 0; n < conn->n_streams; n++) {
            if (conn->streams[n]->reset && conn->streams[n]->reset_code != 0 && !t->told_reset[i][n])
                put(t, "%c-", letter_of(conn));
            t->told_reset[i][n] = conn->streams[n]->reset;
        }
    }
    for (size_t i = 0; i < t->n_calls; i++) {
        if (t->calls[i].dones > 0 && !t->told_end[i])
            put(t, "%s", rota_code_name(t->calls[i].status.code));
        t->told_end[i] = t->calls[i].dones > 0;
    }
}

/* --- Calls --- */

static void play_call(struct rota_tries_fixture *t, const char *word)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_seen_call *seen = &t->calls[t->n_calls++];

    assert_true(t->n_calls <= ROTA_TRIES_CALLS);
    if (strncmp(word, "call=", 5) == 0)
        options.timeout_ms = atol(word + 5);
    if (strcmp(word, "wait") == 0)
        options.wait_for_ready = ROTA_WAIT_FOR_READY;
    if (strcmp(word, "talk") == 0)
        rota_fixture_stream_start(&t->f, &options, seen);
    else
        rota_fixture_unary_start(&t->f, "hello", &options, seen);
}

static void play_write(struct rota_tries_fixture *t, size_t size)
{
    struct rota_seen_call *seen = &t->calls[t->n_calls - 1];
    uint8_t *bytes = calloc(1, size);
    struct rota_slice message = rota_slice(bytes, size);
    rota_err err;

    assert_non_null(bytes);
    err = rota_call_write(seen->call, &message);
    if (err < 0)
        put(t, "%s", rota_err_name(err));
    free(bytes);
    rota_virtual_host_run(&t->f.v);
}

/* --- Servers --- */

static struct rota_fake_conn *conn_of(struct rota_tries_fixture *t, char letter)
{
    struct rota_fake_conn *conn = rota_fixture_conn(&t->f, addresses[(letter | 0x20) - 'a']);

    for (size_t i = 0; letter < 'a' && i < t->f.transport.n_conns; i++)
        if (letter_of(t->f.transport.conns[i]) == (letter | 0x20))
            return t->f.transport.conns[i];
    assert_non_null(conn);
    return conn;
}

/* What follows the stream's number in the word. */
static struct rota_fake_stream *stream_of(struct rota_tries_fixture *t, const char *word, const char **ret_rest)
{
    struct rota_fake_conn *conn = conn_of(t, word[0]);
    size_t number = conn->n_streams - 1;
    char *rest = (char *)(uintptr_t)(word + 1);

    if (*rest >= '0' && *rest <= '9')
        number = strtoul(rest, &rest, 10);
    *ret_rest = rest;
    return rota_fake_stream_at(conn, number);
}

static void fail_with_http(struct rota_fake_stream *stream, const char *code)
{
    struct rota_header headers[] = {
        {ROTA_SLICE(":status"), rota_slice_str(code)},
        {ROTA_SLICE("content-type"), ROTA_SLICE("text/html")},
    };

    rota_fake_raw_headers(stream, headers, ROTA_COUNT(headers), false);
}

static void play_fail(struct rota_fake_stream *stream, const char *rest)
{
    char *slash;
    long code = strtol(rest, &slash, 10);

    if (*slash == '/')
        rota_fake_pushback(stream, (enum rota_code)code, slash + 1);
    else
        rota_fake_trailers_only(stream, (enum rota_code)code, "no");
}

static bool play_conn(struct rota_fake_conn *conn, const char *word)
{
    if (strcmp(word, "down") == 0)
        rota_fake_lose(conn, "broken");
    else if (strcmp(word, "up") == 0)
        rota_fake_up(conn);
    else if (strcmp(word, "goaway") == 0)
        rota_fake_goaway(conn, conn->n_streams);
    else if (strcmp(word, "full") == 0)
        conn->max_streams = conn->n_open;
    else if (strcmp(word, "room") == 0)
        rota_fake_allow(conn, 100);
    else
        return false;
    return true;
}

static void play_stream(struct rota_fake_stream *stream, const char *word)
{
    if (strcmp(word, "h") == 0)
        rota_fake_headers(stream);
    else if (strcmp(word, "deaf") == 0)
        stream->ended = true;
    else if (word[0] == 't')
        rota_fake_trailers(stream, (enum rota_code)atoi(word + 1), "no");
    else if (strcmp(word, "r") == 0)
        rota_fake_reply(stream, "hi");
    else if (strncmp(word, "http", 4) == 0)
        fail_with_http(stream, word + 4);
    else if (strcmp(word, "refuse") == 0)
        rota_fake_close(stream, ROTA_STREAM_UNPROCESSED, 7, false);
    else if (strcmp(word, "unsent") == 0)
        rota_fake_close(stream, ROTA_STREAM_UNPROCESSED, 0, true);
    else if (strcmp(word, "lost") == 0)
        rota_fake_close(stream, ROTA_STREAM_LOST, 0, false);
    else
        fail_msg("no such event: %s", word);
}

static void play_server(struct rota_tries_fixture *t, const char *word)
{
    const char *rest;
    struct rota_fake_stream *stream;

    if (word[1] == ':' && play_conn(conn_of(t, word[0]), word + 2))
        return;
    stream = stream_of(t, word, &rest);
    if (rest[0] == '!')
        play_fail(stream, rest + 1);
    else
        play_stream(stream, rest + 1);
}

/* --- The script --- */

static void put_counts(struct rota_tries_fixture *t)
{
    struct rota_channel_stats stats = rota_channel_stats(t->f.channel);

    put(t, "%u/%u/%u/%u/%u", (unsigned)stats.retries, (unsigned)stats.hedges, (unsigned)stats.transparent_retries, (unsigned)stats.retries_throttled,
        (unsigned)stats.retries_over_budget);
}

static void play(struct rota_tries_fixture *t, const char *word)
{
    if (strcmp(word, "=") == 0)
        put(t, "=");
    else if (strcmp(word, "?") == 0)
        put(t, "%u", (unsigned)t->f.channel->throttle.tokens_milli);
    else if (strcmp(word, "#") == 0)
        put_counts(t);
    else if (strncmp(word, "w:", 2) == 0)
        play_write(t, strtoul(word + 2, NULL, 10));
    else if (strcmp(word, "end") == 0)
        assert_int_equal(rota_call_write_end(t->calls[t->n_calls - 1].call), 0);
    else if (strcmp(word, "cancel") == 0)
        rota_call_cancel(t->calls[t->n_calls - 1].call);
    else if (word[0] == '+')
        rota_virtual_host_advance(&t->f.v, atol(word + 1) * ROTA_MS);
    else if (strncmp(word, "call", 4) == 0 || strcmp(word, "wait") == 0 || strcmp(word, "talk") == 0)
        play_call(t, word);
    else
        play_server(t, word);
    rota_virtual_host_run(&t->f.v);
}

void rota_tries_expect(struct rota_tries_fixture *t, const char *rule, const char *script, const char *trace)
{
    char words[1024], *rest = words, *word;

    assert_true(strlen(script) < sizeof(words));
    memcpy(words, script, strlen(script) + 1);
    t->trace[0] = '\0';
    while ((word = strtok_r(rest, " ", &rest)) != NULL) {
        play(t, word);
        put_news(t);
    }
    if (strcmp(t->trace, trace) != 0)
        print_message("  %s\n    %s\n", rule, script);
    assert_string_equal(t->trace, trace);
}

static double fixed_unit;

static uint64_t roll(struct rota_rng *rng)
{
    (void)rng;
    return (uint64_t)(fixed_unit * 9007199254740992.0) << 11;
}

void rota_tries_fixture_init(struct rota_tries_fixture *t, const struct rota_channel_options *options, const char *servers, double unit)
{
    const char *list[3] = {0};

    memset(t, 0, sizeof(*t));
    rota_channel_fixture_init(&t->f, options);
    fixed_unit = unit;
    t->f.v.host.rng.next = roll;
    for (size_t i = 0; servers[i] != '\0'; i++)
        list[i] = addresses[servers[i] - 'a'];
    rota_channel_connect(t->f.channel);
    rota_fixture_publish(&t->f, list[0], list[1], list[2]);
    for (size_t i = 0; i < t->f.transport.n_conns; i++)
        rota_fake_up(t->f.transport.conns[i]);
}

void rota_tries_fixture_fini(struct rota_tries_fixture *t)
{
    rota_channel_fixture_close(&t->f);
    for (size_t i = 0; i < t->n_calls; i++)
        assert_int_equal(t->calls[i].dones, 1);
    rota_leak_alloc_fini(&t->f.leaks);
}

void rota_tries_run(const struct rota_tries_case *cases, size_t count, const struct rota_channel_options *given)
{
    struct rota_tries_fixture *t = malloc(sizeof(*t));

    assert_non_null(t);
    for (size_t i = 0; i < count; i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        if (given != NULL)
            options = *given;
        options.service_config = cases[i].config;
        print_message("  %s\n", cases[i].rule);
        rota_tries_fixture_init(t, &options, cases[i].servers, 0.5);
        rota_tries_expect(t, cases[i].rule, cases[i].script, cases[i].trace);
        rota_tries_fixture_fini(t);
    }
    free(t);
}
