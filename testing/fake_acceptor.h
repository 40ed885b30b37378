/* fake_acceptor.h - the server's side of fake_transport.h: connections that come when the test says so, requests that it makes.
 *
 * Each rota_fake_ function is one event of a turn, after which the host is run dry. What the code under test sent is recorded and
 * stays until rota_fake_acceptor_fini. The rules of transport.h are watched: no operation on what is dead, headers before data,
 * nothing after the end, no more credit than bytes, no listener closed twice.
 */
#ifndef ROTA_TESTING_FAKE_ACCEPTOR_H
#define ROTA_TESTING_FAKE_ACCEPTOR_H

#include "base/buffer.h"
#include "testing/virtual_host.h"
#include "wire/transport.h"

#define ROTA_FAKE_ASKERS_MAX 16
#define ROTA_FAKE_ASKS_MAX 64

struct rota_fake_acceptor;

/* A client's connection. */
struct rota_fake_asker {
    struct rota_conn conn;
    struct rota_fake_acceptor *acceptor;
    const struct rota_conn_events *events; /* NULL: it was refused */
    void *owner;
    struct rota_host_task close_task;
    struct rota_fake_ask *asks[ROTA_FAKE_ASKS_MAX];
    size_t n_asks, n_open;
    unsigned drains;
    const char *why; /* expel() was told; NULL: it was not called */
    bool closing, closed;
};

/* One request. */
struct rota_fake_ask {
    struct rota_stream stream;
    struct rota_fake_asker *asker;
    const struct rota_stream_events *events;
    void *owner;
    struct rota_buffer headers, trailers; /* lines of "name: value\n" */
    struct rota_buffer data;
    size_t n_sends;
    size_t queued; /* what queued() says; the test's */
    size_t given, consumed;
    bool headers_sent, ended; /* by the code under test */
    bool dead, reset;
    uint32_t reset_code;
};

struct rota_listener {
    struct rota_fake_acceptor *acceptor;
    const struct rota_listener_events *events;
    void *owner;
    struct rota_serve_limits limits;
    struct rota_host_task close_task;
    bool closing, closed;
};

struct rota_fake_acceptor {
    struct rota_acceptor acceptor;
    struct rota_virtual_host *v;
    const struct rota_alloc *alloc;
    struct rota_listener listeners[4];
    size_t n_listeners;
    struct rota_fake_asker *askers[ROTA_FAKE_ASKERS_MAX];
    size_t n_askers;
    rota_err listen_err; /* what listen returns; 0: it works */
    rota_err send_err;   /* the same for headers, messages and trailers */
    size_t max_fields;   /* more header fields at once are ROTA_ELIMIT; 0: any number */
    size_t max_field_bytes; /* the same for the bytes of names and values */
};

void rota_fake_acceptor_init(struct rota_fake_acceptor *acceptor, struct rota_virtual_host *v, const struct rota_alloc *alloc);
void rota_fake_acceptor_fini(struct rota_fake_acceptor *acceptor); /* fails the test if a connection or listener is still open */

struct rota_fake_asker *rota_fake_connect(struct rota_fake_acceptor *acceptor); /* to the first listener */
void rota_fake_hang_up(struct rota_fake_asker *asker);

/* A request to that path with one more header unless name is NULL. */
struct rota_fake_ask *rota_fake_ask(struct rota_fake_asker *asker, const char *path, const char *name, const char *value);
struct rota_fake_ask *rota_fake_ask_raw(struct rota_fake_asker *asker, const struct rota_header *headers, size_t count, bool end);
void rota_fake_ask_data(struct rota_fake_ask *ask, struct rota_slice bytes);
void rota_fake_ask_message(struct rota_fake_ask *ask, const char *text); /* framed */
void rota_fake_ask_end(struct rota_fake_ask *ask);
void rota_fake_ask_cancel(struct rota_fake_ask *ask);   /* RST_STREAM */
void rota_fake_ask_writable(struct rota_fake_ask *ask); /* sets queued to 0 */

/* The value of a header or trailer sent, or NULL; valid until the next call. */
const char *rota_fake_answer_header(const struct rota_fake_ask *ask, const char *name);
/* "status text", or "reset N", or "open"; a response without grpc-status: "http N". Valid until the next call. */
const char *rota_fake_answer_status(const struct rota_fake_ask *ask);
/* The texts of all messages sent, a space after each. Valid until the next call. */
const char *rota_fake_answer_messages(const struct rota_fake_ask *ask);

#endif
