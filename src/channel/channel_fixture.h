/* channel_fixture.h - a channel in virtual time: scripted transport, a resolver that publishes what the test says, and what calls
 * have reported. Every row of a test makes its own and fails when it leaks.
 */
#ifndef ROTA_CHANNEL_CHANNEL_FIXTURE_H
#define ROTA_CHANNEL_CHANNEL_FIXTURE_H

#include "channel/channel.h"
#include "testing/cmocka.h"
#include "testing/fake_transport.h"
#include "testing/leak_alloc.h"

/* How a call went, as the application saw it. */
struct rota_seen_call {
    struct rota_call *call; /* NULL after the end */
    struct rota_status status;
    unsigned dones, headers, writables;
    unsigned n_messages;
    char messages[256]; /* each followed by '|' */
    bool hold;          /* hold the call at each message */
    bool cancel_in_message;
    char peer[64];
    char trailing[16]; /* the value of x-trailing */
};

struct rota_channel_fixture {
    struct rota_leak_alloc leaks;
    struct rota_virtual_host v;
    struct rota_fake_transport transport;
    struct rota_channel *channel;
    const struct rota_alloc *endpoint_alloc; /* what the test's endpoints are made with: as the channel, unless the test says otherwise */
    unsigned closed, started, stopped, refreshed; /* reports of closing; what the resolver was asked to do */
};

extern const struct rota_method rota_fixture_unary;  /* bytes in, bytes out */
extern const struct rota_method rota_fixture_stream; /* both ways */

/* The resolver as one that follows its source, for options.resolvers. */
extern const struct rota_resolver_class *const rota_fixture_following[];

/* Target "test:x"; options may be NULL. The transport's records are no part of what is counted. */
void rota_channel_fixture_init(struct rota_channel_fixture *f, const struct rota_channel_options *options);
/* The same with everything over an allocator of the caller's. ROTA_ENOMEM. */
rota_err rota_channel_fixture_open(struct rota_channel_fixture *f, const struct rota_alloc *alloc, const struct rota_channel_options *options);
void rota_channel_fixture_close(struct rota_channel_fixture *f); /* shuts and frees all but the allocator */
void rota_channel_fixture_fini(struct rota_channel_fixture *f); /* also sees that nothing leaked, no timer or task is left */

/* What the resolver publishes, if it runs: these addresses ("1.1.1.1:1", with a version "1.1.1.1:1#2"; NULL ends), an endpoint each; an
 * error; a config. */
void rota_fixture_publish(struct rota_channel_fixture *f, const char *a, const char *b, const char *c);
void rota_fixture_resolver_error(struct rota_channel_fixture *f, enum rota_code code, const char *message);
void rota_fixture_service_config(struct rota_channel_fixture *f, const char *json);
void rota_fixture_update(struct rota_channel_fixture *f, const char *json, const char *address); /* both in one turn */

/* Where calls report, with a struct rota_seen_call as arg. */
extern const struct rota_call_events rota_fixture_events;
void rota_fixture_unary_done(void *arg, const struct rota_status *status, const void *reply);

/* Starts a call and notes all in *seen. options may be NULL. */
void rota_fixture_unary_start(struct rota_channel_fixture *f, const char *request, const struct rota_call_options *options, struct rota_seen_call *seen);
void rota_fixture_stream_start(struct rota_channel_fixture *f, const struct rota_call_options *options, struct rota_seen_call *seen);
rota_err rota_fixture_write(struct rota_seen_call *seen, const char *text);

/* Publishes the address, connects to it and returns the connection, for the many tests that begin there. */
struct rota_fake_conn *rota_fixture_ready(struct rota_channel_fixture *f, const char *address);
struct rota_fake_conn *rota_fixture_conn(struct rota_channel_fixture *f, const char *address); /* the last one dialed, up or not */

void rota_assert_ended(const struct rota_seen_call *seen, enum rota_code code, const char *words); /* once, with those words in the message */
void rota_assert_running(const struct rota_seen_call *seen);

#endif
