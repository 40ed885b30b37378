/* server_fixture.h - a server in virtual time with a service whose handlers leave a trace of what they were told.
 *
 * The trace has a letter an event: S start, "m:text " message, E end, W writable, C cancel. /t.S/Echo (unary) replies with its
 * request, /t.S/Join (client streaming) with all of them, /t.S/Count (server streaming) sends as many replies as its request says,
 * /t.S/Chat (both) echoes and ends when the client does; /t.S/Later (unary) and /t.S/Quiet (both, without on_cancel) leave the call
 * to the test.
 */
#ifndef ROTA_SERVER_FIXTURE_H
#define ROTA_SERVER_FIXTURE_H

#include "base/assert.h"
#include "server/server.h"
#include "testing/fake_acceptor.h"
#include "testing/leak_alloc.h"

struct server_fixture {
    struct rota_leak_alloc alloc;
    struct rota_virtual_host v;
    struct rota_fake_acceptor acceptor;
    struct rota_server *server; /* NULL once it has reported closed */
    struct rota_fake_asker *asker;
    struct rota_server_call *call; /* the last one a handler was told of and has not finished */
    char trace[1000];
    int drained, closed;
    size_t joined;
    bool hold_next, finish_next; /* the next message holds its call, ends it with OK */
};

extern const struct rota_service server_fixture_service;

void server_fixture_init(struct server_fixture *f, const struct rota_server_options *options); /* options NULL: defaults; listens, one client */
void server_fixture_close(struct server_fixture *f);
void server_fixture_fini(struct server_fixture *f); /* closes; fails the test when anything is left */
void server_fixture_run(struct server_fixture *f);
void server_fixture_on_drained(void *f);
/* Sends and finishes f->call. */
void server_fixture_reply(struct server_fixture *f, const char *text);

#endif
