/* tls_inside.h - what the files of the TLS engine share. */
#ifndef ROTA_NET_TLS_INSIDE_H
#define ROTA_NET_TLS_INSIDE_H

#include "base/list.h"
#include "net/openssl.h"
#include "net/tls.h"
#include <time.h>

/* What tells that a file is another one than before. */
struct rota_tls_stamp {
    int64_t device, inode, size_bytes;
    struct timespec modified, changed;
};

enum { ROTA_TLS_FILES = 3 }; /* ca, cert, key */

struct rota_tls_config {
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    uint32_t refs;
    bool server, require_client_cert, check_address;
    char *ca_file, *cert_file, *key_file, *server_name;
    int64_t reload_ns; /* INT64_MAX: never */
    int64_t next_look_ns;
    struct rota_tls_stamp stamps[ROTA_TLS_FILES];
    SSL_CTX *context;
    BIO_METHOD *bytes; /* a connection's bytes in and out */
    struct rota_link sessions; /* client: struct session of tls_session.c, the latest last */
    size_t n_sessions;
    uint64_t records_per_key; /* sent, before keys are renewed (TLS 1.3) */
};

enum { ROTA_TLS_NAME_SIZE = 256 };

struct rota_tls {
    struct rota_tls_config *config; /* one reference */
    SSL *ssl;
    SSL_CTX *context; /* borrowed from ssl: a session of an old context is not kept */
    struct rota_buffer *out;
    struct rota_slice in;
    struct rota_identity *identity;
    uint64_t records;        /* sent under the present keys */
    unsigned n_messages;     /* handshake messages of the peer's after the handshake, since RECORD_BYTES of data came with them */
    size_t data_bytes;       /* of those */
    struct rota_buffer kept; /* plaintext to write when more has been read */
    bool ready;
    bool no_memory;          /* `out` could not grow */
    rota_err broken;         /* not 0: over, `why` says why */
    struct rota_errinfo why; /* before that: what callbacks found, who know more than OpenSSL's error does */
    char peer[128];
    char name[ROTA_TLS_NAME_SIZE]; /* what the certificate must have; "" at a server */
};

/* tls_config.c: looks at the files when it is time to. */
void rota_tls_config_look(struct rota_tls_config *config, int64_t now_ns);

/* tls.c: the callbacks of a context. */
void rota_tls_watch_context(struct rota_tls_config *config, SSL_CTX *context);
BIO_METHOD *rota_tls_bytes_new(void); /* NULL: no memory */

/* tls_session.c */
void rota_tls_sessions_watch(SSL_CTX *context); /* gathers what servers give */
bool rota_tls_tickets_watch(SSL_CTX *context); /* server: looks at what clients kept; false: no memory */
void rota_tls_session_use(struct rota_tls *tls); /* the session that the last connection like this one left, if any */
void rota_tls_sessions_clear(struct rota_tls_config *config);

/* tls_cert.c */
/* "DNS:a" and so on, each followed by `after`; how many. */
rota_err rota_tls_cert_names(const X509 *cert, bool with_kind, const char *after, size_t after_size, struct rota_buffer *to, size_t *ret_count);
rota_err rota_tls_cert_subject(const X509_NAME *name, struct rota_buffer *to); /* ends with a zero */
rota_err rota_tls_cert_identity(const X509 *cert, const struct rota_alloc *alloc, struct rota_identity **ret_identity);

/* tls_why.c */
/* Writes tls->why: why the certificate at hand is not accepted. */
void rota_tls_why_cert(struct rota_tls *tls, X509_STORE_CTX *store);
/* What OpenSSL's error queue has, after a call on the connection failed; empties it. ROTA_EPROTO or ROTA_ENOMEM. */
rota_err rota_tls_why_failed(struct rota_tls *tls, struct rota_errinfo *info);
/* The same for files: "FILE: reason". ROTA_EINVAL or ROTA_ENOMEM. */
rota_err rota_tls_why_file(const char *option, const char *file, struct rota_errinfo *info);

#endif
