/* client.c - a client with a policy of its own. usage: client TARGET CALLS
 *
 * TARGET: etcd://127.0.0.1:2379/grpclb_test2, or ipv4:127.0.0.1:8001,127.0.0.1:8002 for a first try without a registry. */
#include "hello.rota.h"
#include "weighted_random.h"

#include <stdio.h>
#include <stdlib.h>

static int call(struct rota_channel *channel)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    Proto__HelloReply *reply;
    struct rota_status status;
    char name[] = "world";

    options.timeout_ms = 5000;
    request.name = name;
    status = proto_hello_service_say(channel, &options, &request, &reply);
    if (!rota_status_ok(&status)) {
        fprintf(stderr, "%s: %s\n", rota_code_name(status.code), status.message);
        return 1;
    }
    proto__hello_reply__free_unpacked(reply, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct rota_lb_class *const policies[] = {&weighted_random, NULL};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *channel;
    struct rota_errinfo info;
    int failed = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: %s TARGET CALLS\n", argv[0]);
        return 2;
    }
    options.policies = policies;
    options.tls = &rota_tls_insecure; /* plaintext, also beyond this machine */
    options.service_config = "{\"loadBalancingConfig\":[{\"weighted_random\":{}}]}";
    if (rota_channel_open(argv[1], &options, &channel, &info) < 0) {
        fprintf(stderr, "%s\n", info.text);
        return 1;
    }
    for (int i = 0; i < atoi(argv[2]); i++)
        failed += call(channel);
    rota_channel_free(channel);
    printf("%d of %s calls failed\n", failed, argv[2]);
    return failed == 0 ? 0 : 1;
}
