/* reports_test.c - load reports out of band, from who asks for them to who hears of them: a rule a row. Source: gRFC A51, A58. */
#include "base/alloc.h"
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "testing/virtual_host.h"
#include <stdio.h>

#define S (1000 * ROTA_MS)
#define WRR(fields) "[{\"weighted_round_robin\":{" fields "}}]"
#define OOB "\"enableOobLoadReport\":true"

/* --- weighted_round_robin --- */

static void asks_as_configured(void **unused)
{
    static const struct lb_row rows[] = {
        {"off by default: nobody is asked", WRR(""), {{"list=a", "get:a connect:a CONNECTING wake:1000"}}},
        {"every 10 s by default", WRR(OOB), {{"list=a", "get:a reports:a:10000 connect:a CONNECTING wake:1000"}}},
        {"as often as the config says", WRR(OOB ",\"oobReportingPeriod\":\"0.5s\""), {{"list=a", "get:a reports:a:500 connect:a CONNECTING wake:1000"}}},
        {"a period alone asks for nothing", WRR("\"oobReportingPeriod\":\"0.5s\""), {{"list=a", "get:a connect:a CONNECTING wake:1000"}}},
    };

    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
}

static const struct {
    const char *rule, *list;
    double qps[3]; /* reported at 0 s and 9 s; 0: no report */
    int64_t count_at_ms;
    double shares[3];
} turns[] = {
    {"weights follow the reports after the blackout", "a,b,c", {10, 20, 40}, 11001, {10, 20, 40}},
    {"in the blackout turns are plain", "a,b,c", {10, 20, 40}, 9500, {1, 1, 1}},
    {"reports expire", "a,b,c", {10, 20, 40}, 190001, {1, 1, 1}},
    {"one report is too few", "a,b,c", {10, 0, 0}, 11001, {1, 1, 1}},
};

static void report_all(struct rota_fake_lb *f, const double *qps)
{
    for (size_t i = 0; i < f->n_conns; i++)
        if (qps[i] != 0)
            rota_fake_lb_report(f, f->by_number[i], qps[i]);
}

static void turns_follow_reports(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(turns); i++) {
        struct rota_fake_lb *f = lb_open_ready(WRR(OOB), turns[i].list, i + 1);
        int64_t start_ns = f->now_ns;
        uint32_t counts[3];
        report_all(f, turns[i].qps);
        if (turns[i].count_at_ms > 9000) {
            rota_fake_lb_advance(f, 9 * S);
            report_all(f, turns[i].qps);
        }
        rota_fake_lb_advance(f, start_ns + turns[i].count_at_ms * ROTA_MS - f->now_ns);
        lb_count_picks(f, 100000, counts);
        lb_shares_check(turns[i].rule, counts, turns[i].shares, f->n_conns, 0.001, false);
        lb_close(f);
    }
}

/* Reports in trailers are not read where those out of band are asked for. */
static void trailers_are_not_read(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(WRR(OOB ",\"blackoutPeriod\":\"0s\""), "a,b", 1);
    static const uint8_t one[18] = {0x31, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x49, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F};
    static const double plain[] = {1, 1}, reported[] = {1, 3};
    struct rota_metadata *trailers;
    uint32_t counts[2];

    (void)unused;
    assert_int_equal(rota_metadata_new(NULL, &trailers), 0);
    assert_int_equal(rota_metadata_add(trailers, ROTA_SLICE("endpoint-load-metrics-bin"), rota_slice(one, sizeof(one)), NULL), 0);
    for (int i = 0; i < 4; i++) {
        struct rota_outcome outcome = {.started_ns = f->now_ns, .ended_ns = f->now_ns, .sent = true, .trailers = i < 2 ? trailers : NULL};
        struct rota_pick pick;
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        rota_lb_tree_done(f->tree, &pick, &outcome);
    }
    rota_fake_lb_report(f, f->by_number[0], 7);
    rota_fake_lb_advance(f, 2 * S);
    lb_count_picks(f, 30000, counts);
    lb_shares_check("of one report and two trailers", counts, plain, 2, 0.001, false);
    rota_fake_lb_report(f, f->by_number[1], 21);
    rota_fake_lb_advance(f, 2 * S);
    lb_count_picks(f, 30000, counts);
    lb_shares_check("of two reports", counts, reported, 2, 0.001, false);
    rota_metadata_free(trailers);
    lb_close(f);
}

