/* call_test.c - unary calls: what is sent, what each kind of answer means, deadlines and cancelling at each stage. */
#include "channel/channel_fixture.h"
#include "base/assert.h"

#define ADDRESS "1.1.1.1:1"

static struct rota_fake_stream *call_open(struct rota_channel_fixture *f, const struct rota_call_options *options, struct rota_seen_call *seen)
{
    struct rota_fake_conn *conn;

    rota_channel_fixture_init(f, NULL);
    conn = rota_fixture_ready(f, ADDRESS);
    rota_fixture_unary_start(f, "hello", options, seen);
    return rota_fake_stream_at(conn, conn->n_streams - 1);
}

static void a_call_is_sent_whole(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream;
    struct rota_metadata *metadata;

    (void)unused;
    options.timeout_ms = 1500;
    assert_int_equal(rota_metadata_new(NULL, &metadata), 0);
    assert_int_equal(rota_metadata_add_text(metadata, "x-key", "value"), 0);
    options.metadata = metadata;
    stream = call_open(&f, &options, &seen);
    rota_metadata_free(metadata);
    assert_string_equal(rota_fake_header(stream, ":path"), "/test.Echo/Say");
    assert_string_equal(rota_fake_header(stream, "grpc-timeout"), "1500000u");
    assert_string_equal(rota_fake_header(stream, "x-key"), "value");
    assert_non_null(strstr(rota_fake_header(stream, "user-agent"), "rota-c/"));
    assert_string_equal(rota_fake_request(stream), "hello");
    assert_true(stream->end);
    assert_int_equal(stream->n_sends, 1);
    rota_fake_reply(stream, "world");
    rota_assert_ended(&seen, ROTA_OK, "");
    assert_string_equal(seen.messages, "world|");
    assert_int_equal(stream->consumed, stream->given);
    rota_channel_fixture_fini(&f);
}

