/* lease_test.c - what the lease does after each answer, silence and loss, in virtual time: scripts and the commands they cause. */
#include "etcd/lease.h"

#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/virtual_host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct rota_etcd_lease lease;
    struct rota_rng rng;
    int64_t now_ns;
    char trace[512];
};

static uint64_t lowest(struct rota_rng *rng)
{
    (void)rng;
    return 0;
}

static void start(struct fixture *f)
{
    f->now_ns = ROTA_VIRTUAL_START_NS;
    f->rng = (struct rota_rng){.next = lowest};
    f->trace[0] = '\0';
    rota_etcd_lease_init(&f->lease, &f->rng);
    rota_etcd_lease_start(&f->lease, f->now_ns);
}

static void word(struct fixture *f, const char *text)
{
    size_t used = strlen(f->trace);

    snprintf(f->trace + used, sizeof(f->trace) - used, " %s", text);
}

static void take(struct fixture *f)
{
    static const char *const names[] = {"drop", "grant", "put", "alive", "look"};
    unsigned cmds = rota_etcd_lease_take(&f->lease);

    for (unsigned i = 0; i < ROTA_COUNT(names); i++)
        if (cmds & 1u << i)
            word(f, names[i]);
    if (cmds & ROTA_ETCD_LEASE_TELL)
        word(f, f->lease.registered ? "UP" : rota_code_name(f->lease.why.code));
}

static void pass(struct fixture *f, int64_t ms)
{
    int64_t until_ns = f->now_ns + ms * ROTA_MS;

    while (f->lease.wake_ns <= until_ns) {
        /* A stopped process finds its times past. */
        if (f->lease.wake_ns > f->now_ns)
            f->now_ns = f->lease.wake_ns;
        rota_etcd_lease_tick(&f->lease, f->now_ns);
        take(f);
        assert_true(f->lease.wake_ns > f->now_ns);
    }
    f->now_ns = until_ns;
}

static void event(struct fixture *f, const char *text)
{
    static const struct rota_status ok = {.code = ROTA_OK};
    struct rota_status down;
    int64_t number = strpbrk(text, "0123456789-") == NULL ? 0 : strtoll(strpbrk(text, "0123456789-"), NULL, 10);

    rota_status_set(&down, strstr(text, "missing") != NULL ? ROTA_NOT_FOUND : strstr(text, "late") != NULL ? ROTA_DEADLINE_EXCEEDED : ROTA_UNAVAILABLE, "%s",
        text);
    if (strncmp(text, "granted", 7) == 0)
        rota_etcd_lease_granted(&f->lease, &ok, 7, number, f->now_ns);
    else if (strcmp(text, "lease0") == 0)
        rota_etcd_lease_granted(&f->lease, &ok, 0, 5, f->now_ns);
    else if (strncmp(text, "nogrant", 7) == 0)
        rota_etcd_lease_granted(&f->lease, &down, 0, 0, f->now_ns);
    else if (strcmp(text, "put") == 0)
        rota_etcd_lease_put_done(&f->lease, &ok, f->now_ns);
    else if (strncmp(text, "noput", 5) == 0)
        rota_etcd_lease_put_done(&f->lease, &down, f->now_ns);
    else if (strncmp(text, "kept", 4) == 0)
        rota_etcd_lease_kept_alive(&f->lease, 7, number, f->now_ns);
    else if (strncmp(text, "other", 5) == 0)
        rota_etcd_lease_kept_alive(&f->lease, 8, number, f->now_ns);
    else if (strcmp(text, "ended") == 0)
        rota_etcd_lease_stream_ended(&f->lease, &down, f->now_ns);
    else if (strncmp(text, "see", 3) == 0)
        rota_etcd_lease_looked(&f->lease, number != 0, number, f->now_ns);
    else if (strcmp(text, "cont") == 0) /* a tick after the process stood still */
        rota_etcd_lease_tick(&f->lease, f->now_ns);
    else
        fail_msg("what is %s?", text);
}

