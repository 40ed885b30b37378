/* long_turns_e2e_test.c - a server whose callbacks take longer than keepalive waits for an answer: the answer that came meanwhile counts.
 *
 * The client answers from a thread of its own, so only the server's turns are long.
 */
#include <grpc/health/v1/health.rota.h>

#include "testing/cmocka.h"
#include <pthread.h>
#include <rota/rota.h>
#include <stdio.h>
#include <time.h>

#define TIME_MS 50
#define TIMEOUT_MS 200
#define TURN_MS 300
#define N_TURNS 8

struct scene {
    struct rota_loop *loop;
    struct rota_timer *timer;
    struct rota_channel *channel;
    struct rota_status status;
    int turns_left;
};

static void *call(void *arg)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Grpc__Health__V1__HealthCheckResponse *reply = NULL;
    struct scene *scene = arg;

    scene->status = grpc_health_v1_health_check(scene->channel, NULL, &request, &reply);
    if (rota_status_ok(&scene->status))
        grpc__health__v1__health_check_response__free_unpacked(reply, NULL);
    rota_loop_stop(scene->loop);
    return NULL;
}

static void call_once(struct scene *scene)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, call, scene), 0);
    assert_int_equal(rota_loop_run(scene->loop), 0);
    pthread_join(thread, NULL);
    assert_int_equal(scene->status.code, ROTA_OK);
}

static void take_long(void *arg)
{
    struct scene *scene = arg;

    nanosleep(&(struct timespec){.tv_nsec = TURN_MS * 1000000L}, NULL);
    if (--scene->turns_left == 0)
        rota_loop_stop(scene->loop);
    else
        assert_int_equal(rota_timer_set(scene->timer, 0), 0);
}

static void no_connection_is_cut(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 8];
    struct scene scene = {.turns_left = N_TURNS};
    struct rota_server *server;
    struct rota_health *health;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &scene.loop), 0);
    assert_int_equal(rota_timer_new(scene.loop, take_long, &scene, &scene.timer), 0);
    options.loop = scene.loop;
    options.keepalive_time_ms = TIME_MS;
    options.keepalive_timeout_ms = TIMEOUT_MS;
    assert_int_equal(rota_server_new(&options, &server, NULL), 0);
    assert_int_equal(rota_health_add(server, NULL, &health), 0);
    assert_int_equal(rota_server_listen(server, "127.0.0.1:0", bound, NULL), 0);
    snprintf(target, sizeof(target), "ipv4:%s", bound);
    assert_int_equal(rota_channel_open(target, NULL, &scene.channel, NULL), 0);
    call_once(&scene);
    assert_int_equal(rota_timer_set(scene.timer, 0), 0);
    assert_int_equal(rota_loop_run(scene.loop), 0);
    call_once(&scene);
    assert_int_equal(rota_server_stats(server).connections_accepted, 1);
    rota_timer_free(scene.timer);
    rota_channel_free(scene.channel);
    rota_server_free(server);
    rota_loop_free(scene.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_connection_is_cut)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
