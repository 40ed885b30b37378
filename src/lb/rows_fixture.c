/* rows_fixture.c - contract in rows_fixture.h. */
#include "rows_fixture.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include "testing/leak_alloc.h"
#include "testing/script_rng.h"
#include <math.h>

static void row_check(const struct lb_row *row)
{
    static const uint64_t zeros[256];
    struct rota_leak_alloc memory;
    struct rota_rng dice;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    rota_leak_alloc_init(&memory);
    rota_script_rng_init(&dice, zeros, ROTA_COUNT(zeros));
    assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, row->config, 1), 0);
    f->env.rng = &dice;
    for (size_t i = 0; i < MAX_STEPS && row->steps[i].script != NULL; i++)
        rota_fake_lb_expect(f, row->rule, row->steps[i].script, row->steps[i].trace);
    rota_fake_lb_fini(f);
    rota_leak_alloc_fini(&memory);
    test_free(f);
}

void lb_rows_check(const struct lb_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row_check(&rows[i]);
}

void lb_config_rows_check(const struct lb_config_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rota_leak_alloc memory;
        struct rota_lb_env env = {.alloc = &memory.alloc, .classes = rota_test_policies};
        struct rota_lb_config *config = NULL;
        struct rota_errinfo info = {""};
        rota_err err;
        rota_leak_alloc_init(&memory);
        err = rota_lb_config_parse(&env, rota_slice_str(rows[i].json), &config, &info);
        if (err != (rows[i].words == NULL ? 0 : ROTA_EPARSE))
            fail_msg("%s: %s %s", rows[i].rule, rota_err_name(err), info.text);
        if (rows[i].words != NULL && strstr(info.text, rows[i].words) == NULL)
            fail_msg("%s: expected \"%s\" in: %s", rows[i].rule, rows[i].words, info.text);
        rota_lb_config_free(config);
        rota_leak_alloc_fini(&memory);
    }
}

void lb_all_ready(struct rota_fake_lb *f)
{
    for (size_t i = 0; i < f->n_conns; i++)
        if (f->by_number[i]->n_holds > 0 && f->by_number[i]->wanted)
            rota_fake_lb_conn(f, f->by_number[i], ROTA_CONN_READY, NULL);
}

struct rota_fake_lb *lb_open_ready(const char *config, const char *list, uint64_t seed)
{
    static const uint64_t zeros[64];
    struct rota_fake_lb *f = test_malloc(sizeof(*f));
    struct rota_rng dice;

    assert_int_equal(rota_fake_lb_init(f, NULL, rota_test_policies, config, seed), 0);
    f->quiet = true;
    rota_script_rng_init(&dice, zeros, ROTA_COUNT(zeros));
    f->env.rng = &dice; /* the first of the list is connected to first */
    assert_int_equal(rota_fake_lb_list(f, list), 0);
    f->env.rng = &f->rng;
    lb_all_ready(f);
    return f;
}

void lb_close(struct rota_fake_lb *f)
{
    rota_fake_lb_fini(f);
    test_free(f);
}

static size_t number_of(const struct rota_fake_lb *f, const struct rota_fake_conn *conn)
{
    size_t i = 0;

    while (f->by_number[i] != conn)
        i++;
    return i;
}

void lb_count_picks(struct rota_fake_lb *f, uint32_t n, uint32_t *ret_counts)
{
    memset(ret_counts, 0, f->n_conns * sizeof(*ret_counts));
    for (uint32_t i = 0; i < n; i++) {
        struct rota_pick pick;
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        ret_counts[number_of(f, rota_fake_lb_picked(&pick))]++;
        rota_fake_lb_done(f, &pick);
    }
}

void lb_shares_check(const char *rule, const uint32_t *counts, const double *weights, size_t count, double tolerance, bool by_chance)
{
    double sum_weights = 0, sum_counts = 0;

    for (size_t i = 0; i < count; i++) {
        sum_weights += weights[i];
        sum_counts += counts[i];
    }
    for (size_t i = 0; i < count; i++) {
        double want = sum_counts * weights[i] / sum_weights;
        double slack = want * tolerance + 1 + (by_chance ? 3 * sqrt(want) : 0);
        if (fabs(counts[i] - want) > slack)
            fail_msg("%s: number %zu has %u picks of %.0f, expected %.1f", rule, i, counts[i], sum_counts, want);
    }
}
