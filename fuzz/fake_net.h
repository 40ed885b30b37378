/* fake_net.h - the loop and the sockets under src/assembly, played by a script: no system, no time but what the script lets pass.
 *
 * It defines struct rota_loop and the functions of net.h that a connection uses, so the real link between HTTP/2 and sockets is
 * what runs above it. The rules of net.h are kept: no event after on_closed, on_closed from a later turn, one event at a time.
 * What is written is held against the protocol (wire_check.h).
 * Memory: everything over an allocator that counts blocks and bytes and can be told to fail.
 */
#ifndef ROTA_FUZZ_FAKE_NET_H
#define ROTA_FUZZ_FAKE_NET_H

#include "base/buffer.h"
#include "base/host.h"
#include "fuzz/wire_check.h"
#include "net/net.h"

#define FAKE_SECOND_NS INT64_C(1000000000)
#define FAKE_SOCKETS_MAX 16

struct rota_loop {
    struct rota_host host;
    struct rota_link flushes;
    struct rota_socket *sockets[FAKE_SOCKETS_MAX]; /* open ones */
    const struct rota_listen_events *listen_events; /* NULL: nobody listens */
    void *listen_owner;
    struct rota_host_task listen_close;
    struct rota_alloc alloc;
    size_t live_blocks, live_bytes;
    uint32_t fail_in; /* allocations until one fails; 0: none will */
};

struct rota_socket {
    struct rota_loop *loop;
    const struct rota_socket_events *events;
    void *owner;
    struct rota_host_task close_task;
    struct rota_buffer inbox; /* what the peer has sent and is not delivered */
    size_t pending;
    bool connected, shunned, closing, stalled;
    struct wire_check *check;
    uint32_t newest; /* the highest stream that HEADERS were written for, or that the script has opened */
};

void fake_net_init(struct rota_loop *loop);
void fake_net_fini(struct rota_loop *loop); /* asserts that nothing is left: sockets, timers, tasks, memory */

void fake_net_run(struct rota_loop *loop); /* until nothing is due at the present time */
void fake_net_advance(struct rota_loop *loop, int64_t by_ns);

/* Events; each is a turn. */
void fake_net_accept(struct rota_loop *loop); /* if somebody listens; it may be refused */
void fake_net_connect(struct rota_socket *socket);
void fake_net_deliver(struct rota_socket *socket, size_t size); /* so much of the inbox, at most */
void fake_net_drain(struct rota_socket *socket);
void fake_net_lose(struct rota_socket *socket, rota_err err);

#endif
