/* service.c - what the interop server does for each method.
 *
 * A stream of replies takes one request at a time: while the replies to it are being sent, the call is held, so a client that
 * does not read them stops being read; HalfDuplexCall takes all requests and then sends. What is reported out of band belongs to one
 * FullDuplexCall, from its first orca_oob_report until it ends; others that come with one are held meanwhile, and wait in order.
 * Invariants: n_left counts the replies that are still asked for. Who waits is held, has a report, and its timer is not set; somebody
 * waits only while there is an owner.
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

#define MAX_COLLECTED 65536          /* replies that a HalfDuplexCall may ask for */
#define MAX_REPORT_BYTES (16u << 10) /* of a report that is kept while its call waits; 64 metrics, and more are not taken, fit in */

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

struct asked {
    int32_t size, interval_us;
    const Grpc__Testing__BoolValue *compressed;
};

struct replies {
    struct interop_service *service;
    struct rota_server_call *call;
    struct rota_timer *timer; /* for the pause before the next reply */
    struct asked *asked;      /* by the present request, or by all; owned */
    size_t n_asked, n_left, cap;
    bool ended;      /* no more requests */
    int64_t last_ns; /* when the last reply was sent, or was due */
    Grpc__Testing__TestOrcaReport *report; /* to be reported out of band before the replies are sent; owned; NULL: none */
    struct replies *next;                  /* who waits behind this one */
};

static void pass_on(struct interop_service *service);
static void send_more(struct replies *replies);

static void on_timer(void *arg)
{
    send_more(arg);
}

/* Where that one waits, or else the end of the queue. */
static struct replies **place_of(const struct replies *replies)
{
    struct replies **at = &replies->service->waiting;

    while (*at != NULL && *at != replies)
        at = &(*at)->next;
    return at;
}

/* The call, which the caller is to end, without all that was kept for it. */
static struct rota_server_call *release(struct replies *replies)
{
    struct rota_server_call *call = replies->call;
    struct replies **place = place_of(replies);

    if (*place != NULL)
        *place = replies->next;
    if (replies->service->owner == replies)
        pass_on(replies->service);
    rota_timer_free(replies->timer);
    if (replies->report != NULL)
        grpc__testing__test_orca_report__free_unpacked(replies->report, NULL);
    free(replies->asked);
    free(replies);
    rota_server_call_set_data(call, NULL);
    return call;
}

static void run_out_of_memory(struct replies *replies)
{
    rota_server_call_fail(release(replies), ROTA_RESOURCE_EXHAUSTED, "the server is out of memory");
}

/* Both kinds of streaming method have the same reply, and so the same descriptor. */
static rota_err send_one(struct replies *replies, int32_t size)
{
    Grpc__Testing__StreamingOutputCallResponse reply = GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
    Grpc__Testing__Payload payload = zero_payload((size_t)size);

    reply.payload = &payload;
    return rota_server_call_send(replies->call, &reply);
}

/* --- What is reported out of band --- */

/* The next one becomes the owner and goes on in the next turn of the loop: its connection may be ending now, in whose course the owner has. */
static void pass_on(struct interop_service *service)
{
    while (service->waiting != NULL) {
        struct replies *next = service->waiting;
        service->waiting = next->next;
        service->owner = next;
        if (rota_timer_set(next->timer, 0) == 0)
            return;
        service->owner = NULL; /* or its end would pass on too */
        run_out_of_memory(next);
    }
    service->owner = NULL;
}

/* Keeps what the present request wants to be reported. False: the call was ended. */
static bool keep_report(struct replies *replies, const Grpc__Testing__TestOrcaReport *report)
{
    size_t size = grpc__testing__test_orca_report__get_packed_size(report);
    uint8_t packed[MAX_REPORT_BYTES];

    if (size > sizeof(packed)) {
        rota_server_call_fail(release(replies), ROTA_INVALID_ARGUMENT, "a report of %zu bytes: expected at most %u", size, MAX_REPORT_BYTES);
        return false;
    }
    grpc__testing__test_orca_report__pack(report, packed);
    replies->report = grpc__testing__test_orca_report__unpack(NULL, size, packed);
    if (replies->report != NULL)
        return true;
    run_out_of_memory(replies);
    return false;
}