static void what_cannot_be_sent_says_why(void **unused)
{
    static const struct {
        rota_err err;
        const char *want;
    } rows[] = {
        {ROTA_ELIMIT, " bytes, and rota sends 65536 at most"},
        {ROTA_ENOMEM, "out of memory while sending"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        rota_channel_fixture_init(&f, NULL);
        rota_fixture_ready(&f, ADDRESS);
        f.transport.open_err = rows[i].err;
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        rota_assert_ended(&seen, ROTA_RESOURCE_EXHAUSTED, rows[i].want);
        rota_channel_fixture_fini(&f);
    }
}

/* How a stream may answer; each ends the call with a code and words. */
static void answer_ok(struct rota_fake_stream *s)
{
    rota_fake_reply(s, "r");
}

static void answer_error(struct rota_fake_stream *s)
{
    rota_fake_headers(s);
    rota_fake_trailers(s, ROTA_NOT_FOUND, "no such thing");
}

static void answer_trailers_only(struct rota_fake_stream *s)
{
    rota_fake_trailers_only(s, ROTA_PERMISSION_DENIED, "not you");
}

static void answer_nothing(struct rota_fake_stream *s)
{
    rota_fake_headers(s);
    rota_fake_trailers(s, ROTA_OK, "");
}

static void answer_twice(struct rota_fake_stream *s)
{
    rota_fake_headers(s);
    rota_fake_message(s, "1");
    rota_fake_message(s, "2");
}

static void answer_without_trailers(struct rota_fake_stream *s)
{
    rota_fake_headers(s);
    rota_fake_message(s, "r");
    rota_fake_end(s);
}

static void answer_half(struct rota_fake_stream *s)
{
    rota_fake_headers(s);
    rota_fake_message(s, "r");
    rota_fake_data(s, ROTA_SLICE("\0\0\0"));
    rota_fake_trailers(s, ROTA_OK, "");
}

static void answer_compressed(struct rota_fake_stream *s)
{
    rota_fake_headers(s);
    rota_fake_data(s, ROTA_SLICE("\1\0\0\0\1x"));
}

static void answer_huge(struct rota_fake_stream *s)
{
    rota_fake_headers(s);
    rota_fake_data(s, ROTA_SLICE("\0\x01\0\0\0"));
}

static void answer_bad_flag(struct rota_fake_stream *s)
{
    rota_fake_headers(s);
    rota_fake_data(s, ROTA_SLICE("\7\0\0\0\0"));
}

static void answer_http(struct rota_fake_stream *s)
{
    const struct rota_header headers[] = {{ROTA_SLICE(":status"), ROTA_SLICE("503")}, {ROTA_SLICE("content-type"), ROTA_SLICE("text/html")}};

    rota_fake_raw_headers(s, headers, ROTA_COUNT(headers), false);
}

static void reset_cancel(struct rota_fake_stream *s)
{
    rota_fake_close(s, ROTA_STREAM_RESET, 8, false);
}

static void reset_internal(struct rota_fake_stream *s)
{
    rota_fake_close(s, ROTA_STREAM_RESET, 2, false);
}

static void reset_calm(struct rota_fake_stream *s)
{
    rota_fake_close(s, ROTA_STREAM_RESET, 11, false);
}

static void break_protocol(struct rota_fake_stream *s)
{
    rota_fake_close(s, ROTA_STREAM_PROTOCOL, 1, false);
}

static void break_limit(struct rota_fake_stream *s)
{
    rota_fake_close(s, ROTA_STREAM_PROTOCOL, 11, false);
}

static void close_early(struct rota_fake_stream *s)
{
    rota_fake_close(s, ROTA_STREAM_DONE, 0, false);
}

static void lose_connection(struct rota_fake_stream *s)
{
    rota_fake_lose(s->conn, "connection reset by peer");
}

static void reset_after_trailers(struct rota_fake_stream *s)
{
    s->queued = 100; /* the request is stuck, the answer is there */
    rota_fake_headers(s);
    rota_fake_trailers(s, ROTA_RESOURCE_EXHAUSTED, "too much");
}

static const struct answer_case {
    const char *rule;
    void (*answer)(struct rota_fake_stream *stream);
    enum rota_code want;
    const char *words;
    int want_reset; /* the code of our own reset, or -1: none */
} answer_cases[] = {
    {"a reply and OK", answer_ok, ROTA_OK, "", -1},
    {"the server's status and message are the call's", answer_error, ROTA_NOT_FOUND, "no such thing", -1},
    {"a trailers-only answer", answer_trailers_only, ROTA_PERMISSION_DENIED, "not you", -1},
    {"OK without a reply is INTERNAL", answer_nothing, ROTA_INTERNAL, "without a reply", -1},
    {"a second reply is INTERNAL", answer_twice, ROTA_INTERNAL, "more than one", 8},
    {"an end without trailers is INTERNAL", answer_without_trailers, ROTA_INTERNAL, "without trailers", -1},
    {"OK inside a message is INTERNAL", answer_half, ROTA_INTERNAL, "inside a message", -1},
    {"compressed without agreement is INTERNAL", answer_compressed, ROTA_INTERNAL, "", 8},
    {"too large is RESOURCE_EXHAUSTED and names the sizes", answer_huge, ROTA_RESOURCE_EXHAUSTED, "16777216 bytes, the limit is 4194304", 8},
    {"a flag byte that is neither 0 nor 1 is INTERNAL", answer_bad_flag, ROTA_INTERNAL, "0x07", 8},
    {"an HTTP error is mapped", answer_http, ROTA_UNAVAILABLE, "503", 8},
    {"RST_STREAM CANCEL is CANCELLED", reset_cancel, ROTA_CANCELLED, ADDRESS, -1},
    {"RST_STREAM INTERNAL_ERROR is INTERNAL", reset_internal, ROTA_INTERNAL, ADDRESS, -1},
    {"RST_STREAM ENHANCE_YOUR_CALM is RESOURCE_EXHAUSTED", reset_calm, ROTA_RESOURCE_EXHAUSTED, ADDRESS, -1},
    {"broken HTTP/2 is INTERNAL", break_protocol, ROTA_INTERNAL, ADDRESS, -1},
    {"a header list above the limit is RESOURCE_EXHAUSTED", break_limit, ROTA_RESOURCE_EXHAUSTED, ADDRESS, -1},
    {"a stream that just ends is INTERNAL", close_early, ROTA_INTERNAL, "without trailers", -1},
    {"a lost connection is UNAVAILABLE and names the peer", lose_connection, ROTA_UNAVAILABLE, ADDRESS, -1},
    {"trailers end a call whose request is still queued", reset_after_trailers, ROTA_RESOURCE_EXHAUSTED, "too much", 0},
};

static void answers_become_statuses(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(answer_cases); i++) {
        const struct answer_case *c = &answer_cases[i];
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_stream *stream = call_open(&f, NULL, &seen);

        print_message("  %s\n", c->rule);
        c->answer(stream);
        rota_assert_ended(&seen, c->want, c->words);
        assert_int_equal(stream->reset, c->want_reset >= 0);
        if (stream->reset)
            assert_int_equal(stream->reset_code, c->want_reset);
        rota_channel_fixture_fini(&f);
    }
}

