/* turn.c - calls that go on in a later turn of the loop, with what has come for them: first come, first served on their connection, and
 * connections a call each in turn. In a turn all sockets are read before any of these goes on, so who has little to ask waits for nobody.
 *
 * When their connection has had its time: what comes in one read may be a thousand messages for handlers that take as long as they like. The
 * clock is looked at with each ROTA_SERVER_LOOK_EVERY messages, of whichever connections; the first look at one in a turn begins its slice. While
 * calls wait, each message looks, and stands behind those of its connection that wait for time.
 *
 * When enough was decompressed in this one: a few kilobytes may be four megabytes, which take milliseconds, and what came in one read may be
 * dozens of them. So no more than TURN_BYTES are begun, and others' bytes are read and answered meanwhile.
 *
 * When memory is short: what ended connections held (relief.c) is free at the end of the turn, and one read may be a thousand messages, each of
 * which a handler may answer with megabytes. What waits is kept as it came, so the client's credit bounds it.
 */
#include "server/server.h"

#define TURN_BYTES ((size_t)1 << 20)
#define SLICE_NS INT64_C(1000000)

static bool may_inflate(struct rota_server *server)
{
    int64_t now_ns = server->parts.host->now_ns;

    if (server->inflating_ns != now_ns) {
        server->inflating_ns = now_ns;
        server->inflated_bytes = 0;
    }
    return server->inflated_bytes < TURN_BYTES;
}

/* One that is set stays as it is: put off with each call that begins to wait, it would never come. */
static bool set_turn(struct rota_server *server)
{
    struct rota_host *host = server->parts.host;

    return rota_host_timer_is_set(&server->turn) || rota_host_timer_set(host, &server->turn, host->now_ns + 1) == 0;
}

bool rota_server_call_wait(struct rota_server_call *call)
{
    struct rota_server *server = call->server;

    if (!set_turn(server))
        return false;
    call->conn->behind &= !rota_list_empty(&call->conn->waiting);
    if (rota_list_empty(&call->turn))
        rota_list_append(&call->conn->waiting, &call->turn);
    if (rota_list_empty(&call->conn->turn))
        rota_list_append(&server->waiting, &call->conn->turn);
    return true;
}

bool rota_server_call_may_inflate(struct rota_server_call *call)
{
    return may_inflate(call->server) || !rota_server_call_wait(call);
}

static bool has_time(struct rota_server *server, const struct rota_server_conn *conn)
{
    struct rota_host *host = server->parts.host;
    int64_t clock_ns = host->clock(host);

    if (!server->turning && (server->slice_of != conn || server->slice_turn_ns != host->now_ns)) {
        server->slice_of = conn;
        server->slice_turn_ns = host->now_ns;
        server->slice_until_ns = clock_ns + SLICE_NS;
    }
    return clock_ns < server->slice_until_ns;
}

bool rota_server_call_may_go_on(struct rota_server_call *call)
{
    struct rota_server *server = call->server;
    bool behind = !server->turning && call->conn->behind && !rota_list_empty(&call->conn->waiting);

    if ((!behind && !rota_server_is_over(server) && has_time(server, call->conn)) || !rota_server_call_wait(call))
        return true;
    call->conn->behind = true;
    return false;
}

/* NULL: those of the connection whose turn it was have gone. */
static struct rota_server_call *pop(struct rota_server *server)
{
    struct rota_server_conn *conn = ROTA_CONTAINER(rota_list_pop(&server->waiting), struct rota_server_conn, turn);
    struct rota_link *link = rota_list_pop(&conn->waiting);

    if (!rota_list_empty(&conn->waiting))
        rota_list_append(&server->waiting, &conn->turn);
    return link == NULL ? NULL : ROTA_CONTAINER(link, struct rota_server_call, turn);
}

static bool may_serve(struct rota_server *server)
{
    return (may_inflate(server) && !rota_server_is_over(server) && has_time(server, NULL)) || !set_turn(server);
}

static void on_turn(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_server *server = ROTA_CONTAINER(timer, struct rota_server, turn);
    struct rota_host *host = server->parts.host;

    (void)now_ns;
    server->turning = true;
    server->slice_until_ns = host->clock(host) + SLICE_NS;
    while (!rota_list_empty(&server->waiting) && may_serve(server)) {
        struct rota_server_call *call = pop(server);
        if (call != NULL)
            rota_server_call_pump(&call->pump);
    }
    server->turning = false;
    server->slice_of = NULL;
}

void rota_server_turn_init(struct rota_server *server)
{
    rota_list_init(&server->waiting);
    server->turn.fire = on_turn;
    server->inflating_ns = INT64_MIN;
}
