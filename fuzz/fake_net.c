/* fake_net.c - see fake_net.h. */
#include "fuzz/fake_net.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "loop/loop.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define TURNS_MAX 100000

/* --- Memory --- */

static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct rota_loop *loop = ctx;
    void *moved;

    if (size_bytes == 0) {
        loop->live_blocks -= ptr != NULL;
        loop->live_bytes -= malloc_usable_size(ptr);
        free(ptr);
        return NULL;
    }
    if (loop->fail_in > 0 && --loop->fail_in == 0)
        return NULL;
    loop->live_bytes -= malloc_usable_size(ptr);
    moved = realloc(ptr, size_bytes);
    ROTA_ASSERT(moved != NULL);
    loop->live_bytes += malloc_usable_size(moved);
    loop->live_blocks += ptr == NULL;
    return moved;
}

/* --- The loop --- */

static int64_t read_clock(struct rota_host *host)
{
    return host->now_ns;
}

void fake_net_init(struct rota_loop *loop)
{
    *loop = (struct rota_loop){.alloc = {.resize = resize, .ctx = loop}};
    rota_list_init(&loop->flushes);
    rota_host_init(&loop->host, &loop->alloc, NULL, 1);
    loop->host.now_ns = FAKE_SECOND_NS;
    loop->host.clock = loop->host.wall_clock = read_clock;
}

void fake_net_fini(struct rota_loop *loop)
{
    for (size_t i = 0; i < FAKE_SOCKETS_MAX; i++)
        ROTA_ASSERT(loop->sockets[i] == NULL);
    ROTA_ASSERT(loop->listen_events == NULL && rota_list_empty(&loop->flushes));
    ROTA_ASSERT(loop->host.timers.count == 0 && rota_list_empty(&loop->host.tasks));
    rota_host_fini(&loop->host);
    ROTA_ASSERT(loop->live_blocks == 0);
}

static void run_flushes(struct rota_loop *loop)
{
    struct rota_link due, *link;

    rota_list_init(&due);
    rota_list_take(&due, &loop->flushes);
    loop->host.in_turn = true;
    while ((link = rota_list_pop(&due)) != NULL) {
        struct rota_flush *flush = ROTA_CONTAINER(link, struct rota_flush, link);
        flush->run(flush);
    }
    loop->host.in_turn = false;
}

void fake_net_run(struct rota_loop *loop)
{
    int turns = 0;

    do {
        ROTA_ASSERT(turns++ < TURNS_MAX);
        rota_host_run(&loop->host);
        run_flushes(loop);
    } while (rota_host_next_ns(&loop->host) <= loop->host.now_ns || !rota_list_empty(&loop->flushes));
}

void fake_net_advance(struct rota_loop *loop, int64_t by_ns)
{
    int64_t end_ns = loop->host.now_ns + by_ns, next_ns;

    while ((next_ns = rota_host_next_ns(&loop->host)) <= end_ns) {
        if (next_ns > loop->host.now_ns)
            loop->host.now_ns = next_ns;
        fake_net_run(loop);
    }
    loop->host.now_ns = end_ns;
}

struct rota_host *rota_loop_host(struct rota_loop *loop)
{
    return &loop->host;
}

void rota_loop_flush(struct rota_loop *loop, struct rota_flush *flush)
{
    if (flush->link.next == NULL || rota_list_empty(&flush->link))
        rota_list_append(&loop->flushes, &flush->link);
}

void rota_loop_unflush(struct rota_loop *loop, struct rota_flush *flush)
{
    (void)loop;
    if (flush->link.next != NULL)
        rota_list_remove(&flush->link);
}

/* --- Sockets --- */

static void forget(struct rota_socket *socket)
{
    struct rota_loop *loop = socket->loop;

    for (size_t i = 0; i < FAKE_SOCKETS_MAX; i++)
        if (loop->sockets[i] == socket)
            loop->sockets[i] = NULL;
    rota_buffer_fini(&socket->inbox);
    wire_check_free(socket->check);
    rota_alloc_free(&loop->alloc, socket);
}

static void run_close(struct rota_host_task *task)
{
    struct rota_socket *socket = ROTA_CONTAINER(task, struct rota_socket, close_task);

    if (socket->events != NULL)
        socket->events->on_closed(socket->owner, 0, "closed from here");
    forget(socket);
}

static struct rota_socket *make_socket(struct rota_loop *loop, bool accepted)
{
    for (size_t i = 0; i < FAKE_SOCKETS_MAX; i++)
        if (loop->sockets[i] == NULL) {
            struct rota_socket *socket = rota_alloc_zero(&loop->alloc, 1, sizeof(*socket));

            if (socket == NULL)
                return NULL;
            socket->loop = loop;
            socket->close_task.run = run_close;
            rota_buffer_init(&socket->inbox, NULL, 0);
            socket->check = wire_check_new(accepted);
            return loop->sockets[i] = socket;
        }
    return NULL;
}

rota_err rota_socket_dial(struct rota_loop *loop, const struct rota_address *address, const struct rota_socket_rules *rules,
                          const struct rota_socket_events *events, void *owner, struct rota_socket **ret_socket)
{
    struct rota_socket *socket = make_socket(loop, false);

    (void)address;
    (void)rules;
    if (socket == NULL)
        return ROTA_ENOMEM;
    socket->events = events;
    socket->owner = owner;
    *ret_socket = socket;
    return 0;
}

