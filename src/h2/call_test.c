/* call_test.c - whole calls over a pair of connections, however the bytes are cut. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "testing/cmocka.h"

static void unary(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type != ROTA_H2_END)
        return;
    assert_int_equal(pair_respond(side->pair, n, false), 0);
    assert_int_equal(pair_send(side, n, 7, false), 0);
    assert_int_equal(pair_trailers(side->pair, n), 0);
}

static void trailers_only(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type == ROTA_H2_REQUEST)
        assert_int_equal(pair_respond(side->pair, n, true), 0);
}

static void early_answer(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type != ROTA_H2_REQUEST)
        return;
    assert_int_equal(pair_respond(side->pair, n, false), 0);
    assert_int_equal(pair_trailers(side->pair, n), 0);
}

static void answer_ends_with_data(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type != ROTA_H2_END)
        return;
    assert_int_equal(pair_respond(side->pair, n, false), 0);
    assert_int_equal(pair_send(side, n, 3, true), 0);
}

static void refuse(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type == ROTA_H2_REQUEST) {
        rota_h2_reset(event->stream, 7);
        side->streams[n] = NULL;
    }
}


static const struct call_case {
    const char *rule;
    void (*react)(struct pair_side *side, int n, const struct rota_h2_event *event);
    size_t request_bytes;
    bool open_end, data_end;
    const char *want_client, *want_server;
} cases[] = {
    {"unary: both sides end in order", unary, 12, false, true,
        "ready headers/1:2 data/1:7 end/1:1 closed/1:done", "ready request/1:6 data/1:12 end/1:0 closed/1:done"},
    {"trailers-only: one HEADERS ends the response", trailers_only, 0, true, false,
        "ready headers/1:2:end closed/1:done", "ready request/1:6:end closed/1:done"},
    {"a response may end with data", answer_ends_with_data, 5, false, true,
        "ready headers/1:2 data/1:3 end/1:0 closed/1:done", "ready request/1:6 data/1:5 end/1:0 closed/1:done"},
    {"an early answer ends the stream on both sides", early_answer, 0, false, false,
        "ready headers/1:2 end/1:1 closed/1:done", "ready request/1:6 closed/1:done"},
    {"REFUSED_STREAM is unprocessed, but sent", refuse, 0, true, false, "ready closed/1:unprocessed",
        "ready request/1:6:end"},
};

static void run_case(const struct call_case *c, enum pair_chunking chunking, uint64_t seed)
{
    struct pair pair;
    int n;

    print_message("  %s (chunking %d, seed %lu)\n", c->rule, chunking, (unsigned long)seed);
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    pair.chunking = chunking;
    pair.seed = seed;
    pair.server.react = c->react;
    n = pair_open(&pair, c->open_end);
    assert_int_equal(n, 1);
    if (c->request_bytes > 0)
        assert_int_equal(pair_send(&pair.client, n, c->request_bytes, c->data_end), 0);
    pair_run(&pair);
    assert_string_equal(pair_log_by_stream(&pair.client), c->want_client);
    assert_string_equal(pair_log_by_stream(&pair.server), c->want_server);
    assert_int_equal(rota_h2_streams(pair.client.h2), 0);
    assert_int_equal(rota_h2_streams(pair.server.h2), 0);
    pair_fini(&pair);
}

static void calls_end_as_the_rules_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        run_case(&cases[i], PAIR_WHOLE, 0);
        run_case(&cases[i], PAIR_BYTES, 0);
        for (uint64_t seed = 1; seed <= 5; seed++)
            run_case(&cases[i], PAIR_RANDOM, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_end_as_the_rules_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
