/* settings_test.c - the peer's SETTINGS_INITIAL_WINDOW_SIZE: what a frame of several values makes of the windows of streams, and that who changes
 * it as honest peers do is let do so, with however many streams open. What floods of it come to: flood_test.c.
 */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/session.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

#define SECOND_NS INT64_C(1000000000)

static struct wire wire;

static void put_windows(const uint32_t *values, size_t count)
{
    uint8_t payload[16 * 6];

    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) {
        payload[6 * i] = 0;
        payload[6 * i + 1] = ROTA_H2_SETTINGS_INITIAL_WINDOW_SIZE;
        rota_h2_put_u32(payload + 6 * i + 2, values[i]);
    }
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, payload, 6 * count);
}

static void feed(struct pair_side *side)
{
    pair_feed(side, wire.bytes, wire.size);
    wire.size = 0;
}

static void server_with_a_stream(struct pair *pair)
{
    assert_int_equal(pair_init(pair, NULL, NULL, NULL), 0);
    wire.size = 0;
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    feed(&pair->server);
}

#define MOST 0x7fffffff

static const struct window_case {
    const char *rule;
    uint32_t extra; /* by WINDOW_UPDATE, before */
    uint32_t values[3];
    size_t count;
    int64_t want; /* what may be sent; -1: the connection ends */
} window_cases[] = {
    {"the last value holds", 0, {10, 70000, 1000}, 3, 1000},
    {"what the stream was given besides is left to it", 7, {10, 70000, 1000}, 3, 1007},
    {"the value that it had already", 7, {65535}, 1, 65542},
    {"up and back", 7, {70000, 65535}, 2, 65542},
    {"down and back", 7, {0, 65535}, 2, 65542},
    {"the largest", 0, {MOST}, 1, MOST},
    {"the largest and back", 0, {MOST, 65535}, 2, 65535},
    {"the largest overflows what was given more", 1, {MOST}, 1, -1},
    {"and does so if it is taken back", 1, {MOST, 65535}, 2, -1},
    {"or is less at the end", 1, {10, MOST, 1000}, 3, -1},
    {"just no overflow", 1, {MOST - 1, 0}, 2, 1},
    {"above the largest, and taken back", 0, {0x80000000, 65535}, 2, -1},
};

static void values_of_a_frame_take_effect_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(window_cases); i++) {
        const struct window_case *c = &window_cases[i];
        struct pair pair;

        print_message("  %s\n", c->rule);
        server_with_a_stream(&pair);
        if (c->extra > 0)
            wire_number(&wire, WIRE_WINDOW, 1, c->extra);
        put_windows(c->values, c->count);
        feed(&pair.server);
        assert_int_equal(pair.server.err, c->want < 0 ? ROTA_EPROTO : 0);
        if (c->want < 0)
            assert_non_null(strstr(rota_h2_fault(pair.server.h2), "(FLOW_CONTROL_ERROR)"));
        else
            assert_int_equal(pair.server.streams[1]->send_left, c->want);
        pair_fini(&pair);
    }
}

/* The stream of the first DATA frame that goes out; 0: there is none. */
static uint32_t first_data(struct pair *pair)
{
    uint8_t out[4096];
    size_t size;

    assert_int_equal(rota_h2_pull(pair->server.h2, out, sizeof(out), pair->now_ns, &size), 0);
    for (size_t at = 0; at < size; at += ROTA_H2_HEAD_BYTES + rota_h2_head_read(out + at).length)
        if (out[at + 3] == WIRE_DATA)
            return (uint32_t)rota_h2_head_read(out + at).id;
    return 0;
}

/* Its turn comes with the window that it keeps, not with one that it had for a moment. */
static void a_value_that_is_taken_back_gives_no_turn(void **state)
{
    static const uint32_t none[] = {0}, up_and_back[] = {5, 0};
    struct pair pair;

    (void)state;
    server_with_a_stream(&pair);
    wire_headers(&wire, 0, 3, WIRE_REQUEST);
    put_windows(none, 1);
    feed(&pair.server);
    for (int n = 1; n <= 2; n++) {
        assert_int_equal(pair_respond(&pair, n, false), 0);
        assert_int_equal(pair_send(&pair.server, n, 10, false), 0);
    }
    assert_int_equal(first_data(&pair), 0);
    put_windows(up_and_back, 2);
    wire_number(&wire, WIRE_WINDOW, 3, 10);
    wire_number(&wire, WIRE_WINDOW, 1, 10);
    feed(&pair.server);
    assert_int_equal(first_data(&pair), 3);
    pair_fini(&pair);
}

/* A window that follows the bandwidth doubles a dozen times at first, and then changes with each measurement that differs. */
static void change_windows_honestly(struct pair *pair, struct pair_side *side, int at_once, int a_second)
{
    for (int second = 0; second < 60; second++) {
        for (int i = 0; i < (second == 0 ? at_once : a_second); i++) {
            uint32_t value = 65535 + 1000 * (uint32_t)(i % 2 + 1);

            put_windows(&value, 1);
            feed(side);
            while (pair_pass(side, NULL, 65536) > 0) {
            }
        }
        pair->now_ns += SECOND_NS;
    }
    assert_int_equal(side->err, 0);
}

static void a_client_with_a_thousand_calls_may_change_its_windows(void **state)
{
    struct rota_h2_options options = {.max_concurrent_streams = 1000, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
    pair.server.mute = true;
    wire.size = 0;
    wire_magic(&wire);
    for (uint32_t i = 0; i < 1000; i++)
        wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST);
    feed(&pair.server);
    assert_int_equal(rota_h2_streams(pair.server.h2), 1000);
    change_windows_honestly(&pair, &pair.server, 100, 10);
    pair_fini(&pair);
}

/* Thousands of calls are the client's own choice, for which the server does not pay. */
static void a_server_with_more_calls_may_too(void **state)
{
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    pair.client.mute = true;
    wire.size = 0;
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
    feed(&pair.client);
    for (int n = 1; n <= 5900; n++)
        assert_int_equal(pair_open(&pair, true), n);
    while (pair_pass(&pair.client, NULL, 65536) > 0) {
    }
    assert_int_equal(rota_h2_streams(pair.client.h2), 5900);
    change_windows_honestly(&pair, &pair.client, 30, 2);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_a_frame_take_effect_together),
        cmocka_unit_test(a_value_that_is_taken_back_gives_no_turn),
        cmocka_unit_test(a_client_with_a_thousand_calls_may_change_its_windows),
        cmocka_unit_test(a_server_with_more_calls_may_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