rota_err rota_socket_write(struct rota_socket *socket, struct rota_slice bytes)
{
    ROTA_ASSERT(socket->connected && !socket->closing);
    wire_check_out(socket->check, bytes);
    if (wire_check_newest(socket->check) > socket->newest)
        socket->newest = wire_check_newest(socket->check);
    if (socket->stalled)
        socket->pending += bytes.size;
    return 0;
}

size_t rota_socket_pending(const struct rota_socket *socket)
{
    return socket->pending;
}

size_t rota_socket_left(const struct rota_socket *socket)
{
    return socket->pending; /* no system here keeps any */
}

void rota_socket_shun(struct rota_socket *socket)
{
    socket->shunned = true;
}

void rota_socket_close(struct rota_socket *socket)
{
    if (socket->closing)
        return;
    socket->closing = true;
    rota_host_post(&socket->loop->host, &socket->close_task);
}

void rota_socket_finish(struct rota_socket *socket) /* the peer has taken what was written */
{
    rota_socket_close(socket);
}

void rota_socket_hurry(struct rota_socket *socket)
{
    (void)socket; /* it is closed in this turn anyway */
}

void rota_socket_abort(struct rota_socket *socket)
{
    rota_socket_close(socket);
}

const char *rota_socket_peer(const struct rota_socket *socket)
{
    (void)socket;
    return "1.2.3.4:5";
}

/* --- Listening --- */

static void run_listen_close(struct rota_host_task *task)
{
    struct rota_loop *loop = ROTA_CONTAINER(task, struct rota_loop, listen_close);
    const struct rota_listen_events *events = loop->listen_events;

    loop->listen_events = NULL;
    events->on_closed(loop->listen_owner);
}

rota_err rota_listen_open(struct rota_loop *loop, const struct rota_address *address, const struct rota_socket_rules *rules,
                          const struct rota_listen_events *events, void *owner, char *bound, struct rota_listen **ret_listen, struct rota_errinfo *info)
{
    (void)address;
    (void)rules;
    (void)info;
    ROTA_ASSERT(loop->listen_events == NULL);
    loop->listen_events = events;
    loop->listen_owner = owner;
    loop->listen_close.run = run_listen_close;
    if (bound != NULL)
        snprintf(bound, ROTA_ADDRESS_TEXT_SIZE, "127.0.0.1:1");
    *ret_listen = (struct rota_listen *)(void *)loop;
    return 0;
}

void rota_listen_close(struct rota_listen *listen)
{
    struct rota_loop *loop = (struct rota_loop *)(void *)listen;

    rota_host_post(&loop->host, &loop->listen_close);
}

/* --- Events --- */

void fake_net_accept(struct rota_loop *loop)
{
    struct rota_socket *socket = loop->listen_events == NULL ? NULL : make_socket(loop, true);

    if (socket == NULL)
        return;
    socket->connected = true;
    loop->host.in_turn = true;
    socket->owner = loop->listen_events->on_accept(loop->listen_owner, socket, &socket->events);
    loop->host.in_turn = false;
    if (socket->owner == NULL) {
        rota_host_unpost(&loop->host, &socket->close_task);
        forget(socket);
    }
    fake_net_run(loop);
}

void fake_net_connect(struct rota_socket *socket)
{
    struct rota_loop *loop = socket->loop;

    if (socket->connected || socket->closing)
        return;
    socket->connected = true;
    loop->host.in_turn = true;
    socket->events->on_connected(socket->owner);
    loop->host.in_turn = false;
    fake_net_run(loop);
}

/* From a block of exactly the size, so that a byte read too far is noticed. */
void fake_net_deliver(struct rota_socket *socket, size_t size)
{
    struct rota_loop *loop = socket->loop;
    struct rota_slice inbox = rota_buffer_peek(&socket->inbox);
    uint8_t *exact;

    if (size > inbox.size)
        size = inbox.size;
    if (!socket->connected || socket->shunned || socket->closing || size == 0)
        return;
    exact = malloc(size);
    ROTA_ASSERT(exact != NULL);
    memcpy(exact, inbox.data, size);
    rota_buffer_consume(&socket->inbox, size);
    wire_check_in(socket->check, rota_slice(exact, size));
    loop->host.in_turn = true;
    socket->events->on_read(socket->owner, rota_slice(exact, size));
    loop->host.in_turn = false;
    free(exact);
    fake_net_run(loop);
}

void fake_net_drain(struct rota_socket *socket)
{
    struct rota_loop *loop = socket->loop;

    socket->stalled = false;
    if (socket->pending == 0 || socket->closing)
        return;
    socket->pending = 0;
    loop->host.in_turn = true;
    socket->events->on_drained(socket->owner);
    loop->host.in_turn = false;
    fake_net_run(loop);
}

void fake_net_lose(struct rota_socket *socket, rota_err err)
{
    struct rota_loop *loop = socket->loop;

    if (socket->closing)
        return;
    loop->host.in_turn = true;
    socket->events->on_closed(socket->owner, err, "1.2.3.4:5: lost");
    loop->host.in_turn = false;
    forget(socket);
    fake_net_run(loop);
}
