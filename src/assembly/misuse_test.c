/* misuse_test.c - what a program forgets or does on the wrong thread: it is told, and nothing waits or stands still without a word. */
#include "assembly/assembly_fixture.h"
#include <stdio.h>
#include <string.h>

/* --- A call that is not finished --- */

struct heard {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned warnings;
    bool closed;
    char area[20], text[200];
};

static void hear(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct heard *heard = ctx;

    if (level != ROTA_LOG_WARN || strstr(text, "rota_call_finish") == NULL) /* nor can anybody be reached */
        return;
    pthread_mutex_lock(&heard->mutex);
    heard->warnings++;
    snprintf(heard->area, sizeof(heard->area), "%s", area);
    snprintf(heard->text, sizeof(heard->text), "%s", text);
    pthread_cond_broadcast(&heard->changed);
    pthread_mutex_unlock(&heard->mutex);
}

static void on_closed(void *arg)
{
    struct heard *heard = arg;

    pthread_mutex_lock(&heard->mutex);
    heard->closed = true;
    pthread_cond_broadcast(&heard->changed);
    pthread_mutex_unlock(&heard->mutex);
}

static void closing_names_the_calls_it_waits_for(void **unused)
{
    (void)unused;
    for (unsigned n_calls = 0; n_calls <= 2; n_calls++) {
        static struct heard heard = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
        const struct rota_log log = {.write = hear, .ctx = &heard, .level = ROTA_LOG_WARN};
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel *channel;
        struct rota_call *calls[2];
        char want[100];

        heard.warnings = 0;
        heard.closed = false;
        options.log = &log;
        channel = test_channel(NULL, "127.0.0.1:1", &options); /* nobody has to be there */
        for (unsigned i = 0; i < n_calls; i++)
            assert_int_equal(rota_call_open(channel, &test_chat, NULL, &calls[i]), 0);
        rota_channel_close(channel, on_closed, &heard);
        pthread_mutex_lock(&heard.mutex);
        while (n_calls > 0 ? heard.warnings == 0 : !heard.closed)
            pthread_cond_wait(&heard.changed, &heard.mutex);
        assert_int_equal(heard.closed, n_calls == 0);
        pthread_mutex_unlock(&heard.mutex);
        for (unsigned i = 0; i < n_calls; i++)
            (void)rota_call_finish(calls[i]);
        pthread_mutex_lock(&heard.mutex);
        while (!heard.closed)
            pthread_cond_wait(&heard.changed, &heard.mutex);
        pthread_mutex_unlock(&heard.mutex);
        assert_int_equal(heard.warnings, n_calls > 0);
        snprintf(want, sizeof(want), "blocking calls that have not been finished (rota_call_finish): %u", n_calls);
        if (n_calls > 0) {
            assert_string_equal(heard.area, "channel");
            assert_non_null(strstr(heard.text, want));
        }
    }
}

/* --- On another thread than the loop's --- */

static rota_err refused(rota_err err, const struct rota_errinfo *info)
{
    if (err < 0)
        assert_string_equal(info->text, "the loop runs on a thread of its own: open this there (rota_loop_post)");
    return err;
}

static void ignore_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    (void)arg;
    (void)endpoints;
    (void)count;
    (void)source;
}

static void what_is_opened_on_another_thread_is_refused(void **unused)
{
    static const struct rota_watch_events events = {.on_endpoints = ignore_endpoints};
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_registrar_options registrar_options = ROTA_REGISTRAR_OPTIONS_INIT;
    struct rota_registry_options registry_options = ROTA_REGISTRY_OPTIONS_INIT;
    struct rota_registrar *registrar;
    struct rota_registry *registry;
    struct rota_server *server;
    struct rota_errinfo info;
    struct rota_watch *watch;
    struct rota_loop *loop;

    (void)unused;
    assert_int_equal(rota_loop_thread_new(NULL, &loop), 0);
    server_options.loop = registrar_options.loop = registry_options.loop = loop;
    registrar_options.address = "1.1.1.1:1";
    registry_options.listen = "127.0.0.1:0";
    assert_int_equal(refused(rota_server_new(&server_options, &server, &info), &info), ROTA_ESTATE);
    assert_int_equal(refused(rota_registrar_open("etcd:///a", &registrar_options, &registrar, &info), &info), ROTA_ESTATE);
    assert_int_equal(refused(rota_registry_open(&registry_options, &registry, &info), &info), ROTA_ESTATE);
    assert_int_equal(refused(rota_watch_open(loop, "ipv4:1.1.1.1:1", NULL, &events, NULL, &watch, &info), &info), ROTA_ESTATE);
    rota_loop_free(loop);
}

static void ignore_message(struct rota_call *call, void *arg, const void *message)
{
    (void)call;
    (void)arg;
    (void)message;
}

static void ignore_end(struct rota_call *call, void *arg, const struct rota_status *status)
{
    (void)call;
    (void)arg;
    (void)status;
}

static void ignore_reply(void *arg, const struct rota_status *status, const void *reply)
{
    (void)arg;
    (void)status;
    (void)reply;
}

struct starting {
    struct rota_channel *channel;
    rota_err unary_err, stream_err;
};

static void start_both(void *arg)
{
    static const struct rota_call_events events = {.on_message = ignore_message, .on_done = ignore_end};
    struct starting *s = arg;
    struct rota_slice text = ROTA_SLICE("a");
    struct rota_call *call;

    s->unary_err = rota_unary_start(s->channel, &test_echo, NULL, &text, ignore_reply, NULL, NULL);
    s->stream_err = rota_call_start(s->channel, &test_chat, NULL, &events, NULL, &call);
}

static void so_is_a_call_that_is_started_there(void **unused)
{
    struct starting starting = {.channel = test_channel(NULL, "127.0.0.1:1", NULL)};
    struct rota_handoff handoff;

    (void)unused;
    start_both(&starting);
    assert_int_equal(starting.unary_err, ROTA_ESTATE);
    assert_int_equal(starting.stream_err, ROTA_ESTATE);
    rota_handoff_init(&handoff, rota_channel_loop(starting.channel));
    rota_handoff_run(&handoff, start_both, &starting);
    rota_handoff_fini(&handoff);
    assert_int_equal(starting.unary_err, 0);
    assert_int_equal(starting.stream_err, 0);
    rota_channel_free(starting.channel); /* ends them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_names_the_calls_it_waits_for),
        cmocka_unit_test(what_is_opened_on_another_thread_is_refused),
        cmocka_unit_test(so_is_a_call_that_is_started_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
