/* server_session.c - a server with real HTTP/2 and the real link to sockets, against clients that a script plays.
 *
 * The script connects, asks and misbehaves (peer_script.h), and plays the handlers: they answer at once, later, in parts, hold,
 * fail; time passes, allocations fail, the server drains. Checked: handlers hear of a call in order and of its end once, what is
 * sent (wire_check.h), how much is kept; the server closes, and nothing is left then: no call, timer, task, socket or block.
 */
#include "assembly/link.h"
#include "base/assert.h"
#include "fuzz/peer_script.h"
#include "server/server.h"

#define CALLS 32
#define DEPTH_MAX 3
#define MESSAGE_BYTES ((size_t)20000) /* the largest that handlers send */
#define TOTAL_BYTES ((size_t)200000)  /* max_total_bytes, where it is set */
/* What may be kept beside messages: of the server, with all it keeps for reuse; of a connection; of a call, with its headers. */
#define SERVER_BYTES ((size_t)1200 << 10) /* 256 calls that wait to be used again are the most of it */
#define CONNECTION_BYTES ((size_t)64 << 10)
#define CALL_BYTES ((size_t)20 << 10)

struct session;

struct one {
    struct rota_server_call *call; /* NULL: free */
    bool streaming, ended, cancelled;
};

struct session {
    struct peer_script script;
    struct rota_loop loop;
    struct rota_net_acceptor acceptor;
    struct rota_server *server;
    struct one calls[CALLS];
    unsigned closed, drained, depth;
    size_t call_bytes, total_bytes; /* that messages of a call, and of all, may take by the options; 0: no matter */
};

static void operate(struct session *s);

static void interfere(struct session *s)
{
    if (s->script.at < s->script.end && s->depth < DEPTH_MAX && peer_take(&s->script) % 3 == 0) {
        s->depth++;
        operate(s);
        s->depth--;
    }
}

static struct one *find(struct session *s, const struct rota_server_call *call)
{
    for (size_t i = 0; i < CALLS; i++)
        if (s->calls[i].call == call)
            return &s->calls[i];
    return NULL;
}

static void finish(struct one *one, uint8_t how)
{
    struct rota_server_call *call = one->call;
    struct rota_slice text = ROTA_SLICE("an answer");

    one->call = NULL;
    if (how % 3 == 0 && !one->streaming)
        rota_server_call_reply(call, &text);
    else if (how % 3 == 1)
        rota_server_call_fail(call, (enum rota_code)(how / 3 % 17), "failed as the script says");
    else
        rota_server_call_finish(call, NULL);
}

static void adopt(struct session *s, struct rota_server_call *call, bool streaming)
{
    struct one *one = find(s, NULL);
    struct one overflow = {.call = call, .streaming = streaming};

    /* Data is what the call of a new stream has not: nothing more is said of one that was finished. */
    ROTA_ASSERT(find(s, call) == NULL && rota_server_call_data(call) == NULL && s->closed == 0);
    rota_server_call_set_data(call, s);
    if (one == NULL) {
        finish(&overflow, 1);
        return;
    }
    *one = overflow;
    interfere(s);
}

static void on_start(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)handlers;
    adopt(user, call, true);
}

static void on_message(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    struct session *s = user;
    struct one *one = find(s, call);

    (void)handlers;
    (void)message;
    if (one == NULL) { /* of a unary call it is the start */
        adopt(s, call, false);
        return;
    }
    ROTA_ASSERT(one->streaming && !one->ended);
    interfere(s);
}

static void on_end(struct rota_server_call *call, const void *handlers, void *user)
{
    struct one *one = find(user, call);

    (void)handlers;
    ROTA_ASSERT(one != NULL && one->streaming && !one->ended);
    one->ended = true;
    interfere(user);
}

static void on_writable(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)handlers;
    ROTA_ASSERT(find(user, call) != NULL);
    interfere(user);
}

static void on_cancel(struct rota_server_call *call, const void *handlers, void *user)
{
    struct one *one = find(user, call);

    (void)handlers;
    ROTA_ASSERT(one != NULL && !one->cancelled && rota_server_call_cancelled(call));
    one->cancelled = true;
    finish(one, 2);
}

static const struct rota_method echo = {.path = "/t.S/Echo", .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};
static const struct rota_method later = {.path = "/t.S/Later", .server_streaming = true, .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};
static const struct rota_method chat = {
    .path = "/t.S/Chat", .client_streaming = true, .server_streaming = true, .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};
static const struct rota_handler handlers[] = {
    {.method = &echo, .on_message = on_message, .on_cancel = on_cancel},
    {.method = &later, .on_message = on_message, .on_writable = on_writable, .on_cancel = on_cancel},
    {.method = &chat, .on_start = on_start, .on_message = on_message, .on_end = on_end, .on_writable = on_writable, .on_cancel = on_cancel},
};
static const struct rota_service service = {.name = "t.S", .handlers = handlers, .n_handlers = sizeof(handlers) / sizeof(handlers[0])};

static void send_some(struct session *s, struct one *one)
{
    static const uint8_t zeros[20000];
    struct rota_slice text = rota_slice(zeros, peer_take(&s->script) % 2 == 0 ? 10 : sizeof(zeros));

    (void)!rota_server_call_send(one->call, &text);
}

