/* report_test.c - figures from counts, and the three forms in which they are shown. */
#include "sim/report.h"
#include "base/assert.h"
#include "sim/measure.h"
#include "testing/cmocka.h"
#include <jansson.h>
#include <stdlib.h>

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

/* Ten servers, one call each 10 ms in turn; the one that is bad from 2 s to 5 s is left alone from 2.3 s to 6.1 s. */
struct fixture {
    struct rota_sim_scenario scenario;
    struct rota_sim_result *result;
    const struct rota_sim_result *results[2];
    struct rota_buffer out;
};

static void play(struct fixture *f)
{
    struct rota_sim_measure m;
    uint32_t episode = 0, server = 0;

    assert_int_equal(rota_sim_measure_init(&m, &f->scenario, NULL, f->result), 0);
    rota_sim_measure_listed(&m, 10, 0);
    for (int64_t at_ns = 0; at_ns < 10 * S; at_ns += 10 * MS) {
        if (at_ns == 2 * S)
            episode = rota_sim_measure_bad(&m, 4, ROTA_SIM_PAUSE, at_ns);
        if (at_ns == 5 * S)
            rota_sim_measure_good(&m, episode, at_ns);
        server = (server + 1) % 10;
        if (server == 4 && at_ns >= 23 * S / 10 && at_ns < 61 * S / 10)
            server++;
        rota_sim_measure_attempt(&m, server, at_ns % S == 0, at_ns);
        rota_sim_measure_served(&m, server, true, at_ns + 2 * MS);
        rota_sim_measure_call(&m, at_ns, at_ns + 2 * MS, at_ns % (2 * S) == 0 ? ROTA_UNAVAILABLE : ROTA_OK);
    }
    rota_sim_measure_unfinished(&m, 9 * S, 10 * S);
    rota_sim_measure_finish(&m, 10 * S);
    rota_sim_measure_fini(&m);
}

static void init(struct fixture *f)
{
    *f = (struct fixture){.scenario = {.title = "a \"b\" <c>", .seed = 3, .n_clients = 1, .n_servers = 10, .duration_ns = 10 * S, .warmup_ns = S,
                                       .window_ns = S / 10}};
    f->result = malloc(rota_sim_result_size(&f->scenario));
    assert_non_null(f->result);
    rota_sim_result_init(f->result, &f->scenario, "some");
    f->results[0] = f->results[1] = f->result;
    rota_buffer_init(&f->out, NULL, 0);
    play(f);
}

static void fini(struct fixture *f)
{
    rota_buffer_fini(&f->out);
    free(f->result);
}

static const char *text_of(struct fixture *f)
{
    assert_int_equal(rota_buffer_append(&f->out, rota_slice("", 1)), 0);
    return (const char *)rota_buffer_peek(&f->out).data;
}

static void figures_come_from_counts(void **unused)
{
    struct rota_sim_summary sum;
    struct fixture f;

    (void)unused;
    init(&f);
    sum = rota_sim_summarise(f.result);
    assert_int_equal(f.result->calls, 901); /* what began in the warm-up does not count */
    assert_int_equal(f.result->attempts, 900);
    assert_int_equal(f.result->codes[ROTA_UNAVAILABLE], 4);
    assert_int_equal(f.result->unfinished, 1);
    assert_int_equal(f.result->retries, 9);
    assert_int_equal(sum.p50_ms * 1e6, rota_sim_histogram_at(&f.result->latency, 500000));
    assert_true(sum.p999_ms > 999); /* of those not ended */
    assert_true(sum.bad_share > 0.05 && sum.bad_share < 0.065 && sum.bad_fair == 0.1);
    assert_true(sum.low_share > 0.95 && sum.high_share < 1.05);
    assert_int_equal(sum.leave_ns, 2 * S / 10); /* one more call within the second is less than a fifth */
    assert_int_equal(sum.late_share, 0);
    assert_in_range(sum.return_ns, 18 * S / 10, 22 * S / 10); /* at 6.1 s it began to be back */
    fini(&f);
}

