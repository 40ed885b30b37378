/* tls_fixture.h - a server and a channel on one loop, joined by TLS over real sockets; the method says who the client is. */
#ifndef ROTA_TESTS_TLS_FIXTURE_H
#define ROTA_TESTS_TLS_FIXTURE_H

#include "net/certs_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <rota/rota.h>

struct tls_ends {
    struct rota_leak_alloc memory;
    struct rota_loop *loop;
    struct rota_server *server;
    struct rota_channel *channel;
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    char target[ROTA_ADDRESS_TEXT_SIZE + 16];
    struct rota_server_options server_options; /* changed before tls_ends_open */
    struct rota_channel_options channel_options;
    struct rota_tls_options server_tls, client_tls;
    const char *listen; /* default "127.0.0.1:0" */
    size_t n_reloads, n_failures; /* as the log tells them: of files, of handshakes at the server */
    char failure[1024];           /* the last */
    struct rota_log sink;
};

extern const struct rota_method tls_say;

/* Both sides trust the usual authority, and the server shows the usual certificate. */
void tls_ends_init(struct tls_ends *e);
rota_err tls_ends_serve(struct tls_ends *e, struct rota_errinfo *info); /* the server and its listener */
void tls_ends_open(struct tls_ends *e);
void tls_ends_fini(struct tls_ends *e);
void tls_ends_new_channel(struct tls_ends *e); /* in place of the one there is */

/* A unary call with a request of that size. On OK the reply is "SUBJECT|NAME|..." of the client, then as many zeros as the request
 * had bytes; text gets the former. */
struct rota_status tls_call(struct tls_ends *e, size_t size, char text[256]);
void tls_call_ok(struct tls_ends *e);
void tls_call_fails(struct tls_ends *e, const char *says); /* UNAVAILABLE, with the peer's address and that */

#endif
