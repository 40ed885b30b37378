/* user_timeout_e2e_test.c - a network that loses every packet: a call on a connection with keepalive fails after its timeout (gRFC A18).
 *
 * The test has a network of its own, whose loopback interface it takes down; where it may not have one it is skipped. Without
 * TCP_USER_TIMEOUT the call would wait for its deadline: the ping that keepalive sends is not due yet.
 */
#include <grpc/health/v1/health.rota.h>

#include "testing/cmocka.h"
#include <net/if.h>
#include <netinet/in.h>
#include <rota/rota.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SKIPPED 77
#define TIMEOUT_MS 1000
#define CALL_MS 9000 /* keepalive pings after ten seconds */

static bool set_loopback(bool up)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;

    close(fd);
    return done;
}

static struct rota_status check(struct rota_channel *channel)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Grpc__Health__V1__HealthCheckResponse *reply = NULL;
    struct rota_status status;

    options.timeout_ms = CALL_MS;
    status = grpc_health_v1_health_check(channel, &options, &request, &reply);
    if (rota_status_ok(&status))
        grpc__health__v1__health_check_response__free_unpacked(reply, NULL);
    return status;
}

static void a_call_fails_when_nothing_is_acknowledged(void **unused)
{
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 8];
    struct rota_channel *channel;
    struct rota_server *server;
    struct rota_health *health;
    struct rota_status status;
    struct rota_loop *loop;
    int64_t start_ns;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    server_options.loop = options.loop = loop;
    assert_int_equal(rota_server_new(&server_options, &server, NULL), 0);
    assert_int_equal(rota_health_add(server, NULL, &health), 0);
    assert_int_equal(rota_server_listen(server, "127.0.0.1:0", bound, NULL), 0);
    options.keepalive_time_ms = 10000;
    options.keepalive_timeout_ms = TIMEOUT_MS;
    snprintf(target, sizeof(target), "ipv4:%s", bound);
    assert_int_equal(rota_channel_open(target, &options, &channel, NULL), 0);
    status = check(channel);
    assert_int_equal(status.code, ROTA_OK);

    assert_true(set_loopback(false));
    start_ns = rota_loop_now_ns(loop);
    status = check(channel);
    print_message("after %lld ms: %s\n", (long long)(rota_loop_now_ns(loop) - start_ns) / 1000000, status.message);
    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    assert_non_null(strstr(status.message, bound));
    assert_in_range((rota_loop_now_ns(loop) - start_ns) / 1000000, TIMEOUT_MS / 2, 3 * TIMEOUT_MS);

    assert_true(set_loopback(true));
    rota_channel_free(channel);
    rota_server_free(server);
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_call_fails_when_nothing_is_acknowledged)};

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || !set_loopback(true)) {
        printf("skipped: no network of its own is to be had\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