/* False: another call is the owner, and this one waits. */
static bool set_report(struct replies *replies)
{
    struct interop_service *service = replies->service;

    if (replies->report == NULL)
        return true;
    if (service->owner == NULL)
        service->owner = replies;
    if (service->owner != replies) {
        *place_of(replies) = replies;
        return false;
    }
    rota_orca_clear(service->orca, NULL);
    set_load(replies->report, set_of_server, service->orca);
    grpc__testing__test_orca_report__free_unpacked(replies->report, NULL);
    replies->report = NULL;
    return true;
}

/* --- Requests --- */

/* Sends what may be sent now; then waits for time, room or the report, or takes the next request, or ends. */
static void send_more(struct replies *replies)
{
    int64_t now_ns = rota_loop_now_ns(rota_server_call_loop(replies->call));

    if (!set_report(replies))
        return;
    while (replies->n_left > 0) {
        const struct asked *next = &replies->asked[replies->n_asked - replies->n_left];
        int64_t due_ns = replies->last_ns + next->interval_us * 1000LL;
        rota_err err;
        if (next->interval_us > 0 && due_ns > now_ns) {
            if (rota_timer_set(replies->timer, due_ns) < 0)
                run_out_of_memory(replies);
            return;
        }
        compress_next(replies->call, next->compressed);
        err = send_one(replies, next->size);
        if (err == ROTA_EAGAIN)
            return;
        if (err == ROTA_ECLOSED) {
            rota_server_call_finish(release(replies), NULL); /* to nobody */
            return;
        }
        if (err < 0) {
            run_out_of_memory(replies);
            return;
        }
        replies->last_ns = next->interval_us > 0 ? due_ns : now_ns;
        replies->n_left--;
    }
    if (replies->ended)
        rota_server_call_finish(release(replies), NULL);
    else
        rota_server_call_resume(replies->call);
}

/* NULL: the call was ended. */
static struct replies *start(struct rota_server_call *call, struct interop_service *service)
{
    struct rota_loop *loop = rota_server_call_loop(call);
    struct replies *replies = calloc(1, sizeof(*replies));

    echo_metadata(call);
    if (replies == NULL || rota_timer_new(loop, on_timer, replies, &replies->timer) < 0) {
        free(replies);
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "the server is out of memory");
        return NULL;
    }
    replies->service = service;
    replies->call = call;
    replies->last_ns = rota_loop_now_ns(loop);
    rota_server_call_set_data(call, replies);
    return replies;
}

/* Makes room for n more than the kept ones. False: there is no memory. */
static bool make_room(struct replies *replies, size_t kept, size_t n)
{
    struct asked *asked;

    if (kept + n <= replies->cap)
        return true;
    asked = realloc(replies->asked, (2 * kept + n) * sizeof(*asked));
    if (asked == NULL)
        return false;
    replies->asked = asked;
    replies->cap = 2 * kept + n;
    return true;
}

/* Notes what a request asks for, behind what is yet to be sent. False: the call was ended. */
static bool note(struct replies *replies, const Grpc__Testing__StreamingOutputCallRequest *request)
{
    size_t kept = replies->n_left == 0 ? 0 : replies->n_asked, n = request->n_response_parameters;

    if (is_error(request->response_status)) {
        echo_status(release(replies), request->response_status);
        return false;
    }
    if (!make_room(replies, kept, n)) {
        run_out_of_memory(replies);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const Grpc__Testing__ResponseParameters *wanted = request->response_parameters[i];
        if (wanted->size < 0 || wanted->size > MAX_PAYLOAD_BYTES) {
            rota_server_call_fail(release(replies), ROTA_INVALID_ARGUMENT, "a reply of %d bytes: expected 0 to %d", wanted->size, MAX_PAYLOAD_BYTES);
            return false;
        }
        replies->asked[kept + i] = (struct asked){wanted->size, wanted->interval_us, choice(wanted->compressed)};
        compress_next(replies->call, replies->asked[kept + i].compressed); /* so that it is announced */
    }
    replies->n_asked = kept + n;
    replies->n_left += n;
    return true;
}

