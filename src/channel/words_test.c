/* words_test.c - status messages: cut at a character, and the whole message is of the same status. */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include "base/text.h"

#define A "1.1.1.1:1"

/* Characters of two bytes, at odd places and at even ones. */
static void a_long_message_is_cut_at_a_character(void **unused)
{
    static const enum rota_wait_for_ready waits[] = {ROTA_FAIL_FAST, ROTA_WAIT_FOR_READY};

    (void)unused;
    for (size_t shift = 0; shift < 2; shift++) {
        for (size_t i = 0; i < ROTA_COUNT(waits); i++) {
            struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
            struct rota_channel_fixture f;
            struct rota_seen_call seen;
            char text[ROTA_STATUS_MESSAGE_SIZE] = "x";

            for (size_t at = shift; at + 2 < sizeof(text); at += 2)
                memcpy(text + at, "\303\244", 3);
            options.timeout_ms = 100;
            options.wait_for_ready = waits[i];
            rota_channel_fixture_init(&f, NULL);
            rota_fixture_unary_start(&f, "x", &options, &seen);
            rota_fixture_resolver_error(&f, ROTA_UNAVAILABLE, text);
            rota_virtual_host_advance(&f.v, 100 * ROTA_MS);
            rota_assert_ended(&seen, waits[i] == ROTA_FAIL_FAST ? ROTA_UNAVAILABLE : ROTA_DEADLINE_EXCEEDED, "\303\244");
            assert_true(rota_text_is_utf8(rota_slice_str(seen.status.message)));
            assert_in_range(strlen(seen.status.message), ROTA_STATUS_MESSAGE_SIZE - 3, ROTA_STATUS_MESSAGE_SIZE - 1);
            rota_channel_fixture_fini(&f);
        }
    }
}

static void ignore_message(struct rota_call *call, void *arg, const void *message)
{
    (void)call;
    (void)arg;
    (void)message;
}

static void compare_on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    assert_int_equal(status->code, ROTA_INTERNAL);
    assert_non_null(strstr(status->message, "without a reply"));
    assert_true(rota_slice_equal(rota_call_message(call), rota_slice_str(status->message)));
    ++*(int *)arg;
}

/* The server's text goes with the server's OK. */
static void a_status_of_ours_has_no_text_of_the_servers(void **unused)
{
    static const struct rota_call_events events = {.on_message = ignore_message, .on_done = compare_on_done};
    struct rota_channel_fixture f;
    struct rota_fake_stream *stream;
    struct rota_call *call;
    int n_done = 0;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_ready(&f, A);
    assert_int_equal(rota_call_start(f.channel, &rota_fixture_unary, NULL, &events, &n_done, &call), 0);
    stream = rota_fake_stream_at(rota_fixture_conn(&f, A), 0);
    rota_fake_headers(stream);
    rota_fake_trailers(stream, ROTA_OK, "all is well");
    assert_int_equal(n_done, 1);
    rota_channel_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_message_is_cut_at_a_character),
        cmocka_unit_test(a_status_of_ours_has_no_text_of_the_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
