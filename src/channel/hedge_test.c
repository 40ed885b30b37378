/* hedge_test.c - the hedgingPolicy of a method config, rule by rule (gRFC A6), as scripts of tries_fixture.h. */
#include "channel/tries_fixture.h"
#include "base/assert.h"
#include <stdlib.h>

#define HEDGE(attempts, delay) \
    ROTA_TRIES_CONFIG("\"hedgingPolicy\":{\"maxAttempts\":" attempts "," delay "\"nonFatalStatusCodes\":[\"UNAVAILABLE\",10]}")
#define HEDGE_3 HEDGE("3", "\"hedgingDelay\":\"0.1s\",")
#define HEDGE_9 HEDGE("9", "\"hedgingDelay\":\"0.1s\",")
#define AT_ONCE HEDGE("3", "")
#define NO_CODES ROTA_TRIES_CONFIG("\"hedgingPolicy\":{\"maxAttempts\":3,\"hedgingDelay\":\"0.1s\"}")
#define THROTTLED                                                                                                   \
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"retryThrottling\":{\"maxTokens\":2,\"tokenRatio\":1},\"methodConfig\":[{\"name\":[{}],"  \
    "\"hedgingPolicy\":{\"maxAttempts\":3,\"hedgingDelay\":\"0.1s\",\"nonFatalStatusCodes\":[\"UNAVAILABLE\"]}}]}"

static const struct rota_tries_case rules[] = {
    {"one more each hedgingDelay", HEDGE_3, "call +99 = +1 = +99 = +1 = +9999 a:r #", "b0 = a1 = = b2 = b- b- OK 0/2/0/0/0", "ab"},
    {"an answer in time: none", HEDGE_3, "call +99 b:r +9999 #", "b0 OK 0/0/0/0/0", "ab"},
    {"no delay: all at once", AT_ONCE, "call b:r", "a1 b2 c0 a- c- OK", "abc"},
    {"no more than five", HEDGE_9, "call +9999 b:r #", "b0 a1 a3 b2 b4 a- a- b- b- OK 0/4/0/0/0", "ab"},
    {"each says how many there were", HEDGE_3, "call +200 cancel", "b0 a1 b2 a- b- b- CANCELLED", "ab"},
    {"OK cancels the others", HEDGE_3, "call +100 b:r", "b0 a1 a- OK", "ab"},
    {"the later one may win", HEDGE_3, "call +100 a:r", "b0 a1 b- OK", "ab"},
    {"response headers commit: the others are cancelled", HEDGE_3, "call +100 a:h = +9999 a:t14", "b0 a1 b- = UNAVAILABLE", "ab"},
    {"trailers-only OK ends it", HEDGE_3, "call +100 a!0", "b0 a1 b- INTERNAL", "ab"},
    {"not fatal: the next one at once", HEDGE_3, "call b!14 a:r", "b0 a1 OK", "ab"},
    {"and the one after it hedgingDelay later", HEDGE_3, "call +50 c!14 = +99 = +1 a:r", "c0 a1 = = b2 b- OK", "abc"},
    {"not fatal, others under way: it goes on", HEDGE_3, "call +200 c!14 a:r", "c0 a1 b2 b- OK", "abc"},
    {"fatal: all are cancelled, it is the call's", HEDGE_3, "call +100 b!3 +9999", "b0 a1 a- INVALID_ARGUMENT", "ab"},
    {"without codes every failure is fatal", NO_CODES, "call +100 b!14", "b0 a1 a- UNAVAILABLE", "ab"},
    {"all not fatal: the last one's status", HEDGE_3, "call b!14 a!14 b!10 +9999", "b0 a1 b2 ABORTED", "ab"},
    {"headers that are no gRPC are a failure", HEDGE_3, "call b:http503 a:r", "b0 a1 b- OK", "ab"},
    {"a lost stream is UNAVAILABLE", HEDGE_3, "call b:lost a:r", "b0 a1 OK", "ab"},
    {"cancelled: all are", HEDGE_3, "call +100 cancel +9999", "b0 a1 a- b- CANCELLED", "ab"},
    {"the deadline ends all", HEDGE_3, "call=150 +149 = +1 +9999", "b0 a1 = a- b- DEADLINE_EXCEEDED", "ab"},

    {"pushback: the next one after exactly that", HEDGE_3, "call b!14/250 +249 = +1 a:r", "b0 = a1 OK", "ab"},
    {"pushback of 0: at once", HEDGE_3, "call b!14/0 a:r", "b0 a1 OK", "ab"},
    {"after it hedgingDelay again", HEDGE_3, "call c!14/250 +250 = +99 = +1 a:r", "c0 a1 = = b2 b- OK", "abc"},
    {"negative pushback: no further one", HEDGE_3, "call b!14/-1 +9999", "b0 UNAVAILABLE", "ab"},
    {"unreadable pushback: no further one", HEDGE_3, "call b!14/x +9999", "b0 UNAVAILABLE", "ab"},
    {"negative pushback leaves those under way", HEDGE_3, "call +100 b!14/-1 +9999 a:r", "b0 a1 OK", "ab"},
    {"pushback of a fatal one is the end", HEDGE_3, "call b!3/10 +9999", "b0 INVALID_ARGUMENT", "ab"},

    {"throttled: no further one is sent", THROTTLED, "call b!14 ? # +9999", "b0 UNAVAILABLE 1000 0/0/0/1/0", "ab"},
    {"those under way go on", THROTTLED, "call +100 b!14 = +9999 a:r ? #", "b0 a1 = OK 2000 0/1/0/1/0", "ab"},
    {"a fatal one takes no token", THROTTLED, "call b!3 ?", "b0 INVALID_ARGUMENT 2000", "ab"},
    {"the first is never throttled", THROTTLED, "call b!14 call a!14 call b:r ?", "b0 UNAVAILABLE a0 UNAVAILABLE b0 OK 1000", "ab"},

    {"transparently repeated ones are not counted", HEDGE_3, "call b:refuse a:r #", "b0 a0 OK 0/0/1/0/0", "ab"},
    {"hedges go where the call is not", HEDGE_3, "call call +100 b0:r a0:r", "b0 a0 a1 b1 a- OK b- OK", "ab"},
    {"a failed pick is no answer while another runs", HEDGE_3, "call b:goaway b:down +100 = B0:r #", "b0 = OK 0/1/0/0/0", "b"},
    {"a hedge waits until something was sent", HEDGE_3, "b:down wait +350 = b:up = +100 b0:r", "= b0 = b1 b- OK", "b"},
    {"and then for its delay", HEDGE_3, "b:down wait +350 b:up +99 = +1 b0:r", "b0 = b1 b- OK", "b"},
};

