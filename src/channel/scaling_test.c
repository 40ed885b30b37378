/* scaling_test.c - more than one connection to an address (gRFC A105), one row a rule, in virtual time.
 *
 * A row is a script of events, and what is there after it: the connections ever dialed, each with the calls that have a stream there; how
 * the calls went; the subchannel's state as pick_first reports it.
 */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include "testing/script_rng.h"
#include <stdio.h>

#define A "1.1.1.1:1"
#define B "2.2.2.2:2"
#define CALLS_MAX 10
#define SCALING "\"connectionScaling\":{\"maxConnectionsPerSubchannel\":%d}"

struct scene {
    struct rota_channel_fixture f;
    struct rota_seen_call calls[CALLS_MAX];
    int n_calls;
};

static void start_call(struct scene *s)
{
    char text[2] = {(char)('0' + s->n_calls), '\0'};

    assert_true(s->n_calls < CALLS_MAX);
    rota_fixture_unary_start(&s->f, text, NULL, &s->calls[s->n_calls++]);
}

static struct rota_fake_stream *oldest_stream(const struct rota_fake_conn *conn)
{
    for (size_t i = 0; i < conn->n_streams; i++)
        if (!conn->streams[i]->dead)
            return conn->streams[i];
    fail_msg("no stream on %s", conn->address);
    return NULL;
}

static void set_max(struct scene *s, int max)
{
    char json[100];

    snprintf(json, sizeof(json), "{" SCALING "}", max);
    rota_fixture_service_config(&s->f, json);
}

static void play_on(struct rota_fake_conn *conn, char event)
{
    switch (event) {
    case 'e': rota_fake_reply(oldest_stream(conn), "r"); break;
    case 'o': rota_fake_allow(conn, conn->max_streams); break;
    case 'r': rota_fake_reply(oldest_stream(conn), "r"); rota_fake_allow(conn, conn->max_streams); break;
    case 'a': rota_fake_allow(conn, conn->max_streams + 1); break;
    case 'l': rota_fake_lose(conn, "lost"); break;
    case 'g': rota_fake_goaway(conn, conn->n_streams); break;
    default: fail_msg("no such event: %c", event);
    }
}

/* An event is a letter, and a digit where it says of which connection, or what number:
 * c a call is started; u the newest connection comes up, and allows one stream; U the same without a limit; f it fails instead;
 * e is answered: the oldest stream there; o the news that there is room; r both; a one more stream is allowed there; l lost; g GOAWAY, all
 * streams processed; m the config's number; w a second passes; W ten minutes. */
static size_t play(struct scene *s, const char *event)
{
    struct rota_fake_conn **conns = s->f.transport.conns, *newest = conns[s->f.transport.n_conns - 1];

    switch (event[0]) {
    case 'c': start_call(s); return 1;
    case 'u': newest->max_streams = 1; rota_fake_up(newest); return 1;
    case 'U': rota_fake_up(newest); return 1;
    case 'f': rota_fake_lose(newest, "refused"); return 1;
    case 'w': rota_virtual_host_advance(&s->f.v, ROTA_S); return 1;
    case 'W': rota_virtual_host_advance(&s->f.v, 600 * ROTA_S); return 1;
    case ' ': return 1;
    case 'm': set_max(s, event[1] - '0'); return 2;
    default:
        assert_in_range(event[1] - '0', 0, s->f.transport.n_conns - 1);
        play_on(conns[event[1] - '0'], event[0]);
        return 2;
    }
}

/* "01 2 - d": two calls on the first connection, one on the second; the third has closed; the fourth is being dialed. */
static void print_conns(const struct scene *s, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < s->f.transport.n_conns; i++) {
        const struct rota_fake_conn *conn = s->f.transport.conns[i];
        at += (size_t)snprintf(text + at, size - at, "%s%s%s", i == 0 ? "" : " ", conn->closed ? "-" : conn->up ? "" : "d", conn->draining && !conn->closed ? "!" : "");
        if (conn->up && !conn->closed && conn->n_open == 0)
            at += (size_t)snprintf(text + at, size - at, "_");
        for (size_t n = 0; n < conn->n_streams; n++)
            if (!conn->streams[n]->dead)
                at += (size_t)snprintf(text + at, size - at, "%s", rota_fake_request(conn->streams[n]));
    }
}

