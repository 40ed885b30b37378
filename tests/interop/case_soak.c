/* case_soak.c - cases that make one large call after another and look at how long each took.
 *
 * They pass when all iterations were made within the overall timeout and at most so many of them failed or were too slow.
 * The time of channel_soak includes that of connecting.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
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

static bool iterate(struct interop *at, bool new_channel)
{
    struct rota_channel *channel = new_channel ? open_channel(at) : at->channel;
    bool right = channel != NULL && unary_of(channel, NULL, (size_t)at->soak.request_bytes, (size_t)at->soak.reply_bytes);

    if (new_channel)
        rota_channel_free(channel);
    return right;
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

static bool soak(struct interop *at, bool new_channels)
{
    double start_ms = now_ms(), end_ms = start_ms + 1e3 * (double)at->soak.overall_timeout_s;
    double *took_ms = calloc((size_t)at->soak.iterations + 1, sizeof(double));
    long n_made, n_failed = 0;
    bool right;

    if (!expect(took_ms != NULL, "out of memory"))
        return false;
    for (n_made = 0; n_made < at->soak.iterations && now_ms() < end_ms; n_made++) {
        double begin_ms = now_ms();
        bool succeeded = iterate(at, new_channels);
        took_ms[n_made] = now_ms() - begin_ms;
        n_failed += !expect(succeeded && took_ms[n_made] <= (double)at->soak.max_latency_ms, "iteration %ld %s after %.3f ms", n_made,
                            succeeded ? "succeeded" : "failed", took_ms[n_made]);
        wait_until_ms(begin_ms + (double)at->soak.min_ms_between);
    }
    right = sum_up(at, took_ms, n_made, n_failed);
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
