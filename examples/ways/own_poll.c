/* own_poll.c - inside somebody else's event loop: one descriptor and a timeout. usage: own_poll TARGET */
#include "hello.rota.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

static int finished;

static void on_reply(void *arg, const struct rota_status *status, const Proto__HelloReply *reply)
{
    (void)arg;
    if (rota_status_ok(status))
        printf("%s\n", reply->value);
    else
        fprintf(stderr, "%s: %s\n", rota_code_name(status->code), status->message);
    finished = rota_status_ok(status) ? 1 : 2;
}

int main(int argc, char **argv)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_call_options call = ROTA_CALL_OPTIONS_INIT;
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    struct rota_channel *channel;
    struct rota_errinfo info;
    char name[] = "own_poll";

    options.tls = &rota_tls_insecure; /* plaintext, also beyond this machine */
    if (rota_loop_new(NULL, &options.loop) < 0)
        return 1;
    if (rota_channel_open(argc > 1 ? argv[1] : "ipv4:127.0.0.1:8001", &options, &channel, &info) < 0) {
        fprintf(stderr, "%s\n", info.text);
        return 1;
    }
    call.timeout_ms = 5000;
    request.name = name;
    if (proto_hello_service_say_start(channel, &call, &request, on_reply, NULL, NULL) < 0)
        return 1;
    while (!finished) {
        struct pollfd fds[1] = {{.fd = rota_loop_fd(options.loop), .events = POLLIN}}; /* and the program's own */
        int timeout_ms = rota_loop_timeout_ms(options.loop); /* sends what is waiting, so before every poll */

        if (poll(fds, 1, timeout_ms) < 0 && errno != EINTR)
            return 1;
        rota_loop_turn(options.loop);
    }
    rota_channel_free(channel);
    rota_loop_free(options.loop);
    return finished == 1 ? 0 : 1;
}