static void hedges_follow_the_rules(void **unused)
{
    (void)unused;
    rota_tries_run(rules, ROTA_COUNT(rules), NULL);
}

static const struct rota_tries_case streams[] = {
    {"a hedge gets what was written before it", HEDGE_3, "talk w:10 +100 end a:r", "b0 a1 b- OK", "ab"},
    {"a message after the commit goes to the winner alone", HEDGE_3, "talk w:10 +100 a:h w:10 end a:t0", "b0 a1 b- OK", "ab"},
    {"one that has ended harms no other", HEDGE_3, "talk w:10 +100 b:deaf w:10 end b!14 a:r", "b0 a1 b2 b- OK", "ab"},
    {"nor is it the one committed to", HEDGE_3, "talk w:10 +100 b:deaf w:263000 = end a:r", "b0 a1 b- = OK", "ab"},
    {"more than is kept commits to one", HEDGE_3, "talk w:10 +100 w:263000 = a:r b:r", "b0 a1 a- = OK", "ab"},
};

static void hedged_streams(void **unused)
{
    (void)unused;
    rota_tries_run(streams, ROTA_COUNT(streams), NULL);
}

static const struct rota_tries_case over_the_bound[] = {
    {"more is kept than may be: no hedge, and the one under way stays", HEDGE_3, "talk w:300 a:full talk w:900 +100", "c0 b1", "abc"},
    {"what only waits for a stream gives way to the hedge", HEDGE_3, "talk w:300 a:full talk w:900 +100 a:room", "c0 b1", "abc"},
    {"what gets its stream meanwhile has that attempt alone", HEDGE_3, "talk w:300 a:full talk w:900 talk b!14 #", "c0 b0 UNAVAILABLE 0/0/0/0/0", "abc"},
    {"also without a delay", AT_ONCE, "c:down a:full b:full talk w:1200 # c:up talk c!14 #", "0/2/0/0/0 c0 UNAVAILABLE 0/2/0/0/0", "abc"},
    {"there is room again: hedges come, each in its turn", HEDGE_3, "talk w:300 a:full talk w:900 +100 cancel a:room = +99 = +1", "c0 b1 b- CANCELLED = = a1", "abc"},
    {"one that fails is followed nevertheless", HEDGE_3, "talk w:300 a:full talk w:900 c!14", "c0 b1", "abc"},
    {"of two that have sent all, the older one stays", HEDGE_3, "talk w:300 a:full b:full +100 talk w:900 a:room", "c0 a1 a-", "abc"},
    {"one that begins anew is the younger", HEDGE_3, "talk w:300 b:full +150 c:refuse c:full talk w:900 b:room", "c0 a1 b0 b-", "abc"},
    {"nor is it the first that is written to", HEDGE_3, "talk w:300 +150 c:refuse w:900", "c0 a1 b0 b-", "abc"},
};

