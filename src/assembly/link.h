/* link.h - one connection for real: a socket (net) joined to an HTTP/2 session (h2), behind the tables of wire/transport.h. */
#ifndef ROTA_ASSEMBLY_LINK_H
#define ROTA_ASSEMBLY_LINK_H

#include "base/buffer.h"
#include "base/log.h"
#include "wire/proxy.h"
#include "wire/transport.h"

struct rota_loop;
struct rota_tls_config;

/* Bytes to send are put together here, once for all connections of a dialer or acceptor: they are used in turn. */
struct rota_out_buffer {
    const struct rota_alloc *alloc;
    const struct rota_log *log; /* of the connections */
    uint8_t *data;
    struct rota_buffer cipher; /* what TLS makes of it; empty between two uses */
    int64_t quiet_until_ns;    /* what peers do wrong is told once a second */
    uint32_t n_untold;
    uint32_t n_shunned; /* connections; see link.c */
};
#define ROTA_OUT_BUFFER_BYTES ((size_t)64 << 10)
rota_err rota_out_buffer_init(struct rota_out_buffer *out, const struct rota_alloc *alloc, const struct rota_log *log);
void rota_out_buffer_fini(struct rota_out_buffer *out);

/* Dialing for one channel. */
struct rota_net_dialer {
    struct rota_dialer dialer;
    struct rota_loop *loop;
    const struct rota_alloc *alloc;
    struct rota_out_buffer out;
    struct rota_tls_config *tls; /* one reference; NULL: plaintext */
    bool insecure;               /* with tls NULL: to any address, else to those of this machine */
    struct rota_proxy *proxy;    /* owned; through it to every address; NULL: none */
    uint32_t max_window_bytes;   /* as in struct rota_serve_limits; 0 until set */
};
rota_err rota_net_dialer_init(struct rota_net_dialer *dialer, struct rota_loop *loop, const struct rota_alloc *alloc, const struct rota_log *log);
void rota_net_dialer_fini(struct rota_net_dialer *dialer); /* every connection must have reported closed */

/* Listening for one server. */
struct rota_net_acceptor {
    struct rota_acceptor acceptor;
    struct rota_loop *loop;
    const struct rota_alloc *alloc;
    struct rota_out_buffer out;
    struct rota_tls_config *tls; /* one reference; NULL: plaintext */
    bool insecure;               /* with tls NULL: at any address, else at those of this machine */
};
rota_err rota_net_acceptor_init(struct rota_net_acceptor *acceptor, struct rota_loop *loop, const struct rota_alloc *alloc, const struct rota_log *log);
void rota_net_acceptor_fini(struct rota_net_acceptor *acceptor);

#endif
