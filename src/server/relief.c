/* relief.c - which connections are ended when all of them together hold more than max_total_bytes.
 *
 * Whoever holds most goes first, so that clients which let nothing through, or begin messages without end, cannot use up what is
 * for all; whoever holds little is served on. The bound is looked at with what is kept of a request (dispatch.c, input.c), with what is
 * sent (output.c), and with what the transport queues by itself (conn.c). An eighth is freed at once: then what it costs, a look at
 * every connection, is owed again only after so much has come anew. "Most" is by powers of two, within one the oldest connection goes
 * first: that needs no sorting and no memory.
 *
 * Invariant: server->leaving_bytes is the sum of what the connections being ended held when that was decided, and have not given back since;
 * it counts as free here. It goes at the end of the turn, with their streams, and until then nothing is begun (conn.c) and nothing delivered (turn.c)
 * while too much is held with it; the connections themselves may take a second more, to say why.
 */
#include "server/server.h"

#include "base/log.h"

#define CLASSES (8 * sizeof(size_t) + 1)

static size_t held_by(const struct rota_server_conn *conn)
{
    return conn->leaving ? 0 : conn->pending_bytes + conn->conn->queued_bytes;
}

/* 0 of nothing, else one more than the exponent of the power of two below it. */
static unsigned class_of(size_t bytes)
{
    return bytes == 0 ? 0 : 8 * (unsigned)sizeof(unsigned long long) - (unsigned)__builtin_clzll(bytes);
}

static void complain(struct rota_server *server, const struct rota_server_conn *conn)
{
    char more[ROTA_SERVER_MORE_SIZE];

    if (!rota_server_tell(server, &server->ended, more))
        return;
    rota_log_write(server->log, ROTA_LOG_WARN, "server", "%s: ended, it held %zu of the %zu bytes that may wait on all connections%s", conn->peer,
                   conn->leaving_bytes, server->options.max_total_bytes, more);
}

static void end(struct rota_server *server, struct rota_server_conn *conn)
{
    conn->leaving_bytes = held_by(conn);
    conn->leaving = true;
    server->leaving_bytes += conn->leaving_bytes;
    complain(server, conn);
    conn->conn->class->expel(conn->conn, "too much of the server's memory waits for this connection");
}

/* The lowest class of which connections must go to free that much; *excess is left for it when all above have gone. */
static unsigned find_class(struct rota_server *server, size_t *excess)
{
    size_t bytes[CLASSES] = {0};
    unsigned c;

    for (struct rota_link *link = server->conns.next; link != &server->conns; link = link->next) {
        size_t held = held_by(ROTA_CONTAINER(link, struct rota_server_conn, link));
        bytes[class_of(held)] += held;
    }
    for (c = CLASSES - 1; c > 1 && bytes[c] < *excess; c--)
        *excess -= bytes[c];
    return c;
}

bool rota_server_make_room(struct rota_server *server, const struct rota_server_conn *conn)
{
    size_t max_bytes = server->options.max_total_bytes;
    size_t excess = server->held_bytes - server->leaving_bytes - (max_bytes - max_bytes / 8);
    unsigned lowest = find_class(server, &excess);

    for (struct rota_link *link = server->conns.next; link != &server->conns; link = link->next) {
        struct rota_server_conn *c = ROTA_CONTAINER(link, struct rota_server_conn, link);
        size_t held = held_by(c);
        if (held == 0 || class_of(held) < lowest || (class_of(held) == lowest && excess == 0))
            continue;
        if (class_of(held) == lowest)
            excess -= held < excess ? held : excess;
        end(server, c);
    }
    return !conn->leaving;
}

void rota_server_conn_left(struct rota_server_conn *conn)
{
    size_t left = conn->closed ? 0 : conn->pending_bytes + conn->conn->queued_bytes;

    if (left >= conn->leaving_bytes)
        return;
    conn->server->leaving_bytes -= conn->leaving_bytes - left;
    conn->leaving_bytes = left;
}
