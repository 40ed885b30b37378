/* tls_peer.h - the other side of a TLS connection in a fuzzer's hands: its handshake is real, what it sends after that is any records under its keys.
 *
 * Reproducible: all random numbers of OpenSSL come from here, for each engine the same ones in each input. So certificates, keys and all bytes of a
 * handshake but the time in tickets are the same in each run and process, and an input may hold what was recorded in another.
 */
#ifndef ROTA_FUZZ_TLS_PEER_H
#define ROTA_FUZZ_TLS_PEER_H

#include "base/buffer.h"
#include "net/tls.h"

enum tls_record { TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_DATA = 23 };

extern struct rota_tls_config *tls_configs[2]; /* client, server */

void tls_peer_set_up(void);
void tls_peer_begin(void); /* an input: no session to resume */
void tls_peer_draw_from(uint64_t *random); /* the random numbers, until it is called again; each engine has its own */
void tls_peer_limit(struct rota_tls *tls); /* no more than TLS 1.2 */

struct tls_peer {
    uint8_t secret[48], key[32], iv[12]; /* of what the peer sends; TLS_AES_256_GCM_SHA384 */
    uint64_t n_records;                  /* sent under them */
};

/* After a handshake in TLS 1.3. */
void tls_peer_keys(struct tls_peer *peer, const struct rota_tls *tls, bool is_server);
void tls_peer_record(struct tls_peer *peer, uint8_t type, struct rota_slice plain, struct rota_buffer *to); /* 16 KiB at most */
void tls_peer_next_keys(struct tls_peer *peer); /* as after a KeyUpdate */

#endif
