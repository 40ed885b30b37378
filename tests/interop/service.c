/* service.c - what the interop server does for each method.
 *
 * A stream of replies takes one request at a time: while the replies to it are being sent, the call is held, so a client that
 * does not read them stops being read. Invariant: n_left counts the replies that the present request still asks for.
 */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define INITIAL_KEY "x-grpc-test-echo-initial"
#define AGENT_KEY "x-grpc-test-echo-useragent"
#define DETAILS_KEY "x-test-details-bin"
#define TRAILING_KEY "x-grpc-test-echo-trailing-bin"

/* --- What every method does --- */

/* What came in is fit to go out; without memory it is left out, which the client notices. */
static void add_pair(struct rota_metadata *to, struct rota_slice key, struct rota_slice value)
{
    rota_err ignored = to == NULL ? ROTA_ENOMEM : rota_metadata_add(to, key, value, NULL);

    (void)ignored;
}

static void echo_pairs(const struct rota_metadata *from, struct rota_slice key, struct rota_metadata *to)
{
    for (size_t i = 0; i < rota_metadata_count(from); i++) {
        struct rota_metadatum pair = rota_metadata_at(from, i);
        if (rota_slice_equal(pair.key, key))
            add_pair(to, pair.key, pair.value);
    }
}

static void echo_metadata(struct rota_server_call *call)
{
    const struct rota_metadata *sent = rota_server_call_metadata(call);
    struct rota_slice unused, details, agent;

    if (rota_metadata_get(sent, INITIAL_KEY, &unused))
        echo_pairs(sent, ROTA_SLICE(INITIAL_KEY), rota_server_call_initial_metadata(call));
    if (rota_metadata_get(sent, TRAILING_KEY, &unused))
        echo_pairs(sent, ROTA_SLICE(TRAILING_KEY), rota_server_call_trailing_metadata(call));
    if (rota_metadata_get(sent, AGENT_KEY, &unused) && rota_metadata_get(sent, "user-agent", &agent))
        add_pair(rota_server_call_initial_metadata(call), ROTA_SLICE(AGENT_KEY), agent);
    if (rota_metadata_get(sent, DETAILS_KEY, &details))
        add_pair(rota_server_call_trailing_metadata(call), ROTA_SLICE("grpc-status-details-bin"), details);
}

static bool is_error(const Grpc__Testing__EchoStatus *wanted)
{
    return wanted != NULL && wanted->code != ROTA_OK;
}

/* Ends the call as the request asks. */
static void echo_status(struct rota_server_call *call, const Grpc__Testing__EchoStatus *wanted)
{
    rota_server_call_fail(call, (enum rota_code)wanted->code, "%s", wanted->message);
}

/* False: the call was ended, because the message came otherwise than its client says. */
static bool came_as_expected(struct rota_server_call *call, const Grpc__Testing__BoolValue *expected)
{
    if (expected == NULL || rota_server_call_was_compressed(call) == (bool)expected->value)
        return true;
    rota_server_call_fail(call, ROTA_INVALID_ARGUMENT, "the message came %s", expected->value ? "uncompressed" : "compressed");
    return false;
}

/* A copy that stays when the request goes. */
static const Grpc__Testing__BoolValue *choice(const Grpc__Testing__BoolValue *asked)
{
    static const Grpc__Testing__BoolValue no = {.value = 0}, yes = {.value = 1};

    return asked == NULL ? NULL : asked->value ? &yes : &no;
}

static void compress_next(struct rota_server_call *call, const Grpc__Testing__BoolValue *asked)
{
    enum rota_compression wanted = asked == NULL ? ROTA_COMPRESSION_DEFAULT : asked->value ? ROTA_COMPRESSION_GZIP : ROTA_COMPRESSION_NONE;
    /* Refused only where the headers have gone; then it goes as it is, which the client sees. */
    rota_err ignored = rota_server_call_set_compression(call, wanted);

    (void)ignored;
}

