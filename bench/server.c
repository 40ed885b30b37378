/* server.c - what a unary call costs the server: Say is answered, nothing else is done.
 *
 * usage: server [-addr ADDRESS] (127.0.0.1:50081) [-cert FILE] [-key FILE]. With a certificate it speaks TLS. Prints READY and runs until SIGINT or SIGTERM. Load: h2load, or any gRPC client.
 */
#include "hello.rota.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void on_say(struct rota_server_call *call, const Proto__HelloRequest *request, void *user)
{
    Proto__HelloReply reply = PROTO__HELLO_REPLY__INIT;
    char value[256];

    (void)user;
    snprintf(value, sizeof(value), "hello %s", request->name);
    reply.code = 200;
    reply.value = value;
    proto_hello_service_say_reply(call, &reply);
}

static void on_signal(void *arg, int signum)
{
    (void)signum;
    rota_loop_stop(arg);
}

int main(int argc, char **argv)
{
    static const struct proto_hello_service_handlers handlers = {.say = on_say};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
    const char *address = "127.0.0.1:50081";
    struct rota_signal *signals[2];
    struct rota_server *server;
    struct rota_loop *loop;
    struct rota_errinfo info = {0};
    char bound[ROTA_ADDRESS_TEXT_SIZE];

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-addr") == 0)
            address = argv[i + 1];
        else if (strcmp(argv[i], "-cert") == 0)
            tls.cert_file = argv[i + 1];
        else if (strcmp(argv[i], "-key") == 0)
            tls.key_file = argv[i + 1];
    }
    if (rota_loop_new(NULL, &loop) < 0)
        return 1;
    options.loop = loop;
    options.tls = tls.cert_file != NULL ? &tls : NULL;
    if (rota_server_new(&options, &server, &info) < 0 || proto_hello_service_add(server, &handlers, NULL) < 0 ||
        rota_server_listen(server, address, bound, &info) < 0 || rota_signal_new(loop, SIGINT, on_signal, loop, &signals[0]) < 0 ||
        rota_signal_new(loop, SIGTERM, on_signal, loop, &signals[1]) < 0) {
        fprintf(stderr, "%s: %s\n", address, info.text);
        return 1;
    }
    fprintf(stderr, "READY %s\n", bound);
    (void)rota_loop_run(loop);
    rota_signal_free(signals[0]);
    rota_signal_free(signals[1]);
    rota_server_free(server);
    rota_loop_free(loop);
    return 0;
}