/* --- A user's own policy: one subchannel of its own to the first endpoint, a child for the rest --- */

struct asker {
    const struct rota_lb_env *env;
    struct rota_lb_config *child_config;
    struct rota_lb_child *child;
    struct rota_lb_subchannel *own;
};

static int64_t child_ns, own_ns;
static bool drop_child;
static double heard_from_child, heard_from_own;

static rota_err asker_init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct asker *a = state;

    (void)config;
    a->env = env;
    return rota_lb_config_parse(env, ROTA_SLICE("[{\"weighted_round_robin\":{\"enableOobLoadReport\":true}}]"), &a->child_config, NULL);
}

static void asker_fini(void *state)
{
    rota_lb_config_free(((struct asker *)state)->child_config);
}

static rota_err asker_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct asker *a = state;

    (void)now_ns;
    if (a->child == NULL) {
        assert_int_equal(rota_lb_child_new(cmds, a->child_config, a, &a->child), 0);
        assert_int_equal(rota_lb_subchannel_new(cmds, endpoints[0], 0, a, &a->own), 0);
    }
    rota_lb_child_reports(cmds, a->child, child_ns);
    rota_lb_subchannel_reports(cmds, a->own, own_ns);
    return rota_lb_child_endpoints(cmds, a->child, endpoints + 1, count - 1);
}

static void asker_conn(void *state, struct rota_lb_subchannel *subchannel, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                       int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state, (void)subchannel, (void)tag, (void)conn, (void)why, (void)now_ns, (void)cmds;
}

static void asker_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why, int64_t now_ns,
                        struct rota_lb_cmds *cmds)
{
    (void)state, (void)child, (void)tag, (void)now_ns;
    rota_lb_update(cmds, conn, why);
}

static void asker_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state, (void)now_ns, (void)cmds;
}

static enum rota_pick_verdict asker_pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    return rota_lb_child_pick(((struct asker *)state)->child, call, ret_pick);
}

static void asker_report(void *state, struct rota_lb_child *child, void *tag, const struct rota_load_report *report, int64_t now_ns,
                         struct rota_lb_cmds *cmds)
{
    struct asker *a = state;

    (void)now_ns;
    assert_ptr_equal(tag, a);
    if (child == NULL) {
        heard_from_own = report->requests_per_s;
        return;
    }
    assert_ptr_equal(child, a->child);
    heard_from_child = report->requests_per_s;
    if (drop_child) {
        rota_lb_child_free(cmds, a->child);
        a->child = NULL;
    }
}

static const struct rota_lb_class asker = {
    .name = "asker",
    .state_size = sizeof(struct asker),
    .init = asker_init,
    .fini = asker_fini,
    .on_endpoints = asker_endpoints,
    .on_conn = asker_conn,
    .on_child = asker_child,
    .on_exit_idle = asker_exit_idle,
    .pick = asker_pick,
    .on_report = asker_report,
};

static const struct {
    const char *rule;
    int64_t child_ms, own_ms;
    const char *script, *trace;
    double from_child, from_own;
} asks[] = {
    {"a child's own wish is the only one", 0, 0, "list=o,a", "get:o get:a reports:a:10000 connect:a CONNECTING wake:1000", 0, 0},
    {"the shortest period counts: its parent's", 2000, 0, "list=o,a", "get:o get:a reports:a:2000 connect:a CONNECTING wake:1000", 0, 0},
    {"or its own", 20000, 0, "list=o,a", "get:o get:a reports:a:10000 connect:a CONNECTING wake:1000", 0, 0},
    {"a subchannel of one's own", 0, 500, "list=o,a", "get:o reports:o:500 get:a reports:a:10000 connect:a CONNECTING wake:1000", 0, 0},
    {"who has asked hears of it, the child too", 2000, 500, "list=o,a a=R o%3 a%5", "get:o reports:o:500 get:a reports:a:2000 connect:a CONNECTING wake:1000 READY", 5, 3},
    {"who has not does not", 0, 0, "list=o,a a=R o%3 a%5", "get:o get:a reports:a:10000 connect:a CONNECTING wake:1000 READY", 0, 0},
};

static const struct rota_lb_class *const policies[] = {&asker, &rota_lb_pick_first, &rota_lb_weighted_round_robin, NULL};

