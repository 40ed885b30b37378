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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_names_the_calls_it_waits_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