/* False: the call was ended, for what was asked for cannot be sent. */
static bool can_send(struct rota_server_call *call, Grpc__Testing__PayloadType type, int32_t size)
{
    if (type != GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE)
        rota_server_call_fail(call, ROTA_INVALID_ARGUMENT, "response_type %d: only 0 is known", (int)type);
    else if (size < 0 || size > MAX_PAYLOAD_BYTES)
        rota_server_call_fail(call, ROTA_INVALID_ARGUMENT, "a reply of %d bytes: expected 0 to %d", size, MAX_PAYLOAD_BYTES);
    else
        return true;
    return false;
}

/* --- Load --- */

typedef rota_err set_metric(void *target, const char *metric, double value);

static rota_err set_of_call(void *target, const char *metric, double value)
{
    return rota_server_call_report(target, metric, value);
}

static rota_err set_of_server(void *target, const char *metric, double value)
{
    return rota_orca_set(target, metric, value);
}

static void set_load(const Grpc__Testing__TestOrcaReport *report, set_metric *set, void *target)
{
    char metric[128];
    rota_err ignored; /* what is not taken is missing in the report, which the client notices */

    ignored = set(target, "cpu_utilization", report->cpu_utilization);
    ignored = set(target, "mem_utilization", report->memory_utilization);
    for (size_t i = 0; i < report->n_request_cost; i++) {
        snprintf(metric, sizeof(metric), "request_cost.%s", report->request_cost[i]->key);
        ignored = set(target, metric, report->request_cost[i]->value);
    }
    for (size_t i = 0; i < report->n_utilization; i++) {
        snprintf(metric, sizeof(metric), "utilization.%s", report->utilization[i]->key);
        ignored = set(target, metric, report->utilization[i]->value);
    }
    (void)ignored;
}

/* --- One reply --- */

static void on_empty(struct rota_server_call *call, const Grpc__Testing__Empty *request, void *user)
{
    Grpc__Testing__Empty reply = GRPC__TESTING__EMPTY__INIT;

    (void)request;
    (void)user;
    echo_metadata(call);
    grpc_testing_test_service_empty_call_reply(call, &reply);
}

static void on_unary(struct rota_server_call *call, const Grpc__Testing__SimpleRequest *request, void *user)
{
    Grpc__Testing__SimpleResponse reply = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    struct interop_service *service = user;
    Grpc__Testing__Payload payload;

    echo_metadata(call);
    if (!came_as_expected(call, request->expect_compressed))
        return;
    compress_next(call, request->response_compressed);
    if (request->orca_per_query_report != NULL)
        set_load(request->orca_per_query_report, set_of_call, call);
    if (is_error(request->response_status)) {
        echo_status(call, request->response_status);
        return;
    }
    if (!can_send(call, request->response_type, request->response_size))
        return;
    payload = zero_payload((size_t)request->response_size);
    reply.payload = &payload;
    /* No credentials say who calls, and no balancer which way: these stay empty. The rest does too unless it is asked for, since clients may
     * compare the whole reply with what they expect. */
    if (request->fill_server_id) {
        reply.server_id = service->server_id;
        reply.hostname = service->hostname;
    }
    grpc_testing_test_service_unary_call_reply(call, &reply);
}

/* The content of the request does not matter. */
static void on_cacheable(struct rota_server_call *call, const Grpc__Testing__SimpleRequest *request, void *user)
{
    Grpc__Testing__SimpleResponse reply = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct timespec now;
    char text[32];

    (void)request;
    (void)user;
    echo_metadata(call);
    add_pair(rota_server_call_initial_metadata(call), ROTA_SLICE("cache-control"), ROTA_SLICE("max-age=60, public"));
    clock_gettime(CLOCK_REALTIME, &now);
    payload.body.len = (size_t)snprintf(text, sizeof(text), "%lld%09ld", (long long)now.tv_sec, now.tv_nsec);
    payload.body.data = (uint8_t *)text;
    reply.payload = &payload;
    grpc_testing_test_service_cacheable_unary_call_reply(call, &reply);
}

/* The call's data is the sum so far. */
static void on_input_start(struct rota_server_call *call, void *user)
{
    (void)user;
    echo_metadata(call);
}

