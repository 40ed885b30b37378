/* tries_fixture.h - calls of several attempts, played from a script, in virtual time.
 *
 * A script is words separated by spaces. Servers are a, b and c, all connected unless the row says otherwise; `a` alone means its latest
 * stream, `a2` its stream number 2 from 0; `A` is the first connection to a where that was replaced.
 *   call call=50   a unary call, the second with a timeout in ms; wait: one that waits for ready; talk: a streaming one
 *   w:10           the last call writes a message of that many bytes, until it is taken or refused; end: it half-closes; cancel
 *   a!14           the server fails the stream, trailers-only, with that code; a!14/200: with that grpc-retry-pushback-ms
 *   a:h            response headers; a:t14 then trailers with that code; a:r headers, reply, OK; a:http503 headers that are no gRPC
 *   a:deaf         the stream has ended, which the next word tells: it takes nothing more
 *   a:refuse       REFUSED_STREAM; a:unsent never sent; a:lost reset by the loss of a stream; a:down, a:up: the connection goes and comes back;
 *                a:goaway it goes once its streams have ended
 *   a:full a:room  no stream more, and streams again
 *   +250           250 ms pass; `=` writes a mark into the trace; `?` writes the tokens left, `#` the channel's counts
 * The trace: `a1` a stream was opened at a, with one previous attempt announced; `a-` a stream there was reset from here, with an error; a code's name: a
 * call has ended. What follows `?` is tokens in thousandths; `#` writes retries/hedges/transparent/throttled/over budget.
 */
#ifndef ROTA_CHANNEL_TRIES_FIXTURE_H
#define ROTA_CHANNEL_TRIES_FIXTURE_H

#include "channel/channel_fixture.h"

#define ROTA_TRIES_CALLS 512
#define ROTA_TRIES_STREAMS 64 /* a connection */

struct rota_tries_fixture {
    struct rota_channel_fixture f;
    struct rota_seen_call calls[ROTA_TRIES_CALLS];
    size_t n_calls;
    size_t seen_streams[ROTA_FAKE_CONNS_MAX]; /* by connection */
    bool told_reset[ROTA_FAKE_CONNS_MAX][ROTA_TRIES_STREAMS];
    bool told_end[ROTA_TRIES_CALLS];
    char trace[2048];
};

struct rota_tries_case {
    const char *rule;
    const char *config; /* of the service */
    const char *script, *trace;
    const char *servers;
};

#define ROTA_RETRY_CONFIG(members) ROTA_TRIES_CONFIG("\"retryPolicy\":{" members "}")
#define ROTA_TRIES_CONFIG(members)                                                                                              \
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}]," members "}]}"
#define ROTA_RETRY_USUAL "\"initialBackoff\":\"0.1s\",\"maxBackoff\":\"0.3s\",\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"UNAVAILABLE\"]"

/* Chance rolls `unit` always: 0.5 is a spread of exactly 1. */
void rota_tries_fixture_init(struct rota_tries_fixture *t, const struct rota_channel_options *options, const char *servers, double unit);
void rota_tries_fixture_fini(struct rota_tries_fixture *t);
/* Plays, and fails the test naming the rule unless the trace is that. */
void rota_tries_expect(struct rota_tries_fixture *t, const char *rule, const char *script, const char *trace);
/* A fixture of its own for each row. options: NULL, or all but the service config. */
void rota_tries_run(const struct rota_tries_case *cases, size_t count, const struct rota_channel_options *options);

#endif
