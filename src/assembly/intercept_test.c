/* intercept_test.c - interceptors and call credentials over real sockets: blocking, asynchronous and streaming calls, several threads. */
#include "assembly/assembly_fixture.h"
#include "base/list.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_THREADS 4
#define N_CALLS 50 /* each */

/* How often each hook ran. */
static struct {
    atomic_int starts, sends, headers, messages, dones, failures;
} client, server;

static enum rota_intercept client_start(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    (void)state;
    (void)ret_status;
    client.starts++;
    assert_int_equal(rota_metadata_add_text(rota_call_metadata(call), "x-by", arg), 0);
    return ROTA_INTERCEPT_PASS;
}

static enum rota_intercept client_send(void *state, void *arg, struct rota_call *call, const void *message, struct rota_status *ret_status)
{
    const struct rota_slice *text = message;

    (void)state;
    (void)arg;
    (void)call;
    client.sends++;
    if (!rota_slice_equal(*text, ROTA_SLICE("forbidden")))
        return ROTA_INTERCEPT_PASS;
    rota_status_set(ret_status, ROTA_INVALID_ARGUMENT, "not that word");
    return ROTA_INTERCEPT_END;
}

static void client_headers(void *state, void *arg, struct rota_call *call)
{
    (void)state;
    (void)arg;
    (void)call;
    client.headers++;
}

static enum rota_intercept client_message(void *state, void *arg, struct rota_call *call, const void *message, struct rota_status *ret_status)
{
    (void)state;
    (void)arg;
    (void)call;
    (void)ret_status;
    assert_true(((const struct rota_slice *)message)->size > 0);
    client.messages++;
    return ROTA_INTERCEPT_PASS;
}

static void client_done(void *state, void *arg, struct rota_call *call, struct rota_status *status)
{
    (void)state;
    (void)arg;
    (void)call;
    client.dones++;
    client.failures += status->code != ROTA_OK;
}

static const struct rota_client_interceptor_class client_class = {
    .name = "counting", .on_start = client_start, .on_send = client_send, .on_headers = client_headers, .on_message = client_message,
    .on_done = client_done,
};

static enum rota_intercept server_start(void *state, void *arg, struct rota_server_call *call, struct rota_status *ret_status)
{
    struct rota_slice by;

    (void)state;
    (void)arg;
    server.starts++;
    if (rota_metadata_get(rota_server_call_metadata(call), "x-by", &by))
        return ROTA_INTERCEPT_PASS;
    rota_status_set(ret_status, ROTA_UNAUTHENTICATED, "by whom?");
    return ROTA_INTERCEPT_END;
}

static enum rota_intercept server_message(void *state, void *arg, struct rota_server_call *call, const void *message, struct rota_status *ret_status)
{
    (void)state;
    (void)arg;
    (void)call;
    (void)message;
    (void)ret_status;
    server.messages++;
    return ROTA_INTERCEPT_PASS;
}

static enum rota_intercept server_send(void *state, void *arg, struct rota_server_call *call, const void *message, struct rota_status *ret_status)
{
    (void)state;
    (void)arg;
    (void)call;
    (void)message;
    (void)ret_status;
    server.sends++;
    return ROTA_INTERCEPT_PASS;
}

static void server_finish(void *state, void *arg, struct rota_server_call *call, struct rota_status *status)
{
    (void)state;
    (void)arg;
    (void)call;
    (void)status;
    server.dones++;
}

static const struct rota_server_interceptor_class server_class = {
    .name = "counting", .on_start = server_start, .on_message = server_message, .on_send = server_send, .on_finish = server_finish};

static char by[] = "me";
static const struct rota_client_interceptor client_interceptors[] = {{&client_class, by}, {NULL, NULL}};
static const struct rota_server_interceptor server_interceptors[] = {{&server_class, NULL}, {NULL, NULL}};

static int reset(void **unused)
{
    (void)unused;
    memset(&client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
    return 0;
}

static struct rota_server_options serving(void)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;

    options.interceptors = server_interceptors;
    return options;
}

static void on_async_done(void *arg, const struct rota_status *status, const void *reply)
{
    (void)reply;
    assert_int_equal(status->code, ROTA_OK);
    ++*(int *)arg;
}

