/* loop_fixture.c - see loop_fixture.h. */
#include "loop/loop_fixture.h"

void loop_fixture_init(struct loop_fixture *f)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;

    rota_leak_alloc_init(&f->memory);
    options.alloc = &f->memory.alloc;
    options.seed = 1;
    assert_int_equal(rota_loop_new(&options, &f->loop), 0);
}

void loop_fixture_fini(struct loop_fixture *f)
{
    rota_loop_free(f->loop);
    rota_leak_alloc_fini(&f->memory);
}

static void out_of_patience(void *arg)
{
    *(bool *)arg = true;
}

void turn_until(struct rota_loop *loop, const bool *flag)
{
    struct rota_timer *timer;
    bool late = false;

    assert_int_equal(rota_timer_new(loop, out_of_patience, &late, &timer), 0);
    assert_int_equal(rota_timer_set(timer, rota_loop_now_ns(loop) + PATIENCE_NS), 0);
    while (!*flag && !late)
        assert_int_equal(rota_loop_wait_turn(loop), 0);
    rota_timer_free(timer);
    assert_true(*flag);
}