static void on_input(struct rota_server_call *call, const Grpc__Testing__StreamingInputCallRequest *request, void *user)
{
    size_t size = request->payload == NULL ? 0 : request->payload->body.len;

    (void)user;
    if (came_as_expected(call, request->expect_compressed))
        rota_server_call_set_data(call, (void *)((uintptr_t)rota_server_call_data(call) + size));
}

static void on_input_end(struct rota_server_call *call, void *user)
{
    Grpc__Testing__StreamingInputCallResponse reply = GRPC__TESTING__STREAMING_INPUT_CALL_RESPONSE__INIT;

    (void)user;
    reply.aggregated_payload_size = (int32_t)(uintptr_t)rota_server_call_data(call);
    grpc_testing_test_service_streaming_input_call_reply(call, &reply);
}

/* --- Streams of replies --- */

struct replies {
    struct rota_server_call *call;
    struct rota_timer *timer; /* for the pause before the next reply */
    struct { int32_t size, interval_us; const Grpc__Testing__BoolValue *compressed; } *asked; /* by the present request; owned */
    size_t n_asked, n_left;
    bool ended;            /* no more requests */
    int64_t last_ns;       /* when the last reply was sent, or was due */
};

static void send_more(struct replies *replies);

static void on_timer(void *arg)
{
    send_more(arg);
}

/* Ends the call: status NULL is OK. */
static void finish(struct replies *replies, const struct rota_status *status)
{
    struct rota_server_call *call = replies->call;

    rota_timer_free(replies->timer);
    free(replies->asked);
    free(replies);
    rota_server_call_set_data(call, NULL);
    rota_server_call_finish(call, status);
}

static void run_out_of_memory(struct replies *replies)
{
    static const struct rota_status status = {ROTA_RESOURCE_EXHAUSTED, "the server is out of memory"};

    finish(replies, &status);
}

/* Both kinds of streaming method have the same reply, and so the same descriptor. */
static rota_err send_one(struct replies *replies, int32_t size)
{
    Grpc__Testing__StreamingOutputCallResponse reply = GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
    Grpc__Testing__Payload payload = zero_payload((size_t)size);

    reply.payload = &payload;
    return rota_server_call_send(replies->call, &reply);
}

/* Sends what may be sent now; then waits for time or room, or takes the next request, or ends. */
static void send_more(struct replies *replies)
{
    int64_t now_ns = rota_loop_now_ns(rota_server_call_loop(replies->call));

    while (replies->n_left > 0) {
        size_t next = replies->n_asked - replies->n_left;
        int64_t due_ns = replies->last_ns + replies->asked[next].interval_us * 1000LL;
        rota_err err;
        if (replies->asked[next].interval_us > 0 && due_ns > now_ns) {
            if (rota_timer_set(replies->timer, due_ns) < 0)
                run_out_of_memory(replies);
            return;
        }
        compress_next(replies->call, replies->asked[next].compressed);
        err = send_one(replies, replies->asked[next].size);
        if (err == ROTA_EAGAIN)
            return;
        if (err == ROTA_ECLOSED) {
            finish(replies, NULL); /* to nobody */
            return;
        }
        if (err < 0) {
            run_out_of_memory(replies);
            return;
        }
        replies->last_ns = replies->asked[next].interval_us > 0 ? due_ns : now_ns;
        replies->n_left--;
    }
    if (replies->ended)
        finish(replies, NULL);
    else
        rota_server_call_resume(replies->call);
}

/* NULL: the call was ended. */
static struct replies *start(struct rota_server_call *call)
{
    struct rota_loop *loop = rota_server_call_loop(call);
    struct replies *replies = calloc(1, sizeof(*replies));

    echo_metadata(call);
    if (replies == NULL || rota_timer_new(loop, on_timer, replies, &replies->timer) < 0) {
        free(replies);
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "the server is out of memory");
        return NULL;
    }
    replies->call = call;
    replies->last_ns = rota_loop_now_ns(loop);
    rota_server_call_set_data(call, replies);
    return replies;
}