static void print_calls(const struct scene *s, char *text)
{
    for (int i = 0; i < s->n_calls; i++)
        *text++ = s->calls[i].dones == 0 ? '.' : s->calls[i].status.code == ROTA_OK ? 'k' : s->calls[i].status.code == ROTA_UNAVAILABLE ? 'u' : '?';
    *text = '\0';
}

static void scene_init(struct scene *s, const char *policy, int max, int limit)
{
    static uint64_t halves[64]; /* every backoff is what it is in the middle of its spread */
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    char json[200];

    *s = (struct scene){0};
    snprintf(json, sizeof(json), "{\"loadBalancingConfig\":[{\"%s\":{}}]," SCALING "}", policy, max);
    options.service_config = max == 0 ? NULL : json;
    options.max_connections_per_subchannel = limit;
    rota_channel_fixture_init(&s->f, &options);
    for (size_t i = 0; i < ROTA_COUNT(halves); i++)
        halves[i] = rota_script_unit(0.5);
    rota_script_rng_init(&s->f.v.host.rng, halves, ROTA_COUNT(halves));
    rota_channel_connect(s->f.channel);
    rota_fixture_publish(&s->f, A, NULL, NULL);
}

static void run_script(struct scene *s, const char *script)
{
    while (*script != '\0')
        script += play(s, script);
}

