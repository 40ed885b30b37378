/* stream_test.c - streaming calls: messages both ways, the send queue, flow control while held, callbacks that do things. */
#include "channel/channel_fixture.h"
#include <rota/interceptor.h>
#include "base/assert.h"

#define A "1.1.1.1:1"

static struct rota_fake_stream *stream_open(struct rota_channel_fixture *f, const struct rota_channel_options *options, struct rota_seen_call *seen)
{
    struct rota_fake_conn *conn;

    rota_channel_fixture_init(f, options);
    conn = rota_fixture_ready(f, A);
    rota_fixture_stream_start(f, NULL, seen);
    return rota_fake_stream_at(conn, 0);
}

static void messages_go_both_ways(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);

    (void)unused;
    assert_int_equal(rota_fixture_write(&seen, "ping"), 0);
    assert_string_equal(rota_fake_request(stream), "ping");
    rota_fake_headers(stream);
    assert_int_equal(seen.headers, 1);
    rota_fake_message(stream, "pong");
    rota_fake_message(stream, "");
    assert_string_equal(seen.messages, "pong||");
    assert_int_equal(rota_fixture_write(&seen, "more"), 0);
    assert_int_equal(stream->n_sends, 2);
    assert_false(stream->end);
    assert_int_equal(rota_call_write_end(seen.call), 0);
    assert_int_equal(rota_call_write_end(seen.call), 0); /* harmless */
    assert_true(stream->end);
    assert_int_equal(rota_fixture_write(&seen, "late"), ROTA_ECLOSED);
    rota_fake_trailers(stream, ROTA_OK, "");
    rota_assert_ended(&seen, ROTA_OK, "");
    assert_string_equal(seen.trailing, "t");
    assert_string_equal(seen.peer, A);
    rota_channel_fixture_fini(&f);
}

static void a_request_stream_without_messages_ends_with_data(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_stream_start(&f, NULL, &seen);
    assert_int_equal(rota_call_write_end(seen.call), 0);
    stream = rota_fake_stream_at(rota_fixture_ready(&f, A), 0);
    assert_int_equal(stream->n_sends, 1); /* not with the headers */
    assert_int_equal(rota_buffer_peek(&stream->data).size, 0);
    assert_true(stream->end);
    rota_fake_headers(stream);
    rota_fake_trailers(stream, ROTA_OK, "");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void messages_come_in_any_pieces(void **unused)
{
    static const uint8_t bytes[] = "\0\0\0\0\3one\0\0\0\0\0\0\0\0\0\3two";

    (void)unused;
    for (size_t piece = 1; piece <= sizeof(bytes) - 1; piece++) {
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);

        rota_fake_headers(stream);
        for (size_t at = 0; at < sizeof(bytes) - 1; at += piece)
            rota_fake_data(stream, rota_slice(bytes + at, at + piece < sizeof(bytes) ? piece : sizeof(bytes) - 1 - at));
        assert_string_equal(seen.messages, "one||two|");
        assert_int_equal(stream->consumed, sizeof(bytes) - 1);
        rota_channel_fixture_fini(&f);
    }
}

static void writes_before_the_connection_are_kept_to_a_limit(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream;
    unsigned written = 0;

    (void)unused;
    options.send_queue_bytes = 1000;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_stream_start(&f, NULL, &seen);
    while (rota_fixture_write(&seen, "0123456789") == 0)
        written++;
    assert_true(written > 5 && written < 100);
    assert_int_equal(rota_fixture_write(&seen, "0123456789"), ROTA_EAGAIN);
    rota_fixture_publish(&f, A, NULL, NULL);
    assert_int_equal(seen.writables, 0);
    rota_fake_up(rota_fixture_conn(&f, A));
    stream = rota_fake_stream_at(rota_fixture_conn(&f, A), 0);
    assert_int_equal(stream->n_sends, written);
    assert_int_equal(seen.writables, 1);
    assert_int_equal(rota_fixture_write(&seen, "0123456789"), 0);
    rota_channel_fixture_fini(&f);
}

static void a_full_stream_refuses_until_it_is_writable(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream;

    (void)unused;
    options.send_queue_bytes = 1000;
    stream = stream_open(&f, &options, &seen);
    assert_int_equal(stream->conn->high_mark_bytes, 1000);
    stream->queued = 999;
    assert_int_equal(rota_fixture_write(&seen, "a"), 0);
    rota_fake_writable(stream);
    assert_int_equal(seen.writables, 0); /* nobody was refused */
    stream->queued = 1000;
    assert_int_equal(rota_fixture_write(&seen, "b"), ROTA_EAGAIN);
    assert_int_equal(stream->n_sends, 1);
    rota_fake_writable(stream);
    assert_int_equal(seen.writables, 1);
    assert_int_equal(rota_fixture_write(&seen, "b"), 0);
    rota_channel_fixture_fini(&f);
}

