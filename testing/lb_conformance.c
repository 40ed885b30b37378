/* lb_conformance.c - contract in lb_conformance.h.
 *
 * The class under test is replaced by one of the same name that watches pick and on_done and passes everything else on; it is found
 * by the config's name in the list of classes. The watcher is the one static in here: class tables have no place for a pointer.
 */
#include "testing/lb_conformance.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/fake_lb.h"
#include "testing/leak_alloc.h"
#include "testing/virtual_host.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_POLICIES 32
#define MAX_PICKS 64
#define MAX_AVOID 4
#define SETTLE_TURNS 200

static const char *const words[] = {"a", "b", "c", "d", "e", "f", "4g+6g", "6h+4h+i", "a+b", "c!", "d!", "4j*5", "6k*100", "l", "o@target:x", "p@target:y", "q@priority:1", "m@zone:x", "n@zone:y"};

static struct watch {
    const struct rota_lb_class *watched;
    const struct rota_leak_alloc *memory;
    const struct rota_fake_lb *lb;
    void *root; /* the state of the tree's root */
    uint64_t n_ok, n_done;
} watch;

struct call {
    struct rota_pick pick;
    int64_t started_ns;
    bool avoided; /* a further attempt */
};

struct run {
    const struct rota_lb_conformance *c;
    struct rota_rng *dice;
    struct rota_leak_alloc memory;
    struct rota_fake_lb lb;
    struct rota_lb_class watcher;
    const struct rota_lb_class *policies[MAX_POLICIES + 1];
    struct call calls[MAX_PICKS]; /* picked OK, not done */
    uint32_t n_calls;
    struct rota_metadata *report, *broken_report; /* as trailers */
    bool had_list;
};

/* --- The watcher --- */

static rota_err watched_init(void *state, const struct rota_lb_env *env, const void *config)
{
    if (watch.root == NULL)
        watch.root = state;
    return watch.watched->init(state, env, config);
}

/* Known by its address alone, since it may be gone. */
static bool is_held(const struct rota_fake_lb *lb, const struct rota_lb_subchannel *subchannel)
{
    for (size_t i = 0; i < lb->n_conns; i++)
        for (const struct rota_lb_subchannel *hold = lb->by_number[i]->holds; hold != NULL; hold = hold->next_hold)
            if (hold == subchannel)
                return true;
    return false;
}

static enum rota_pick_verdict watched_pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    uint64_t allocs = watch.memory->allocs;
    enum rota_pick_verdict verdict = watch.watched->pick(state, call, ret_pick);

    if (watch.memory->allocs != allocs)
        fail_msg("a pick allocates nothing, but one asked for memory %llu times", (unsigned long long)(watch.memory->allocs - allocs));
    if (verdict == ROTA_PICK_OK && ret_pick->subchannel != NULL && !is_held(watch.lb, ret_pick->subchannel))
        fail_msg("OK names a connection of the policy's, but a pick named a subchannel that had been given back");
    if (verdict == ROTA_PICK_OK && state == watch.root)
        watch.n_ok++;
    return verdict;
}

static void watched_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    if (state == watch.root)
        watch.n_done++;
    if (watch.watched->on_done != NULL)
        watch.watched->on_done(state, cookie, outcome);
}

/* --- Events --- */

static uint32_t roll(struct run *r, uint32_t bound)
{
    return rota_rng_below(r->dice, bound);
}

static const char *const verdict_names[] = {"OK", "WAIT", "FAIL", "DROP"};

/* What a policy told last and what its pick answers must agree. */
static void check_verdict(const struct run *r, enum rota_conn_state before, enum rota_pick_verdict verdict)
{
    const char *broken = NULL;

    if (verdict == ROTA_PICK_OK && before != ROTA_CONN_READY)
        broken = "OK comes only in READY";
    else if (r->c->decides_by_call)
        return;
    else if (before == ROTA_CONN_READY && verdict != ROTA_PICK_OK)
        broken = "READY gives OK";
    else if (before == ROTA_CONN_TRANSIENT_FAILURE && verdict != ROTA_PICK_FAIL)
        broken = "TRANSIENT_FAILURE gives FAIL";
    else if (before != ROTA_CONN_TRANSIENT_FAILURE && verdict == ROTA_PICK_FAIL)
        broken = "FAIL comes only in TRANSIENT_FAILURE";
    if (broken != NULL)
        fail_msg("%s, but a pick said %s while the policy was %s%s", broken, verdict_names[verdict], rota_conn_state_name(before),
                 r->had_list ? "" : " (no list has come yet)");
}