static void an_episode_that_is_too_short_tells_nothing(void **unused)
{
    struct rota_sim_measure m;
    struct fixture f;

    (void)unused;
    init(&f);
    rota_sim_result_init(f.result, &f.scenario, "some");
    assert_int_equal(rota_sim_measure_init(&m, &f.scenario, NULL, f.result), 0);
    rota_sim_measure_good(&m, rota_sim_measure_bad(&m, 2, ROTA_SIM_KILL, S), S + S / 2);
    rota_sim_measure_bad(&m, 2, ROTA_SIM_KILL, 2 * S);
    rota_sim_measure_finish(&m, 10 * S);
    assert_int_equal(f.result->episodes[0].leave_ns, -2);
    assert_int_equal(f.result->episodes[0].return_ns, -2);
    assert_int_equal(f.result->episodes[1].leave_ns, -1); /* nobody called, so nobody left */
    assert_int_equal(f.result->episodes[1].return_ns, -2);
    for (int i = 0; i < 2 * ROTA_SIM_EPISODES_MAX; i++)
        rota_sim_measure_good(&m, rota_sim_measure_bad(&m, 1, ROTA_SIM_KILL, S), S);
    assert_int_equal(f.result->n_episodes, ROTA_SIM_EPISODES_MAX);
    assert_int_equal(f.result->n_episodes_lost, ROTA_SIM_EPISODES_MAX + 2);
    rota_sim_measure_fini(&m);
    fini(&f);
}

static void a_table_has_a_line_a_policy(void **unused)
{
    struct fixture f;
    const char *text;

    (void)unused;
    init(&f);
    assert_int_equal(rota_sim_report_table(&f.scenario, f.results, 2, false, &f.out), 0);
    text = text_of(&f);
    assert_non_null(strstr(text, "a \"b\" <c>\n1 client, 10 servers, 10 s of which 9 s are measured, seed 3\n"));
    assert_non_null(strstr(text, "\npolicy  p50 ms  p99 ms"));
    assert_non_null(strstr(text, "\nsome      2.0"));
    fini(&f);
    init(&f);
    assert_int_equal(rota_sim_report_table(&f.scenario, f.results, 1, true, &f.out), 0);
    text = text_of(&f);
    assert_non_null(strstr(text, "\n| policy | p50 ms |"));
    assert_non_null(strstr(text, "|\n|---|---|"));
    assert_non_null(strstr(text, "\n| some | 2.0"));
    fini(&f);
}

static void json_has_every_figure(void **unused)
{
    struct fixture f;
    json_error_t error;
    json_t *json, *result;
    struct rota_slice text;

    (void)unused;
    init(&f);
    assert_int_equal(rota_sim_report_json(&f.scenario, f.results, 2, &f.out), 0);
    text = rota_buffer_peek(&f.out);
    json = json_loadb((const char *)text.data, text.size, 0, &error);
    if (json == NULL)
        fail_msg("%s", error.text);
    assert_string_equal(json_string_value(json_object_get(json, "title")), "a \"b\" <c>");
    assert_int_equal(json_array_size(json_object_get(json, "results")), 2);
    result = json_array_get(json_object_get(json, "results"), 1);
    assert_int_equal(json_integer_value(json_object_get(result, "calls")), 901);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(result, "codes"), "UNAVAILABLE")), 4);
    assert_int_equal(json_array_size(json_object_get(result, "servers")), 10);
    assert_int_equal(json_array_size(json_object_get(result, "windows")), 100);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(result, "episodes"), 0), "what")), "pause");
    assert_true(json_real_value(json_object_get(result, "leave_ms")) == 200);
    json_decref(json);
    fini(&f);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part)) != NULL) {
        count++;
        text++;
    }
    return count;
}

static void a_drawing_has_lines_for_each_policy(void **unused)
{
    struct fixture f;
    const char *text;

    (void)unused;
    init(&f);
    assert_int_equal(rota_sim_report_svg(&f.scenario, f.results, 2, &f.out), 0);
    text = text_of(&f);
    assert_non_null(strstr(text, "<svg xmlns"));
    assert_non_null(strstr(text, ">a \"b\" &lt;c></text>"));
    assert_non_null(strstr(text, "share of attempts"));
    assert_int_equal(count_of(text, "<polyline"), 6); /* latency, time, legend */
    assert_non_null(strstr(text, "</svg>\n"));
    assert_null(strstr(text, "nan"));
    fini(&f);
}

static void a_result_of_nothing_can_be_drawn(void **unused)
{
    struct fixture f;

    (void)unused;
    init(&f);
    rota_sim_result_init(f.result, &f.scenario, "none");
    assert_int_equal(rota_sim_report_svg(&f.scenario, f.results, 1, &f.out), 0);
    assert_non_null(strstr(text_of(&f), "longest latency"));
    assert_null(strstr(text_of(&f), "nan"));
    fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_come_from_counts),            cmocka_unit_test(an_episode_that_is_too_short_tells_nothing),
        cmocka_unit_test(a_table_has_a_line_a_policy),         cmocka_unit_test(json_has_every_figure),
        cmocka_unit_test(a_drawing_has_lines_for_each_policy), cmocka_unit_test(a_result_of_nothing_can_be_drawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
