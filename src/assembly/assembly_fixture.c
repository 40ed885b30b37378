/* assembly_fixture.c - see assembly_fixture.h. */
#include "assembly/assembly_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a call of Count or Delay keeps. */
struct job {
    struct rota_server_call *call;
    struct rota_timer *timer;
    long left;
    size_t size;
    uint8_t *bytes;
};

static void forget(struct job *job)
{
    rota_timer_free(job->timer);
    free(job->bytes);
    free(job);
}

static struct job *job_of(struct rota_server_call *call)
{
    struct job *job = calloc(1, sizeof(*job));

    assert_non_null(job);
    job->call = call;
    rota_server_call_set_data(call, job);
    return job;
}

static void copy_text(const void *message, char *text, size_t size)
{
    const struct rota_slice *bytes = message;

    snprintf(text, size, "%.*s", (int)bytes->size, (const char *)bytes->data);
}

static void on_cancel(struct rota_server_call *call, const void *handlers, void *user)
{
    struct test_server *s = user;
    struct job *job = rota_server_call_data(call);

    (void)handlers;
    s->n_cancelled++;
    rota_server_call_finish(call, NULL);
    if (job != NULL)
        forget(job);
}

static void on_echo(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    const struct rota_metadata *got = rota_server_call_metadata(call);
    struct rota_metadata *initial, *trailing;

    (void)handlers;
    ((struct test_server *)user)->n_calls++;
    for (size_t i = 0; i < rota_metadata_count(got); i++) {
        struct rota_metadatum pair = rota_metadata_at(got, i);
        if (pair.key.data[0] != 'x')
            continue;
        initial = rota_server_call_initial_metadata(call);
        trailing = rota_server_call_trailing_metadata(call);
        assert_int_equal(rota_metadata_add(initial, pair.key, pair.value, NULL), 0);
        assert_int_equal(rota_metadata_add(trailing, pair.key, pair.value, NULL), 0);
    }
    rota_server_call_reply(call, message);
}

static void on_fail(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    char text[4000], *rest;
    long code;

    (void)handlers;
    (void)user;
    copy_text(message, text, sizeof(text));
    code = strtol(text, &rest, 10);
    rota_server_call_fail(call, (enum rota_code)code, "%s", *rest == ' ' ? rest + 1 : rest);
}

static void on_delay_over(void *arg)
{
    struct job *job = arg;
    struct rota_slice reply = ROTA_SLICE("late");

    rota_server_call_reply(job->call, &reply);
    forget(job);
}

static void on_delay(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    struct test_server *s = user;
    struct job *job = job_of(call);
    char text[20];

    (void)handlers;
    copy_text(message, text, sizeof(text));
    s->n_calls++;
    assert_int_equal(rota_timer_new(s->loop, on_delay_over, job, &job->timer), 0);
    assert_int_equal(rota_timer_set(job->timer, rota_loop_now_ns(s->loop) + strtol(text, NULL, 10) * 1000000), 0);
}

static void count_on(struct rota_server_call *call, const void *handlers, void *user)
{
    struct job *job = rota_server_call_data(call);
    struct rota_slice reply = {job->bytes, job->size};
    rota_err err = 0;

    (void)handlers;
    (void)user;
    while (job->left > 0 && (err = rota_server_call_send(call, &reply)) == 0)
        job->left--;
    if (err == ROTA_EAGAIN)
        return;
    forget(job);
    rota_server_call_finish(call, NULL);
}

static void on_count(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    struct job *job = job_of(call);
    char text[40], *rest;

    copy_text(message, text, sizeof(text));
    job->left = strtol(text, &rest, 10);
    job->size = (size_t)strtol(rest, NULL, 10);
    job->bytes = calloc(1, job->size + 1);
    assert_non_null(job->bytes);
    count_on(call, handlers, user);
}

/* Data is the number of bytes. */
static void on_join(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    struct test_server *s = user;

    (void)handlers;
    s->n_messages++;
    if (s->hold) {
        rota_server_call_hold(call);
        s->held = call;
    }
    rota_server_call_set_data(call, (void *)((uintptr_t)rota_server_call_data(call) + ((const struct rota_slice *)message)->size));
}

static void on_join_end(struct rota_server_call *call, const void *handlers, void *user)
{
    char text[24];
    struct rota_slice reply;

    (void)handlers;
    ((struct test_server *)user)->n_ends++;
    ((struct test_server *)user)->n_cancelled += rota_server_call_cancelled(call);
    snprintf(text, sizeof(text), "%zu", (size_t)(uintptr_t)rota_server_call_data(call));
    reply = rota_slice_str(text);
    rota_server_call_reply(call, &reply);
}

static void on_chat(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    bool compressed = rota_server_call_was_compressed(call);

    (void)handlers;
    (void)user;
    assert_int_equal(rota_server_call_set_compression(call, compressed ? ROTA_COMPRESSION_DEFAULT : ROTA_COMPRESSION_NONE), 0);
    (void)!rota_server_call_send(call, message);
    if (rota_slice_equal(*(const struct rota_slice *)message, ROTA_SLICE("bye")))
        rota_server_call_finish(call, NULL);
}