/* Words: granted:6 (a TTL of six seconds), lease0, nogrant, put, noput, kept:6, other:6 (another lease's answer), ended, see:7 (the
 * key under lease 7; see: gone), 500ms passes; stop:500ms passes without ticks, then cont. */
static void play(struct fixture *f, const char *script)
{
    char words[512], *rest = NULL;

    snprintf(words, sizeof(words), "%s", script);
    for (char *text = strtok_r(words, " ", &rest); text != NULL; text = strtok_r(NULL, " ", &rest)) {
        if (text[0] >= '0' && text[0] <= '9')
            pass(f, strtoll(text, NULL, 10));
        else if (strncmp(text, "stop:", 5) == 0)
            f->now_ns += strtoll(text + 5, NULL, 10) * ROTA_MS;
        else
            event(f, text);
        take(f);
    }
}

#define UP "0ms granted:6 put "
#define UP_CMDS " grant put UP"

static const struct lease_case {
    const char *rule, *script, *commands;
    bool registered;
} cases[] = {
    {"the first step waits for the loop", "", "", false},
    {"grant, put, told", UP, UP_CMDS, true},
    {"a keepalive after a third of the TTL", UP "1999ms", UP_CMDS, true},
    {"then", UP "2000ms", UP_CMDS " alive", true},
    {"answered: the key is looked at", UP "2000ms kept:6", UP_CMDS " alive look", true},
    {"and the next comes a third later", UP "2000ms kept:6 see:7 1999ms", UP_CMDS " alive look", true},
    {"then", UP "2000ms kept:6 see:7 2000ms", UP_CMDS " alive look alive", true},
    {"a TTL raised by the registry counts", UP "2000ms kept:9 2999ms", UP_CMDS " alive look", true},
    {"then", UP "2000ms kept:9 3000ms", UP_CMDS " alive look alive", true},
    {"an absurd TTL is bounded", UP "2000ms kept:9223372036854775807 2000ms", UP_CMDS " alive look", true},
    {"unanswered for a sixth, on a new stream", UP "3000ms", UP_CMDS " alive drop alive", true},
    {"which is given twice the time", UP "4999ms", UP_CMDS " alive drop alive", true},
    {"then", UP "5000ms", UP_CMDS " alive drop alive drop alive", true},
    {"so answers that are always late count", UP "4900ms kept:6 see:7 4900ms kept:6 see:7", UP_CMDS " alive drop alive look alive drop alive look", true},
    {"and the next is waited for like the first", UP "4900ms kept:6 see:7 3000ms", UP_CMDS " alive drop alive look alive drop alive", true},
    {"and again, until the TTL is over: a new lease", UP "6001ms", UP_CMDS " alive drop alive drop alive drop grant NOT_FOUND", false},
    {"a late answer makes all well", UP "5900ms kept:6 see:7 1999ms", UP_CMDS " alive drop alive drop alive look", true},
    {"an answer about another lease does not", UP "2000ms other:6", UP_CMDS " alive", true},
    {"long leases: five seconds, not a sixth", "0ms granted:600 put stop:200000ms cont 5000ms", UP_CMDS " alive drop alive", true},
    {"the last wait ends with the lease", UP "5050ms ended 951ms",
     UP_CMDS " alive drop alive drop alive alive drop grant NOT_FOUND", false},
    {"and the key is looked at each three seconds", "0ms granted:600 put 6000ms", UP_CMDS " look look", true},
    {"deleted in between: put again", "0ms granted:600 put 3000ms see: put", UP_CMDS " look put NOT_FOUND UP", true},
    {"the registry forgot the lease: at once a new one", UP "2000ms kept:0", UP_CMDS " alive drop grant NOT_FOUND", false},
    {"or says so with a negative TTL", UP "2000ms kept:-1 granted:6 put", UP_CMDS " alive drop grant NOT_FOUND put UP", true},
    {"the stream ended: soon another", UP "1000ms ended 100ms", UP_CMDS " alive", true},
    {"but not sooner", UP "1000ms ended 99ms", UP_CMDS, true},
    {"nor later than due", UP "1950ms ended 50ms", UP_CMDS " alive", true},
    {"streams that end at once do not end the lease too soon", UP "2000ms ended 100ms ended 160ms kept:6", UP_CMDS " alive alive alive look", true},
    {"and make longer and longer pauses", UP "2000ms ended 100ms ended 159ms", UP_CMDS " alive alive", true},
    {"then", UP "2000ms ended 100ms ended 160ms", UP_CMDS " alive alive alive", true},
    {"not longer than the wait for an answer", UP "2000ms ended 100ms ended 160ms ended 256ms ended 410ms ended 656ms ended 1000ms",
     UP_CMDS " alive alive alive alive alive alive alive", true},
    {"a keepalive fails once, though it cannot be written and then its stream ends", UP "2000ms ended ended 100ms ended ended 160ms",
     UP_CMDS " alive alive alive", true},
    {"an answer ends the growth", UP "2000ms ended 100ms ended 160ms kept:6 ended 100ms", UP_CMDS " alive alive alive look alive", true},
    {"the key deleted: put again", UP "2000ms kept:6 see: put", UP_CMDS " alive look put NOT_FOUND UP", true},
    {"the key under another lease: put again", UP "2000ms kept:6 see:9 put", UP_CMDS " alive look put ALREADY_EXISTS UP", true},
    {"and looked at no sooner than the next keepalive", UP "2000ms kept:6 see:9 put see:7 1999ms",
     UP_CMDS " alive look put ALREADY_EXISTS UP", true},
    {"a repair takes no time from the lease", UP "2000ms kept:6 see: 1500ms put 500ms", UP_CMDS " alive look put NOT_FOUND UP alive", true},
    {"grant fails: after a pause again", "0ms nogrant 50ms", " grant drop UNAVAILABLE grant", false},
    {"a lease without a number is none", "0ms lease0", " grant drop INTERNAL", false},
    {"put fails: after a pause again, under the same lease", "0ms granted:6 noput 50ms", " grant put drop UNAVAILABLE put", false},
    {"and again", "0ms granted:6 noput 50ms noput 80ms put", " grant put drop UNAVAILABLE put drop put UP", true},
    {"as long as a third of its time is left", "0ms granted:6 stop:3949ms noput 50ms", " grant put drop UNAVAILABLE put", false},
    {"then under a new one", "0ms granted:6 stop:3950ms noput 50ms", " grant put drop UNAVAILABLE grant", false},
    {"one that timed out, soon", "0ms granted:6 stop:2000ms noput:late 50ms put", " grant put drop DEADLINE_EXCEEDED put UP", true},
    {"however long pauses have grown", "0ms nogrant 50ms nogrant 80ms nogrant 128ms nogrant 205ms nogrant 328ms nogrant 525ms granted:6 stop:2000ms "
     "noput:late 100ms put", " grant drop UNAVAILABLE grant drop grant drop grant drop grant drop grant drop grant put drop DEADLINE_EXCEEDED put UP", true},
    {"at once when the registry does not know it", "0ms granted:6 noput:missing 50ms", " grant put drop NOT_FOUND grant", false},
    {"a repair that fails is tried again too", UP "2000ms kept:6 see: noput 50ms put", UP_CMDS " alive look put NOT_FOUND drop UNAVAILABLE put UP", true},
    {"what took so long is kept alive at once", "0ms granted:6 stop:1900ms noput 50ms stop:1000ms put cont", " grant put drop UNAVAILABLE put UP alive", true},
    {"the same failure again is not told again", "0ms nogrant 50ms nogrant 80ms nogrant 128ms", " grant drop UNAVAILABLE grant drop grant drop grant", false},
    {"another one is", "0ms nogrant 50ms nogrant:missing", " grant drop UNAVAILABLE grant drop NOT_FOUND", false},
    {"other words for it are not, at first", "0ms nogrant 50ms nogrant:x", " grant drop UNAVAILABLE grant drop", false},
    {"after ten seconds they are", "0ms nogrant 10000ms nogrant:x", " grant drop UNAVAILABLE grant drop UNAVAILABLE", false},
    {"the same words are not even then", "0ms nogrant 10000ms nogrant", " grant drop UNAVAILABLE grant drop", false},
    {"stopped past the lease: at once a new one", UP "stop:60000ms cont 1ms", UP_CMDS " drop grant NOT_FOUND", false},
    {"unless an answer that came before that waits to be read", UP "2000ms stop:5000ms cont kept:6 1ms", UP_CMDS " alive look", true},
    {"stopped for less: a keepalive", UP "stop:5000ms cont", UP_CMDS " alive", true},
    {"an answer from before the stop does not hide the loss", UP "2000ms stop:60000ms kept:6 see: noput:missing 50ms granted:6 put",
     UP_CMDS " alive look put NOT_FOUND drop grant put UP", true},
    {"what comes too late is of the past", UP "2000ms kept:0 put kept:6 ended see:7", UP_CMDS " alive drop grant NOT_FOUND", false},
    {"and what nobody waits for", "granted:6 put kept:6 ended see:7", "", false},
};