/* Ended in any way a call may: failed, cancelled because another attempt won, never sent, with a load report in its trailers or rubbish. */
static void finish(struct run *r, const struct call *call)
{
    static const enum rota_code codes[] = {ROTA_OK, ROTA_OK, ROTA_OK, ROTA_UNAVAILABLE, ROTA_CANCELLED, ROTA_DEADLINE_EXCEEDED};
    const struct rota_metadata *trailers[] = {NULL, NULL, r->report, r->broken_report};
    struct rota_outcome outcome = {
        .status = {codes[roll(r, ROTA_COUNT(codes))], ""},
        .started_ns = call->started_ns,
        .ended_ns = r->lb.now_ns,
        .sent = roll(r, 8) > 0,
        .trailers = trailers[roll(r, ROTA_COUNT(trailers))],
        .attempt = call->avoided,
    };

    outcome.superseded = outcome.status.code == ROTA_CANCELLED && roll(r, 2) == 0;
    rota_lb_tree_done(r->lb.tree, &call->pick, &outcome);
}

/* Where a further attempt has been: some connections, READY or not, or given back long ago. */
static uint32_t roll_avoid(struct run *r, const void **avoid)
{
    uint32_t count = r->lb.n_conns > 0 && roll(r, 4) == 0 ? 1 + roll(r, MAX_AVOID) : 0;

    for (uint32_t i = 0; i < count; i++)
        avoid[i] = r->lb.by_number[roll(r, (uint32_t)r->lb.n_conns)];
    return count;
}

static void check_pick(struct run *r, bool keep)
{
    const void *avoid[MAX_AVOID];
    struct call call = {.started_ns = r->lb.now_ns};
    enum rota_conn_state before = r->lb.state; /* a pick may lead out of IDLE; it was answered before that */
    enum rota_pick_verdict verdict;

    r->lb.n_avoid = roll_avoid(r, avoid);
    r->lb.avoid = avoid;
    r->lb.streaming = roll(r, 8) == 0;
    call.avoided = r->lb.n_avoid > 0;
    verdict = rota_fake_lb_pick(&r->lb, &call.pick);
    r->lb.n_avoid = 0;
    check_verdict(r, before, verdict); /* to be avoided is no reason to fail or to wait */
    if (verdict != ROTA_PICK_OK)
        return;
    if (keep && r->n_calls < MAX_PICKS)
        r->calls[r->n_calls++] = call;
    else
        finish(r, &call);
}

static void finish_call(struct run *r, uint32_t which)
{
    struct call call = r->calls[which];

    r->calls[which] = r->calls[--r->n_calls];
    finish(r, &call);
}

static void random_list(struct run *r)
{
    char list[256] = "";
    uint32_t count = roll(r, 8) == 0 ? 0 : 1 + roll(r, 6);
    rota_err err;

    for (uint32_t i = 0; i < count; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s%s", used == 0 ? "" : ",", words[roll(r, ROTA_COUNT(words))]);
    }
    err = rota_fake_lb_list(&r->lb, list);
    r->had_list = true;
    if (err == ROTA_ENOMEM && r->memory.failed)
        return;
    if (count == 0 && err != ROTA_EINVAL)
        fail_msg("an empty list is refused with ROTA_EINVAL, but on_endpoints returned %s", err == 0 ? "0" : rota_err_name(err));
    if (count > 0 && err != 0)
        fail_msg("a list of servers is taken, but on_endpoints returned %s", rota_err_name(err));
}

/* Its server says how it is. */
static void random_word_of_server(struct run *r, struct rota_fake_conn *conn)
{
    static const enum rota_lb_serving serving[] = {ROTA_LB_NOT_SERVING, ROTA_LB_ASKED, ROTA_LB_SERVING};

    if (roll(r, 2) == 0)
        rota_fake_lb_report(&r->lb, conn, 1 + roll(r, 1000));
    else
        rota_fake_lb_serving(&r->lb, conn, serving[roll(r, ROTA_COUNT(serving))]);
}