/* --- Holding --- */

static void a_held_call_takes_no_more_than_its_window(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);

    (void)unused;
    seen.hold = true;
    rota_fake_headers(stream);
    rota_fake_data(stream, ROTA_SLICE("\0\0\0\0\1a\0\0\0\0\1b\0\0\0\0\1c"));
    assert_string_equal(seen.messages, "a|");
    assert_int_equal(stream->consumed, 6);
    rota_fake_message(stream, "d");
    assert_int_equal(stream->consumed, 6);
    rota_call_resume(seen.call);
    assert_string_equal(seen.messages, "a|"); /* from a turn only */
    rota_virtual_host_run(&f.v);
    assert_string_equal(seen.messages, "a|b|");
    assert_int_equal(stream->consumed, 12);
    seen.hold = false;
    rota_call_resume(seen.call);
    rota_virtual_host_run(&f.v);
    assert_string_equal(seen.messages, "a|b|c|d|");
    assert_int_equal(stream->consumed, 24);
    rota_channel_fixture_fini(&f);
}

static void a_message_larger_than_the_window_comes_in(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);
    uint8_t half[1000] = {0};

    (void)unused;
    rota_fake_headers(stream);
    rota_fake_data(stream, ROTA_SLICE("\0\0\1\0\0"));
    for (int i = 0; i < 65; i++) {
        rota_fake_data(stream, rota_slice(half, sizeof(half)));
        assert_int_equal(stream->consumed, stream->given); /* or it would never be whole */
    }
    rota_fake_data(stream, rota_slice(half, 536));
    assert_int_equal(seen.n_messages, 1);
    rota_channel_fixture_fini(&f);
}

static void the_end_waits_behind_what_is_held(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);

    (void)unused;
    assert_int_equal(rota_call_write_end(seen.call), 0);
    seen.hold = true;
    rota_fake_headers(stream);
    rota_fake_message(stream, "a");
    rota_fake_message(stream, "b");
    rota_fake_trailers(stream, ROTA_DATA_LOSS, "broken");
    assert_true(stream->dead);
    assert_int_equal(stream->consumed, stream->given);
    rota_assert_running(&seen);
    seen.hold = false;
    rota_call_resume(seen.call);
    rota_virtual_host_run(&f.v);
    assert_string_equal(seen.messages, "a|b|");
    rota_assert_ended(&seen, ROTA_DATA_LOSS, "broken");
    rota_channel_fixture_fini(&f);
}

static void end_ok(struct rota_fake_stream *stream)
{
    rota_fake_trailers(stream, ROTA_OK, "");
}

static void end_reset(struct rota_fake_stream *stream)
{
    rota_fake_close(stream, ROTA_STREAM_RESET, 8, false);
}

static void end_lost(struct rota_fake_stream *stream)
{
    rota_fake_lose(stream->conn, "cut");
}

/* Nothing else would tell the writer: the stream is gone, and on_done comes only when the reader has taken what is held. */
static void a_refused_writer_hears_of_an_end_that_waits(void **unused)
{
    static const struct {
        const char *rule;
        void (*end)(struct rota_fake_stream *stream);
        enum rota_code code;
    } cases[] = {
        {"trailers", end_ok, ROTA_OK},
        {"a reset", end_reset, ROTA_CANCELLED},
        {"the connection's loss", end_lost, ROTA_UNAVAILABLE},
    };
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    (void)unused;
    options.send_queue_bytes = 1000;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_stream *stream = stream_open(&f, &options, &seen);

        print_message("  %s\n", cases[i].rule);
        seen.hold = true;
        rota_fake_headers(stream);
        rota_fake_message(stream, "a");
        rota_fake_message(stream, "b");
        stream->queued = 1000;
        assert_int_equal(rota_fixture_write(&seen, "x"), ROTA_EAGAIN);
        cases[i].end(stream);
        rota_assert_running(&seen);
        assert_int_equal(seen.writables, 1);
        assert_int_equal(rota_fixture_write(&seen, "x"), ROTA_ECLOSED);
        seen.hold = false;
        rota_call_resume(seen.call);
        rota_virtual_host_run(&f.v);
        assert_string_equal(seen.messages, "a|b|");
        rota_assert_ended(&seen, cases[i].code, "");
        assert_int_equal(seen.writables, 1);
        rota_channel_fixture_fini(&f);
    }
}