static const struct {
    const char *rule;
    int max, limit; /* max 0: no config; limit 0: the default */
    const char *script, *conns, *calls;
    enum rota_conn_state state;
} rules[] = {
    {"one connection unless configured", 0, 0, "uccc", "0", "...", ROTA_CONN_READY},
    {"a maximum of one is one", 1, 0, "uccc", "0", "...", ROTA_CONN_READY},
    {"no other one while one has streams to spare", 3, 0, "Uccc", "012", "...", ROTA_CONN_READY},
    {"nor when it is full and nobody waits", 3, 0, "uc", "0", ".", ROTA_CONN_READY},
    {"a call that waits brings one more", 3, 0, "ucc", "0 d", "..", ROTA_CONN_READY},
    {"and gets its stream there", 3, 0, "uccu", "0 1", "..", ROTA_CONN_READY},
    {"one attempt at a time", 3, 0, "uccccc", "0 d", ".....", ROTA_CONN_READY},
    {"the next one when calls still wait after it", 3, 0, "uccccu", "0 1 d", "....", ROTA_CONN_READY},
    {"not when all of them got in", 3, 0, "uccccU", "0 123", "....", ROTA_CONN_READY},
    {"up to the maximum", 3, 0, "uccccuu", "0 1 2", "....", ROTA_CONN_READY},
    {"a maximum above the channel's limit is the limit", 5, 2, "uccccu", "0 1", "....", ROTA_CONN_READY},
    {"which is ten by default", 99, 0, "uccccccccccuuuuuuuuu a0a0a0", "0 1 2 3 4 5 6 7 8 9", "..........", ROTA_CONN_READY},
    {"the oldest with a stream to spare is taken", 3, 0, "uccu r1r0 c", "2 _", "kk.", ROTA_CONN_READY},
    {"be it not the first", 3, 0, "uccu r1 c", "0 2", ".k.", ROTA_CONN_READY},
    {"who waits longest is first", 1, 0, "ucccc r0", "1", "k...", ROTA_CONN_READY},
    {"on whichever connection has room", 2, 0, "uccccu r1", "0 2", ".k..", ROTA_CONN_READY},
    {"who comes later does not overtake", 2, 0, "uccccu c r0", "2 1", "k....", ROTA_CONN_READY},
    {"nor between a stream's end and the news of it", 1, 0, "ucc e0 c o0", "1", "k..", ROTA_CONN_READY},
    {"the server allows more streams: they come in", 2, 0, "uccccu a1", "0 12", "....", ROTA_CONN_READY},
    {"none is closed for being unused", 3, 0, "uccu r0r1 WW", "_ _", "kk", ROTA_CONN_READY},
    {"a failed attempt leaves the others at work", 3, 0, "ucc f", "0 -", "..", ROTA_CONN_READY},
    {"in its period there is no other", 3, 0, "ucc f cc", "0 -", "....", ROTA_CONN_READY},
    {"afterwards there is", 3, 0, "ucc f w", "0 - d", "..", ROTA_CONN_READY},
    {"if calls still wait", 3, 0, "ucc f r0 w", "1 -", "k.", ROTA_CONN_READY},
    {"periods grow with each failure", 3, 0, "ucc f wf w", "0 - -", "..", ROTA_CONN_READY},
    {"1.6 s after the second", 3, 0, "ucc f wf ww", "0 - - d", "..", ROTA_CONN_READY},
    {"one that comes up begins them anew", 3, 0, "uccc f wu f w", "0 - 1 - d", "...", ROTA_CONN_READY},
    {"the first is lost: its calls alone, READY, one in its place", 2, 0, "uccuc l0", "- 1 d", "u..", ROTA_CONN_READY},
    {"so for another", 2, 0, "uccuc l1", "0 - d", ".u.", ROTA_CONN_READY},
    {"lost when nobody waits: none in its place", 2, 0, "uccu l0", "- 1", "u.", ROTA_CONN_READY},
    {"GOAWAY on the first: its calls go on, new ones elsewhere", 2, 0, "uccu g0 r1 c", "!0 2", ".k.", ROTA_CONN_READY},
    {"it counts no more", 2, 0, "uccu g0 c", "!0 1 d", "...", ROTA_CONN_READY},
    {"the second becomes the oldest", 3, 0, "uccu g0 cu r1r2 c", "!0 3 _", ".kk.", ROTA_CONN_READY},
    {"all are lost, none is being dialed: IDLE", 2, 0, "uccu l0 l1", "- -", "uu", ROTA_CONN_IDLE},
    {"one is being dialed: CONNECTING, who waits waits on", 2, 0, "ucc l0", "- d", "u.", ROTA_CONN_CONNECTING},
    {"and comes in there", 2, 0, "ucc l0 u", "- 1", "u.", ROTA_CONN_READY},
    {"that fails: TRANSIENT_FAILURE, who waits fails", 2, 0, "ucc l0 f", "- -", "uu", ROTA_CONN_TRANSIENT_FAILURE},
    {"in a period: TRANSIENT_FAILURE, who waits fails", 2, 0, "ucc f l0", "- -", "uu", ROTA_CONN_TRANSIENT_FAILURE},
    {"which then connects", 2, 0, "ucc f l0 w", "- - d", "uu", ROTA_CONN_TRANSIENT_FAILURE},
    {"and has another when calls wait again", 2, 0, "ucc f l0 wu cc", "- - 2 d", "uu..", ROTA_CONN_READY},
    {"the maximum reached, all lost: who waits is picked anew", 1, 0, "ucc l0", "- d", "u.", ROTA_CONN_CONNECTING},
    {"GOAWAY on the only one while another is dialed", 2, 0, "ucc g0 u", "!0 1", "..", ROTA_CONN_READY},
    {"a config that allows more acts at once", 1, 0, "ucc m2", "0 d", "..", ROTA_CONN_READY},
    {"one that allows less closes nothing", 2, 0, "uccu m1 c l0", "- 1", "u..", ROTA_CONN_READY},
    {"connections that serve nobody and go do not storm", 2, 0, "uccul1 cul2 cul3 c", "0 - - -", ".uuu.", ROTA_CONN_READY},
    {"those that served do as they like", 2, 0, "uccur1l1 cur2l2 cur3l3 c", "0 - - - d", ".kkk.", ROTA_CONN_READY},
    {"but for the time of a period", 2, 0, "uccul1 cul2 cul3 c w", "0 - - - d", ".uuu.", ROTA_CONN_READY},
};

static void connections_follow_the_rules(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rules); i++) {
        char conns[100], calls[CALLS_MAX + 1];
        struct scene s;

        print_message("  %s\n", rules[i].rule);
        scene_init(&s, "pick_first", rules[i].max, rules[i].limit);
        run_script(&s, rules[i].script);
        print_conns(&s, conns, sizeof(conns));
        print_calls(&s, calls);
        assert_string_equal(conns, rules[i].conns);
        assert_string_equal(calls, rules[i].calls);
        assert_int_equal(rota_channel_state(s.f.channel), rules[i].state);
        rota_channel_fixture_fini(&s.f);
    }
}

