/* lost_test.c - what a moment without memory takes away comes back: lists, service configs, a policy's time. */
#include "base/assert.h"
#include "channel/channel_fixture.h"
#include <rota/lb.h>

#define A "1.1.1.1:1"
#define B "2.2.2.2:2"
#define C "3.3.3.3:3"
#define FILLERS 8
#define CONFIG "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],\"timeout\":\"0.5s\"}]}"

/* Memory of which either one block, or for a while every block, is not to be had. */
struct memory {
    struct rota_alloc alloc;
    struct rota_leak_alloc leaks, tests; /* the channel's; the test's own, for endpoints */
    bool dry;
    struct rota_host_timer fillers[FILLERS]; /* so that the heap of timers is full sooner or later in what follows */
};

static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct memory *memory = ctx;

    if (memory->dry && size_bytes > 0)
        return NULL;
    return memory->leaks.alloc.resize(memory->leaks.alloc.ctx, ptr, size_bytes);
}

static void begin(struct memory *memory, struct rota_channel_fixture *f, const struct rota_channel_options *options, size_t n_fillers)
{
    *memory = (struct memory){.alloc = {resize, memory}};
    rota_leak_alloc_init(&memory->leaks);
    rota_leak_alloc_init(&memory->tests);
    assert_int_equal(rota_channel_fixture_open(f, &memory->alloc, options), 0);
    f->endpoint_alloc = &memory->tests.alloc;
    for (size_t i = 0; i < n_fillers; i++)
        assert_int_equal(rota_host_timer_set(&f->v.host, &memory->fillers[i], INT64_MAX), 0);
}

static void end(struct memory *memory, struct rota_channel_fixture *f)
{
    for (size_t i = 0; i < FILLERS; i++)
        rota_host_timer_clear(&f->v.host, &memory->fillers[i]);
    rota_channel_fixture_close(f);
    rota_leak_alloc_fini(&memory->leaks);
    rota_leak_alloc_fini(&memory->tests);
}

/* nth 0: none is to be had until `recover`. */
static void run_short(struct memory *memory, uint64_t nth)
{
    memory->dry = nth == 0;
    if (nth > 0)
        rota_leak_alloc_fail_nth(&memory->leaks, nth);
}

static bool recover(struct memory *memory)
{
    memory->dry = false;
    memory->leaks.fail_at = 0;
    return memory->leaks.failed;
}

static void publish_news(struct rota_channel_fixture *f)
{
    rota_fixture_service_config(f, CONFIG);
    rota_fixture_publish(f, A, B, C);
}

static void bring_up(struct rota_channel_fixture *f)
{
    for (size_t i = 0; i < f->transport.n_conns; i++)
        if (!f->transport.conns[i]->closed && !f->transport.conns[i]->up)
            rota_fake_up(f->transport.conns[i]);
}

/* --- The resolver says what it knows when it is started, and not again --- */

static bool news_come_through(size_t n_fillers, uint64_t nth)
{
    struct rota_channel_fixture f = {0};
    struct rota_seen_call seen;
    struct memory memory;
    unsigned heard = 1;
    bool failed = false;

    begin(&memory, &f, NULL, n_fillers);
    (void)rota_fixture_ready(&f, A);
    run_short(&memory, nth);
    publish_news(&f);
    for (int i = 0; i < 20; i++) {
        rota_virtual_host_advance(&f.v, ROTA_S);
        if (i == 2)
            failed = recover(&memory);
        if (f.started > heard)
            publish_news(&f);
        heard = f.started;
        bring_up(&f);
    }
    assert_non_null(rota_fixture_conn(&f, B));
    assert_non_null(rota_fixture_conn(&f, C));
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_virtual_host_advance(&f.v, 499 * ROTA_MS);
    rota_assert_running(&seen);
    rota_virtual_host_advance(&f.v, ROTA_MS);
    rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "500 ms");
    end(&memory, &f);
    return failed;
}

/* --- A policy that does nothing but wait --- */

static unsigned n_lists, n_times;

static rota_err clock_init(void *state, const struct rota_lb_env *env, const void *config)
{
    (void)state;
    (void)env;
    (void)config;
    return 0;
}

static void clock_fini(void *state)
{
    (void)state;
}

static rota_err clock_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state;
    (void)endpoints;
    (void)count;
    n_lists++;
    rota_lb_wake_at(cmds, now_ns + 10 * ROTA_MS);
    return 0;
}

static void clock_timer(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state;
    n_times++;
    if (n_times < 3)
        rota_lb_wake_at(cmds, now_ns + 10 * ROTA_MS);
}

static void clock_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state;
    (void)now_ns;
    (void)cmds;
}

static enum rota_pick_verdict clock_pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    (void)state;
    (void)call;
    (void)ret_pick;
    return ROTA_PICK_WAIT;
}

static const struct rota_lb_class clockwork = {.name = "clockwork", .init = clock_init, .fini = clock_fini, .on_endpoints = clock_endpoints,
    .on_timer = clock_timer, .on_exit_idle = clock_exit_idle, .pick = clock_pick};
static const struct rota_lb_class *const policies[] = {&clockwork, NULL};

static bool time_passes(size_t n_fillers, uint64_t nth)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f = {0};
    struct memory memory;
    bool failed;

    options.policies = policies;
    options.service_config = "{\"loadBalancingConfig\":[{\"clockwork\":{}}]}";
    n_lists = n_times = 0;
    begin(&memory, &f, &options, n_fillers);
    rota_channel_connect(f.channel);
    run_short(&memory, nth);
    rota_fixture_publish(&f, A, B, NULL);
    rota_virtual_host_advance(&f.v, 5 * ROTA_S);
    failed = recover(&memory);
    assert_int_equal(n_times, n_lists == 0 ? 0 : 3);
    assert_true(failed || n_lists == 1);
    end(&memory, &f);
    return failed;
}

/* --- The rows --- */

static void sweep(bool (*play)(size_t n_fillers, uint64_t nth))
{
    for (size_t n_fillers = 0; n_fillers <= FILLERS; n_fillers++) {
        uint64_t nth = 1;

        while (play(n_fillers, nth))
            nth++;
        assert_true(nth > 5);
    }
}

static void a_lost_block_costs_no_list_and_no_config(void **unused)
{
    (void)unused;
    sweep(news_come_through);
}

static void nor_do_they_go_without_memory_for_seconds(void **unused)
{
    (void)unused;
    for (size_t n_fillers = 0; n_fillers <= FILLERS; n_fillers++)
        (void)news_come_through(n_fillers, 0);
}

static void a_lost_block_costs_no_policy_its_time(void **unused)
{
    (void)unused;
    sweep(time_passes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_block_costs_no_list_and_no_config),
        cmocka_unit_test(nor_do_they_go_without_memory_for_seconds),
        cmocka_unit_test(a_lost_block_costs_no_policy_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