/* --- Deadlines and cancelling, by how far the call has come --- */

enum stage { RESOLVING, CONNECTING, ROOM, SENT, ANSWERED };

static const struct stage_case {
    const char *rule, *late_words;
    enum stage stage;
    bool wait_for_ready;
} stage_cases[] = {
    {"while resolving", "waiting for a connection", RESOLVING, false},
    {"while connecting", "waiting for a connection", CONNECTING, false},
    {"while connecting, waiting for ready", "waiting for a connection", CONNECTING, true},
    {"while the connection has no stream to spare", "waiting for a stream from " ADDRESS, ROOM, false},
    {"on the wire", "waiting for the reply from " ADDRESS, SENT, false},
    {"in the middle of the reply", "waiting for the reply from " ADDRESS, ANSWERED, false},
};

static struct rota_fake_stream *bring_to(struct rota_channel_fixture *f, const struct stage_case *c, const struct rota_call_options *options,
                                         struct rota_seen_call *seen)
{
    struct rota_fake_stream *stream;
    struct rota_fake_conn *conn;

    rota_channel_fixture_init(f, NULL);
    if (c->stage <= CONNECTING) {
        rota_fixture_unary_start(f, "x", options, seen);
        if (c->stage == CONNECTING)
            rota_fixture_publish(f, ADDRESS, NULL, NULL);
        return NULL;
    }
    conn = rota_fixture_ready(f, ADDRESS);
    conn->max_streams = c->stage == ROOM ? 0 : 1;
    rota_fixture_unary_start(f, "x", options, seen);
    if (c->stage == ROOM)
        return NULL;
    stream = rota_fake_stream_at(conn, 0);
    if (c->stage == ANSWERED) {
        rota_fake_headers(stream);
        rota_fake_data(stream, ROTA_SLICE("\0\0\0\0\5he"));
    }
    return stream;
}

static struct rota_call_options options_of(const struct stage_case *c)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;

    options.wait_for_ready = c->wait_for_ready ? ROTA_WAIT_FOR_READY : ROTA_WAIT_DEFAULT;
    return options;
}

static void a_deadline_ends_a_call_at_its_time(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(stage_cases); i++) {
        const struct stage_case *c = &stage_cases[i];
        struct rota_call_options options = options_of(c);
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_stream *stream;

        print_message("  %s\n", c->rule);
        options.timeout_ms = 200;
        stream = bring_to(&f, c, &options, &seen);
        rota_virtual_host_advance(&f.v, 200 * ROTA_MS - 1);
        rota_assert_running(&seen);
        rota_virtual_host_advance(&f.v, 1);
        rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, c->late_words);
        assert_non_null(strstr(seen.status.message, "200 ms"));
        if (stream != NULL) {
            assert_true(stream->reset);
            assert_int_equal(stream->reset_code, 8);
        }
        rota_channel_fixture_fini(&f);
    }
}

