/* rotation_test.c - round robin as a property: over random comings and goings, exact while nothing changes, and different for each client. */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/fake_lb.h"
#include <stdlib.h>

enum { N_CONNS = 9 };

static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, NULL};

static struct rota_fake_lb *open_all(uint64_t seed)
{
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    assert_int_equal(rota_fake_lb_init(f, NULL, policies, "[{\"round_robin\":{}}]", seed), 0);
    f->quiet = true;
    assert_int_equal(rota_fake_lb_list(f, "a,b,c,d,e,f,g,h,i"), 0);
    assert_int_equal(f->n_conns, N_CONNS);
    return f;
}

static struct rota_fake_conn *pick_one(struct rota_fake_lb *f)
{
    struct rota_pick pick;

    assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
    return rota_fake_lb_picked(&pick);
}

static uint32_t count_ready(const struct rota_fake_lb *f)
{
    uint32_t count = 0;

    for (size_t i = 0; i < f->n_conns; i++)
        count += f->by_number[i]->state == ROTA_CONN_READY;
    return count;
}

/* Any window of n picks names n different connections; `last` is not picked again at once unless it is alone. */
static struct rota_fake_conn *check_windows(struct rota_fake_lb *f, const struct rota_fake_conn *last, uint32_t n_picks)
{
    struct rota_fake_conn *picks[3 * N_CONNS];
    uint32_t n_ready = count_ready(f);

    for (uint32_t i = 0; i < n_picks; i++) {
        picks[i] = pick_one(f);
        for (uint32_t k = i; k-- > 0 && i - k < n_ready;)
            assert_ptr_not_equal(picks[i], picks[k]);
    }
    if (n_ready > 1)
        assert_ptr_not_equal(picks[0], last);
    return picks[n_picks - 1];
}

static void turns_are_exact_while_the_set_is_stable(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rota_fake_lb *f = open_all(seed);
        const struct rota_fake_conn *last = NULL;
        struct rota_rng dice;
        rota_rng_init(&dice, seed);
        for (int change = 0; change < 60; change++) {
            struct rota_fake_conn *conn = f->by_number[rota_rng_below(&dice, N_CONNS)];
            rota_fake_lb_conn(f, conn, conn->state == ROTA_CONN_READY ? ROTA_CONN_IDLE : ROTA_CONN_READY, NULL);
            if (count_ready(f) == 0)
                last = NULL;
            else
                last = check_windows(f, last, 1 + rota_rng_below(&dice, 3 * N_CONNS));
        }
        rota_fake_lb_fini(f);
        test_free(f);
    }
}

/* Over many clients, every endpoint is the first to be picked, and to be connected to, equally often within a few sigma. */
static void clients_differ(void **unused)
{
    enum { CLIENTS = 3000 };
    int first[N_CONNS] = {0}, connected[N_CONNS] = {0};

    (void)unused;
    for (uint64_t seed = 1; seed <= CLIENTS; seed++) {
        struct rota_fake_lb *f = open_all(seed);
        connected[f->by_number[0]->text[0] - 'a']++;
        for (size_t i = 0; i < N_CONNS; i++)
            rota_fake_lb_conn(f, f->by_number[i], ROTA_CONN_READY, NULL);
        first[pick_one(f)->text[0] - 'a']++;
        rota_fake_lb_fini(f);
        test_free(f);
    }
    for (int i = 0; i < N_CONNS; i++) {
        assert_true(abs(first[i] - CLIENTS / N_CONNS) < 100);
        assert_true(abs(connected[i] - CLIENTS / N_CONNS) < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_are_exact_while_the_set_is_stable),
        cmocka_unit_test(clients_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