static void on_chat_end(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)handlers;
    (void)user;
    rota_server_call_finish(call, NULL);
}

#define METHOD(name, path_text, in, out) \
    const struct rota_method name = { \
        .path = path_text, .client_streaming = in, .server_streaming = out, \
        .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}}
METHOD(test_echo, "/test.Test/Echo", false, false);
METHOD(test_join, "/test.Test/Join", true, false);
METHOD(test_count, "/test.Test/Count", false, true);
METHOD(test_chat, "/test.Test/Chat", true, true);
METHOD(test_fail, "/test.Test/Fail", false, false);
METHOD(test_delay, "/test.Test/Delay", false, false);

static const struct rota_handler handlers[] = {
    {.method = &test_echo, .on_message = on_echo},
    {.method = &test_join, .on_message = on_join, .on_end = on_join_end},
    {.method = &test_count, .on_message = on_count, .on_writable = count_on, .on_cancel = on_cancel},
    {.method = &test_chat, .on_message = on_chat, .on_end = on_chat_end, .on_cancel = on_cancel},
    {.method = &test_fail, .on_message = on_fail},
    {.method = &test_delay, .on_message = on_delay, .on_cancel = on_cancel},
};
static const struct rota_service service = {.name = "test.Test", .handlers = handlers, .n_handlers = ROTA_COUNT(handlers)};

static void run_on(struct rota_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct rota_handoff handoff;

    rota_handoff_init(&handoff, loop);
    rota_handoff_run(&handoff, fn, arg);
    rota_handoff_fini(&handoff);
}

static void open_on_loop(void *arg)
{
    struct test_server *s = arg;
    struct rota_errinfo info = {{0}};
    char address[ROTA_ADDRESS_TEXT_SIZE];

    snprintf(address, sizeof(address), "%s", s->bound);
    s->err = rota_server_new(&s->options, &s->server, &info);
    if (s->err < 0)
        return;
    s->err = rota_server_add(s->server, &service, NULL, s);
    if (s->err == 0)
        s->err = rota_server_listen(s->server, address, s->bound, &info);
}

rota_err test_server_try(struct test_server *s, struct rota_loop *loop, const char *address, const struct rota_server_options *options)
{
    memset(s, 0, sizeof(*s));
    s->loop = loop;
    s->options = options == NULL ? (struct rota_server_options)ROTA_SERVER_OPTIONS_INIT : *options;
    s->options.loop = loop;
    snprintf(s->bound, sizeof(s->bound), "%s", address);
    run_on(loop, open_on_loop, s);
    if (s->err < 0 && s->server != NULL)
        test_server_close(s);
    return s->err;
}

void test_server_open(struct test_server *s, struct rota_loop *loop, const char *address, const struct rota_server_options *options)
{
    assert_int_equal(test_server_try(s, loop, address, options), 0);
}

struct closing {
    struct test_server *s;
    struct rota_handoff handoff;
    bool done;
};

static void on_closed(void *arg)
{
    struct closing *c = arg;

    rota_handoff_lock(&c->handoff);
    c->done = true;
    rota_handoff_signal(&c->handoff);
    rota_handoff_unlock(&c->handoff);
}

static void close_on_loop(void *arg)
{
    struct closing *c = arg;

    rota_server_close(c->s->server, on_closed, c);
}

void test_server_close(struct test_server *s)
{
    struct closing c = {.s = s};

    rota_handoff_init(&c.handoff, s->loop);
    rota_handoff_run(&c.handoff, close_on_loop, &c);
    rota_handoff_lock(&c.handoff);
    while (!c.done)
        rota_handoff_wait(&c.handoff);
    rota_handoff_unlock(&c.handoff);
    rota_handoff_fini(&c.handoff);
}

struct rota_channel *test_channel(struct rota_loop *loop, const char *bound, const struct rota_channel_options *given)
{
    struct rota_channel_options options = given == NULL ? (struct rota_channel_options)ROTA_CHANNEL_OPTIONS_INIT : *given;
    char target[2 * ROTA_ADDRESS_TEXT_SIZE];
    struct rota_channel *channel;
    struct rota_errinfo info = {{0}};

    options.loop = loop;
    snprintf(target, sizeof(target), "%s%s", strncmp(bound, "unix", 4) == 0 ? "" : "ipv4:", bound);
    if (rota_channel_open(target, &options, &channel, &info) < 0)
        fail_msg("%s", info.text);
    return channel;
}

struct rota_status test_unary(struct rota_channel *channel, const struct rota_method *method, int64_t timeout_ms, const char *text)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice request = rota_slice_str(text);

    options.timeout_ms = timeout_ms;
    return rota_unary(channel, method, &options, &request, NULL);
}

bool test_echoes(struct rota_channel *channel, const char *text)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice request = rota_slice_str(text);
    struct rota_status status;
    void *reply = NULL;
    bool same;

    options.timeout_ms = 10000;
    status = rota_unary(channel, &test_echo, &options, &request, &reply);
    if (status.code != ROTA_OK)
        return false;
    same = rota_slice_equal(*(struct rota_slice *)reply, request);
    rota_codec_bytes.free(NULL, reply, NULL);
    return same;
}