static void on_request(struct replies *replies, const Grpc__Testing__StreamingOutputCallRequest *request)
{
    if (!note(replies, request))
        return;
    rota_server_call_hold(replies->call);
    send_more(replies);
}

static void on_output(struct rota_server_call *call, const Grpc__Testing__StreamingOutputCallRequest *request, void *user)
{
    struct replies *replies = start(call, user);

    if (replies == NULL)
        return;
    replies->ended = true;
    on_request(replies, request);
}

static void on_duplex_start(struct rota_server_call *call, void *user)
{
    static const Grpc__Testing__BoolValue yes = {.value = 1};

    /* The headers go before the last request has come, and that may be the first to ask for it. */
    compress_next(call, &yes);
    (void)start(call, user);
}

static void on_duplex(struct rota_server_call *call, const Grpc__Testing__StreamingOutputCallRequest *request, void *user)
{
    struct replies *replies = rota_server_call_data(call);

    (void)user;
    if (replies == NULL)
        return;
    if (request->orca_oob_report == NULL || keep_report(replies, request->orca_oob_report))
        on_request(replies, request);
}

static void on_half_start(struct rota_server_call *call, void *user)
{
    (void)start(call, user);
}

static void on_half(struct rota_server_call *call, const Grpc__Testing__StreamingOutputCallRequest *request, void *user)
{
    struct replies *replies = rota_server_call_data(call);

    (void)user;
    if (replies == NULL)
        return;
    if (replies->n_asked + request->n_response_parameters > MAX_COLLECTED)
        rota_server_call_fail(release(replies), ROTA_RESOURCE_EXHAUSTED, "more than %d replies are asked for", MAX_COLLECTED);
    else
        (void)note(replies, request);
}

/* Not called while the call is held, so there is nothing left to send but what a HalfDuplexCall has collected. */
static void on_requests_end(struct rota_server_call *call, void *user)
{
    struct replies *replies = rota_server_call_data(call);

    (void)user;
    if (replies == NULL)
        return;
    if (replies->n_left > 0)
        replies->last_ns = rota_loop_now_ns(rota_server_call_loop(call));
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
    rota_server_call_finish(release(rota_server_call_data(call)), NULL);
}

rota_err interop_service_add(struct rota_server *server, struct rota_orca *orca, struct interop_service *service)
{
    static const struct grpc_testing_test_service_handlers handlers = {
        .empty_call = on_empty,
        .unary_call = on_unary,
        .cacheable_unary_call = on_cacheable,
        .streaming_input_call = {.start = on_input_start, .message = on_input, .end = on_input_end, .cancel = on_input_end},
        .streaming_output_call = {.request = on_output, .writable = on_writable, .cancel = on_cancel},
        .full_duplex_call = {.start = on_duplex_start, .message = on_duplex, .end = on_requests_end, .writable = on_writable, .cancel = on_cancel},
        .half_duplex_call = {.start = on_half_start, .message = on_half, .end = on_requests_end, .writable = on_writable, .cancel = on_cancel},
    };

    *service = (struct interop_service){.orca = orca};
    if (gethostname(service->hostname, sizeof(service->hostname) - 1) < 0)
        snprintf(service->hostname, sizeof(service->hostname), "unknown");
    snprintf(service->server_id, sizeof(service->server_id), "%s-%ld", service->hostname, (long)getpid());
    return grpc_testing_test_service_add(server, &handlers, service);
}