/* Notes what a request asks for. False: the call is to end with *ret_status. */
static bool note(struct replies *replies, const Grpc__Testing__StreamingOutputCallRequest *request, struct rota_status *ret_status)
{
    size_t n = request->n_response_parameters;

    if (request->response_status != NULL && request->response_status->code != ROTA_OK) {
        rota_status_set(ret_status, (enum rota_code)request->response_status->code, "%s", request->response_status->message);
        return false;
    }
    free(replies->asked);
    replies->asked = calloc(n + 1, sizeof(*replies->asked));
    rota_status_set(ret_status, ROTA_RESOURCE_EXHAUSTED, "the server is out of memory");
    if (replies->asked == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        replies->asked[i].size = request->response_parameters[i]->size;
        replies->asked[i].interval_us = request->response_parameters[i]->interval_us;
        replies->asked[i].compressed = choice(request->response_parameters[i]->compressed);
        compress_next(replies->call, replies->asked[i].compressed); /* so that it is announced */
        rota_status_set(ret_status, ROTA_INVALID_ARGUMENT, "a reply of %d bytes: expected 0 to %d", replies->asked[i].size, MAX_PAYLOAD_BYTES);
        if (replies->asked[i].size < 0 || replies->asked[i].size > MAX_PAYLOAD_BYTES)
            return false;
    }
    replies->n_asked = replies->n_left = n;
    return true;
}

static void on_request(struct replies *replies, const Grpc__Testing__StreamingOutputCallRequest *request)
{
    struct rota_status status;

    if (note(replies, request, &status)) {
        rota_server_call_hold(replies->call);
        send_more(replies);
    } else {
        finish(replies, &status);
    }
}

static void on_output(struct rota_server_call *call, const Grpc__Testing__StreamingOutputCallRequest *request, void *user)
{
    struct replies *replies = start(call);

    (void)user;
    if (replies == NULL)
        return;
    replies->ended = true;
    on_request(replies, request);
}

static void on_duplex_start(struct rota_server_call *call, void *user)
{
    (void)user;
    (void)start(call);
}

static void on_duplex(struct rota_server_call *call, const Grpc__Testing__StreamingOutputCallRequest *request, void *user)
{
    struct replies *replies = rota_server_call_data(call);
    struct interop_service *service = user;

    if (request->orca_oob_report != NULL) {
        rota_orca_clear(service->orca, NULL);
        set_load(request->orca_oob_report, set_of_server, service->orca);
    }
    if (replies != NULL)
        on_request(replies, request);
}

/* Not called while the call is held, so there is nothing left to send. */
static void on_duplex_end(struct rota_server_call *call, void *user)
{
    struct replies *replies = rota_server_call_data(call);

    (void)user;
    if (replies == NULL)
        return;
    replies->ended = true;
    send_more(replies);
}

static void on_writable(struct rota_server_call *call, void *user)
{
    (void)user;
    send_more(rota_server_call_data(call));
}

static void on_cancel(struct rota_server_call *call, void *user)
{
    (void)user;
    finish(rota_server_call_data(call), NULL);
}

rota_err interop_service_add(struct rota_server *server, struct rota_orca *orca, struct interop_service *service)
{
    static const struct grpc_testing_test_service_handlers handlers = {
        .empty_call = on_empty,
        .unary_call = on_unary,
        .cacheable_unary_call = on_cacheable,
        .streaming_input_call = {.start = on_input_start, .message = on_input, .end = on_input_end, .cancel = on_input_end},
        .streaming_output_call = {.request = on_output, .writable = on_writable, .cancel = on_cancel},
        .full_duplex_call = {.start = on_duplex_start, .message = on_duplex, .end = on_duplex_end, .writable = on_writable, .cancel = on_cancel},
    };

    *service = (struct interop_service){.orca = orca};
    if (gethostname(service->hostname, sizeof(service->hostname) - 1) < 0)
        snprintf(service->hostname, sizeof(service->hostname), "unknown");
    snprintf(service->server_id, sizeof(service->server_id), "%s-%ld", service->hostname, (long)getpid());
    return grpc_testing_test_service_add(server, &handlers, service);
}
