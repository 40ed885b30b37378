/* tls_pair_fixture.h - two TLS engines in memory, joined by a wire that cuts as it likes. */
#ifndef ROTA_NET_TLS_PAIR_FIXTURE_H
#define ROTA_NET_TLS_PAIR_FIXTURE_H

#include "base/rng.h"
#include "net/certs_fixture.h"
#include "net/tls_inside.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

struct tls_side {
    struct rota_tls_config *config;
    struct rota_tls *tls;
    struct rota_buffer out; /* what it has for the wire */
    struct rota_buffer got; /* plaintext */
    rota_err err;           /* of read, the first */
    struct rota_errinfo why;
};

struct tls_pair {
    struct rota_leak_alloc memory;
    struct rota_rng rng;
    struct tls_side client, server;
    size_t cut_bytes; /* at most so much at a time; 0: all there is */
    bool cut_at_random;
    char log[1024]; /* the last line */
    size_t n_logged;
    struct rota_log sink;
};

/* Options with files of certs_dir; NULL: none. */
struct rota_tls_options tls_files(const char *ca, const char *cert, const char *key);

void tls_pair_init(struct tls_pair *p, const struct rota_tls_options *client, const struct rota_tls_options *server);
void tls_pair_fini(struct tls_pair *p); /* fails on a leak */
void tls_pair_connect(struct tls_pair *p, const char *host, int64_t now_ns); /* makes both connections, anew if there were any */
void tls_pair_shake(struct tls_pair *p, const char *host); /* connects and pumps */
void tls_pair_pump(struct tls_pair *p); /* until nothing more moves */
bool tls_pair_carry(struct tls_pair *p, struct tls_side *from, struct tls_side *to); /* one cut of the wire; false: nothing is on it */
void tls_pair_send(struct tls_side *from, struct rota_slice plain);

#endif
