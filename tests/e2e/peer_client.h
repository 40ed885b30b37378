/* peer_client.h - what the checks of peer_client share. */
#ifndef ROTA_TESTS_PEER_CLIENT_H
#define ROTA_TESTS_PEER_CLIENT_H

#include "peer.rota.h"

#define LONG_MS 10000

struct peer {
    struct rota_loop *loop;
    struct rota_channel *channel;
};

struct check {
    const char *name;
    bool (*run)(const struct peer *peer);
};

extern const struct check unary_checks[], stream_checks[]; /* both end with a NULL name */

/* Returns ok; if it is not, the sentence says what the present check failed of (the first one counts). */
bool expect(bool ok, const char *format, ...) ROTA_PRINTF(2, 3);
bool expect_status(const struct rota_status *got, enum rota_code code, const char *message); /* message NULL: any */
bool expect_msg(const Peer__Msg *got, size_t size, char fill, int32_t count);
bool expect_metadata(const struct rota_metadata *initial, const struct rota_metadata *trailing);

/* A message with a body of so many bytes; lives until the next call. */
Peer__Msg message_of(size_t size, char fill);
/* What expect_metadata wants to see again; NULL: no memory. */
struct rota_metadata *metadata_to_echo(void);
bool echo(const struct peer *peer, size_t size);
struct rota_call_options options_of(int64_t timeout_ms);
rota_err turn(struct rota_loop *loop); /* waits for something to happen and has it done, as a program with a poll(2) of its own would */
int64_t now_ms(const struct peer *peer);

#endif
