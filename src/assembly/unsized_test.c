/* unsized_test.c - option structs that did not begin with their ROTA_X_INIT: all that a program set in them would count for nothing. */
#include "assembly/assembly_fixture.h"
#include <rota/call_log.h>
#include <rota/health.h>
#include <rota/metrics.h>
#include <rota/orca.h>
#include <rota/registrar.h>
#include <rota/registry.h>
#include <string.h>

static struct rota_loop *loop;
static struct test_server s;
static struct rota_channel *channel;

static int setup(void **unused)
{
    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    channel = test_channel(loop, s.bound, NULL);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    rota_channel_free(channel);
    test_server_close(&s);
    rota_loop_free(loop);
    return 0;
}

static rota_err refused(rota_err err, const struct rota_errinfo *info, const char *init)
{
    if (err < 0 && (strstr(info->text, init) == NULL || strstr(info->text, "begin with") == NULL))
        fail_msg("\"%s\" does not name %s", info->text, init);
    return err;
}

static void who_opens_is_told_which_initializer(void **unused)
{
    const struct rota_tls_options tls = {.server_name = "a.example"};
    const struct rota_channel_options channel_options = {.loop = loop};
    struct rota_channel_options with_tls = ROTA_CHANNEL_OPTIONS_INIT;
    const struct rota_server_options server_options = {.loop = loop};
    struct rota_server_options server_with_tls = ROTA_SERVER_OPTIONS_INIT;
    const struct rota_registrar_options registrar_options = {.loop = loop, .address = "1.1.1.1:1"};
    const struct rota_registry_options registry_options = {.loop = loop};
    struct rota_errinfo info;
    struct rota_channel *c;
    struct rota_server *server;
    struct rota_registrar *registrar;
    struct rota_registry *registry;

    (void)unused;
    with_tls.loop = server_with_tls.loop = loop;
    with_tls.tls = server_with_tls.tls = &tls;
    assert_int_equal(refused(rota_channel_open("a:1", &channel_options, &c, &info), &info, "ROTA_CHANNEL_OPTIONS_INIT"), ROTA_EINVAL);
    assert_int_equal(refused(rota_channel_open("a:1", &with_tls, &c, &info), &info, "ROTA_TLS_OPTIONS_INIT"), ROTA_EINVAL);
    assert_int_equal(refused(rota_server_new(&server_options, &server, &info), &info, "ROTA_SERVER_OPTIONS_INIT"), ROTA_EINVAL);
    assert_int_equal(refused(rota_server_new(&server_with_tls, &server, &info), &info, "ROTA_TLS_OPTIONS_INIT"), ROTA_EINVAL);
    assert_int_equal(refused(rota_registrar_open("etcd:///a", &registrar_options, &registrar, &info), &info, "ROTA_REGISTRAR_OPTIONS_INIT"), ROTA_EINVAL);
    assert_int_equal(refused(rota_registry_open(&registry_options, &registry, &info), &info, "ROTA_REGISTRY_OPTIONS_INIT"), ROTA_EINVAL);
}

static void so_are_those_who_add(void **unused)
{
    const struct rota_loop_options loop_options = {.seed = 1};
    const struct rota_health_options health = {.max_watches = 1};
    const struct rota_orca_options orca = {.max_streams = 1};
    const struct rota_metrics_options metrics = {.max_methods = 1};
    const struct rota_call_log_options call_log = {.max_per_second = 1};
    struct rota_call_log *new_log;
    struct rota_metrics *new_metrics;
    struct rota_loop *new_loop;

    (void)unused;
    assert_int_equal(rota_loop_new(&loop_options, &new_loop), ROTA_EINVAL);
    assert_int_equal(rota_loop_thread_new(&loop_options, &new_loop), ROTA_EINVAL);
    assert_int_equal(rota_health_add(s.server, &health, NULL), ROTA_EINVAL);
    assert_int_equal(rota_orca_add(s.server, &orca, NULL), ROTA_EINVAL);
    assert_int_equal(rota_metrics_new(&metrics, &new_metrics), ROTA_EINVAL);
    assert_int_equal(rota_call_log_new(&call_log, &new_log), ROTA_EINVAL);
}

static void ignore(void *arg, const struct rota_status *status, const void *reply)
{
    (void)arg;
    (void)status;
    (void)reply;
}

static void calls_are_not_made(void **unused)
{
    const struct rota_call_options options = {.timeout_ms = 1000};
    struct rota_slice text = ROTA_SLICE("a");
    struct rota_status status = rota_unary(channel, &test_echo, &options, &text, NULL);
    struct rota_call *call;

    (void)unused;
    assert_int_equal(status.code, ROTA_INTERNAL);
    assert_string_equal(status.message, "options of size 0: begin with ROTA_CALL_OPTIONS_INIT");
    assert_int_equal(rota_unary_start(channel, &test_echo, &options, &text, ignore, NULL, NULL), ROTA_EINVAL);
    assert_int_equal(rota_call_open(channel, &test_chat, &options, &call), ROTA_EINVAL);
    assert_int_equal(s.n_calls, 0);
    assert_true(test_echoes(channel, "others are"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_opens_is_told_which_initializer, setup, teardown),
        cmocka_unit_test_setup_teardown(so_are_those_who_add, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_are_not_made, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
