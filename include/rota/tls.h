/* rota/tls.h - TLS for channels and servers: certificates as PEM files, HTTP/2 by ALPN, TLS 1.2 at least; or plaintext, by name.
 *
 * Given by `tls` in the options of a channel or a server. NULL: plaintext, but only within this machine (loopback addresses, unix sockets);
 * &rota_tls_insecure: plaintext on purpose, to and from any address. A channel that was given TLS never falls back to plaintext. What a
 * handshake failed of is in the status of the calls that waited for it.
 * Ownership: options and texts are copied; files are read when the channel or server is made, and again when they change.
 */
#ifndef ROTA_TLS_H
#define ROTA_TLS_H

#include <rota/api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

ROTA_BEGIN_DECLS

struct rota_tls_options {
    size_t size; /* set by ROTA_TLS_OPTIONS_INIT */
    /* Certificates of those who may issue the peer's. Client, default: the system's. Server, default: clients are not asked for
     * a certificate; with it, a certificate that a client shows must be valid. */
    const char *ca_file;
    const char *cert_file; /* our certificate, then those between it and its root. Servers need one; client, default: none */
    const char *key_file;  /* its private key, not encrypted; default: in cert_file */
    const char *server_name;  /* client: the host name or IP address that the server's certificate must have; default: the host of :authority */
    bool require_client_cert; /* server: no connection without a certificate issued by ca_file */
    /* How often, at most, the files are looked at. Changed ones are used for connections made from then on, and the others stay;
     * broken ones are reported to the log, and the old stay in use. Default 10 s; -1: never. */
    int64_t reload_ms;
    /* Client: the certificate must name the host of the address that is dialed, and :authority does not matter. For servers that a
     * registry lists by names of their own. server_name goes before it. */
    bool check_address;
    bool plaintext; /* no TLS at all, on purpose; nothing else may be given. rota_tls_insecure has it */
};
#define ROTA_TLS_OPTIONS_INIT ROTA_SIZED(struct rota_tls_options)

/* Plaintext on purpose, for networks that are trusted: options.tls = &rota_tls_insecure. */
ROTA_API extern const struct rota_tls_options rota_tls_insecure;

/* Whom a certificate that was verified names. */
struct rota_peer_identity {
    const char *subject;      /* as RFC 4514 writes it, "CN=orders,O=Example"; may be "" */
    const char *const *names; /* its alternative names: "DNS:orders.example", "URI:spiffe://example/orders", "IP:10.0.0.7", "email:a@b.example" */
    size_t n_names;
};

ROTA_END_DECLS
#endif
