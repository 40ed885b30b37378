/* case_soak.c - cases that make one large call after another and look at how long each took.
 *
 * They pass when all iterations were made within the overall timeout and at most so many of them failed or were too slow.
 * The time of channel_soak includes that of connecting.
 */
#include "client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void wait_until_ms(double end_ms)
{
    double left_ms = end_ms - now_ms();

    if (left_ms > 0)
        nanosleep(&(struct timespec){.tv_sec = (time_t)(left_ms / 1e3), .tv_nsec = (long)(left_ms * 1e6) % 1000000000}, NULL);
}

/* What the threads of a soak share. Each makes its part of the iterations, one after another. */
struct soak {
    const struct interop *at;
    struct rota_channel *channel; /* NULL: a new one for each iteration */
    double end_ms;
};

struct part {
    struct soak *soak;
    double *took_ms; /* of n_wanted */
    long n_wanted, n_made, n_failed;
    bool threaded;
    pthread_t thread;
};

/* A server that stops answering must not keep it beyond the end. */
static bool iterate(const struct soak *soak)
{
    const struct interop *at = soak->at;
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    double left_ms = soak->end_ms - now_ms();
    struct rota_channel *channel = soak->channel == NULL ? open_channel(at) : soak->channel;
    bool right;

    options.timeout_ms = left_ms < 1 ? 1 : (int64_t)left_ms;
    right = channel != NULL && unary_of(channel, &options, (size_t)at->soak.request_bytes, (size_t)at->soak.reply_bytes);
    if (soak->channel == NULL)
        rota_channel_free(channel);
    return right;
}

static void *make_part(void *arg)
{
    struct part *part = arg;
    const struct interop *at = part->soak->at;

    for (; part->n_made < part->n_wanted && now_ms() < part->soak->end_ms; part->n_made++) {
        double begin_ms = now_ms(), took_ms;
        bool succeeded = iterate(part->soak);
        part->took_ms[part->n_made] = took_ms = now_ms() - begin_ms;
        part->n_failed += !expect(succeeded && took_ms <= (double)at->soak.max_latency_ms, "iteration %ld %s after %.3f ms", part->n_made,
                                  succeeded ? "succeeded" : "failed", took_ms);
        wait_until_ms(begin_ms + (double)at->soak.min_ms_between);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool sum_up(const struct interop *at, double *took_ms, long n_made, long n_failed)
{
    bool all_made;

    if (n_made > 0) {
        qsort(took_ms, (size_t)n_made, sizeof(double), by_size);
        printf("%ld iterations, %ld failed; ms: median %.3f, 90%% %.3f, worst %.3f\n", n_made, n_failed, took_ms[n_made / 2],
               took_ms[n_made * 9 / 10], took_ms[n_made - 1]);
    }
    all_made = expect(n_made == at->soak.iterations, "%ld of %ld iterations within %ld s", n_made, at->soak.iterations, at->soak.overall_timeout_s);

    /* Both are told, whatever the first came to. */
    return expect(n_failed <= at->soak.max_failures, "%ld failures, at most %ld are allowed", n_failed, at->soak.max_failures) && all_made;
}

/* The parts are as long as each other, within one. */
static void share_out(struct soak *soak, struct part *parts, double *took_ms)
{
    long n_left = soak->at->soak.iterations, n_threads = soak->at->soak.threads;

    for (long i = 0; i < n_threads; i++) {
        parts[i] = (struct part){.soak = soak, .took_ms = took_ms, .n_wanted = n_left / (n_threads - i)};
        took_ms += parts[i].n_wanted;
        n_left -= parts[i].n_wanted;
    }
}

/* The first part is this thread's, and so is one for which there is no thread. */
static void make_all(struct part *parts, long n_threads)
{
    for (long i = 1; i < n_threads; i++)
        parts[i].threaded = pthread_create(&parts[i].thread, NULL, make_part, &parts[i]) == 0;
    for (long i = 0; i < n_threads; i++)
        if (!parts[i].threaded)
            make_part(&parts[i]);
    for (long i = 1; i < n_threads; i++)
        if (parts[i].threaded)
            pthread_join(parts[i].thread, NULL);
}

static bool soak(struct interop *at, bool new_channels)
{
    double *took_ms = calloc((size_t)at->soak.iterations + 1, sizeof(double));
    struct interop own = *at; /* with several threads channels need loops of their own */
    struct part parts[MAX_SOAK_THREADS];
    struct soak soak = {.at = &own, .end_ms = now_ms() + 1e3 * (double)at->soak.overall_timeout_s};
    long n_made = 0, n_failed = 0;
    bool right;

    if (!expect(took_ms != NULL, "out of memory"))
        return false;
    own.loop = at->soak.threads > 1 ? NULL : at->loop;
    if (!new_channels)
        soak.channel = at->soak.threads > 1 ? open_channel(&own) : at->channel;
    share_out(&soak, parts, took_ms);
    if (new_channels || soak.channel != NULL)
        make_all(parts, at->soak.threads);
    for (long i = 0; i < at->soak.threads; i++) {
        /* Those made in time, beside each other. */
        memmove(took_ms + n_made, parts[i].took_ms, (size_t)parts[i].n_made * sizeof(double));
        n_made += parts[i].n_made;
        n_failed += parts[i].n_failed;
    }
    right = sum_up(at, took_ms, n_made, n_failed);
    if (soak.channel != at->channel)
        rota_channel_free(soak.channel);
    free(took_ms);
    return right;
}

bool rpc_soak(struct interop *at)
{
    return soak(at, false);
}

bool channel_soak(struct interop *at)
{
    return soak(at, true);
}