static void what_is_held_does_not_outlive_a_cancel(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);

    (void)unused;
    seen.hold = true;
    rota_fake_headers(stream);
    rota_fake_message(stream, "a");
    rota_fake_message(stream, "b");
    rota_call_cancel(seen.call);
    assert_int_equal(stream->consumed, stream->given); /* the connection's window is whole again */
    rota_virtual_host_run(&f.v);
    rota_assert_ended(&seen, ROTA_CANCELLED, "");
    assert_string_equal(seen.messages, "a|");
    rota_channel_fixture_fini(&f);
}

static void cancelling_inside_a_message_stops_the_rest(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);

    (void)unused;
    seen.cancel_in_message = true;
    rota_fake_headers(stream);
    rota_fake_data(stream, ROTA_SLICE("\0\0\0\0\1a\0\0\0\0\1b"));
    rota_assert_ended(&seen, ROTA_CANCELLED, "");
    assert_string_equal(seen.messages, "a|");
    assert_int_equal(stream->reset_code, 8);
    rota_channel_fixture_fini(&f);
}

static void ignore_message(struct rota_call *call, void *arg, const void *message)
{
    (void)call;
    (void)arg;
    (void)message;
}

static void the_servers_end_resets_what_we_have_not_ended(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);

    (void)unused;
    rota_fake_headers(stream);
    rota_fake_trailers(stream, ROTA_OK, "");
    rota_assert_ended(&seen, ROTA_OK, "");
    assert_true(stream->reset);
    assert_int_equal(stream->reset_code, 0);
    rota_channel_fixture_fini(&f);
}

/* As a proxy's: what one call tells, another sends. */
static void forward_on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct rota_seen_call *to = arg;

    (void)call;
    assert_int_equal(status->code, ROTA_UNAVAILABLE);
    assert_int_equal(rota_fixture_write(to, "gone"), 0);
    assert_int_equal(rota_call_write_end(to->call), 0);
    assert_int_equal(to->dones, 0);
}

static void a_write_while_the_connections_loss_is_told_is_no_failure(void **unused)
{
    static const struct rota_call_events forwarding = {.on_message = ignore_message, .on_done = forward_on_done};
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_call *first;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_ready(&f, A);
    assert_int_equal(rota_call_start(f.channel, &rota_fixture_stream, NULL, &forwarding, &seen, &first), 0);
    rota_fixture_stream_start(&f, NULL, &seen);
    rota_fake_lose(rota_fixture_conn(&f, A), "cut");
    rota_assert_ended(&seen, ROTA_UNAVAILABLE, "connection to " A " lost: cut");
    rota_channel_fixture_fini(&f);
}

static void a_send_without_memory_ends_the_call(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream = stream_open(&f, NULL, &seen);

    (void)unused;
    f.transport.send_err = ROTA_ENOMEM;
    assert_int_equal(rota_fixture_write(&seen, "x"), ROTA_ENOMEM);
    rota_assert_running(&seen);
    rota_virtual_host_run(&f.v);
    rota_assert_ended(&seen, ROTA_RESOURCE_EXHAUSTED, "out of memory");
    assert_true(stream->reset);
    rota_channel_fixture_fini(&f);
}

/* --- Packed messages --- */

static void packed_on_message(struct rota_call *call, void *arg, const void *message)
{
    const struct rota_slice *bytes = message;

    (void)call;
    assert_true(rota_slice_equal(*bytes, ROTA_SLICE("reply")));
    ++*(unsigned *)arg;
}

static void packed_on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    (void)call;
    assert_int_equal(status->code, ROTA_OK);
    ++*(unsigned *)arg;
}

