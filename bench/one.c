/* one.c - the smallest client: one blocking call, then the end. What is measured is the whole process, and its size when stripped.
 *
 * usage: one HOST:PORT
 */
#include "hello.rota.h"

int main(int argc, char **argv)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    static char name[] = "world";
    struct rota_channel *channel;
    struct rota_status status;
    Proto__HelloReply *reply;
    struct rota_loop *loop;

    if (argc != 2 || rota_loop_new(NULL, &loop) < 0)
        return 2;
    options.loop = loop;
    if (rota_channel_open(argv[1], &options, &channel, NULL) < 0)
        return 1;
    request.name = name;
    status = proto_hello_service_say(channel, NULL, &request, &reply);
    if (status.code != ROTA_OK)
        return 1;
    proto__hello_reply__free_unpacked(reply, NULL);
    rota_channel_free(channel);
    rota_loop_free(loop);
    return 0;
}
