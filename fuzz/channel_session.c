/* channel_session.c - a channel with real HTTP/2 and the real link to sockets, against servers that a script plays.
 *
 * The script starts, writes, holds and cancels calls, also from inside their events, lets time pass, makes allocations fail, and
 * sends what it likes (peer_script.h). Checked: each call ends exactly once, headers come once and before messages, nothing is reported of a
 * call that has ended, what is sent (wire_check.h), how much is kept; the channel closes, and nothing is left then: no timer, task, socket or
 * block.
 */
#include "assembly/link.h"
#include "base/assert.h"
#include "channel/channel.h"
#include "fuzz/peer_script.h"
#include "resolver/resolvers.h"
#include <rota/lb.h>
#include <rota/message.h>

#define CALLS 24
#define DEPTH_MAX 3
/* What may be kept beside messages: of the channel, with all it keeps for reuse; of a call, with its headers and further attempts. */
#define CHANNEL_BYTES ((size_t)600 << 10)
#define CALL_BYTES ((size_t)40 << 10)
#define MESSAGES_BYTES ((size_t)65536 + 20000 + 2 * 10000) /* the queue, what fills it beyond, a reply as it came and unpacked */

struct one {
    struct session *session;
    struct rota_call *call; /* NULL: free */
    bool open, unary;
    bool headers; /* on_headers has been */
};

struct session {
    struct peer_script script;
    struct rota_loop loop;
    struct rota_net_dialer dialer;
    struct rota_channel *channel;
    struct one calls[CALLS];
    unsigned closed, depth;
    bool closing;
};

static const struct rota_method unary = {.path = "/t.S/Echo", .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};
static const struct rota_method chat = {
    .path = "/t.S/Chat", .client_streaming = true, .server_streaming = true, .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};

static void operate(struct session *s);

/* What an application may do inside an event. */
static void interfere(struct session *s)
{
    if (s->script.at < s->script.end && s->depth < DEPTH_MAX && peer_take(&s->script) % 4 == 0) {
        s->depth++;
        operate(s);
        s->depth--;
    }
}

static void on_headers(struct rota_call *call, void *arg)
{
    struct one *one = arg;

    ROTA_ASSERT(one->open && one->call == call && !one->unary && !one->headers);
    one->headers = true;
    (void)rota_call_initial_metadata(call);
    interfere(one->session);
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    struct one *one = arg;

    ROTA_ASSERT(one->open && one->call == call && one->headers && message != NULL);
    interfere(one->session);
}

static void on_writable(struct rota_call *call, void *arg)
{
    struct one *one = arg;

    ROTA_ASSERT(one->open && one->call == call);
    interfere(one->session);
}

static void end(struct one *one, const struct rota_status *status)
{
    ROTA_ASSERT(one->open && one->session->closed == 0);
    ROTA_ASSERT(status->code >= ROTA_OK && status->code <= ROTA_UNAUTHENTICATED);
    one->open = false;
    one->call = NULL;
    interfere(one->session);
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    (void)rota_call_trailing_metadata(call);
    end(arg, status);
}

static void on_reply(void *arg, const struct rota_status *status, const void *reply)
{
    ROTA_ASSERT((status->code == ROTA_OK) == (reply != NULL));
    end(arg, status);
}

static const struct rota_call_events events = {.on_headers = on_headers, .on_message = on_message, .on_writable = on_writable, .on_done = on_done};

static void start(struct session *s, bool streaming)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = ROTA_SLICE("a question");
    uint8_t how = peer_take(&s->script);
    struct one *one = NULL;
    rota_err err;

    for (size_t i = 0; one == NULL && i < CALLS; i++)
        if (!s->calls[i].open)
            one = &s->calls[i];
    if (one == NULL)
        return;
    options.timeout_ms = how & 1 ? 1 + peer_take(&s->script) * 10 : 0;
    options.wait_for_ready = how & 2 ? ROTA_WAIT_FOR_READY : ROTA_WAIT_DEFAULT;
    options.max_reply_bytes = how & 4 ? 100 : 0;
    options.compression = how & 8 ? ROTA_COMPRESSION_GZIP : ROTA_COMPRESSION_DEFAULT;
    *one = (struct one){.session = s, .open = true, .unary = !streaming};
    if (streaming)
        err = rota_call_start(s->channel, &chat, &options, &events, one, &one->call);
    else
        err = rota_unary_start(s->channel, &unary, &options, &text, on_reply, one, &one->call);
    if (err < 0)
        one->open = false;
}

