/* open_test.c - when a stream may be opened, and what its header fields may be. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/session.h"
#include "testing/cmocka.h"
#include <stdlib.h>

static void server_with_streams(struct pair *pair, uint32_t max_streams)
{
    struct rota_h2_options options = {
        .max_concurrent_streams = max_streams,
        .keepalive_time_ns = INT64_MAX,
        .handshake_deadline_ns = INT64_MAX,
    };

    assert_int_equal(pair_init(pair, NULL, NULL, &options), 0);
}

static void no_more_streams_than_the_server_allows(void **state)
{
    struct pair pair;

    (void)state;
    server_with_streams(&pair, 2);
    pair_run(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    assert_int_equal(pair_open(&pair, true), 2);
    assert_int_equal(pair_open(&pair, true), ROTA_EAGAIN);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "ready");
    assert_int_equal(pair_respond(&pair, 1, true), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "headers/1:2:end closed/1:done room");
    assert_int_equal(pair_respond(&pair, 2, true), 0);
    pair_run(&pair);
    /* Nobody was turned away since, so nobody is told. */
    assert_string_equal(pair_log(&pair.client), "headers/2:2:end closed/2:done");
    pair_fini(&pair);
}

static void no_room_is_told_while_draining(void **state)
{
    struct pair pair;

    (void)state;
    server_with_streams(&pair, 1);
    pair_run(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    assert_int_equal(pair_open(&pair, true), ROTA_EAGAIN);
    pair_run(&pair);
    rota_h2_drain(pair.client.h2, 0);
    assert_int_equal(pair_respond(&pair, 1, true), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "ready headers/1:2:end closed/1:done goaway(0)");
    pair_fini(&pair);
}

static void a_reset_stream_makes_room_once_the_reset_is_out(void **state)
{
    struct pair pair;

    (void)state;
    server_with_streams(&pair, 1);
    pair_run(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(pair_open(&pair, true), ROTA_EAGAIN);
    rota_h2_reset(pair.client.streams[1], 8);
    assert_int_equal(pair_open(&pair, true), ROTA_EAGAIN);
    pair_log(&pair.client);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "room");
    assert_int_equal(pair_open(&pair, true), 2);
    pair_fini(&pair);
}

static void before_settings_a_hundred_may_be_opened(void **state)
{
    struct pair pair;

    (void)state;
    server_with_streams(&pair, 1000);
    for (int i = 1; i <= 100; i++)
        assert_int_equal(pair_open(&pair, true), i);
    assert_int_equal(pair_open(&pair, true), ROTA_EAGAIN);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "ready room");
    assert_int_equal(pair_open(&pair, true), 101);
    pair_fini(&pair);
}

/* What was opened before SETTINGS came and is above their limit is refused, and may go elsewhere. */
static void streams_above_a_late_limit_are_unprocessed(void **state)
{
    struct pair pair;

    (void)state;
    server_with_streams(&pair, 1);
    assert_int_equal(pair_open(&pair, true), 1);
    assert_int_equal(pair_open(&pair, true), 2);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.server), "ready request/1:6:end");
    assert_string_equal(pair_log(&pair.client), "ready closed/2:unprocessed");
    pair_fini(&pair);
}

/* Whoever opens streams here is told once that it must go elsewhere, as if the peer had said so. */
static void the_last_stream_id_drains_the_connection(void **state)
{
    struct pair pair;

    (void)state;
    server_with_streams(&pair, 10);
    pair_run(&pair);
    pair.client.h2->next_id = INT32_MAX - 2;
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "ready");
    assert_int_equal(pair_open(&pair, true), 2);
    assert_int_equal(pair_open(&pair, true), ROTA_ECLOSED);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "goaway(0)");
    assert_int_equal(pair_respond(&pair, 1, true), 0);
    pair_run(&pair);
    assert_false(rota_h2_finished(pair.client.h2));
    assert_int_equal(pair_respond(&pair, 2, true), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "headers/1:2:end closed/1:done headers/2:2:end closed/2:done goaway(0)");
    assert_true(rota_h2_finished(pair.client.h2));
    pair_fini(&pair);
}

static rota_err open_with(struct pair *pair, size_t count, size_t value_size)
{
    struct rota_header *headers = calloc(count, sizeof(*headers));
    char *value = malloc(value_size + 1);
    struct rota_h2_stream *stream;
    rota_err err;

    assert_non_null(headers);
    assert_non_null(value);
    memset(value, 'v', value_size);
    for (size_t i = 0; i < count; i++)
        headers[i] = (struct rota_header){ROTA_SLICE("x"), rota_slice(value, value_size)};
    err = rota_h2_open(pair->client.h2, headers, count, true, NULL, &stream);
    if (err == 0)
        rota_h2_reset(stream, 8);
    free(headers);
    free(value);
    return err;
}