static void chat(struct rota_channel *channel)
{
    struct rota_slice text = ROTA_SLICE("abc"), forbidden = ROTA_SLICE("forbidden");
    struct rota_status status;
    struct rota_call *call;
    void *message;

    assert_int_equal(rota_call_open(channel, &test_chat, NULL, &call), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rota_call_send(call, &text), 0);
        assert_true(rota_call_recv(call, &message));
        rota_codec_bytes.free(NULL, message, NULL);
    }
    assert_int_equal(rota_call_send(call, &forbidden), ROTA_ECLOSED);
    assert_false(rota_call_recv(call, &message));
    status = rota_call_finish(call);
    assert_int_equal(status.code, ROTA_INVALID_ARGUMENT);
    assert_string_equal(status.message, "not that word");
}

static void calls_of_every_kind(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_server_options server_options = serving();
    struct rota_slice text = ROTA_SLICE("5 10");
    struct rota_channel *channel;
    struct test_server s;
    struct rota_loop *loop;
    struct rota_call *call;
    void *message;
    int n_done = 0, n_received = 0;

    (void)unused;
    options.interceptors = client_interceptors;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", &server_options);
    channel = test_channel(loop, s.bound, &options);
    assert_true(test_echoes(channel, "hello"));
    chat(channel);
    assert_int_equal(rota_call_open(channel, &test_count, NULL, &call), 0);
    assert_int_equal(rota_call_send(call, &text), 0);
    for (; rota_call_recv(call, &message); n_received++)
        rota_codec_bytes.free(NULL, message, NULL);
    assert_int_equal(rota_call_finish(call).code, ROTA_OK);
    assert_int_equal(n_received, 5);
    assert_int_equal(rota_unary_start(channel, &test_echo, NULL, &text, on_async_done, &n_done, NULL), 0);
    while (n_done == 0)
        (void)rota_loop_turn(loop);
    assert_int_equal(client.starts, 4);
    assert_int_equal(client.sends, 1 + 4 + 1 + 1); /* Echo, Chat with the one refused, Count, Echo */
    assert_int_equal(client.headers, 4);
    assert_int_equal(client.messages, 1 + 3 + 5 + 1);
    assert_int_equal(client.dones, 4);
    assert_int_equal(client.failures, 1);
    rota_channel_free(channel);
    test_server_close(&s);
    assert_int_equal(server.starts, 4);
    assert_int_equal(server.messages, 1 + 3 + 1 + 1);
    assert_int_equal(server.sends, 1 + 3 + 5 + 1);
    assert_int_equal(server.dones, 4);
    rota_loop_free(loop);
}

static void a_server_refuses_before_its_handler_hears(void **unused)
{
    struct rota_server_options server_options = serving();
    struct rota_channel *channel;
    struct rota_status status;
    struct test_server s;
    struct rota_loop *loop;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", &server_options);
    channel = test_channel(loop, s.bound, NULL);
    status = test_unary(channel, &test_echo, 10000, "hello");
    assert_int_equal(status.code, ROTA_UNAUTHENTICATED);
    assert_string_equal(status.message, "by whom?");
    assert_int_equal(s.n_calls, 0);
    rota_channel_free(channel);
    test_server_close(&s);
    rota_loop_free(loop);
}

/* --- Several threads, one sink of metrics --- */

static void *make_calls(void *arg)
{
    for (int i = 0; i < N_CALLS; i++)
        assert_true(test_echoes(arg, "hello"));
    return NULL;
}

static void sum_up(void *arg, const struct rota_metric *metric)
{
    uint64_t *counts = arg;

    if (strcmp(metric->name, "grpc.client.call.duration") == 0)
        counts[0] += metric->count;
    if (strcmp(metric->name, "grpc.server.call.duration") == 0)
        counts[1] += metric->count;
}