static void write_some(struct session *s, struct rota_call *call)
{
    static const uint8_t zeros[20000];
    struct rota_slice text = rota_slice(zeros, peer_take(&s->script) % 2 == 0 ? 10 : sizeof(zeros));

    (void)!rota_call_write(call, &text);
}

/* What an application may do at any time. */
static void operate(struct session *s)
{
    uint8_t what = peer_take(&s->script);
    struct rota_call *call = s->calls[(what >> 3) % CALLS].open ? s->calls[(what >> 3) % CALLS].call : NULL;

    if (what % 8 < 3 && !s->closing) {
        start(s, what % 8 == 2);
        return;
    }
    if (call == NULL)
        return;
    switch (what % 8) {
    case 3: rota_call_cancel(call); break;
    case 4: rota_call_hold(call); break;
    case 5: rota_call_resume(call); break;
    case 6: write_some(s, call); break;
    default: rota_call_write_end(call);
    }
}

static void on_closed(void *arg)
{
    struct session *s = arg;

    s->closed++;
}

/* What is held is bounded by the options and by the calls that are open, whatever the servers send. */
static void check_memory(const struct session *s)
{
    size_t n_calls = 0;

    for (size_t i = 0; i < CALLS; i++)
        n_calls += s->calls[i].open;
    ROTA_ASSERT(s->loop.live_bytes <= CHANNEL_BYTES + n_calls * (CALL_BYTES + MESSAGES_BYTES));
}

static void step(struct session *s)
{
    switch (peer_take(&s->script) % 8) {
    case 0:
    case 1:
        operate(s);
        fake_net_run(&s->loop);
        break;
    case 2: fake_net_advance(&s->loop, peer_take(&s->script) * (peer_take(&s->script) % 2 == 0 ? FAKE_SECOND_NS : FAKE_SECOND_NS / 1000)); break;
    case 3: s->loop.fail_in = peer_take(&s->script) % 4 == 0 ? peer_take(&s->script) : 0; break;
    default: peer_step(&s->script, &s->loop);
    }
    check_memory(s);
}

static bool open_channel(struct session *s)
{
    static const char *const configs[] = {
        NULL,
        "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],\"retryPolicy\":{\"maxAttempts\":4,\"initialBackoff\":"
        "\"0.01s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"UNAVAILABLE\",\"INTERNAL\"]}}]}",
        "{\"methodConfig\":[{\"name\":[{}],\"hedgingPolicy\":{\"maxAttempts\":3,\"hedgingDelay\":\"0.1s\",\"nonFatalStatusCodes\":[\"UNAVAILABLE\"]}}]}",
        "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],\"timeout\":\"2s\",\"waitForReady\":true}]}",
    };
    static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, NULL};
    static const struct rota_resolver_class *const resolvers[] = {&rota_resolver_ipv4, NULL};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_parts parts = {.host = &s->loop.host, .dialer = &s->dialer.dialer, .policies = policies, .resolvers = resolvers};
    struct rota_errinfo info;
    uint8_t how = peer_take(&s->script);

    options.service_config = configs[how % 4];
    options.max_reply_bytes = 10000;
    options.keepalive_time_ms = how & 8 ? 10000 : 0;
    s->loop.fail_in = how & 16 ? peer_take(&s->script) : 0;
    return rota_channel_make(how & 4 ? "ipv4:1.1.1.1:1" : "ipv4:1.1.1.1:1,2.2.2.2:2", &options, &parts, &s->channel, &info) == 0;
}

static void close_channel(struct session *s)
{
    s->loop.fail_in = 0;
    s->closing = true;
    rota_channel_shut(s->channel, on_closed, s);
    fake_net_run(&s->loop);
    ROTA_ASSERT(s->closed == 1);
    for (size_t i = 0; i < CALLS; i++)
        ROTA_ASSERT(!s->calls[i].open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct session s;

    s = (struct session){.script = {.at = data, .end = data + size_bytes}};
    fake_net_init(&s.loop);
    ROTA_ASSERT(rota_net_dialer_init(&s.dialer, &s.loop, &s.loop.alloc, NULL) == 0);
    s.dialer.insecure = true;
    if (open_channel(&s)) {
        fake_net_run(&s.loop);
        while (s.script.at < s.script.end)
            step(&s);
        close_channel(&s);
    }
    s.loop.fail_in = 0;
    rota_net_dialer_fini(&s.dialer);
    fake_net_fini(&s.loop);
    return 0;
}