/* What a subchannel may do next: gRPC's moves, and those of A105. */
static void random_conn(struct run *r)
{
    struct rota_fake_conn *conn;

    if (r->lb.n_conns == 0)
        return;
    conn = r->lb.by_number[roll(r, (uint32_t)r->lb.n_conns)];
    switch (conn->state) {
    case ROTA_CONN_IDLE:
        if (conn->wanted)
            rota_fake_lb_conn(&r->lb, conn, ROTA_CONN_CONNECTING, NULL);
        break;
    case ROTA_CONN_CONNECTING:
        rota_fake_lb_conn(&r->lb, conn, roll(r, 2) == 0 ? ROTA_CONN_READY : ROTA_CONN_TRANSIENT_FAILURE, "refused");
        break;
    case ROTA_CONN_READY:
        if (roll(r, 3) == 0)
            random_word_of_server(r, conn);
        else
            rota_fake_lb_conn(&r->lb, conn, roll(r, 3) > 0 ? ROTA_CONN_IDLE : 1 + 2 * roll(r, 2), "unhealthy");
        break;
    default:
        rota_fake_lb_conn(&r->lb, conn, conn->wanted ? ROTA_CONN_CONNECTING : ROTA_CONN_IDLE, NULL);
        break;
    }
}

static void random_event(struct run *r)
{
    struct rota_status why = {ROTA_UNAVAILABLE, "no such name"};

    switch (roll(r, 16)) {
    case 0:
        random_list(r);
        break;
    case 1:
        rota_fake_lb_advance(&r->lb, (int64_t)roll(r, 600) * ROTA_MS);
        break;
    case 2:
        rota_lb_tree_exit_idle(r->lb.tree, r->lb.now_ns);
        break;
    case 3:
        if (!r->had_list)
            rota_lb_tree_resolver_error(r->lb.tree, &why, r->lb.now_ns);
        break;
    case 4:
        if (r->n_calls > 0)
            finish_call(r, roll(r, r->n_calls));
        break;
    case 5:
        r->lb.connect_at_once = roll(r, 4) == 0;
        break;
    case 6:
        if (r->c->no_memory_at_times)
            rota_leak_alloc_fail_nth(&r->memory, 1 + roll(r, 20));
        break;
    case 7:
    case 8:
        check_pick(r, true);
        break;
    default:
        random_conn(r);
        break;
    }
}

/* --- The end --- */

/* Every connection asked for is made, those in backoff leave it; true when anything moved. */
static void settle_conns(struct run *r)
{
    for (size_t i = 0; i < r->lb.n_conns; i++) {
        struct rota_fake_conn *conn = r->lb.by_number[i];
        if (conn->n_holds == 0)
            continue;
        if (conn->state == ROTA_CONN_CONNECTING)
            rota_fake_lb_conn(&r->lb, conn, ROTA_CONN_READY, NULL);
        else if (conn->state != ROTA_CONN_READY && conn->wanted)
            rota_fake_lb_conn(&r->lb, conn, ROTA_CONN_CONNECTING, NULL);
        else if (conn->state == ROTA_CONN_TRANSIENT_FAILURE)
            rota_fake_lb_conn(&r->lb, conn, ROTA_CONN_IDLE, NULL);
        else if (conn->state == ROTA_CONN_READY)
            rota_fake_lb_serving(&r->lb, conn, ROTA_LB_SERVING);
    }
}

static void must_recover(struct run *r)
{
    rota_leak_alloc_fail_nth(&r->memory, 0);
    assert_int_equal(rota_fake_lb_list(&r->lb, "a,m,4n+6n"), 0);
    for (int turn = 0; turn < SETTLE_TURNS && r->lb.state != ROTA_CONN_READY; turn++) {
        settle_conns(r);
        check_pick(r, false);
        rota_fake_lb_advance(&r->lb, 500 * ROTA_MS);
    }
    if (r->lb.state != ROTA_CONN_READY)
        fail_msg("with a list, and every connection made that is asked for, a policy becomes READY, but this one said %s last", rota_conn_state_name(r->lb.state));
    for (int i = 0; i < 10; i++)
        check_pick(r, false);
}

static struct rota_metadata *trailers_with(struct rota_slice report)
{
    struct rota_metadata *trailers;

