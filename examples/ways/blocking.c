/* blocking.c - the simplest client: the channel runs a loop on a thread of its own, calls block. usage: blocking TARGET */
#include "hello.rota.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct rota_channel_options channel_options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    Proto__HelloReply *reply;
    struct rota_channel *channel;
    struct rota_status status;
    struct rota_errinfo info;
    char name[] = "blocking";

    channel_options.tls = &rota_tls_insecure; /* plaintext, also beyond this machine */
    if (rota_channel_open(argc > 1 ? argv[1] : "ipv4:127.0.0.1:8001", &channel_options, &channel, &info) < 0) {
        fprintf(stderr, "%s\n", info.text);
        return 1;
    }
    options.timeout_ms = 5000;
    request.name = name;
    status = proto_hello_service_say(channel, &options, &request, &reply);
    if (rota_status_ok(&status)) {
        printf("%s\n", reply->value);
        proto__hello_reply__free_unpacked(reply, NULL);
    } else {
        fprintf(stderr, "%s: %s\n", rota_code_name(status.code), status.message);
    }
    rota_channel_free(channel);
    return rota_status_ok(&status) ? 0 : 1;
}
