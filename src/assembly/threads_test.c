/* threads_test.c - blocking calls of a channel with a loop of its own, from many threads, and closing it meanwhile. For TSan. */
#include "assembly/assembly_fixture.h"
#include "loop/loop.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define N_THREADS 4
#define N_CALLS 100

static struct {
    struct rota_loop *loop; /* the server's */
    struct test_server s;
    struct rota_channel *channel;
} at;

static int setup(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;

    (void)unused;
    options.compression = ROTA_COMPRESSION_GZIP; /* of what gets shorter by it, for those who take it */
    assert_int_equal(rota_loop_thread_new(NULL, &at.loop), 0);
    test_server_open(&at.s, at.loop, "127.0.0.1:0", &options);
    at.channel = test_channel(NULL, at.s.bound, NULL);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    rota_channel_free(at.channel);
    test_server_close(&at.s);
    rota_loop_free(at.loop);
    return 0;
}

struct worker {
    pthread_t thread;
    int index;
    int good;
    struct rota_call *call;
    struct rota_status status;
};

static void start(struct worker *workers, int count, void *(*main)(void *))
{
    for (int i = 0; i < count; i++) {
        workers[i].index = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, main, &workers[i]), 0);
    }
}

static void join(struct worker *workers, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

/* --- At once --- */

static void chat(struct worker *w)
{
    struct rota_slice text = ROTA_SLICE("abc");
    struct rota_call *call;
    void *message;

    if (rota_call_open(at.channel, &test_chat, NULL, &call) < 0)
        return;
    for (int i = 0; i < 10; i++) {
        if (rota_call_send(call, &text) == 0 && rota_call_recv(call, &message)) {
            w->good++;
            rota_codec_bytes.free(NULL, message, NULL);
        }
    }
    rota_call_send_end(call);
    w->good += !rota_call_recv(call, &message);
    w->good += rota_call_finish(call).code == ROTA_OK;
}

static void *call_all_kinds(void *arg)
{
    struct worker *w = arg;
    char text[20];

    for (int i = 0; i < N_CALLS; i++) {
        snprintf(text, sizeof(text), "%d %d", w->index, i);
        w->good += test_echoes(at.channel, text);
    }
    chat(w);
    return NULL;
}

static void calls_from_many_threads(void **unused)
{
    struct worker workers[N_THREADS] = {0};

    (void)unused;
    start(workers, N_THREADS, call_all_kinds);
    join(workers, N_THREADS);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(workers[i].good, N_CALLS + 12);
}

#define N_MESSAGES 2000

/* Chat's replies come as the requests did. */
static void *mix(void *arg)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct worker *w = arg;
    char letters[1000];
    struct rota_slice text = rota_slice(letters, sizeof(letters));
    struct rota_call *call;
    struct rota_slice *reply;

    memset(letters, 'a' + w->index, sizeof(letters));
    options.compression = ROTA_COMPRESSION_GZIP;
    if (rota_call_open(at.channel, &test_chat, &options, &call) < 0)
        return NULL;
    for (int i = 0; i < N_CALLS; i++) {
        bool wanted = i % 3 == 0;
        if (rota_call_set_compression(call, wanted ? ROTA_COMPRESSION_DEFAULT : ROTA_COMPRESSION_NONE) < 0)
            break;
        if (rota_call_send(call, &text) < 0 || !rota_call_recv(call, (void **)&reply))
            break;
        w->good += rota_slice_equal(*reply, text) && rota_call_was_compressed(call) == wanted;
        rota_codec_bytes.free(NULL, reply, NULL);
    }
    w->status = rota_call_finish(call);
    return NULL;
}

static void streams_of_many_threads_mix_compression(void **unused)
{
    struct worker workers[N_THREADS] = {0};

    (void)unused;
    start(workers, N_THREADS, mix);
    join(workers, N_THREADS);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(workers[i].good, N_CALLS);
}

static void *receive_all(void *arg)
{
    struct worker *w = arg;
    void *message;

    while (rota_call_recv(w->call, &message)) {
        w->good++;
        rota_codec_bytes.free(NULL, message, NULL);
    }
    return NULL;
}

static void one_thread_sends_another_receives(void **unused)
{
    static uint8_t bytes[1000];
    struct rota_slice text = {bytes, sizeof(bytes)};
    struct worker w = {0};
    int n_sent = 0;

    (void)unused;
    assert_int_equal(rota_call_open(at.channel, &test_chat, NULL, &w.call), 0);
    start(&w, 1, receive_all);
    for (int i = 0; i < N_MESSAGES; i++)
        n_sent += rota_call_send(w.call, &text) == 0;
    rota_call_send_end(w.call);
    join(&w, 1);
    assert_int_equal(rota_call_finish(w.call).code, ROTA_OK);
    assert_int_equal(n_sent, N_MESSAGES);
    /* The handler drops what its queue does not take. */
    assert_in_range(w.good, 1, N_MESSAGES);
}

