/* link.h - one connection for real: a socket (net) joined to an HTTP/2 session (h2), behind the tables of wire/transport.h. */
#ifndef ROTA_ASSEMBLY_LINK_H
#define ROTA_ASSEMBLY_LINK_H

#include "wire/transport.h"

struct rota_loop;

/* Bytes to send are put together here, once for all connections of a dialer or acceptor: they are used in turn. */
struct rota_out_buffer {
    const struct rota_alloc *alloc;
    uint8_t *data;
};
#define ROTA_OUT_BUFFER_BYTES ((size_t)64 << 10)

/* Dialing for one channel. */
struct rota_net_dialer {
    struct rota_dialer dialer;
    struct rota_loop *loop;
    const struct rota_alloc *alloc;
    struct rota_out_buffer out;
};
rota_err rota_net_dialer_init(struct rota_net_dialer *dialer, struct rota_loop *loop, const struct rota_alloc *alloc);
void rota_net_dialer_fini(struct rota_net_dialer *dialer); /* every connection must have reported closed */

/* Listening for one server. */
struct rota_net_acceptor {
    struct rota_acceptor acceptor;
    struct rota_loop *loop;
    const struct rota_alloc *alloc;
    struct rota_out_buffer out;
};
rota_err rota_net_acceptor_init(struct rota_net_acceptor *acceptor, struct rota_loop *loop, const struct rota_alloc *alloc);
void rota_net_acceptor_fini(struct rota_net_acceptor *acceptor);

#endif
