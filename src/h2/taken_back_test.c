/* taken_back_test.c - streams that are reset before they were sent: gone without a trace, or followed by a reset; the peer understands
 * what comes after either way.
 */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>

static char seen[256]; /* the last field of each request that the server saw */
static int n_resets;   /* that it saw */
static struct rota_h2_stream *opened[20];
static int n_opened;

static void see(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    size_t size = strlen(seen);

    (void)side;
    (void)n;
    if (event->type == ROTA_H2_REQUEST) {
        const struct rota_header *last = &event->headers[event->count - 1];

        assert_true(rota_slice_equal(last->name, ROTA_SLICE("x-name")));
        snprintf(seen + size, sizeof(seen) - size, "%.*s", (int)last->value.size, (const char *)last->value.data);
    }
    n_resets += event->type == ROTA_H2_CLOSED && event->cause == ROTA_H2_RESET;
}

/* Each name is new to the table once. */
static void open_named(struct pair *pair, char name, bool end)
{
    const struct rota_header headers[] = {
        {ROTA_SLICE(":method"), ROTA_SLICE("POST")},
        {ROTA_SLICE(":scheme"), ROTA_SLICE("http")},
        {ROTA_SLICE(":path"), ROTA_SLICE("/a/b")},
        {ROTA_SLICE("x-name"), rota_slice(&name, 1)},
    };

    assert_int_equal(rota_h2_open(pair->client.h2, headers, ROTA_COUNT(headers), end, NULL, &opened[++n_opened]), 0);
}

static void reset_opened(int n)
{
    rota_h2_reset(opened[n], 8);
}

static void begin_with(struct pair *pair, const struct rota_h2_options *server)
{
    n_opened = 0;
    assert_int_equal(pair_init(pair, NULL, NULL, server), 0);
    pair->client.mute = pair->server.mute = true;
    pair->server.react = see;
    pair_run(pair);
    open_named(pair, 's', true);
    pair_run(pair);
    reset_opened(1);
    pair_run(pair);
    seen[0] = '\0';
    n_opened = n_resets = 0;
}

static void begin(struct pair *pair)
{
    begin_with(pair, NULL);
}

/* s is in both tables from the start. */
static const struct {
    const char *rule, *opens, *resets, *want;
    int want_resets; /* of streams that could not be taken back */
} cases[] = {
    {"all go", "sss", "", "sss", 0},
    {"the first of those that change no table", "sss", "1", "ss", 0},
    {"the middle one", "sss", "2", "ss", 0},
    {"the last one", "sss", "3", "ss", 0},
    {"all of them", "sss", "213", "", 0},
    {"the last of those that change it", "abc", "3", "ab", 0},
    {"the first: others count on what it added", "abc", "1", "abc", 1},
    {"the middle one, too", "abc", "2", "abc", 1},
    {"what was next to last stays next to last", "abc", "32", "ab", 1},
    {"one before the last that changes nothing", "asb", "2", "ab", 0},
    {"one that changes it before one that does not", "as", "1", "as", 1},
    {"one that uses what another added", "aa", "2", "a", 0},
    {"and the other, which was not the last any more", "aa", "21", "a", 1},
    {"the only one", "a", "1", "", 0},
    {"the last, and the one that came after it", "ab", "2", "a", 0},
};

static void the_peer_understands_what_comes_after(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++)
        for (int piece = 0; piece < 2; piece++) {
            struct pair pair;
            char want[64];

            print_message("  %s%s\n", cases[i].rule, piece == 0 ? "" : ", byte by byte");
            begin(&pair);
            pair.chunking = piece == 0 ? PAIR_WHOLE : PAIR_BYTES;
            for (const char *name = cases[i].opens; *name != '\0'; name++)
                open_named(&pair, *name, true);
            for (const char *n = cases[i].resets; *n != '\0'; n++)
                reset_opened(*n - '0');
            open_named(&pair, 'd', true);
            open_named(&pair, 'd', true);
            open_named(&pair, 'a', true);
            pair_run(&pair);
            open_named(&pair, 's', true);
            open_named(&pair, 'd', true);
            pair_run(&pair);
            snprintf(want, sizeof(want), "%sddasd", cases[i].want);
            assert_string_equal(seen, want);
            assert_int_equal(n_resets, cases[i].want_resets);
            assert_int_equal(pair.server.err, 0);
            pair_fini(&pair);
        }
}

/* Frames that stay are moved, with what is known of where they are. */
static void the_data_of_what_is_taken_back_is_not_counted(void **state)
{
    struct pair pair;

    (void)state;
    begin(&pair);
    for (int i = 0; i < 3; i++) {
        struct rota_chunk *chunk = rota_chunk_new(pair.alloc, 1000);

        open_named(&pair, 's', false);
        memset(chunk->data, 'x', 1000);
        chunk->size = 1000;
        assert_int_equal(rota_h2_send(opened[i + 1], chunk, true), 0);
    }
    reset_opened(1);
    reset_opened(2);
    pair_run(&pair);
    assert_string_equal(seen, "s");
    assert_int_equal(pair.server.total_bytes, 1000);
    /* Had the window lost what was taken back, this would not come through. */
    open_named(&pair, 's', false);
    pair.client.streams[1] = opened[4];
    assert_int_equal(pair_send(&pair.client, 1, 200000, true), 0);
    pair_run(&pair);
    assert_int_equal(pair.server.total_bytes, 201000);
    pair_fini(&pair);
}