/* Nobody takes what is sent: the window and the queues fill up, send blocks, until the deadline ends the call. */
static void a_blocked_send_ends_with_the_call(void **unused)
{
    static uint8_t bytes[1 << 16];
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = {bytes, sizeof(bytes)};
    struct rota_call *call;
    rota_err err = 0;
    int n = 0;

    (void)unused;
    options.timeout_ms = 300;
    text = ROTA_SLICE("1000000 65536");
    assert_int_equal(rota_call_open(at.channel, &test_count, &options, &call), 0);
    assert_int_equal(rota_call_send(call, &text), 0);
    assert_int_equal(rota_call_finish(call).code, ROTA_CANCELLED);

    text = (struct rota_slice){bytes, sizeof(bytes)};
    assert_int_equal(rota_call_open(at.channel, &test_chat, &options, &call), 0);
    while (err == 0 && n < 1000000) {
        err = rota_call_send(call, &text);
        n++;
    }
    assert_int_equal(err, ROTA_ECLOSED);
    assert_int_equal(rota_call_finish(call).code, ROTA_DEADLINE_EXCEEDED);
}

static void cancel(struct rota_loop_post *post)
{
    rota_call_cancel(post->arg);
}

/* As docs/threading.md says. */
static void a_blocked_recv_is_cancelled_from_another_thread(void **unused)
{
    struct rota_slice text = ROTA_SLICE("abc");
    struct rota_loop_post post = {.run = cancel};
    struct worker w = {0};
    void *message;

    (void)unused;
    assert_int_equal(rota_call_open(at.channel, &test_chat, NULL, &w.call), 0);
    assert_int_equal(rota_call_send(w.call, &text), 0);
    assert_true(rota_call_recv(w.call, &message));
    rota_codec_bytes.free(NULL, message, NULL);
    start(&w, 1, receive_all);
    post.arg = w.call;
    rota_loop_post(rota_channel_loop(at.channel), &post);
    join(&w, 1);
    assert_int_equal(w.good, 0);
    assert_int_equal(rota_call_finish(w.call).code, ROTA_CANCELLED);
}

/* --- A message that does not unpack --- */

static const struct refusal {
    rota_err err;
    enum rota_code code;
} refusals[] = {
    {ROTA_EPARSE, ROTA_INTERNAL},
    {ROTA_ELIMIT, ROTA_RESOURCE_EXHAUSTED},
    {ROTA_ENOMEM, ROTA_RESOURCE_EXHAUSTED},
};
static rota_err refuse_err; /* the caller's thread unpacks */

static rota_err refuse(const void *type, struct rota_slice bytes, const struct rota_alloc *alloc, void **ret_message, struct rota_errinfo *info)
{
    (void)type;
    (void)bytes;
    (void)alloc;
    (void)ret_message;
    snprintf(info->text, sizeof(info->text), "not today");
    return refuse_err;
}

/* The first is open when its message is looked at, the last is done, with the server's OK. */
static const struct refused_stream {
    const struct rota_method *method;
    const char *text;
} refused_streams[] = {
    {&test_chat, "abc"},
    {&test_chat, "bye"},
    {&test_join, "abc"},
};

static void a_message_that_does_not_unpack_ends_the_call(void **unused)
{
    struct rota_codec codec = rota_codec_bytes;
    struct rota_method unary = test_echo;
    struct rota_slice text = ROTA_SLICE("abc");

    (void)unused;
    codec.unpack = refuse;
    unary.reply.codec = &codec;
    for (size_t i = 0; i < ROTA_COUNT(refusals) * ROTA_COUNT(refused_streams); i++) {
        const struct refusal *refusal = &refusals[i / ROTA_COUNT(refused_streams)];
        const struct refused_stream *row = &refused_streams[i % ROTA_COUNT(refused_streams)];
        struct rota_method stream = *row->method;
        struct rota_slice sent = rota_slice_str(row->text);
        struct rota_status status;
        struct rota_call *call;
        void *message;

        refuse_err = refusal->err;
        stream.reply.codec = &codec;
        assert_int_equal(rota_call_open(at.channel, &stream, NULL, &call), 0);
        assert_int_equal(rota_call_send(call, &sent), 0);
        if (row->method == &test_join)
            assert_int_equal(rota_call_send_end(call), 0);
        assert_false(rota_call_recv(call, &message));
        assert_true(rota_slice_equal(rota_call_message(call), ROTA_SLICE("message: not today")));
        status = rota_call_finish(call);
        assert_int_equal(status.code, refusal->code);
        assert_string_equal(status.message, "message: not today");
        status = rota_unary(at.channel, &unary, NULL, &text, &message);
        assert_int_equal(status.code, refusal->code);
        assert_string_equal(status.message, "reply: not today");
    }
}

/* --- Closing meanwhile --- */

