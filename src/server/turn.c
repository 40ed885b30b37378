/* turn.c - calls that go on in a later turn of the loop, with what has come for them: first come, first served.
 *
 * When enough was decompressed in this one: a few kilobytes may be four megabytes, which take milliseconds, and what came in one read may be
 * dozens of them. So no more than TURN_BYTES are begun, and others' bytes are read and answered meanwhile.
 *
 * When memory is short: what ended connections held (relief.c) is free at the end of the turn, and one read may be a thousand messages, each of
 * which a handler may answer with megabytes. What waits is kept as it came, so the client's credit bounds it.
 */
#include "server/server.h"

#define TURN_BYTES ((size_t)1 << 20)

static bool has_time(struct rota_server *server)
{
    int64_t now_ns = server->parts.host->now_ns;

    if (server->inflating_ns != now_ns) {
        server->inflating_ns = now_ns;
        server->inflated_bytes = 0;
    }
    return server->inflated_bytes < TURN_BYTES;
}

static bool set_turn(struct rota_server *server)
{
    struct rota_host *host = server->parts.host;

    return rota_host_timer_set(host, &server->turn, host->now_ns + 1) == 0;
}

bool rota_server_call_wait(struct rota_server_call *call)
{
    struct rota_server *server = call->server;

    if (!set_turn(server))
        return false;
    rota_list_remove(&call->turn);
    rota_list_append(&server->waiting, &call->turn);
    return true;
}

bool rota_server_call_may_inflate(struct rota_server_call *call)
{
    return has_time(call->server) || !rota_server_call_wait(call);
}

static bool may_go_on(struct rota_server *server)
{
    return (has_time(server) && !rota_server_is_over(server)) || !set_turn(server);
}

static void on_turn(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_server *server = ROTA_CONTAINER(timer, struct rota_server, turn);

    (void)now_ns;
    while (!rota_list_empty(&server->waiting) && may_go_on(server)) {
        struct rota_server_call *call = ROTA_CONTAINER(rota_list_pop(&server->waiting), struct rota_server_call, turn);
        rota_server_call_pump(&call->pump);
    }
}

void rota_server_turn_init(struct rota_server *server)
{
    rota_list_init(&server->waiting);
    server->turn.fire = on_turn;
    server->inflating_ns = INT64_MIN;
}