static void many_threads_one_sink(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel *channels[2];
    struct rota_metrics *metrics;
    struct rota_loop *loop;
    struct test_server s;
    pthread_t threads[N_THREADS];
    uint64_t counts[2] = {0};

    (void)unused;
    assert_int_equal(rota_metrics_new(NULL, &metrics), 0);
    {
        const struct rota_client_interceptor of_client[] = {{&rota_metrics_client, metrics}, {&client_class, by}, {NULL, NULL}};
        const struct rota_server_interceptor of_server[] = {{&rota_metrics_server, metrics}, {NULL, NULL}};
        options.interceptors = of_client;
        server_options.interceptors = of_server;
        assert_int_equal(rota_loop_thread_new(NULL, &loop), 0);
        test_server_open(&s, loop, "127.0.0.1:0", &server_options);
        for (int i = 0; i < 2; i++)
            channels[i] = test_channel(NULL, s.bound, &options);
    }
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_calls, channels[i % 2]), 0);
    rota_metrics_visit(metrics, sum_up, counts); /* from this thread, while they run */
    assert_true(counts[0] <= N_THREADS * N_CALLS);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        rota_channel_free(channels[i]);
    test_server_close(&s);
    rota_loop_free(loop);
    memset(counts, 0, sizeof(counts));
    rota_metrics_visit(metrics, sum_up, counts);
    assert_int_equal(counts[0], N_THREADS * N_CALLS);
    assert_int_equal(counts[1], N_THREADS * N_CALLS);
    assert_int_equal(client.starts, N_THREADS * N_CALLS);
    assert_int_equal(client.dones, N_THREADS * N_CALLS);
    rota_metrics_free(metrics);
}

/* --- Credentials --- */

/* A token that comes from another thread. */
struct fetching {
    struct rota_loop_post post;
    struct rota_credentials_request *request;
    struct rota_loop *loop;
    pthread_t thread;
};

static void fetched(struct rota_loop_post *post)
{
    struct fetching *f = ROTA_CONTAINER(post, struct fetching, post);

    pthread_join(f->thread, NULL);
    assert_int_equal(rota_metadata_add_text(rota_credentials_metadata(f->request), "x-by", "a token"), 0);
    rota_credentials_done(f->request, NULL);
}

static void *fetch(void *arg)
{
    struct fetching *f = arg;

    rota_loop_post(f->loop, &f->post);
    return NULL;
}

static void get(void *arg, struct rota_credentials_request *request)
{
    struct fetching *f = arg;

    f->request = request;
    f->loop = rota_credentials_loop(request);
    f->post.run = fetched;
    assert_int_equal(pthread_create(&f->thread, NULL, fetch, f), 0);
}

static void cancel(void *arg, struct rota_credentials_request *request)
{
    (void)arg;
    (void)request;
    fail_msg("the token comes in time");
}

static void credentials_go_where_nobody_listens(void **unused)
{
    static const struct {
        const char *rule;
        bool local, allow_insecure;
        enum rota_code want;
    } rows[] = {
        {"over a unix socket", true, false, ROTA_OK},
        {"not over TCP without TLS", false, false, ROTA_UNAUTHENTICATED},
        {"unless allowed", false, true, ROTA_OK},
    };
    char path[64];

    (void)unused;
    snprintf(path, sizeof(path), "unix-abstract:rota-intercept-%d", (int)getpid());
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_call_credentials credentials = ROTA_CALL_CREDENTIALS_INIT;
        struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
        struct rota_server_options server_options = serving();
        struct rota_slice text = ROTA_SLICE("hello");
        struct fetching fetching = {.request = NULL};
        struct rota_channel *channel;
        struct rota_status status;
        struct test_server s;
        struct rota_loop *loop;

        print_message("  %s\n", rows[i].rule);
        credentials.get = get;
        credentials.cancel = cancel;
        credentials.arg = &fetching;
        credentials.allow_insecure = rows[i].allow_insecure;
        options.credentials = &credentials;
        options.timeout_ms = 10000;
        assert_int_equal(rota_loop_thread_new(NULL, &loop), 0);
        test_server_open(&s, loop, rows[i].local ? path : "127.0.0.1:0", &server_options);
        channel = test_channel(NULL, s.bound, NULL);
        status = rota_unary(channel, &test_echo, &options, &text, NULL);
        assert_int_equal(status.code, rows[i].want);
        rota_channel_free(channel);
        test_server_close(&s);
        rota_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(calls_of_every_kind, reset),
        cmocka_unit_test_setup(a_server_refuses_before_its_handler_hears, reset),
        cmocka_unit_test_setup(many_threads_one_sink, reset),
        cmocka_unit_test_setup(credentials_go_where_nobody_listens, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
