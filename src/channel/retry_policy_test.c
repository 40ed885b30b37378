/* retry_policy_test.c - the retryPolicy of a method config, rule by rule (gRFC A6), as scripts of tries_fixture.h. */
#include "channel/tries_fixture.h"
#include "base/assert.h"
#include <stdlib.h>

#define RETRY ROTA_RETRY_CONFIG("\"maxAttempts\":4," ROTA_RETRY_USUAL)
#define RETRY_MORE ROTA_RETRY_CONFIG("\"maxAttempts\":9," ROTA_RETRY_USUAL)
#define RETRY_2 ROTA_RETRY_CONFIG("\"maxAttempts\":2," ROTA_RETRY_USUAL)
#define RETRY_INTERNAL                                                                                                  \
    ROTA_RETRY_CONFIG("\"maxAttempts\":2,\"initialBackoff\":\"0.1s\",\"maxBackoff\":\"0.3s\",\"backoffMultiplier\":2,"      \
                      "\"retryableStatusCodes\":[\"internal\",13,\"UNAVAILABLE\"]")
#define RETRY_SLOW                                                                                                      \
    ROTA_RETRY_CONFIG("\"maxAttempts\":2,\"initialBackoff\":\"2s\",\"maxBackoff\":\"2s\",\"backoffMultiplier\":1,"            \
                      "\"retryableStatusCodes\":[\"UNAVAILABLE\"]")
#define RETRY_IN_TIME ROTA_TRIES_CONFIG("\"timeout\":\"0.15s\",\"retryPolicy\":{\"maxAttempts\":4," ROTA_RETRY_USUAL "}")
#define NONE "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"

static const struct rota_tries_case rules[] = {
    {"a failure with a retryable code is retried after initialBackoff", RETRY, "call a!14 +99 = +1 a:r #", "a0 = a1 OK 1/0/0/0/0", "a"},
    {"backoff doubles by the multiplier up to maxBackoff", RETRY_MORE, "call a!14 +100 a!14 +199 = +1 a!14 +299 = +1 a!14 +299 = +1 a:r",
        "a0 a1 = a2 = a3 = a4 OK", "a"},
    {"maxAttempts counts the first one", RETRY, "call a!14 +100 a!14 +200 a!14 +300 a!14 #", "a0 a1 a2 a3 UNAVAILABLE 3/0/0/0/0", "a"},
    {"no more than five attempts whatever the config says", RETRY_MORE, "call a!14 +100 a!14 +200 a!14 +300 a!14 +300 a!14 #",
        "a0 a1 a2 a3 a4 UNAVAILABLE 4/0/0/0/0", "a"},
    {"a code that is not retryable ends the call", RETRY, "call a!13", "a0 INTERNAL", "a"},
    {"codes by number and by name in any case", RETRY_INTERNAL, "call a!13 +100 a:r", "a0 a1 OK", "a"},
    {"OK is not retried", RETRY, "call a:r +9999", "a0 OK", "a"},
    {"without a policy nothing is", NONE, "call a!14", "a0 UNAVAILABLE", "a"},
    {"response headers commit", RETRY, "call a:h a:t14", "a0 UNAVAILABLE", "a"},
    {"trailers-only is not response headers", RETRY, "call a!14 +100 a:h a:t0", "a0 a1 INTERNAL", "a"},
    {"headers that are no gRPC do not commit", RETRY, "call a:http503 +100 a:r", "a0 a- a1 OK", "a"},
    {"nor are they retried with another code", RETRY, "call a:http404", "a0 a- UNIMPLEMENTED", "a"},
    {"a lost stream is UNAVAILABLE, and retried", RETRY, "call a:lost +100 a:r", "a0 a1 OK", "a"},
    {"OK without a reply is INTERNAL, and retried as that", RETRY_INTERNAL, "call a!0 +100 a:r", "a0 a1 OK", "a"},
    {"each further attempt says how many there were", RETRY, "call a!14 +100 a!14 +200 a:r", "a0 a1 a2 OK", "a"},
    {"a retry goes elsewhere", RETRY_2, "call call b!14 +100 a1:r a0:r", "b0 a0 a1 OK OK", "ab"},
    {"of three, one it has not been at", RETRY, "call call call c!14 +100 a1!14 +200 b1:r a0:r b0:r", "c0 a0 b0 a1 b2 OK OK OK", "abc"},
    {"when it has been everywhere it goes anywhere", RETRY, "call b!14 +100 a!14 +200 b!14 +300 a:r", "b0 a1 b2 a3 OK", "ab"},
    {"cancelled while it waits: no further attempt", RETRY, "call a!14 cancel +9999", "a0 CANCELLED", "a"},

    {"pushback is the delay to the millisecond", RETRY, "call a!14/250 +249 = +1 a:r", "a0 = a1 OK", "a"},
    {"pushback of 0: at once", RETRY, "call a!14/0 a:r", "a0 a1 OK", "a"},
    {"pushback resets the backoff", RETRY, "call a!14 +100 a!14/500 +500 a!14 +99 = +1 a:r", "a0 a1 a2 = a3 OK", "a"},
    {"negative pushback: no retry", RETRY, "call a!14/-1 +9999", "a0 UNAVAILABLE", "a"},
    {"unreadable pushback: no retry", RETRY, "call a!14/soon +9999", "a0 UNAVAILABLE", "a"},
    {"pushback makes no code retryable", RETRY, "call a!13/10 +9999", "a0 INTERNAL", "a"},
    {"pushback gives no further attempt", RETRY_2, "call a!14/0 a!14/0 +9999", "a0 a1 UNAVAILABLE", "a"},

    {"the deadline holds over all attempts", RETRY, "call=150 a!14 +100 = +49 = +1", "a0 a1 = = a- DEADLINE_EXCEEDED", "a"},
    {"the config's timeout does too", RETRY_IN_TIME, "call a!14 +100 +50", "a0 a1 a- DEADLINE_EXCEEDED", "a"},
    {"the deadline comes while it waits", RETRY, "call=50 a!14 +49 = +1 +9999", "a0 = DEADLINE_EXCEEDED", "a"},

    {"REFUSED_STREAM is repeated once, not counted", RETRY_2, "call a:refuse a:refuse +100 a:r #", "a0 a0 a1 OK 1/0/1/0/0", "a"},
    {"never sent is repeated for ever, not counted", RETRY_2, "call a:unsent a:unsent a:unsent a!14 +100 a:unsent a:r #",
        "a0 a0 a0 a0 a1 a1 OK 1/0/4/0/0", "a"},
    {"a transparent retry goes elsewhere", RETRY_2, "call call b:refuse a1:r a0:r", "b0 a0 a0 OK OK", "ab"},
    {"so it does without a policy", NONE, "call call b:refuse a1:r a0:r", "b0 a0 a0 OK OK", "ab"},

    {"a failed pick follows the policy", RETRY_SLOW, "a:down a:down call +1500 a:up +499 = +1 a:r #", "= a1 OK 1/0/0/0/0", "a"},
    {"a failed pick counts as an attempt", RETRY_2, "a:down a:down call +99 = +1", "= UNAVAILABLE", "a"},
    {"waiting for ready it does not fail", RETRY, "a:down a:down wait +1500 = a:up +1 a:r #", "= a0 OK 0/0/0/0/0", "a"},
    {"a retry waits in the room of a full connection", RETRY, "call a!14 a:full +100 = a:room a:r", "a0 = a1 OK", "a"},
};