static void packed_messages_and_a_call_that_is_kept(void **unused)
{
    static const struct rota_call_events events = {.on_message = packed_on_message, .on_done = packed_on_done};
    struct rota_channel_fixture f;
    struct rota_fake_stream *stream;
    struct rota_chunk *chunk;
    struct rota_call *call;
    unsigned seen = 0;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_ready(&f, A);
    assert_int_equal(rota_call_start_packed(f.channel, &rota_fixture_unary, NULL, &events, &seen, &call), 0);
    rota_call_keep(call);
    rota_call_set_facade(call, &f);
    assert_ptr_equal(rota_call_facade(call), &f);
    assert_ptr_equal(rota_call_method(call), &rota_fixture_unary);
    chunk = rota_chunk_new(&f.leaks.alloc, 5 + 3);
    memcpy(chunk->data + 5, "abc", 3);
    chunk->size = 8;
    assert_int_equal(rota_call_write_packed(call, chunk, NULL), 0);
    stream = rota_fake_stream_at(rota_fixture_conn(&f, A), 0);
    assert_string_equal(rota_fake_request(stream), "abc");
    assert_true(stream->end); /* a method with one request: its end travels with it */
    chunk = rota_chunk_new(&f.leaks.alloc, 5);
    chunk->size = 5;
    assert_int_equal(rota_call_write_packed(call, chunk, NULL), ROTA_ECLOSED);
    assert_int_equal(rota_call_write_end(call), 0);
    rota_fake_reply(stream, "reply");
    assert_int_equal(seen, 2);
    rota_channel_fixture_close(&f);
    assert_string_equal(rota_call_peer(call), A); /* the channel is gone, the call is not */
    assert_int_equal(rota_metadata_count(rota_call_trailing_metadata(call)), 1);
    rota_call_cancel(call);
    rota_call_drop(call);
    rota_leak_alloc_fini(&f.leaks);
}

static void taking_on_message(struct rota_call *call, void *arg, const void *message)
{
    const struct rota_slice *bytes = message;
    struct rota_chunk **taken = arg;

    assert_true(rota_slice_equal(*bytes, ROTA_SLICE("reply")));
    *taken = rota_call_take_packed(call);
    assert_true(*taken == NULL || rota_slice_equal(rota_chunk_slice(*taken), *bytes));
    assert_null(rota_call_take_packed(call));
}

static void ignore_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    (void)call;
    (void)arg;
    assert_int_equal(status->code, ROTA_OK);
}

/* Then who is shown it need not copy it; it lives on without the call. */
static void a_message_that_came_in_pieces_can_be_taken(void **unused)
{
    static const struct rota_call_events events = {.on_message = taking_on_message, .on_done = ignore_done};
    static const uint8_t bytes[] = "\0\0\0\0\5reply";

    (void)unused;
    for (size_t first = 5; first <= sizeof(bytes) - 1; first++) {
        struct rota_channel_fixture f;
        struct rota_fake_stream *stream;
        struct rota_chunk *taken = NULL;
        struct rota_call *call;

        rota_channel_fixture_init(&f, NULL);
        rota_fixture_ready(&f, A);
        assert_int_equal(rota_call_start_packed(f.channel, &rota_fixture_unary, NULL, &events, &taken, &call), 0);
        assert_int_equal(rota_call_write_end(call), 0);
        stream = rota_fake_stream_at(rota_fixture_conn(&f, A), 0);
        rota_fake_headers(stream);
        rota_fake_data(stream, rota_slice(bytes, first));
        rota_fake_data(stream, rota_slice(bytes + first, sizeof(bytes) - 1 - first));
        rota_fake_trailers(stream, ROTA_OK, "");
        assert_int_equal(taken != NULL, first > 5 && first < sizeof(bytes) - 1);
        rota_channel_fixture_close(&f);
        rota_chunk_unref(taken);
        rota_leak_alloc_fini(&f.leaks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_both_ways),
        cmocka_unit_test(a_request_stream_without_messages_ends_with_data),
        cmocka_unit_test(messages_come_in_any_pieces),
        cmocka_unit_test(writes_before_the_connection_are_kept_to_a_limit),
        cmocka_unit_test(a_full_stream_refuses_until_it_is_writable),
        cmocka_unit_test(a_held_call_takes_no_more_than_its_window),
        cmocka_unit_test(a_message_larger_than_the_window_comes_in),
        cmocka_unit_test(the_end_waits_behind_what_is_held),
        cmocka_unit_test(a_refused_writer_hears_of_an_end_that_waits),
        cmocka_unit_test(what_is_held_does_not_outlive_a_cancel),
        cmocka_unit_test(cancelling_inside_a_message_stops_the_rest),
        cmocka_unit_test(the_servers_end_resets_what_we_have_not_ended),
        cmocka_unit_test(a_write_while_the_connections_loss_is_told_is_no_failure),
        cmocka_unit_test(a_send_without_memory_ends_the_call),
        cmocka_unit_test(packed_messages_and_a_call_that_is_kept),
        cmocka_unit_test(a_message_that_came_in_pieces_can_be_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