static void cancelling_ends_a_call_from_a_later_turn(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(stage_cases); i++) {
        const struct stage_case *c = &stage_cases[i];
        struct rota_call_options options = options_of(c);
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_stream *stream;

        print_message("  %s\n", c->rule);
        stream = bring_to(&f, c, &options, &seen);
        rota_call_cancel(seen.call);
        rota_call_cancel(seen.call); /* harmless */
        rota_assert_running(&seen);
        rota_virtual_host_run(&f.v);
        rota_assert_ended(&seen, ROTA_CANCELLED, "cancelled");
        if (stream != NULL)
            assert_int_equal(stream->reset_code, 8);
        rota_channel_fixture_fini(&f);
    }
}

static void closing_ends_a_call_at_every_stage(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(stage_cases); i++) {
        const struct stage_case *c = &stage_cases[i];
        struct rota_call_options options = options_of(c);
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("  %s\n", c->rule);
        bring_to(&f, c, &options, &seen);
        rota_channel_fixture_close(&f);
        rota_assert_ended(&seen, ROTA_CANCELLED, "channel was closed");
        rota_leak_alloc_fini(&f.leaks);
    }
}

static void each_call_has_its_own_deadline(void **unused)
{
    static const int64_t timeouts_ms[] = {500, 100, 3000, 0, 700, 50}; /* one after the other, on one struct */
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    conn = rota_fixture_ready(&f, ADDRESS);
    for (size_t late = 0; late < ROTA_COUNT(timeouts_ms); late++) {
        for (size_t i = 0; i < ROTA_COUNT(timeouts_ms); i++) {
            struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
            options.timeout_ms = timeouts_ms[i];
            rota_fixture_unary_start(&f, "x", &options, &seen);
            rota_virtual_host_advance(&f.v, options.timeout_ms == 0 ? 9 * ROTA_S : options.timeout_ms * ROTA_MS - 1);
            rota_assert_running(&seen);
            if (i == late && options.timeout_ms > 0)
                rota_virtual_host_advance(&f.v, 1);
            else
                rota_fake_reply(rota_fake_stream_at(conn, conn->n_streams - 1), "r");
            rota_assert_ended(&seen, i == late && options.timeout_ms > 0 ? ROTA_DEADLINE_EXCEEDED : ROTA_OK, "");
        }
    }
    rota_channel_fixture_fini(&f);
}

static void a_deadline_tells_what_stood_in_the_way(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.timeout_ms = 200;
    options.wait_for_ready = ROTA_WAIT_FOR_READY;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_unary_start(&f, "x", &options, &seen);
    rota_fixture_resolver_error(&f, ROTA_UNAVAILABLE, "no such host");
    rota_virtual_host_advance(&f.v, 200 * ROTA_MS);
    rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "no such host");
    rota_fixture_unary_start(&f, "x", &options, &seen);
    rota_fixture_publish(&f, ADDRESS, NULL, NULL);
    rota_fake_lose(rota_fixture_conn(&f, ADDRESS), "connection refused");
    rota_virtual_host_advance(&f.v, 200 * ROTA_MS);
    rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "connection refused");
    rota_channel_fixture_fini(&f);
}

#define NO_TIMEOUT NULL
#define NOTHING_SENT ""