/* [RST_STREAM][HEADERS], cut between the two; then the second frame is taken back. */
static void cut_between_frames(struct pair *pair)
{
    begin(pair);
    open_named(pair, 's', true);
    pair_run(pair);
    reset_opened(1);
    open_named(pair, 's', true);
    assert_int_equal(pair_pass(&pair->client, &pair->server, 13), 13);
    reset_opened(2);
    assert_false(rota_h2_wants_write(pair->client.h2));
}

static void nothing_is_left_of_a_cut_between_frames(void **state)
{
    struct pair pair;

    (void)state;
    cut_between_frames(&pair);
    rota_h2_drain(pair.client.h2, 0);
    pair_run(&pair);
    /* The reset is out, so the peer counts no stream any more. */
    assert_true(rota_h2_finished(pair.client.h2));
    pair_fini(&pair);

    cut_between_frames(&pair);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rota_h2_tick(pair.client.h2, (i + 1) * INT64_C(2000000000), NULL), 0); /* it comes to rest */
    open_named(&pair, 's', true);
    pair_run(&pair);
    assert_string_equal(seen, "ss");
    pair_fini(&pair);
}

/* The first byte of the last HEADERS that the client pulls. */
static uint8_t last_block_begins(struct pair *pair)
{
    uint8_t out[4096], first = 0;
    size_t size;

    assert_int_equal(rota_h2_pull(pair->client.h2, out, sizeof(out), pair->now_ns, &size), 0);
    for (size_t at = 24; at < size; at += 9 + ((size_t)out[at + 1] << 8 | out[at + 2]))
        if (out[at + 3] == WIRE_HEADERS)
            first = out[at + 9];
    return first;
}

/* Whoever asks for another size of table wants to hear it at the next block's beginning (RFC 7541, 4.2). */
static void the_size_of_the_table_is_said_again(void **state)
{
    static const struct {
        const char *rule;
        uint8_t size[4];
        uint8_t want;
    } sizes[] = {
        {"no table at all", {0, 0, 0, 0}, 0x20},
        {"a smaller one", {0, 0, 0, 100}, 0x20},
    };
    static struct wire wire;

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(sizes); i++) {
        uint8_t setting[6] = {0, 1};
        struct pair pair;

        print_message("  %s\n", sizes[i].rule);
        memcpy(setting + 2, sizes[i].size, 4);
        wire.size = 0;
        n_opened = 0;
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        wire_frame(&wire, WIRE_SETTINGS, 0, 0, setting, sizeof(setting));
        pair_feed(&pair.client, wire.bytes, wire.size);
        open_named(&pair, 'a', true);
        reset_opened(1);
        open_named(&pair, 'a', true);
        assert_int_equal(last_block_begins(&pair), sizes[i].want);
        pair_fini(&pair);
    }
}

static void send_opened(struct pair *pair, int n, size_t bytes)
{
    pair->client.streams[n] = opened[n];
    assert_int_equal(pair_send(&pair->client, n, bytes, true), 0);
}

/* Each changes the table, and brings data; all but the last are reset, too late to be taken back one by one. */
static void open_and_reset_many(struct pair *pair)
{
    for (char name = 'b'; name <= 'p'; name++) {
        open_named(pair, name, false);
        send_opened(pair, n_opened, 1000);
    }
    for (int n = 2; n < n_opened; n++)
        reset_opened(n);
}

static void goaway(struct pair *pair, uint32_t last_id)
{
    static struct wire wire;
    uint8_t payload[8] = {(uint8_t)(last_id >> 24), (uint8_t)(last_id >> 16), (uint8_t)(last_id >> 8), (uint8_t)last_id};

    wire.size = 0;
    wire_frame(&wire, WIRE_GOAWAY, 0, 0, payload, sizeof(payload));
    pair_feed(&pair->client, wire.bytes, wire.size);
}

/* What was reset before it was sent must go with what is dropped, on whose header blocks it counts; the window it took comes back. */
static void nothing_unsent_stays_behind_a_goaway(void **state)
{
    static const uint32_t last_ids[] = {3, 0x7fffffff};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(last_ids); i++)
        for (int cut = 0; cut < 2; cut++) {
            struct rota_h2_options small = {
                .conn_window_bytes = 65535, .stream_window_bytes = 1 << 20, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
            struct pair pair;

            print_message("  GOAWAY(%u)%s\n", last_ids[i], cut ? ", inside a header block" : "");
            begin_with(&pair, &small);
            open_named(&pair, 'a', false);
            if (cut)
                assert_int_equal(pair_pass(&pair.client, &pair.server, 10), 10);
            else
                pair_run(&pair);
            open_and_reset_many(&pair);
            goaway(&pair, last_ids[i]);
            send_opened(&pair, 1, 1000000);
            pair_run(&pair);
            assert_string_equal(seen, "a");
            assert_int_equal(n_resets, 0);
            assert_int_equal(pair.server.err, 0);
            assert_int_equal(pair.server.total_bytes, 1000000);
            rota_h2_drain(pair.client.h2, 0);
            reset_opened(1);
            pair_run(&pair);
            assert_true(rota_h2_finished(pair.client.h2));
            pair_fini(&pair);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_peer_understands_what_comes_after),
        cmocka_unit_test(the_data_of_what_is_taken_back_is_not_counted),
        cmocka_unit_test(nothing_is_left_of_a_cut_between_frames),
        cmocka_unit_test(the_size_of_the_table_is_said_again),
        cmocka_unit_test(nothing_unsent_stays_behind_a_goaway),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
