/* peer_script.h - what a hostile peer sends, made from a script's bytes: frames that are right but for what the script spoils.
 *
 * A stream of random bytes hardly ever gets past HPACK. So header blocks are chosen from a table of fields by a mask, messages
 * get their prefix, and every part may be spoilt or come as it stands in the script. Frames go to the socket's inbox; how they
 * are cut when they are read is another step's affair.
 */
#ifndef ROTA_FUZZ_PEER_SCRIPT_H
#define ROTA_FUZZ_PEER_SCRIPT_H

#include "fuzz/fake_net.h"

struct peer_script {
    const uint8_t *at, *end;
    bool server; /* the peer is a client */
};

uint8_t peer_take(struct peer_script *s); /* 0 at the end */
void peer_hello(struct peer_script *s, struct rota_socket *socket); /* preface, if the peer is a client, and SETTINGS */
void peer_frame(struct peer_script *s, struct rota_socket *socket);
void peer_good(struct peer_script *s, struct rota_socket *socket); /* a whole answer or question on the newest stream or the next */
/* One step of what a socket may do: frames come, are read, it stalls, drains, dies. */
void peer_step(struct peer_script *s, struct rota_loop *loop);

#endif