static const struct deadline_case {
    const char *rule;
    int64_t timeout_ms;
    int64_t deadline_ns; /* with left: of now */
    bool left;
    const char *want; /* grpc-timeout */
} deadline_cases[] = {
    {"neither", 0, 0, false, NO_TIMEOUT},
    {"a deadline that is none", 0, INT64_MAX, false, NO_TIMEOUT},
    {"a timeout and a deadline that is none", 5, INT64_MAX, false, "5000000n"},
    {"a timeout beyond all time", INT64_MAX, 0, false, NO_TIMEOUT},
    {"a deadline", 0, 7 * ROTA_MS, true, "7000000n"},
    {"a deadline in less than a millisecond", 0, ROTA_MS - 1000, true, "999000n"},
    {"the timeout is earlier", 5, 7 * ROTA_MS, true, "5000000n"},
    {"the deadline is earlier", 9, 7 * ROTA_MS, true, "7000000n"},
    {"a negative timeout", -1, 0, false, NOTHING_SENT},
    {"a deadline that is now", 0, 0, true, NOTHING_SENT},
    {"a deadline in the past, whatever the timeout", 9, -1, true, NOTHING_SENT},
    {"a deadline before time", 0, INT64_MIN, false, NOTHING_SENT},
};

static void a_deadline_is_the_earlier_and_sends_nothing_when_past(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(deadline_cases); i++) {
        const struct deadline_case *c = &deadline_cases[i];
        struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_conn *conn;
        const char *sent;

        print_message("  %s\n", c->rule);
        rota_channel_fixture_init(&f, NULL);
        conn = rota_fixture_ready(&f, ADDRESS);
        rota_virtual_host_advance(&f.v, ROTA_S); /* from 0, which is no deadline */
        options.timeout_ms = c->timeout_ms;
        options.deadline_ns = c->left ? f.v.host.now_ns + c->deadline_ns : c->deadline_ns;
        rota_fixture_unary_start(&f, "x", &options, &seen);
        assert_int_equal(conn->n_streams, c->want == NO_TIMEOUT || *c->want != '\0');
        if (conn->n_streams == 0) {
            rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "");
        } else {
            sent = rota_fake_header(rota_fake_stream_at(conn, 0), "grpc-timeout");
            assert_string_equal(sent == NULL ? "none" : sent, c->want == NO_TIMEOUT ? "none" : c->want);
            rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
            rota_assert_ended(&seen, ROTA_OK, "");
        }
        rota_channel_fixture_fini(&f);
    }
}

struct newer_options {
    struct rota_call_options known;
    int64_t unknown;
};

static const struct version_case {
    const char *rule;
    size_t size;
    const char *want; /* grpc-timeout */
} version_cases[] = {
    {"of an older program, which knows no deadline", offsetof(struct rota_call_options, deadline_ns), "9000000n"},
    {"of this version", sizeof(struct rota_call_options), "7000000n"},
    {"of a newer program, which knows more", sizeof(struct newer_options), "7000000n"},
};

static void options_count_as_far_as_both_know_them(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(version_cases); i++) {
        struct newer_options given = {.known = ROTA_CALL_OPTIONS_INIT, .unknown = 1};
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_conn *conn;

        print_message("  %s\n", version_cases[i].rule);
        rota_channel_fixture_init(&f, NULL);
        conn = rota_fixture_ready(&f, ADDRESS);
        given.known.size = version_cases[i].size;
        given.known.timeout_ms = 9;
        given.known.deadline_ns = f.v.host.now_ns + 7 * ROTA_MS;
        rota_fixture_unary_start(&f, "x", &given.known, &seen);
        assert_string_equal(rota_fake_header(rota_fake_stream_at(conn, 0), "grpc-timeout"), version_cases[i].want);
        rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
        rota_assert_ended(&seen, ROTA_OK, "");
        rota_channel_fixture_fini(&f);
    }
}

static void the_timeout_sent_is_what_remains(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.timeout_ms = 1000;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_unary_start(&f, "x", &options, &seen);
    rota_fixture_publish(&f, ADDRESS, NULL, NULL);
    rota_virtual_host_advance(&f.v, 400 * ROTA_MS);
    rota_fake_up(rota_fixture_conn(&f, ADDRESS));
    assert_string_equal(rota_fake_header(rota_fake_stream_at(rota_fixture_conn(&f, ADDRESS), 0), "grpc-timeout"), "600000u");
    rota_channel_fixture_fini(&f);
}