static const struct size_case {
    const char *rule;
    bool settings; /* the server's, which announce 8 KiB, have come */
    size_t count, value_size;
    rota_err want;
} size_cases[] = {
    {"the peer's limit, to the byte", true, 1, 8192 - 33, 0},
    {"one byte more", true, 1, 8192 - 32, ROTA_ELIMIT},
    {"every field counts 32 more", true, 8192 / 34 + 1, 1, ROTA_ELIMIT},
    {"more fields than fit on the stack", true, 100, 1, 0},
    {"unknown limit: 64 KiB", false, 1, 65536 - 33, 0},
    {"unknown limit: one byte more", false, 1, 65536 - 32, ROTA_ELIMIT},
};

static void header_lists_have_a_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(size_cases); i++) {
        struct pair pair;

        print_message("  %s\n", size_cases[i].rule);
        server_with_streams(&pair, 10);
        if (size_cases[i].settings)
            pair_run(&pair);
        assert_int_equal(rota_h2_max_header_bytes(pair.client.h2), size_cases[i].settings ? 8192 : 65536);
        assert_int_equal(open_with(&pair, size_cases[i].count, size_cases[i].value_size), size_cases[i].want);
        pair_run(&pair);
        assert_int_equal(pair.client.err, 0);
        pair_fini(&pair);
    }
}

/* The encoder's own limit must be no lower than ours, or a stream would fail after it was accepted. */
static void the_largest_list_is_sent(void **state)
{
    static char value[65536];
    static const struct rota_h2_options large = {
        .max_header_bytes = 100000,
        .keepalive_time_ns = INT64_MAX,
        .handshake_deadline_ns = INT64_MAX,
    };
    struct rota_header headers[] = {
        {ROTA_SLICE(":method"), ROTA_SLICE("POST")},
        {ROTA_SLICE(":scheme"), ROTA_SLICE("http")},
        {ROTA_SLICE(":path"), ROTA_SLICE("/")},
        {ROTA_SLICE(":authority"), ROTA_SLICE("a")},
        {ROTA_SLICE("x"), {0}},
    };
    struct rota_h2_stream *stream;
    struct pair pair;

    (void)state;
    memset(value, '~', sizeof(value)); /* longer when compressed, so it goes out as it is */
    headers[4].value = rota_slice(value, 65536 - 5 * 32 - 11 - 11 - 6 - 11 - 1);
    assert_int_equal(pair_init(&pair, NULL, NULL, &large), 0);
    pair_run(&pair);
    pair_log(&pair.server);
    assert_int_equal(rota_h2_open(pair.client.h2, headers, 5, true, NULL, &stream), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.server), "request/1:5:end");
    headers[4].value.size++;
    assert_int_equal(rota_h2_open(pair.client.h2, headers, 5, true, NULL, &stream), ROTA_ELIMIT);
    pair_fini(&pair);
}

static void fields_arrive_as_they_were(void **state)
{
    static const struct rota_header trailers[] = {
        {ROTA_SLICE("grpc-status"), ROTA_SLICE("5")},
        {ROTA_SLICE("grpc-message"), ROTA_SLICE("not there")},
        {ROTA_SLICE("empty"), ROTA_SLICE("")},
        {ROTA_SLICE("twice"), ROTA_SLICE("a")},
        {ROTA_SLICE("twice"), ROTA_SLICE("b")},
    };
    struct pair pair;

    (void)state;
    server_with_streams(&pair, 10);
    pair_run(&pair);
    pair_log(&pair.client);
    pair_log(&pair.server);
    pair.client.details = pair.server.details = true;
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.server),
        "request/1:6:end :method=POST :scheme=http :path=/proto.HelloService/Say :authority=127.0.0.1:8001 te=trailers "
        "content-type=application/grpc");
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    assert_int_equal(pair_respond(&pair, 1, false), ROTA_ESTATE);
    assert_int_equal(pair_send(&pair.server, 1, 3, false), 0);
    assert_int_equal(rota_h2_send_trailers(pair.server.streams[1], trailers, ROTA_COUNT(trailers)), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client),
        "headers/1:2 :status=200 content-type=application/grpc data/1:3 end/1:5 grpc-status=5 grpc-message=not there "
        "empty= twice=a twice=b closed/1:done");
    pair_fini(&pair);
}

static void a_server_sends_headers_first(void **state)
{
    struct pair pair;

    (void)state;
    server_with_streams(&pair, 10);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(pair_send(&pair.server, 1, 3, false), ROTA_ESTATE);
    assert_int_equal(pair_trailers(&pair, 1), ROTA_ESTATE);
    assert_int_equal(pair_respond(&pair, 1, true), 0);
    assert_int_equal(pair_send(&pair.server, 1, 3, false), ROTA_ESTATE);
    assert_int_equal(pair_trailers(&pair, 1), ROTA_ESTATE);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_streams_than_the_server_allows),
        cmocka_unit_test(no_room_is_told_while_draining),
        cmocka_unit_test(a_reset_stream_makes_room_once_the_reset_is_out),
        cmocka_unit_test(before_settings_a_hundred_may_be_opened),
        cmocka_unit_test(streams_above_a_late_limit_are_unprocessed),
        cmocka_unit_test(the_last_stream_id_drains_the_connection),
        cmocka_unit_test(header_lists_have_a_limit),
        cmocka_unit_test(the_largest_list_is_sent),
        cmocka_unit_test(fields_arrive_as_they_were),
        cmocka_unit_test(a_server_sends_headers_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
