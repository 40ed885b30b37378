/* refused_list_test.c - a reload to a policy that refuses its list: given again each second, never because of its own updates; the old
 * policy stays for want of memory alone, and for ten seconds.
 */
#include "base/assert.h"
#include "channel/channel_fixture.h"
#include "channel/core.h"
#include <rota/lb.h>
#include <stdio.h>
#include <string.h>

#define A "1.1.1.1:1"
#define MANY_LISTS 100

/* --- A policy that updates its state and refuses its list --- */

static unsigned n_lists; /* a class has no context of its own */
static rota_err refuses_with;

static rota_err refuser_init(void *state, const struct rota_lb_env *env, const void *config)
{
    (void)state, (void)env, (void)config;
    return 0;
}

static void refuser_fini(void *state)
{
    (void)state;
}

static rota_err refuser_on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                                     struct rota_lb_cmds *cmds)
{
    static const struct rota_status why = {ROTA_UNAVAILABLE, "the moon is not full"};

    (void)state, (void)endpoints, (void)count, (void)now_ns;
    if (++n_lists > MANY_LISTS)
        fail_msg("the list was given %u times", n_lists);
    rota_lb_update(cmds, ROTA_CONN_TRANSIENT_FAILURE, &why);
    return refuses_with;
}

static void refuser_on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state, (void)now_ns, (void)cmds;
}

static enum rota_pick_verdict refuser_pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    (void)state, (void)call, (void)ret_pick;
    return ROTA_PICK_FAIL;
}

static const struct rota_lb_class refuser = {
    .name = "refuser",
    .state_size = 1,
    .init = refuser_init,
    .fini = refuser_fini,
    .on_endpoints = refuser_on_endpoints,
    .on_exit_idle = refuser_on_exit_idle,
    .pick = refuser_pick,
};

static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, &rota_lb_outlier_detection, &refuser, NULL};

static void count_warnings(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    (void)area;
    if (level > ROTA_LOG_WARN)
        return;
    print_message("  %s\n", text);
    ++*(unsigned *)ctx;
}

static unsigned n_warnings;
static const struct rota_log counting = {.write = count_warnings, .ctx = &n_warnings};

static void open_ready(struct rota_channel_fixture *f)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    n_lists = n_warnings = 0;
    refuses_with = ROTA_ESTATE;
    options.policies = policies;
    options.log = &counting;
    rota_channel_fixture_init(f, &options);
    rota_channel_connect(f->channel);
    rota_fixture_ready(f, A);
    assert_int_equal(rota_channel_state(f->channel), ROTA_CONN_READY);
}

static void a_policy_that_refuses_takes_over_and_says_why(void **state)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)state;
    open_ready(&f);
    rota_fixture_service_config(&f, "{\"loadBalancingConfig\":[{\"refuser\":{}}]}");
    assert_int_equal(n_lists, 1);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_assert_ended(&seen, ROTA_UNAVAILABLE, "the moon is not full");
    rota_virtual_host_advance(&f.v, 3 * ROTA_S + ROTA_S / 2);
    assert_int_equal(n_lists, 4);
    rota_fixture_publish(&f, A, "2.2.2.2:2", NULL);
    assert_int_equal(n_lists, 5);
    assert_int_equal(n_warnings, 1);
    refuses_with = 0;
    rota_virtual_host_advance(&f.v, 10 * ROTA_S);
    assert_int_equal(n_lists, 6);
    refuses_with = ROTA_ESTATE;
    rota_fixture_publish(&f, A, NULL, NULL);
    assert_int_equal(n_warnings, 2);
    rota_channel_fixture_fini(&f);
}

static void so_does_one_that_nests_too_deeply(void **state)
{
    char json[1024] = "{\"loadBalancingConfig\":";
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)state;
    open_ready(&f);
    for (int i = 0; i < ROTA_PICK_DEPTH + 1; i++)
        strcat(json, "[{\"outlier_detection\":{\"childPolicy\":");
    strcat(json, "[{\"round_robin\":{}}]");
    for (int i = 0; i < ROTA_PICK_DEPTH + 1; i++)
        strcat(json, "}}]");
    strcat(json, "}");
    rota_fixture_service_config(&f, json);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_assert_ended(&seen, ROTA_UNAVAILABLE, "a configured limit was reached");
    rota_virtual_host_advance(&f.v, 10 * ROTA_S);
    assert_int_equal(n_warnings, 1);
    rota_channel_fixture_fini(&f);
}

/* --- Without memory for a while --- */

struct drought {
    const struct rota_alloc *under;
    uint64_t left; /* allocations until there is no more memory */
};

static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct drought *drought = ctx;

    if (size_bytes > 0 && drought->left == 0)
        return NULL;
    if (size_bytes > 0 && drought->left != UINT64_MAX)
        drought->left--;
    return drought->under->resize(drought->under->ctx, ptr, size_bytes);
}

/* True: the new policy had taken over before memory came back. */
static bool reload_in_a_drought(uint64_t n)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_leak_alloc leaks;
    struct drought drought = {&leaks.alloc, UINT64_MAX};
    struct rota_alloc alloc = {.resize = resize, .ctx = &drought};
    struct rota_channel_fixture f;
    bool over;

    rota_leak_alloc_init(&leaks);
    options.policies = policies;
    assert_int_equal(rota_channel_fixture_open(&f, &alloc, &options), 0);
    rota_channel_connect(f.channel);
    rota_fixture_ready(&f, A);
    drought.left = n;
    rota_fixture_service_config(&f, "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}");
    rota_virtual_host_advance(&f.v, 9 * ROTA_S);
    if (rota_channel_state(f.channel) != ROTA_CONN_READY)
        fail_msg("with %u allocations left: %s", (unsigned)n, rota_conn_state_name(rota_channel_state(f.channel)));
    rota_virtual_host_advance(&f.v, 2 * ROTA_S);
    over = rota_channel_state(f.channel) == ROTA_CONN_TRANSIENT_FAILURE;
    assert_true(over || rota_channel_state(f.channel) == ROTA_CONN_READY);
    drought.left = UINT64_MAX;
    rota_virtual_host_advance(&f.v, 3 * ROTA_S);
    if (over)
        rota_fake_up(rota_fixture_conn(&f, A));
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_channel_fixture_close(&f);
    rota_leak_alloc_fini(&leaks);
    return over;
}

static void for_want_of_memory_the_old_one_stays_ten_seconds(void **state)
{
    unsigned n_over = 0;

    (void)state;
    for (uint64_t n = 0; n < 60; n++)
        n_over += reload_in_a_drought(n);
    print_message("  %u of 60 ended without the old one\n", n_over);
    assert_in_range(n_over, 1, 59);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_that_refuses_takes_over_and_says_why),
        cmocka_unit_test(so_does_one_that_nests_too_deeply),
        cmocka_unit_test(for_want_of_memory_the_old_one_stays_ten_seconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