static void a_number_out_of_range_is_refused(void **unused)
{
    static const int32_t numbers[] = {-1, 101};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(numbers); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_leak_alloc leaks;

        rota_leak_alloc_init(&leaks);
        options.max_connections_per_subchannel = numbers[i];
        assert_int_equal(rota_channel_fixture_open(&f, &leaks.alloc, &options), ROTA_EINVAL);
        rota_channel_fixture_close(&f);
        rota_leak_alloc_fini(&leaks);
    }
}

static void connections_are_counted(void **unused)
{
    struct rota_channel_stats stats;
    struct scene s;

    (void)unused;
    scene_init(&s, "pick_first", 3, 0);
    assert_int_equal(rota_channel_stats(s.f.channel).connections, 0);
    run_script(&s, "uccu");
    stats = rota_channel_stats(s.f.channel);
    assert_int_equal(stats.subchannels, 1);
    assert_int_equal(stats.ready, 1);
    assert_int_equal(stats.connections, 2);
    run_script(&s, "g0");
    assert_int_equal(rota_channel_stats(s.f.channel).connections, 1);
    rota_channel_fixture_fini(&s.f);
}

/* Each call waits for ready, or has a stream; "c" of the script starts calls that do neither. */
static void calls_that_wait_for_a_stream_end_like_others(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_seen_call late, cancelled, last;
    struct scene s;

    (void)unused;
    scene_init(&s, "pick_first", 2, 0);
    run_script(&s, "uccu");
    options.timeout_ms = 100;
    rota_fixture_unary_start(&s.f, "late", &options, &late);
    rota_fixture_stream_start(&s.f, NULL, &cancelled);
    rota_fixture_unary_start(&s.f, "last", NULL, &last);
    rota_call_cancel(cancelled.call);
    rota_virtual_host_advance(&s.f.v, 200 * ROTA_MS);
    rota_assert_ended(&late, ROTA_DEADLINE_EXCEEDED, "waiting for a stream from " A);
    rota_assert_ended(&cancelled, ROTA_CANCELLED, "");
    run_script(&s, "r1");
    assert_string_equal(rota_fake_request(oldest_stream(s.f.transport.conns[1])), "last");
    rota_channel_fixture_fini(&s.f);
}