static void scripts_cause_the_right_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct lease_case *c = &cases[i];
        struct fixture f;

        print_message("  %s\n", c->rule);
        start(&f);
        play(&f, c->script);
        assert_string_equal(f.trace, c->commands);
        assert_int_equal(f.lease.registered, c->registered);
    }
}

static const struct wait_case {
    unsigned n_failures;
    double unit;
    int64_t low_ms, high_ms;
} waits[] = {{1, 0, 50, 50}, {1, 1, 99, 100}, {2, 0, 80, 80}, {3, 1, 255, 256}, {9, 0, 1000, 1000}, {20, 1, 1999, 2000}};

static uint64_t highest(struct rota_rng *rng)
{
    (void)rng;
    return UINT64_MAX;
}

static void waits_grow_to_a_bound_and_are_jittered(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(waits); i++) {
        struct fixture f;

        start(&f);
        f.rng.next = waits[i].unit > 0 ? highest : lowest;
        for (unsigned n = 0; n < waits[i].n_failures; n++) {
            f.now_ns = f.lease.wake_ns;
            play(&f, "cont nogrant");
        }
        assert_in_range(f.lease.wake_ns - f.now_ns + ROTA_US, waits[i].low_ms * ROTA_MS, waits[i].high_ms * ROTA_MS + 2 * ROTA_US);
    }
}

