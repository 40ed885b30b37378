/* asynchronous.c - a thousand calls in flight on one thread. usage: asynchronous TARGET */
#include "hello.rota.h"

#include <stdio.h>

#define CALLS 1000

struct tally {
    struct rota_loop *loop;
    int answered, failed;
};

static void on_reply(void *arg, const struct rota_status *status, const Proto__HelloReply *reply)
{
    struct tally *tally = arg;

    (void)reply; /* valid here, with status OK, and not afterwards */
    tally->failed += !rota_status_ok(status);
    if (++tally->answered == CALLS)
        rota_loop_stop(tally->loop);
}

int main(int argc, char **argv)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_call_options call = ROTA_CALL_OPTIONS_INIT;
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    struct rota_channel *channel;
    struct rota_errinfo info;
    struct tally tally = {0};
    char name[] = "asynchronous";

    if (rota_loop_new(NULL, &tally.loop) < 0)
        return 1;
    options.loop = tally.loop;
    options.tls = &rota_tls_insecure; /* plaintext, also beyond this machine */
    options.service_config = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    if (rota_channel_open(argc > 1 ? argv[1] : "ipv4:127.0.0.1:8001", &options, &channel, &info) < 0) {
        fprintf(stderr, "%s\n", info.text);
        return 1;
    }
    call.timeout_ms = 5000;
    request.name = name;
    for (int i = 0; i < CALLS; i++) {
        if (proto_hello_service_say_start(channel, &call, &request, on_reply, &tally, NULL) < 0)
            return 1;
    }
    rota_loop_run(tally.loop);
    printf("%d calls, %d failed\n", tally.answered, tally.failed);
    rota_channel_free(channel);
    rota_loop_free(tally.loop);
    return tally.failed == 0 ? 0 : 1;
}
