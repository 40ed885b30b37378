/* tls12_fixture.h - records of TLS 1.2 made by hand for a connection that OpenSSL has opened: what its functions send in order only, tests send at will. */
#ifndef ROTA_NET_TLS12_FIXTURE_H
#define ROTA_NET_TLS12_FIXTURE_H

#include <openssl/ssl.h>
#include <rota/slice.h>

#define TLS12_CIPHER "ECDHE-ECDSA-AES128-GCM-SHA256" /* the only one it seals for */
enum { TLS12_OVERHEAD_BYTES = 5 + 8 + 16, TLS12_RECORD_BYTES = 16384 };

/* The client's direction. OpenSSL may not write any more, nor needs to: the peer's answers need not be read. */
struct tls12_sealer {
    uint8_t key[16], salt[4];
    uint64_t sequence;
};

void tls12_sealer_init(struct tls12_sealer *s, SSL *client); /* right after the handshake */
/* One record; out: plain.size + TLS12_OVERHEAD_BYTES, which is returned. */
size_t tls12_seal(struct tls12_sealer *s, uint8_t type, struct rota_slice plain, uint8_t *out);

#endif
