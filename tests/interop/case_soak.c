/* case_soak.c - cases that make one large call after another and look at how long each took.
 *
 * They pass when all iterations were made within the overall timeout and at most so many of them failed or were too slow.
 * The time of channel_soak includes that of connecting. Each iteration has a line on standard error, in the form of gRPC's description of
 * the cases; the sums follow there.
 */
#include "client.h"

#include <inttypes.h>
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

struct iteration {
    double took_ms;
    bool succeeded;
    char why[PRINTABLE_SIZE(ROTA_STATUS_MESSAGE_SIZE) + 64]; /* it failed */
    char peer[ROTA_ADDRESS_TEXT_SIZE];
};

struct part {
    struct soak *soak;
    double *took_ms; /* of n_wanted */
    long thread_id, n_wanted, n_made, n_failed;
    bool threaded;
    pthread_t thread;
};

/* Whether the call that was sent ends OK with the reply that was asked for; notes whose it was. Blocking unary calls do not tell that. */
static bool end_unary(struct rota_call *call, size_t reply_bytes, struct iteration *iteration)
{
    char text[PRINTABLE_SIZE(ROTA_STATUS_MESSAGE_SIZE)];
    struct rota_status status;
    bool right = false;
    void *reply;

    snprintf(iteration->why, sizeof(iteration->why), "there is no reply");
    while (rota_call_recv(call, &reply)) {
        right = are_zeros(((Grpc__Testing__SimpleResponse *)reply)->payload, reply_bytes, iteration->why);
        grpc__testing__simple_response__free_unpacked(reply, NULL);
    }
    if (rota_call_peer(call) != NULL)
        snprintf(iteration->peer, sizeof(iteration->peer), "%s", rota_call_peer(call));
    status = rota_call_finish(call);
    if (!rota_status_ok(&status))
        snprintf(iteration->why, sizeof(iteration->why), "%s \"%s\"", rota_code_name(status.code),
                 printable(rota_slice_str(status.message), text, sizeof(text)));
    return rota_status_ok(&status) && right;
}

/* A server that stops answering must not keep it beyond the end. */
static bool call_once(const struct soak *soak, struct rota_channel *channel, struct iteration *iteration)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = zero_payload((size_t)soak->at->soak.request_bytes);
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    double left_ms = soak->end_ms - now_ms();
    struct rota_call *call;
    rota_err err;

    options.timeout_ms = left_ms < 1 ? 1 : (int64_t)left_ms;
    request.response_size = (int32_t)soak->at->soak.reply_bytes;
    request.payload = &payload;
    err = channel == NULL ? ROTA_ENOMEM : rota_call_open(channel, &grpc_testing_test_service_unary_call_method, &options, &call);
    if (err < 0) {
        snprintf(iteration->why, sizeof(iteration->why), "the call does not open: %s", rota_err_text(err));
        return false;
    }
    err = rota_call_send(call, &request);
    (void)err; /* the end tells why */
    return end_unary(call, (size_t)soak->at->soak.reply_bytes, iteration);
}

static void iterate(const struct soak *soak, struct iteration *ret_iteration)
{
    long max_ms = soak->at->soak.max_latency_ms;
    struct iteration iteration = {.peer = "unknown"};
    double begin_ms = now_ms();
    struct rota_channel *channel = soak->channel == NULL ? open_channel(soak->at) : soak->channel;

    iteration.succeeded = call_once(soak, channel, &iteration);
    iteration.took_ms = now_ms() - begin_ms;
    if (iteration.succeeded && iteration.took_ms > (double)max_ms) {
        iteration.succeeded = false;
        snprintf(iteration.why, sizeof(iteration.why), "%.3f ms exceeds max acceptable latency: %ld ms", iteration.took_ms, max_ms);
    }
    if (soak->channel == NULL)
        rota_channel_free(channel);
    *ret_iteration = iteration;
}

static void *make_part(void *arg)
{
    struct part *part = arg;
    const struct interop *at = part->soak->at;

    while (part->n_made < part->n_wanted && now_ms() < part->soak->end_ms) {
        double next_ms = now_ms() + (double)at->soak.min_ms_between;
        struct iteration iteration;
        iterate(part->soak, &iteration);
        fprintf(stderr, "thread_id: %ld soak iteration: %ld elapsed_ms: %" PRId64 " peer: %s server_uri: %s %s%s\n", part->thread_id, part->n_made,
                (int64_t)iteration.took_ms, iteration.peer, at->uri, iteration.succeeded ? "succeeded" : "failed: ", iteration.succeeded ? "" : iteration.why);
        part->took_ms[part->n_made++] = iteration.took_ms;
        part->n_failed += !iteration.succeeded;
        if (part->n_made < part->n_wanted)
            wait_until_ms(next_ms < part->soak->end_ms ? next_ms : part->soak->end_ms);
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
    if (n_made > 0) {
        qsort(took_ms, (size_t)n_made, sizeof(double), by_size);
        fprintf(stderr, "%ld iterations, %ld failed; ms: median %.3f, 90%% %.3f, worst %.3f\n", n_made, n_failed, took_ms[n_made / 2],
                took_ms[n_made * 9 / 10], took_ms[n_made - 1]);
    }
    if (n_made < at->soak.iterations)
        fprintf(stderr, "%ld of %ld iterations within %ld s\n", n_made, at->soak.iterations, at->soak.overall_timeout_s);
    if (n_failed > at->soak.max_failures)
        fprintf(stderr, "%ld failures, at most %ld are allowed\n", n_failed, at->soak.max_failures);
    return n_made == at->soak.iterations && n_failed <= at->soak.max_failures;
}

/* The parts are as long as each other, within one. */
static void share_out(struct soak *soak, struct part *parts, double *took_ms)
{
    long n_left = soak->at->soak.iterations, n_threads = soak->at->soak.threads;

    for (long i = 0; i < n_threads; i++) {
        parts[i] = (struct part){.soak = soak, .took_ms = took_ms, .thread_id = i, .n_wanted = n_left / (n_threads - i)};
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