static void retries_follow_the_rules(void **unused)
{
    (void)unused;
    rota_tries_run(rules, ROTA_COUNT(rules), NULL);
}

static const struct rota_tries_case streams[] = {
    {"what was written is replayed", RETRY, "talk w:10 w:10 a!14 +100 w:10 end a:r", "a0 a1 OK", "a"},
    {"a write while it waits is taken", RETRY, "talk w:10 a!14 w:10 +100 end a:r", "a0 a1 OK", "a"},
    {"the half-close is replayed", RETRY, "talk w:10 end a!14 +100 a:r", "a0 a1 OK", "a"},
    {"256 KiB are kept", RETRY, "talk w:261000 a!14 +100 end a:r", "a0 a1 OK", "a"},
    {"more is not, and commits", RETRY, "talk w:263000 a!14 +9999", "a0 UNAVAILABLE", "a"},
    {"the sum counts", RETRY, "talk w:131000 w:132000 a!14 +9999", "a0 UNAVAILABLE", "a"},
    {"a write after the end of a committed call is refused", RETRY, "talk w:10 a:h a:t14 +1", "a0 UNAVAILABLE", "a"},
    {"what follows the server's end is no failure", RETRY, "talk w:10 a:h a:deaf w:10 end a:t0", "a0 OK", "a"},
    {"the first such write is taken, the next refused", RETRY, "talk w:10 a:h a:deaf w:10 w:10 a:t5", "a0 ROTA_ECLOSED NOT_FOUND", "a"},
    {"it is the server's status that counts", RETRY, "talk a:deaf end a!5", "a0 NOT_FOUND", "a"},
    {"nor is it one when the stream is lost", RETRY, "talk a:h a:deaf w:10 end a:lost", "a0 UNAVAILABLE", "a"},
    {"before the commit it is replayed", RETRY, "talk w:10 a:deaf w:10 w:10 end a!14 +100 a:r", "a0 a1 OK", "a"},
    {"as far as the queue holds it", RETRY, "talk a:deaf w:70000 w:1 a!14 +100 w:1 end a:r", "a0 ROTA_EAGAIN a1 OK", "a"},
    {"the same without a policy", "{}", "talk a:deaf w:10 end a:h a:t0", "a0 OK", "a"},
    {"only what the queue holds is taken while it waits", RETRY, "talk w:70000 a!14 w:70000 +100 w:70000 end a:r", "a0 ROTA_EAGAIN a1 OK", "a"},
};