static void a_reset_at_the_deadline_is_the_deadline(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream;

    (void)unused;
    options.timeout_ms = 200;
    stream = call_open(&f, &options, &seen);
    f.v.host.now_ns += 200 * ROTA_MS; /* the reset was read before the timer could fire */
    stream->conn->n_open--;
    stream->dead = true;
    f.v.host.in_turn = true;
    stream->events->on_closed(stream->owner, &(struct rota_stream_end){.cause = ROTA_STREAM_RESET, .h2_code = 8, .detail = "CANCEL"});
    f.v.host.in_turn = false;
    rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "");
    rota_channel_fixture_fini(&f);
}

static void a_request_over_the_limit_ends_its_call(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.max_request_bytes = 3;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_unary_start(&f, "four", NULL, &seen);
    rota_assert_ended(&seen, ROTA_RESOURCE_EXHAUSTED, "4 bytes is larger than the limit of 3");
    assert_int_equal(f.started, 0);
    rota_channel_fixture_fini(&f);
}

static void bad_starts_are_refused(void **unused)
{
    static const struct rota_method nameless = {.path = "Say"};
    struct rota_channel_fixture f;
    struct rota_call_options written[3];
    struct rota_slice bytes = {0};
    struct rota_metadata *metadata = NULL;
    struct rota_call *call;
    char message[10];

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    for (size_t i = 0; i < ROTA_COUNT(written); i++)
        written[i] = (struct rota_call_options)ROTA_CALL_OPTIONS_INIT;
    written[0].ret_initial_metadata = written[1].ret_trailing_metadata = &metadata;
    written[2].ret_message = message;
    written[2].message_size = sizeof(message);
    for (size_t i = 0; i < ROTA_COUNT(written); i++) {
        assert_int_equal(rota_unary_start(f.channel, &rota_fixture_unary, &written[i], &bytes, rota_fixture_unary_done, NULL, NULL), ROTA_EINVAL);
        assert_int_equal(rota_call_start(f.channel, &rota_fixture_stream, &written[i], &rota_fixture_events, NULL, &call), ROTA_EINVAL);
    }
    assert_int_equal(rota_unary_start(f.channel, &rota_fixture_unary, NULL, &bytes, NULL, NULL, NULL), ROTA_EINVAL);
    assert_int_equal(rota_unary_start(f.channel, &rota_fixture_stream, NULL, &bytes, rota_fixture_unary_done, NULL, NULL), ROTA_EINVAL);
    assert_int_equal(rota_call_start(f.channel, &rota_fixture_stream, NULL, NULL, NULL, NULL), ROTA_EINVAL);
    assert_int_equal(rota_call_start_packed(f.channel, &nameless, NULL, NULL, NULL, NULL), ROTA_EINVAL);
    rota_channel_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_sent_whole),
        cmocka_unit_test(what_cannot_be_sent_says_why),
        cmocka_unit_test(answers_become_statuses),
        cmocka_unit_test(a_deadline_ends_a_call_at_its_time),
        cmocka_unit_test(cancelling_ends_a_call_from_a_later_turn),
        cmocka_unit_test(closing_ends_a_call_at_every_stage),
        cmocka_unit_test(each_call_has_its_own_deadline),
        cmocka_unit_test(a_deadline_tells_what_stood_in_the_way),
        cmocka_unit_test(a_deadline_is_the_earlier_and_sends_nothing_when_past),
        cmocka_unit_test(options_count_as_far_as_both_know_them),
        cmocka_unit_test(the_timeout_sent_is_what_remains),
        cmocka_unit_test(a_reset_at_the_deadline_is_the_deadline),
        cmocka_unit_test(a_request_over_the_limit_ends_its_call),
        cmocka_unit_test(bad_starts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