static void hedges_stop_where_too_much_is_kept(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    (void)unused;
    options.retry_buffers_bytes = 1000;
    rota_tries_run(over_the_bound, ROTA_COUNT(over_the_bound), &options);
}

/* For its metadata, or for want of memory: others may be heard of yet. */
static void one_that_cannot_be_opened_ends_no_other(void **unused)
{
    static const rota_err errors[] = {ROTA_ELIMIT, ROTA_ENOMEM};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    (void)unused;
    options.service_config = HEDGE_3;
    for (size_t i = 0; i < ROTA_COUNT(errors); i++) {
        struct rota_tries_fixture *t = malloc(sizeof(*t));
        assert_non_null(t);
        rota_tries_fixture_init(t, &options, "ab", 0.5);
        rota_tries_expect(t, "the first is open", "call", "b0");
        t->f.transport.open_err = errors[i];
        rota_tries_expect(t, "the second cannot be", "+100", "");
        t->f.transport.open_err = 0;
        rota_tries_expect(t, "the first answers", "b:r #", "OK 0/1/0/0/0");
        t->f.transport.open_err = errors[i];
        rota_tries_expect(t, "where none is open, it is the call's end", "call", "RESOURCE_EXHAUSTED");
        rota_tries_fixture_fini(t);
        free(t);
    }
}

static size_t sent_on(struct rota_tries_fixture *t, const char *address, size_t n)
{
    return rota_buffer_peek(&rota_fake_stream_at(rota_fixture_conn(&t->f, address), n)->data).size;
}

static void every_open_attempt_is_written_to(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_tries_fixture *t = malloc(sizeof(*t));

    (void)unused;
    assert_non_null(t);
    options.service_config = HEDGE_3;
    rota_tries_fixture_init(t, &options, "ab", 0.5);
    rota_tries_expect(t, "two are open", "talk w:3 +100 w:4", "b0 a1");
    assert_int_equal(sent_on(t, "1.1.1.1:1", 0), 5 + 3 + 5 + 4);
    assert_int_equal(sent_on(t, "2.2.2.2:2", 0), 5 + 3 + 5 + 4);
    rota_tries_expect(t, "one has won", "a:h w:5 end a:t0", "b- OK");
    assert_int_equal(sent_on(t, "1.1.1.1:1", 0), 5 + 3 + 5 + 4 + 5 + 5);
    assert_int_equal(sent_on(t, "2.2.2.2:2", 0), 5 + 3 + 5 + 4);
    rota_tries_fixture_fini(t);
    free(t);
}

static void the_winner_is_the_calls(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_tries_fixture *t = malloc(sizeof(*t));

    (void)unused;
    assert_non_null(t);
    options.service_config = HEDGE_3;
    rota_tries_fixture_init(t, &options, "ab", 0.5);
    rota_tries_expect(t, "the second wins", "talk end +100 a:r", "b0 a1 b- OK");
    assert_string_equal(t->calls[0].peer, "1.1.1.1:1");
    assert_string_equal(t->calls[0].trailing, "t");
    assert_string_equal(t->calls[0].messages, "hi|");
    assert_int_equal(t->calls[0].headers, 1);
    rota_tries_fixture_fini(t);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hedges_follow_the_rules),
        cmocka_unit_test(hedged_streams),
        cmocka_unit_test(hedges_stop_where_too_much_is_kept),
        cmocka_unit_test(one_that_cannot_be_opened_ends_no_other),
        cmocka_unit_test(every_open_attempt_is_written_to),
        cmocka_unit_test(the_winner_is_the_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