static struct rota_fake_lb *open_asker(struct rota_leak_alloc *memory)
{
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    heard_from_child = heard_from_own = 0;
    rota_leak_alloc_init(memory);
    assert_int_equal(rota_fake_lb_init(f, &memory->alloc, policies, "[{\"asker\":{}}]", 1), 0);
    return f;
}

static void close_asker(struct rota_fake_lb *f, struct rota_leak_alloc *memory)
{
    rota_fake_lb_fini(f);
    rota_leak_alloc_fini(memory);
    test_free(f);
}

static void anybody_may_ask(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(asks); i++) {
        struct rota_leak_alloc memory;
        struct rota_fake_lb *f = open_asker(&memory);
        child_ns = asks[i].child_ms * ROTA_MS;
        own_ns = asks[i].own_ms * ROTA_MS;
        rota_fake_lb_expect(f, asks[i].rule, asks[i].script, asks[i].trace);
        assert_true(heard_from_child == asks[i].from_child && heard_from_own == asks[i].from_own);
        close_asker(f, &memory);
    }
}

static void wishes_change(void **unused)
{
    struct rota_leak_alloc memory;
    struct rota_fake_lb *f = open_asker(&memory);

    (void)unused;
    child_ns = own_ns = 0;
    rota_fake_lb_expect(f, "first", "list=o,a", "get:o get:a reports:a:10000 connect:a CONNECTING wake:1000");
    child_ns = 3 * S;
    own_ns = S;
    rota_fake_lb_expect(f, "the owner hears of a shorter period, also deep down", "list=o,a", "reports:a:3000 reports:o:1000");
    rota_fake_lb_expect(f, "the same once more is no news", "list=o,a", "");
    child_ns = own_ns = 0;
    rota_fake_lb_expect(f, "and of an end", "list=o,a", "reports:a:10000 reports:o:off");
    close_asker(f, &memory);
}

static void a_child_may_go_while_it_is_told(void **unused)
{
    struct rota_leak_alloc memory;
    struct rota_fake_lb *f = open_asker(&memory);

    (void)unused;
    child_ns = S;
    own_ns = 0;
    drop_child = true;
    rota_fake_lb_expect(f, "freed from on_report", "list=o,a a=R a%5", "get:o get:a reports:a:1000 connect:a CONNECTING wake:1000 READY put:a wake:off");
    assert_true(heard_from_child == 5);
    drop_child = false;
    close_asker(f, &memory);
}

/* --- Reports as users read them --- */

static void reports_are_read_by_name(void **unused)
{
    static const char bytes[] = "\x09\0\0\0\0\0\0\xE0\x3F" "\x2A\x0D\x0A\x02q.\x11\0\0\0\0\0\0\xF0\x3F" "\x42\x0C\x0A\x01q\x11\0\0\0\0\0\0\0\x40";
    static const struct {
        const char *metric;
        bool there;
        double value;
    } values[] = {
        {"cpu_utilization", true, 0.5}, {"utilization.q.", true, 1}, {"named_metrics.q", true, 2},
        {"mem_utilization", false, 0}, {"named_metrics.r", false, 0}, {"request_cost.q", false, 0}, {"q", false, 0}, {"named_metrics", false, 0},
    };
    struct rota_load_report report;
    struct rota_metadata *trailers;

    (void)unused;
    assert_false(rota_load_report_of(NULL, &report));
    assert_int_equal(rota_metadata_new(NULL, &trailers), 0);
    assert_false(rota_load_report_of(trailers, &report));
    assert_int_equal(rota_metadata_add(trailers, ROTA_SLICE("endpoint-load-metrics-bin"), rota_slice(bytes, sizeof(bytes) - 1), NULL), 0);
    assert_true(rota_load_report_of(trailers, &report));
    assert_true(report.cpu_utilization == 0.5 && report.requests_per_s == 0);
    for (size_t i = 0; i < ROTA_COUNT(values); i++) {
        double got = 0;
        assert_int_equal(rota_load_report_get(&report, values[i].metric, &got), values[i].there);
        assert_true(got == values[i].value);
    }
    assert_false(rota_load_report_read(ROTA_SLICE("\x09"), &report));
    rota_metadata_free(trailers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_as_configured),
        cmocka_unit_test(turns_follow_reports),
        cmocka_unit_test(trailers_are_not_read),
        cmocka_unit_test(anybody_may_ask),
        cmocka_unit_test(wishes_change),
        cmocka_unit_test(a_child_may_go_while_it_is_told),
        cmocka_unit_test(reports_are_read_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