static void a_registration_ends_the_growth(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    play(&f, "0ms nogrant 50ms nogrant 80ms granted:6 put 2000ms kept:0 nogrant");
    assert_int_equal(f.lease.wake_ns - f.now_ns, 50 * ROTA_MS);
}

/* Each may cost a login. */
static void streams_that_end_at_once_become_rare(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    play(&f, "0ms granted:600 put");
    for (int n = 1; n < 10; n++) {
        f.now_ns = f.lease.keep_ns;
        rota_etcd_lease_tick(&f.lease, f.now_ns);
        assert_int_equal(rota_etcd_lease_take(&f.lease), ROTA_ETCD_LEASE_KEEPALIVE);
        play(&f, "ended");
    }
    assert_int_equal(f.lease.keep_ns - f.now_ns, 2 * ROTA_S);
}

static void the_right_lease_is_revoked(void **state)
{
    static const struct revoke_case {
        const char *rule, *script;
        int64_t want;
    } revokes[] = {
        {"nothing before the first grant", "0ms", 0},
        {"nor while it is under way", "0ms nogrant 50ms", 0},
        {"one that has no key yet", "0ms granted:6", 7},
        {"the one that is held", UP, 7},
        {"the last one, when it was lost by silence: the key may be there", UP "6000ms", 7},
        {"one whose put failed", "0ms granted:6 noput 50ms", 7},
        {"none, when the registry says that it is gone", UP "2000ms kept:0", 0},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(revokes); i++) {
        struct fixture f;

        print_message("  %s\n", revokes[i].rule);
        start(&f);
        play(&f, revokes[i].script);
        assert_int_equal(rota_etcd_lease_to_revoke(&f.lease), revokes[i].want);
    }
}