static void streams_are_replayed(void **unused)
{
    (void)unused;
    rota_tries_run(streams, ROTA_COUNT(streams), NULL);
}

static void all_of_it_is_replayed_in_order(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_tries_fixture *t = malloc(sizeof(*t));
    struct rota_fake_conn *conn;

    (void)unused;
    assert_non_null(t);
    options.service_config = RETRY;
    rota_tries_fixture_init(t, &options, "a", 0.5);
    rota_tries_expect(t, "before", "talk w:3 w:4", "a0");
    rota_tries_expect(t, "after", "a!14 w:5 +100 end", "a1");
    conn = rota_fixture_conn(&t->f, "1.1.1.1:1");
    assert_int_equal(rota_buffer_peek(&rota_fake_stream_at(conn, 0)->data).size, 5 + 3 + 5 + 4);
    assert_int_equal(rota_buffer_peek(&rota_fake_stream_at(conn, 1)->data).size, 5 + 3 + 5 + 4 + 5 + 5);
    assert_int_equal(rota_buffer_peek(&rota_fake_stream_at(conn, 1)->data).data[5 + 3 + 4], 4); /* the second prefix */
    assert_true(rota_fake_stream_at(conn, 1)->end);
    rota_tries_expect(t, "end", "a:r", "OK");
    assert_int_equal(t->f.channel == NULL, 0);
    rota_tries_fixture_fini(t);
    free(t);
}

static void the_channel_keeps_only_so_much(void **unused)
{
    static const struct rota_tries_case rows[] = {
        {"under the channel's bound all are kept", RETRY, "talk w:100 talk w:100 a1!14 +100 a0!14 +100 cancel", "a0 a0 a1 a1 a- CANCELLED", "a"},
        {"the call that goes over it commits, and no other", RETRY, "talk w:300 talk w:900 a1!14 a0!14 +100 a:r", "a0 a0 UNAVAILABLE a1 OK", "a"},
    };
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    (void)unused;
    options.retry_buffers_bytes = 1000;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++)
        rota_tries_run(&rows[i], 1, &options);
}

/* The spread is U(0.8, 1.2) around the backoff. */
static void backoff_is_spread(void **unused)
{
    static const struct {
        const char *rule;
        double unit;
        const char *script;
    } rows[] = {
        {"0.8 at the least", 0, "call a!14 +79 = +1 a!14 +159 = +1 a!14"},
        {"1 in the middle", 0.5, "call a!14 +99 = +1 a!14 +199 = +1 a!14"},
        {"1.2 at the most", 0.99999, "call a!14 +119 = +1 a!14 +239 = +1 a!14"},
    };
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_tries_fixture *t = malloc(sizeof(*t));

    (void)unused;
    assert_non_null(t);
    options.service_config = ROTA_RETRY_CONFIG("\"maxAttempts\":3," ROTA_RETRY_USUAL);
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        print_message("  %s\n", rows[i].rule);
        rota_tries_fixture_init(t, &options, "a", rows[i].unit);
        rota_tries_expect(t, rows[i].rule, rows[i].script, "a0 = a1 = a2 UNAVAILABLE");
        rota_tries_fixture_fini(t);
    }
    free(t);
}

static void the_option_max_attempts(void **unused)
{
    static const struct {
        const char *rule;
        int32_t max;
        const char *trace;
    } rows[] = {
        {"1 turns retries off", 1, "a0 UNAVAILABLE"},
        {"2 is less than the config's 9", 2, "a0 a1 UNAVAILABLE"},
        {"6 is more than gRPC's own 5", 6, "a0 a1 a2 a3 a4 a5 UNAVAILABLE"},
    };
    static const char *const scripts[] = {"call a!14 +300", "call a!14 +300 a!14 +300", "call a!14 +300 a!14 +300 a!14 +300 a!14 +300 a!14 +300 a!14"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_tries_case row = {rows[i].rule, RETRY_MORE, scripts[i], rows[i].trace, "a"};
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        options.max_attempts = rows[i].max;
        rota_tries_run(&row, 1, &options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_follow_the_rules),
        cmocka_unit_test(streams_are_replayed),
        cmocka_unit_test(all_of_it_is_replayed_in_order),
        cmocka_unit_test(the_channel_keeps_only_so_much),
        cmocka_unit_test(backoff_is_spread),
        cmocka_unit_test(the_option_max_attempts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
