/* health_e2e_test.c - grpc.health.v1 over a real connection, client and server on one loop: what is said of services, what those
 * who ask and those who watch are told, limits, draining.
 */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <grpc/health/v1/health.rota.h>
#include <rota/rota.h>
#include <stdio.h>

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN
#define MAX_WATCHES 2

static struct {
    struct rota_loop *loop;
    struct rota_server *server;
    struct rota_health *health;
    struct rota_channel *channel;
} at;

static int set_up(void **unused)
{
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel_options channel_options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_health_options options = ROTA_HEALTH_OPTIONS_INIT;
    char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 8];

    (void)unused;
    options.max_watches = MAX_WATCHES;
    assert_int_equal(rota_loop_new(NULL, &at.loop), 0);
    server_options.loop = channel_options.loop = at.loop;
    assert_int_equal(rota_server_new(&server_options, &at.server, NULL), 0);
    assert_int_equal(rota_health_add(at.server, &options, &at.health), 0);
    assert_int_equal(rota_server_listen(at.server, "127.0.0.1:0", bound, NULL), 0);
    snprintf(target, sizeof(target), "ipv4:%s", bound);
    assert_int_equal(rota_channel_open(target, &channel_options, &at.channel, NULL), 0);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    rota_channel_free(at.channel);
    rota_server_free(at.server);
    rota_loop_free(at.loop);
    return 0;
}

/* The status, or minus the code. */
static int check(const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Grpc__Health__V1__HealthCheckResponse *reply = NULL;
    struct rota_status status;
    int said;

    request.service = (char *)service;
    status = grpc_health_v1_health_check(at.channel, NULL, &request, &reply);
    if (!rota_status_ok(&status))
        return -(int)status.code;
    said = (int)reply->status;
    grpc__health__v1__health_check_response__free_unpacked(reply, NULL);
    return said;
}

static struct rota_call *watch(const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    struct rota_call *call = NULL;

    request.service = (char *)service;
    assert_int_equal(grpc_health_v1_health_watch_open(at.channel, NULL, &request, &call), 0);
    return call;
}

/* The next status, or -1 at the end. */
static int next(struct rota_call *call)
{
    Grpc__Health__V1__HealthCheckResponse *reply = NULL;
    int said;

    if (!grpc_health_v1_health_watch_recv(call, &reply))
        return -1;
    said = (int)reply->status;
    grpc__health__v1__health_check_response__free_unpacked(reply, NULL);
    return said;
}

static void set(const char *service, enum rota_health_status status)
{
    assert_int_equal(rota_health_set(at.health, service, status), 0);
}

static void checks_say_what_was_set(void **unused)
{
    (void)unused;
    assert_int_equal(check(""), SERVING);
    assert_int_equal(check("shop.Orders"), -ROTA_NOT_FOUND);
    set("shop.Orders", ROTA_HEALTH_NOT_SERVING);
    assert_int_equal(check("shop.Orders"), NOT_SERVING);
    set("shop.Orders", ROTA_HEALTH_SERVING);
    assert_int_equal(check("shop.Orders"), SERVING);
    set("shop.Orders", ROTA_HEALTH_UNKNOWN);
    assert_int_equal(check("shop.Orders"), ROTA_HEALTH_UNKNOWN);
    assert_int_equal(check(""), SERVING);
}

static void names_are_bounded(void **unused)
{
    char name[202];
    struct rota_call *call;

    (void)unused;
    memset(name, 'a', 201);
    name[201] = '\0';
    assert_int_equal(rota_health_set(at.health, name, ROTA_HEALTH_SERVING), ROTA_EINVAL);
    call = watch(name);
    assert_int_equal(next(call), -1);
    assert_int_equal(rota_call_finish(call).code, ROTA_INVALID_ARGUMENT);
    name[200] = '\0';
    assert_int_equal(rota_health_set(at.health, name, ROTA_HEALTH_SERVING), 0);
    assert_int_equal(check(name), SERVING);
}

static void a_watch_tells_now_and_every_change(void **unused)
{
    struct rota_call *call;

    (void)unused;
    call = watch("shop.Orders");
    assert_int_equal(next(call), SERVICE_UNKNOWN);
    set("shop.Orders", ROTA_HEALTH_SERVING);
    assert_int_equal(next(call), SERVING);
    set("shop.Orders", ROTA_HEALTH_SERVING);
    set("", ROTA_HEALTH_NOT_SERVING);
    set("shop.Orders", ROTA_HEALTH_NOT_SERVING);
    assert_int_equal(next(call), NOT_SERVING);
    assert_int_equal(rota_call_finish(call).code, ROTA_CANCELLED);
    call = watch("shop.Orders");
    assert_int_equal(next(call), NOT_SERVING);
    (void)rota_call_finish(call);
}

