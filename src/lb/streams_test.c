/* streams_test.c - calls with streams among others, where policies go by latency: they are load, but how long they last says nothing of the server. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/virtual_host.h"

#define N_STREAMS 8

static const char *const configs[] = {"[{\"peak_ewma\":{}}]", "[{\"adaptive\":{}}]"};

static void finish(struct rota_fake_lb *f, const struct rota_pick *pick, int64_t started_ns)
{
    struct rota_outcome outcome = {.started_ns = started_ns, .ended_ns = f->now_ns, .sent = true};

    rota_lb_tree_done(f->tree, pick, &outcome);
}

static size_t number_of(const struct rota_fake_lb *f, const struct rota_pick *pick)
{
    return rota_fake_lb_picked(pick) == f->by_number[0] ? 0 : 1;
}

static void open_streams(struct rota_fake_lb *f, struct rota_pick *ret_picks, uint32_t *ret_counts)
{
    memset(ret_counts, 0, 2 * sizeof(*ret_counts));
    f->streaming = true;
    for (size_t i = 0; i < N_STREAMS; i++) {
        assert_int_equal(rota_fake_lb_pick(f, &ret_picks[i]), ROTA_PICK_OK);
        ret_counts[number_of(f, &ret_picks[i])]++;
    }
    f->streaming = false;
}

/* n calls of 10 ms, one after the other: how many go to the second server. */
static uint32_t call(struct rota_fake_lb *f, uint32_t n)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct rota_pick pick;
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        count += number_of(f, &pick) == 1;
        rota_fake_lb_advance(f, 10 * ROTA_MS);
        finish(f, &pick, f->now_ns - 10 * ROTA_MS);
    }
    return count;
}

static void their_length_is_not_learnt(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(configs); i++) {
        struct rota_fake_lb *f = lb_open_ready(configs[i], "a,b", 1);
        struct rota_pick streams[N_STREAMS];
        uint32_t counts[2];
        print_message("  %s\n", configs[i]);
        call(f, 200);
        open_streams(f, streams, counts);
        assert_in_range(counts[0], 3, 5);
        rota_fake_lb_advance(f, 600 * ROTA_MS);
        for (size_t k = 0; k < N_STREAMS; k++)
            finish(f, &streams[k], number_of(f, &streams[k]) == 1 ? f->now_ns - 60000 * ROTA_MS : f->now_ns);
        assert_in_range(call(f, 100), 30, 70);
        lb_close(f);
    }
}

/* Without an answer to any other call one does not know how fast it is; it is as good as the others until one does. */
static void who_has_streams_alone_is_not_passed_over(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < 2 * ROTA_COUNT(configs); i++) {
        struct rota_fake_lb *f = lb_open_ready(configs[i / 2], "a,b", 1);
        struct rota_pick streams[N_STREAMS], more[N_STREAMS];
        uint32_t counts[2];
        print_message("  %s\n", configs[i / 2]);
        open_streams(f, streams, counts);
        assert_int_equal(counts[0], N_STREAMS / 2);
        call(f, 1); /* so that one is known */
        if (i % 2 == 0) {
            assert_in_range(call(f, 100), 20, 80);
        } else {
            open_streams(f, more, counts);
            assert_in_range(counts[0], 1, N_STREAMS - 1);
        }
        lb_close(f);
    }
}

/* However long ago that other answer was. */
static void streams_are_shared_whoever_answered_once(void **unused)
{
    static const int64_t later_ms[] = {0, 1000, 60000, 24 * 3600 * 1000};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(configs) * ROTA_COUNT(later_ms); i++) {
        struct rota_fake_lb *f = lb_open_ready(configs[i % ROTA_COUNT(configs)], "a,b,c", 1);
        uint32_t counts[3] = {0};
        struct rota_pick pick;
        print_message("  %s %lld ms later\n", configs[i % ROTA_COUNT(configs)], (long long)later_ms[i / ROTA_COUNT(configs)]);
        call(f, 1);
        rota_fake_lb_advance(f, later_ms[i / ROTA_COUNT(configs)] * ROTA_MS);
        f->streaming = true;
        for (int n = 0; n < 600; n++) {
            assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
            for (size_t k = 0; k < ROTA_COUNT(counts); k++)
                counts[k] += rota_fake_lb_picked(&pick) == f->by_number[k];
            rota_fake_lb_advance(f, 100 * ROTA_MS);
        }
        for (size_t k = 0; k < ROTA_COUNT(counts); k++)
            assert_in_range(counts[k], 180, 220);
        lb_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(their_length_is_not_learnt),
        cmocka_unit_test(who_has_streams_alone_is_not_passed_over),
        cmocka_unit_test(streams_are_shared_whoever_answered_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
