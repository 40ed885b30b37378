/* assembly_fixture.h - a test service over real sockets, and the channels to it. Messages are bare bytes (rota_codec_bytes).
 *
 * Echo (unary) replies with its request and sends metadata that begins with "x-" back, in headers and trailers; Join (client
 * streaming) replies with the number of bytes received; Count (server streaming), asked "N SIZE", sends N messages of that size;
 * Chat (both) echoes, compressed only what came so, and ends the call with "bye"; Fail (unary), asked "CODE text", fails so; Delay (unary), asked "MS", replies after that time.
 */
#ifndef ROTA_ASSEMBLY_FIXTURE_H
#define ROTA_ASSEMBLY_FIXTURE_H

#include "assembly/handoff.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include <rota/rota.h>
#include <stdatomic.h>

extern const struct rota_method test_echo, test_join, test_count, test_chat, test_fail, test_delay;

struct test_server {
    struct rota_loop *loop;
    struct rota_server *server;
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_server_options options;
    atomic_int n_cancelled; /* calls whose handler was told that nobody waits any more */
    atomic_int n_calls;
    atomic_int n_messages, n_ends; /* that Join has been told of */
    bool hold; /* Join holds its call with each message; the test resumes `held` */
    struct rota_server_call *held;
    rota_err err; /* of opening */
};

/* On the loop, also from another thread when the loop has one of its own. options NULL: defaults. */
void test_server_open(struct test_server *s, struct rota_loop *loop, const char *address, const struct rota_server_options *options);
rota_err test_server_try(struct test_server *s, struct rota_loop *loop, const char *address, const struct rota_server_options *options);
void test_server_close(struct test_server *s);

/* To "host:port" or a unix target; options NULL: defaults. loop NULL: one of its own. */
struct rota_channel *test_channel(struct rota_loop *loop, const char *bound, const struct rota_channel_options *options);

/* Blocking unary; true when the reply (status OK) is that text. */
struct rota_status test_unary(struct rota_channel *channel, const struct rota_method *method, int64_t timeout_ms, const char *text);
bool test_echoes(struct rota_channel *channel, const char *text);

#endif