static void *call_for_ever(void *arg)
{
    struct worker *w = arg;

    w->status = test_unary(at.channel, &test_delay, 0, "60000");
    return NULL;
}

static void wait_for_calls(int n_calls)
{
    while (at.s.n_calls < n_calls)
        sched_yield();
}

static void free_ends_calls_of_other_threads(void **unused)
{
    struct worker workers[N_THREADS] = {0}, stream = {0};
    struct rota_slice text = ROTA_SLICE("abc");
    void *message;

    (void)unused;
    assert_int_equal(rota_call_open(at.channel, &test_chat, NULL, &stream.call), 0);
    assert_int_equal(rota_call_send(stream.call, &text), 0);
    assert_true(rota_call_recv(stream.call, &message));
    rota_codec_bytes.free(NULL, message, NULL);
    start(workers, N_THREADS, call_for_ever);
    wait_for_calls(N_THREADS);
    start(&stream, 1, receive_all);
    rota_channel_close(at.channel, NULL, NULL);
    join(workers, N_THREADS);
    join(&stream, 1);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(workers[i].status.code, ROTA_CANCELLED);
    /* The channel is closing, or closed but for this call. */
    assert_int_equal(rota_call_send(stream.call, &text), ROTA_ECLOSED);
    assert_int_equal(rota_call_finish(stream.call).code, ROTA_CANCELLED);
    at.channel = test_channel(NULL, at.s.bound, NULL);
    assert_true(test_echoes(at.channel, "anew"));
}

struct event {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool set;
};

static void set(void *arg)
{
    struct event *event = arg;

    pthread_mutex_lock(&event->mutex);
    event->set = true;
    pthread_cond_broadcast(&event->changed);
    pthread_mutex_unlock(&event->mutex);
}

static void wait_for(struct event *event)
{
    pthread_mutex_lock(&event->mutex);
    while (!event->set)
        pthread_cond_wait(&event->changed, &event->mutex);
    event->set = false;
    pthread_mutex_unlock(&event->mutex);
}

static struct event closed = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

static void close_from_inside(void *arg, enum rota_conn_state state)
{
    (void)state;
    rota_channel_close(arg, set, &closed);
}

static void start_watching(struct rota_loop_post *post)
{
    rota_channel_watch_state(post->arg, close_from_inside, post->arg);
    rota_channel_connect(post->arg);
}

static void close_reports_once_from_anywhere(void **unused)
{
    struct rota_loop_post post = {.run = start_watching};

    (void)unused;
    rota_channel_close(at.channel, set, &closed);
    wait_for(&closed);
    /* From a callback, on the very thread that has to end. */
    at.channel = test_channel(NULL, at.s.bound, NULL);
    post.arg = at.channel;
    rota_loop_post(rota_channel_loop(at.channel), &post);
    wait_for(&closed);
    at.channel = NULL;
}

struct shared {
    struct rota_loop *loop;
    struct event closed;
    bool by_loop;
};

static void note_closed(void *arg)
{
    struct shared *shared = arg;

    shared->by_loop = rota_loop_is_mine(shared->loop);
    set(&shared->closed);
}

static void close_may_come_from_any_thread_on_a_shared_loop(void **unused)
{
    struct shared shared = {.closed = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false}};
    struct rota_channel *other;

    (void)unused;
    assert_int_equal(rota_loop_thread_new(NULL, &shared.loop), 0);
    other = test_channel(shared.loop, at.s.bound, NULL);
    for (int i = 0; i < 20; i++) {
        struct rota_channel *channel = test_channel(shared.loop, at.s.bound, NULL);
        assert_true(test_echoes(channel, "abc"));
        rota_channel_close(channel, note_closed, &shared);
        assert_true(test_echoes(other, "meanwhile"));
        wait_for(&shared.closed);
        assert_true(shared.by_loop);
    }
    rota_channel_free(other);
    rota_loop_free(shared.loop);
}

static void *use_the_loop(void *loop)
{
    struct rota_channel *channel = test_channel(loop, at.s.bound, NULL);
    bool echoes = test_echoes(channel, "abc");

    rota_channel_free(channel);
    return echoes ? loop : NULL;
}

static void a_loop_may_be_made_by_another_thread(void **unused)
{
    struct rota_loop *loop;
    pthread_t thread;
    void *echoes;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    assert_int_equal(pthread_create(&thread, NULL, use_the_loop, loop), 0);
    pthread_join(thread, &echoes);
    assert_non_null(echoes);
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_from_many_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_of_many_threads_mix_compression, setup, teardown),
        cmocka_unit_test_setup_teardown(one_thread_sends_another_receives, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blocked_send_ends_with_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blocked_recv_is_cancelled_from_another_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_that_does_not_unpack_ends_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(free_ends_calls_of_other_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(close_reports_once_from_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(close_may_come_from_any_thread_on_a_shared_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loop_may_be_made_by_another_thread, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