static void an_address_that_goes_takes_all_its_connections_along(void **unused)
{
    static const struct {
        const char *rule, *script, *conns;
    } rows[] = {
        {"they drain, who waits goes elsewhere", "uccuc", "!0 !1 2"},
        {"an attempt is closed", "ucccu", "!0 !1 - 2"},
        {"a period is forgotten", "ucc f", "!0 - 1"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        char conns[100];
        struct scene s;

        print_message("  %s\n", rows[i].rule);
        scene_init(&s, "round_robin", i == 1 ? 3 : 2, 0);
        run_script(&s, rows[i].script);
        rota_fixture_publish(&s.f, B, NULL, NULL);
        run_script(&s, "U");
        print_conns(&s, conns, sizeof(conns));
        assert_string_equal(conns, rows[i].conns);
        rota_virtual_host_advance(&s.f.v, 100 * ROTA_S);
        rota_channel_fixture_fini(&s.f);
    }
}

static void another_policy_takes_them_over(void **unused)
{
    static const struct {
        const char *rule, *script, *conns;
    } rows[] = {
        {"those that are up", "uccu", "02 1"},
        {"and the attempt, which finds who waits", "ucc", "02 1"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        char conns[100];
        struct scene s;

        print_message("  %s\n", rows[i].rule);
        scene_init(&s, "pick_first", 2, 0);
        run_script(&s, rows[i].script);
        rota_fixture_service_config(&s.f, "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"connectionScaling\":{\"maxConnectionsPerSubchannel\":2}}");
        run_script(&s, i == 0 ? "c a0" : "u c a0");
        print_conns(&s, conns, sizeof(conns));
        assert_string_equal(conns, rows[i].conns);
        assert_int_equal(rota_channel_stats(s.f.channel).connections, 2);
        rota_channel_fixture_fini(&s.f);
    }
}

static void an_unused_channel_drops_them_all(void **unused)
{
    char conns[100];
    struct scene s;

    (void)unused;
    scene_init(&s, "pick_first", 2, 0);
    run_script(&s, "uccu r0r1 WWWW");
    print_conns(&s, conns, sizeof(conns));
    assert_string_equal(conns, "- -");
    assert_int_equal(rota_channel_state(s.f.channel), ROTA_CONN_IDLE);
    rota_channel_fixture_fini(&s.f);
}

static void news_of_an_address_end_the_period(void **unused)
{
    char conns[100];
    struct scene s;

    (void)unused;
    scene_init(&s, "pick_first", 2, 0);
    rota_fixture_publish(&s.f, A "#1", NULL, NULL);
    run_script(&s, "ucc f");
    rota_fixture_publish(&s.f, A "#2", NULL, NULL);
    rota_virtual_host_advance(&s.f.v, 200 * ROTA_MS); /* which is when at the latest */
    print_conns(&s, conns, sizeof(conns));
    assert_string_equal(conns, "0 - d");
    rota_channel_fixture_fini(&s.f);
}

static void a_dial_that_fails_at_once_waits_out_its_period(void **unused)
{
    char conns[100];
    struct scene s;

    (void)unused;
    scene_init(&s, "pick_first", 2, 0);
    run_script(&s, "uc");
    s.f.transport.dial_err = ROTA_EIO;
    run_script(&s, "c");
    s.f.transport.dial_err = 0;
    run_script(&s, "c");
    print_conns(&s, conns, sizeof(conns));
    assert_string_equal(conns, "0");
    run_script(&s, "w");
    print_conns(&s, conns, sizeof(conns));
    assert_string_equal(conns, "0 d");
    rota_channel_fixture_fini(&s.f);
}

static rota_err scale_up_and_down(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_slice bytes = ROTA_SLICE("hello");
    struct rota_seen_call seen[6] = {0};
    struct rota_channel_fixture f = {0};
    rota_err err, started[ROTA_COUNT(seen)] = {0};
    size_t n_started = 0;

    (void)ctx;
    options.service_config = "{\"connectionScaling\":{\"maxConnectionsPerSubchannel\":3},\"methodConfig\":[{\"name\":[{}],\"timeout\":\"30s\"}]}";
    err = rota_channel_fixture_open(&f, alloc, &options);
    for (; err == 0 && n_started < ROTA_COUNT(seen); n_started++) {
        started[n_started] = rota_unary_start(f.channel, &rota_fixture_unary, NULL, &bytes, rota_fixture_unary_done, &seen[n_started], NULL);
        rota_fixture_publish(&f, A, NULL, NULL);
        rota_virtual_host_advance(&f.v, 2 * ROTA_S);
        for (size_t n = 0; n < f.transport.n_conns; n++) {
            f.transport.conns[n]->max_streams = 1;
            if (!f.transport.conns[n]->closed && !f.transport.conns[n]->up)
                rota_fake_up(f.transport.conns[n]);
        }
    }
    for (size_t n = 0; n < f.transport.n_conns; n++)
        if (!f.transport.conns[n]->closed)
            rota_fake_lose(f.transport.conns[n], "lost");
    rota_virtual_host_advance(&f.v, 60 * ROTA_S);
    for (size_t i = 0; i < n_started; i++) {
        assert_true(started[i] == 0 || started[i] == ROTA_ENOMEM);
        assert_int_equal(seen[i].dones, started[i] == 0 ? 1 : 0); /* lost, late, or without memory */
    }
    rota_channel_fixture_close(&f);
    return err;
}

static void running_out_of_memory_is_survived(void **unused)
{
    uint64_t count = rota_alloc_sweep_absorbing(scale_up_and_down, NULL);

    (void)unused;
    print_message("  %u allocations\n", (unsigned)count);
    assert_true(count > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_follow_the_rules),
        cmocka_unit_test(a_number_out_of_range_is_refused),
        cmocka_unit_test(connections_are_counted),
        cmocka_unit_test(calls_that_wait_for_a_stream_end_like_others),
        cmocka_unit_test(an_address_that_goes_takes_all_its_connections_along),
        cmocka_unit_test(another_policy_takes_them_over),
        cmocka_unit_test(an_unused_channel_drops_them_all),
        cmocka_unit_test(news_of_an_address_end_the_period),
        cmocka_unit_test(a_dial_that_fails_at_once_waits_out_its_period),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