static void add_metadata(struct one *one)
{
    struct rota_metadata *metadata = rota_server_call_trailing_metadata(one->call);

    if (metadata != NULL)
        (void)!rota_metadata_add_text(metadata, "x-late", "1");
}

/* What a handler's program may do at any time. */
static void operate(struct session *s)
{
    uint8_t what = peer_take(&s->script);
    struct one *one = &s->calls[(what >> 3) % CALLS];

    if (one->call == NULL)
        return;
    switch (what % 8) {
    case 0:
    case 1: finish(one, peer_take(&s->script)); break;
    case 2:
    case 3: send_some(s, one); break;
    case 4: rota_server_call_hold(one->call); break;
    case 5: rota_server_call_resume(one->call); break;
    case 6: add_metadata(one); break;
    default: (void)!rota_server_call_send_initial_metadata(one->call);
    }
}

static void on_drained(void *arg)
{
    ((struct session *)arg)->drained++;
}

static void on_closed(void *arg)
{
    ((struct session *)arg)->closed++;
}

/* What is held is bounded by the options and by what the clients have opened, however they go about it. */
static void check_memory(const struct session *s)
{
    size_t n_calls = 0, n_connections = 0, messages;

    for (size_t i = 0; i < CALLS; i++)
        n_calls += s->calls[i].call != NULL;
    for (size_t i = 0; i < FAKE_SOCKETS_MAX; i++) {
        n_connections += s->loop.sockets[i] != NULL;
        n_calls += s->loop.sockets[i] == NULL ? 0 : wire_check_requests(s->loop.sockets[i]->check);
    }
    messages = n_calls * s->call_bytes;
    if (s->total_bytes > 0 && messages > s->total_bytes + MESSAGE_BYTES)
        messages = s->total_bytes + MESSAGE_BYTES;
    ROTA_ASSERT(s->loop.live_bytes <= SERVER_BYTES + n_connections * CONNECTION_BYTES + n_calls * CALL_BYTES + messages);
}

static void step(struct session *s)
{
    uint8_t what = peer_take(&s->script);

    switch (what % 8) {
    case 0:
        operate(s);
        fake_net_run(&s->loop);
        break;
    case 1: fake_net_accept(&s->loop); break;
    case 2: fake_net_advance(&s->loop, peer_take(&s->script) * (peer_take(&s->script) % 2 == 0 ? FAKE_SECOND_NS : FAKE_SECOND_NS / 1000)); break;
    case 3:
        if (what >= 224 && s->drained == 0) {
            rota_server_drain(s->server, peer_take(&s->script) * 100, on_drained, s);
            fake_net_run(&s->loop);
        } else {
            s->loop.fail_in = what < 64 ? peer_take(&s->script) : 0;
        }
        break;
    default: peer_step(&s->script, &s->loop);
    }
    check_memory(s);
}

static bool open_server(struct session *s)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts = {.host = &s->loop.host, .loop = &s->loop, .acceptor = &s->acceptor.acceptor};
    struct rota_errinfo info;
    uint8_t how = peer_take(&s->script);

    options.max_request_bytes = how & 1 ? 100 : 10000;
    options.max_concurrent_streams = how & 2 ? 2 : 0;
    options.max_pending_bytes = how & 4 ? 300 : 0;
    options.send_queue_bytes = how & 8 ? 10 : 0;
    options.compression = how & 16 ? ROTA_COMPRESSION_GZIP : ROTA_COMPRESSION_DEFAULT;
    options.max_total_bytes = how & 64 ? TOTAL_BYTES : 0;
    s->total_bytes = options.max_total_bytes;
    /* A request as it came and unpacked; the queue, and the message that fills it beyond. */
    s->call_bytes = 2 * options.max_request_bytes + (how & 8 ? 10 : 65536) + MESSAGE_BYTES;
    s->loop.fail_in = how & 32 ? peer_take(&s->script) : 0;
    if (rota_server_make(&options, &parts, &s->server, &info) < 0)
        return false;
    if (rota_server_add(s->server, &service, NULL, s) == 0)
        (void)!rota_server_listen(s->server, "127.0.0.1:1", NULL, &info);
    return true;
}

static void close_server(struct session *s)
{
    s->loop.fail_in = 0;
    s->script.at = s->script.end;
    rota_server_shut(s->server, on_closed, s);
    fake_net_run(&s->loop);
    /* What handlers have taken on they finish, cancelled or not. */
    for (size_t i = 0; i < CALLS; i++)
        if (s->calls[i].call != NULL)
            finish(&s->calls[i], 2);
    fake_net_run(&s->loop);
    ROTA_ASSERT(s->closed == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct session s;

    s = (struct session){.script = {.at = data, .end = data + size_bytes, .server = true}};
    fake_net_init(&s.loop);
    ROTA_ASSERT(rota_net_acceptor_init(&s.acceptor, &s.loop, &s.loop.alloc, NULL) == 0);
    s.acceptor.insecure = true;
    if (open_server(&s)) {
        fake_net_run(&s.loop);
        while (s.script.at < s.script.end)
            step(&s);
        close_server(&s);
    }
    s.loop.fail_in = 0;
    rota_net_acceptor_fini(&s.acceptor);
    fake_net_fini(&s.loop);
    return 0;
}
