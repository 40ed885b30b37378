/* tls.h - one TLS connection without I/O: bytes of the peer in, plaintext out; plaintext in, bytes for the peer out. On OpenSSL 3.
 *
 * Usage: rota_tls_feed what was read, then rota_tls_read until it gives nothing more; rota_tls_write plaintext once the
 * handshake is over (rota_tls_ready). Each call may append to the `out` given to rota_tls_new, which is sent and emptied before
 * another connection may append to the same buffer. A client's first read, without a feed, begins the handshake.
 * Decides: versions (1.2 and 1.3), ciphers (none of RFC 9113 appendix A), ALPN (h2 or nothing), whom to trust and by which name
 * (RFC 9525), sessions to resume, when files are looked at again, when keys are renewed, what a failure is called.
 * Elsewhere: sockets and the time a handshake may take (assembly).
 * OpenSSL is loaded by the first rota_tls_config_new (openssl.h).
 * Files: tls.c (a connection), tls_config.c (files and contexts), tls_session.c (what clients resume), tls_cert.c (what stands
 * in certificates), tls_why.c (failures as sentences).
 */
#ifndef ROTA_NET_TLS_H
#define ROTA_NET_TLS_H

#include "base/buffer.h"
#include "base/identity.h"
#include <rota/log.h>

struct rota_tls_config;
struct rota_tls;

/* What the connections of one channel or server share. ROTA_EINVAL (an option, or a file that does not serve: info says which),
 * ROTA_EUNSUPPORTED (OpenSSL cannot be loaded), ROTA_ENOMEM. */
rota_err rota_tls_config_new(const struct rota_tls_options *options, bool server, const struct rota_alloc *alloc, const struct rota_log *log,
                             struct rota_tls_config **ret_config, struct rota_errinfo *info);
struct rota_tls_config *rota_tls_config_ref(struct rota_tls_config *config);
void rota_tls_config_unref(struct rota_tls_config *config); /* NULL is fine */
bool rota_tls_checks_address(const struct rota_tls_config *config); /* host should be the address's */

/* Client: host is what the certificate must name unless the options do, peer tells servers of one name apart when sessions are
 * resumed. Server: both NULL. ROTA_ENOMEM. */
rota_err rota_tls_new(struct rota_tls_config *config, struct rota_slice host, const char *peer, struct rota_buffer *out, int64_t now_ns,
                      struct rota_tls **ret_tls);
void rota_tls_free(struct rota_tls *tls); /* NULL is fine */

/* The bytes stay the caller's and must stay until rota_tls_read has given nothing more. */
void rota_tls_feed(struct rota_tls *tls, struct rota_slice bytes);

/* At most cap bytes of plaintext; *ret_size 0: nothing more until the next feed. ROTA_ECLOSED: the peer has closed the TLS connection.
 * ROTA_EPROTO, ROTA_ENOMEM: it failed, info says of what; `out` has the alert that tells the peer. ROTA_EPROTO, without an alert: one handshake message came after the other, and hardly any data. */
rota_err rota_tls_read(struct rota_tls *tls, uint8_t *plain, size_t cap, size_t *ret_size, struct rota_errinfo *info);

/* All of the bytes. They are kept while a message of the peer's TLS is half in, and written by a later read. ROTA_EPROTO, ROTA_ENOMEM: the
 * connection is over. */
rota_err rota_tls_write(struct rota_tls *tls, struct rota_slice plain, struct rota_errinfo *info);

/* Bytes kept. */
size_t rota_tls_pending(const struct rota_tls *tls);

/* Tells the peer that no more comes (close_notify); nothing happens before the handshake is over or after a failure. */
void rota_tls_close(struct rota_tls *tls);

bool rota_tls_ready(const struct rota_tls *tls);   /* the handshake is over and the peer is who it should be */
bool rota_tls_resumed(const struct rota_tls *tls); /* by a session of before */
/* Server, once ready: whom the client's certificate names; NULL: none was shown. Borrowed. */
struct rota_identity *rota_tls_identity(const struct rota_tls *tls);

#endif