static void calls_are_waited_for_a_third_of_a_lease(void **state)
{
    static const struct call_case {
        const char *rule;
        int64_t asked_seconds, granted_seconds, want_ms;
    } calls[] = {
        {"before the grant, of the lease asked for", 5, 0, 1666},
        {"of the lease granted", 2, 9, 3000},
        {"not so short that a slow registry never answers", 1, 0, 500},
        {"not more than five", 60, 60, 5000},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(calls); i++) {
        static const struct rota_status ok = {.code = ROTA_OK};
        struct fixture f;

        print_message("  %s\n", calls[i].rule);
        start(&f);
        play(&f, "0ms");
        if (calls[i].granted_seconds > 0)
            rota_etcd_lease_granted(&f.lease, &ok, 7, calls[i].granted_seconds, f.now_ns);
        assert_int_equal(rota_etcd_lease_call_ms(&f.lease, calls[i].asked_seconds), calls[i].want_ms);
    }
}

/* One member hangs and the calls go round: the second put finds the other within the lease, whatever its length. */
static void a_put_that_timed_out_is_made_again_under_its_lease(void **state)
{
    static const struct rota_status ok = {.code = ROTA_OK}, late = {.code = ROTA_DEADLINE_EXCEEDED};

    (void)state;
    for (int64_t ttl_seconds = 1; ttl_seconds <= 60; ttl_seconds++) {
        struct fixture f;

        start(&f);
        play(&f, "0ms");
        rota_etcd_lease_granted(&f.lease, &ok, 7, ttl_seconds, f.now_ns);
        take(&f);
        f.now_ns += rota_etcd_lease_call_ms(&f.lease, ttl_seconds) * ROTA_MS;
        rota_etcd_lease_put_done(&f.lease, &late, f.now_ns);
        take(&f);
        play(&f, "100ms");
        assert_string_equal(f.trace, " grant put drop DEADLINE_EXCEEDED put");
    }
}

static void reasons_name_what_happened(void **state)
{
    static const struct reason_case {
        const char *rule, *script, *why;
    } reasons[] = {
        {"all is well", UP, ""},
        {"a failed call's own words", "0ms nogrant", "nogrant"},
        {"silence", UP "6001ms", "no answer from the registry for as long as the lease lasts"},
        {"silence on streams that end", UP "2000ms ended 4500ms",
            "no answer from the registry for as long as the lease lasts; the last stream of keepalives ended with UNAVAILABLE: ended"},
        {"not one before the last answer", UP "2000ms ended 100ms kept:6 6100ms", "no answer from the registry for as long as the lease lasts"},
        {"a lease the registry forgot", UP "2000ms kept:0", "the registry no longer knows the lease"},
        {"a deleted key", UP "2000ms kept:6 see:", "somebody deleted the key: registering again"},
        {"a foreign key, with its lease", UP "2000ms kept:6 see:26", "somebody else registers under the same key, with lease 1a: registering again"},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(reasons); i++) {
        struct fixture f;

        print_message("  %s\n", reasons[i].rule);
        start(&f);
        play(&f, reasons[i].script);
        assert_string_equal(f.lease.why.message, reasons[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_cause_the_right_commands), cmocka_unit_test(waits_grow_to_a_bound_and_are_jittered),
        cmocka_unit_test(a_registration_ends_the_growth),   cmocka_unit_test(the_right_lease_is_revoked),
        cmocka_unit_test(calls_are_waited_for_a_third_of_a_lease), cmocka_unit_test(reasons_name_what_happened),
        cmocka_unit_test(streams_that_end_at_once_become_rare),
        cmocka_unit_test(a_put_that_timed_out_is_made_again_under_its_lease),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