/* None of the changes leaves before the next comes: the first is on its way, the others are the last one. */
static void a_reader_that_is_slow_is_told_the_last(void **unused)
{
    struct rota_call *call = watch("");
    int said[8], n = 0;

    (void)unused;
    assert_int_equal(next(call), SERVING);
    for (int i = 0; i < 1000; i++)
        set("", i % 2 == 0 ? ROTA_HEALTH_NOT_SERVING : ROTA_HEALTH_SERVING);
    set("", ROTA_HEALTH_UNKNOWN);
    do {
        said[n] = next(call);
    } while (said[n++] != ROTA_HEALTH_UNKNOWN && n < 8);
    assert_int_equal(n, 2);
    assert_int_equal(said[0], NOT_SERVING);
    assert_int_equal(said[1], ROTA_HEALTH_UNKNOWN);
    (void)rota_call_finish(call);
}

static void watches_are_bounded(void **unused)
{
    struct rota_call *open[MAX_WATCHES], *more;

    (void)unused;
    for (int i = 0; i < MAX_WATCHES; i++) {
        open[i] = watch(i == 0 ? "" : "unknown");
        assert_true(next(open[i]) >= 0);
    }
    more = watch("");
    assert_int_equal(next(more), -1);
    assert_int_equal(rota_call_finish(more).code, ROTA_RESOURCE_EXHAUSTED);
    for (int i = 0; i < MAX_WATCHES; i++)
        (void)rota_call_finish(open[i]);
    /* The cancelling goes before the next call on the same connection. */
    more = watch("");
    assert_int_equal(next(more), SERVING);
    (void)rota_call_finish(more);
}

static void the_list_has_all_that_is_known(void **unused)
{
    Grpc__Health__V1__HealthListRequest request = GRPC__HEALTH__V1__HEALTH_LIST_REQUEST__INIT;
    Grpc__Health__V1__HealthListResponse *reply = NULL;
    struct rota_call *call = watch("only.Watched");
    struct rota_status status;

    (void)unused;
    assert_int_equal(next(call), SERVICE_UNKNOWN);
    set("shop.Orders", ROTA_HEALTH_NOT_SERVING);
    status = grpc_health_v1_health_list(at.channel, NULL, &request, &reply);
    assert_int_equal(status.code, ROTA_OK);
    assert_int_equal(reply->n_statuses, 2);
    for (size_t i = 0; i < reply->n_statuses; i++) {
        bool whole = reply->statuses[i]->key[0] == '\0';
        assert_string_equal(reply->statuses[i]->key, whole ? "" : "shop.Orders");
        assert_int_equal(reply->statuses[i]->value->status, whole ? SERVING : NOT_SERVING);
    }
    assert_ptr_not_equal(reply->statuses[0]->key, reply->statuses[1]->key);
    grpc__health__v1__health_list_response__free_unpacked(reply, NULL);
    (void)rota_call_finish(call);
}

static void shutdown_is_for_good(void **unused)
{
    struct rota_call *call = watch("");

    (void)unused;
    assert_int_equal(next(call), SERVING);
    set("shop.Orders", ROTA_HEALTH_SERVING);
    rota_health_shutdown(at.health);
    assert_int_equal(next(call), NOT_SERVING);
    set("", ROTA_HEALTH_SERVING);
    set("new.Service", ROTA_HEALTH_SERVING);
    assert_int_equal(check(""), NOT_SERVING);
    assert_int_equal(check("shop.Orders"), NOT_SERVING);
    assert_int_equal(check("new.Service"), NOT_SERVING);
    (void)rota_call_finish(call);
}

static void note(void *arg)
{
    *(bool *)arg = true;
}

static void draining_ends_the_watches(void **unused)
{
    struct rota_call *known = watch(""), *unknown = watch("unknown");
    bool drained = false;

    (void)unused;
    assert_int_equal(next(known), SERVING);
    assert_int_equal(next(unknown), SERVICE_UNKNOWN);
    rota_server_drain(at.server, 3600000, note, &drained);
    assert_int_equal(next(known), NOT_SERVING);
    assert_int_equal(next(known), -1);
    assert_int_equal(next(unknown), -1);
    assert_int_equal(rota_call_finish(known).code, ROTA_UNAVAILABLE);
    assert_int_equal(rota_call_finish(unknown).code, ROTA_UNAVAILABLE);
    rota_channel_free(at.channel);
    at.channel = NULL;
    while (!drained)
        assert_int_equal(rota_loop_turn(at.loop), 0);
}

static void a_second_one_is_refused(void **unused)
{
    (void)unused;
    assert_int_equal(rota_health_add(at.server, NULL, NULL), ROTA_EEXIST);
    assert_int_equal(check(""), SERVING);
}

/* The health's own memory, and that of what it says; calls are another matter. */
static rota_err add_and_set(const struct rota_alloc *alloc, void *unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_health *health = NULL;
    struct rota_server *server = NULL;
    rota_err err;

    (void)unused;
    options.loop = at.loop;
    options.alloc = alloc;
    err = rota_server_new(&options, &server, NULL);
    if (err == 0)
        err = rota_health_add(server, NULL, &health);
    for (int i = 0; err == 0 && i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "s.S%d", i);
        err = rota_health_set(health, name, ROTA_HEALTH_SERVING);
    }
    rota_server_free(server);
    return err;
}

static void out_of_memory_is_an_error(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep(add_and_set, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(checks_say_what_was_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watch_tells_now_and_every_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_is_slow_is_told_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watches_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_list_has_all_that_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shutdown_is_for_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(draining_ends_the_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_one_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