    assert_int_equal(rota_metadata_new(NULL, &trailers), 0);
    assert_int_equal(rota_metadata_add(trailers, ROTA_SLICE("endpoint-load-metrics-bin"), report, NULL), 0);
    return trailers;
}

static void start(struct run *r)
{
    static const uint8_t report[] = {0x31, 0, 0, 0, 0, 0, 0, 0x59, 0x40, 0x49, 0, 0, 0, 0, 0, 0, 0xE0, 0x3F}; /* rps 100, utilization 0.5 */
    struct rota_lb_config *config;
    uint32_t n_policies = 0;
    uint64_t seed = rota_rng_next(r->dice);

    rota_leak_alloc_init(&r->memory);
    r->report = trailers_with(rota_slice(report, sizeof(report)));
    r->broken_report = trailers_with(rota_slice(report, 5));
    /* Parsed once to learn which class it chooses. */
    r->lb.env = (struct rota_lb_env){.alloc = &r->memory.alloc, .rng = r->dice, .classes = r->c->policies};
    assert_int_equal(rota_lb_config_parse(&r->lb.env, rota_slice_str(r->c->config), &config, NULL), 0);
    for (; r->c->policies[n_policies] != NULL; n_policies++) {
        assert_true(n_policies < MAX_POLICIES);
        r->policies[n_policies] = r->c->policies[n_policies];
        if (strcmp(r->policies[n_policies]->name, rota_lb_config_name(config)) == 0)
            watch.watched = r->policies[n_policies];
    }
    rota_lb_config_free(config);
    r->watcher = *watch.watched;
    r->watcher.init = watched_init;
    r->watcher.pick = watched_pick;
    r->watcher.on_done = watched_done;
    for (uint32_t i = 0; i < n_policies; i++)
        if (r->policies[i] == watch.watched)
            r->policies[i] = &r->watcher;
    watch.memory = &r->memory;
    watch.lb = &r->lb;
    watch.root = NULL;
    watch.n_ok = watch.n_done = 0;
    assert_int_equal(rota_fake_lb_init(&r->lb, &r->memory.alloc, r->policies, r->c->config, seed), 0);
    r->lb.quiet = true;
}

void rota_lb_conformance_play(const struct rota_lb_conformance *c, struct rota_rng *dice)
{
    struct run *r = calloc(1, sizeof(*r));
    uint32_t n_events = c->n_events == 0 ? 200 : c->n_events;

    assert_non_null(r);
    r->c = c;
    r->dice = dice;
    start(r);
    for (uint32_t i = 0; i < n_events; i++) {
        random_event(r);
        check_pick(r, false);
    }
    must_recover(r);
    while (r->n_calls > 0)
        finish_call(r, 0);
    if (watch.n_ok != watch.n_done)
        fail_msg("on_done comes once for each OK, but of %llu it came for %llu", (unsigned long long)watch.n_ok, (unsigned long long)watch.n_done);
    rota_fake_lb_fini(&r->lb);
    rota_metadata_free(r->report);
    rota_metadata_free(r->broken_report);
    rota_leak_alloc_fini(&r->memory);
    free(r);
}

/* A failed check leaves by longjmp, so the seed is told when the next run begins or the program ends; or at once when that is by an assertion. */
static struct {
    const char *config;
    uint64_t seed;
    bool running, registered;
} current;

static void tell_seed(void)
{
    if (current.running)
        fprintf(stderr, "conformance: %s failed with seed %llu\n", current.config, (unsigned long long)current.seed);
    current.running = false;
}

static void tell_seed_and_abort(int signum)
{
    tell_seed();
    signal(signum, SIG_DFL);
    raise(signum);
}

void rota_lb_conformance_run(const struct rota_lb_conformance *c, uint64_t first_seed, uint32_t n_seeds)
{
    void (*before)(int) = signal(SIGABRT, tell_seed_and_abort);

    if (!current.registered)
        current.registered = atexit(tell_seed) == 0;
    tell_seed();
    current.config = c->config;
    for (uint32_t i = 0; i < n_seeds; i++) {
        struct rota_rng dice;
        rota_rng_init(&dice, first_seed + i);
        current.seed = first_seed + i;
        current.running = true;
        rota_lb_conformance_play(c, &dice);
        current.running = false;
    }
    signal(SIGABRT, before);
}
