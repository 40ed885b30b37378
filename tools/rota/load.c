/* load.c - see load.h. The loop is turned by hand, since calls are due in fractions of its timers' milliseconds. */
#include "load.h"
#include "base/rng.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)
#define GRACE_NS (2 * SECOND_NS)

/* A call on its way, or a free one. */
struct shot {
    struct run *run;
    struct rota_call *call;
    struct shot *next;
    int64_t due_ns;
    size_t n_sent;
    bool counts;
};

struct run {
    struct rota_load *load;
    struct rota_rng rng;
    struct shot *idle;
    struct shot **all;
    size_t n_shots, shots_cap;
    uint32_t open;
    int64_t count_from_ns, end_ns, next_due_ns, next_second_ns;
    struct rusage before;
    bool counting, stopping;
    rota_err err;
};

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static double cpu_seconds_since(const struct rusage *before)
{
    struct rusage now;

    getrusage(RUSAGE_SELF, &now);
    return (double)(now.ru_utime.tv_sec - before->ru_utime.tv_sec + now.ru_stime.tv_sec - before->ru_stime.tv_sec) +
           (double)(now.ru_utime.tv_usec - before->ru_utime.tv_usec + now.ru_stime.tv_usec - before->ru_stime.tv_usec) / 1e6;
}

static struct shot *take_shot(struct run *run)
{
    struct shot *shot = run->idle;

    if (shot != NULL) {
        run->idle = shot->next;
        return shot;
    }
    if (run->n_shots == run->shots_cap) {
        size_t cap = run->shots_cap == 0 ? 64 : run->shots_cap * 2;
        struct shot **all = realloc(run->all, cap * sizeof(struct shot *));
        if (all == NULL)
            return NULL;
        run->all = all;
        run->shots_cap = cap;
    }
    shot = calloc(1, sizeof(*shot));
    if (shot == NULL)
        return NULL;
    shot->run = run;
    run->all[run->n_shots++] = shot;
    return shot;
}

static void fire(struct run *run, int64_t due_ns);

static void record(struct shot *shot, const struct rota_status *status)
{
    struct rota_load *load = shot->run->load;

    if (!shot->counts)
        return;
    load->codes[(unsigned)status->code < ROTA_LOAD_CODES ? status->code : ROTA_UNKNOWN]++;
    if (status->code == ROTA_OK)
        rota_sim_histogram_add(&load->latency, clock_ns() - shot->due_ns);
    else if (load->first_failure.code == ROTA_OK)
        load->first_failure = *status;
}

static void end(struct shot *shot, const struct rota_status *status)
{
    struct run *run = shot->run;

    record(shot, status);
    shot->call = NULL;
    shot->next = run->idle;
    run->idle = shot;
    run->open--;
    if (!run->stopping && run->load->rate_per_s == 0)
        fire(run, clock_ns());
}

static void on_unary_done(void *arg, const struct rota_status *status, const void *reply)
{
    struct shot *shot = arg;

    shot->run->load->replies += reply != NULL && shot->counts;
    end(shot, status);
}

static void send_more(struct rota_call *call, struct shot *shot)
{
    const struct rota_requests *requests = shot->run->load->requests;

    while (shot->n_sent < requests->n) {
        struct rota_slice bytes = rota_buffer_peek(&requests->all[shot->n_sent]);
        if (rota_call_write(call, &bytes) < 0)
            return;
        shot->n_sent++;
    }
    (void)rota_call_write_end(call);
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    struct shot *shot = arg;

    (void)call;
    (void)message;
    shot->run->load->replies += shot->counts;
}

static void on_writable(struct rota_call *call, void *arg)
{
    send_more(call, arg);
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    (void)call;
    end(arg, status);
}

static rota_err start(struct run *run, struct shot *shot)
{
    static const struct rota_call_events events = {.on_message = on_message, .on_writable = on_writable, .on_done = on_done};
    const struct rota_load *load = run->load;
    struct rota_slice request;
    rota_err err;

    if (!load->method->client_streaming && !load->method->server_streaming) {
        request = rota_buffer_peek(&load->requests->all[0]);
        return rota_unary_start(load->channel, load->method, load->options, &request, on_unary_done, shot, &shot->call);
    }
    shot->n_sent = 0;
    err = rota_call_start(load->channel, load->method, load->options, &events, shot, &shot->call);
    if (err == 0)
        send_more(shot->call, shot);
    return err;
}

static void fire(struct run *run, int64_t due_ns)
{
    struct shot *shot = take_shot(run);

    if (shot == NULL) {
        run->err = ROTA_ENOMEM;
        return;
    }
    shot->due_ns = due_ns;
    shot->counts = run->counting;
    run->err = start(run, shot);
    if (run->err < 0) {
        shot->next = run->idle;
        run->idle = shot;
        return;
    }
    run->open++;
}

static void keep_time(struct run *run, int64_t now_ns)
{
    if (!run->counting && now_ns >= run->count_from_ns) {
        run->counting = true;
        run->count_from_ns = now_ns;
        getrusage(RUSAGE_SELF, &run->before);
    }
    if (now_ns < run->next_second_ns)
        return;
    run->next_second_ns += SECOND_NS;
    run->load->seconds = run->counting ? (double)(now_ns - run->count_from_ns) / 1e9 : 0;
    if (run->load->on_second != NULL)
        run->load->on_second(run->load);
}

/* What is due by now; between arrivals lie exponential times. */
static void fire_due(struct run *run, int64_t now_ns)
{
    while (run->next_due_ns <= now_ns && run->err == 0) {
        fire(run, run->next_due_ns);
        run->next_due_ns += (int64_t)(-log(1 - rota_rng_unit(&run->rng)) / run->load->rate_per_s * 1e9);
    }
}

static void turn(struct run *run, int64_t until_ns)
{
    struct pollfd fd = {.fd = rota_loop_fd(run->load->loop), .events = POLLIN};
    int timeout_ms = rota_loop_timeout_ms(run->load->loop);
    int64_t wait_ns = until_ns - clock_ns();
    struct timespec wait;

    if (timeout_ms >= 0 && wait_ns > timeout_ms * INT64_C(1000000))
        wait_ns = timeout_ms * INT64_C(1000000);
    if (wait_ns > 0) {
        wait = (struct timespec){wait_ns / SECOND_NS, wait_ns % SECOND_NS};
        (void)ppoll(&fd, 1, &wait, NULL);
    }
    (void)rota_loop_turn(run->load->loop);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void shoot(struct run *run)
{
    bool open_loop = run->load->rate_per_s > 0;
    int64_t now_ns = clock_ns();

    for (uint32_t i = 0; !open_loop && i < run->load->outstanding && run->err == 0; i++)
        fire(run, now_ns);
    while (now_ns < run->end_ns && run->err == 0) {
        int64_t until_ns = sooner(run->end_ns, run->next_second_ns);

        keep_time(run, now_ns);
        if (open_loop) {
            fire_due(run, now_ns);
            until_ns = sooner(until_ns, run->next_due_ns);
        }
        turn(run, until_ns);
        now_ns = clock_ns();
    }
    run->load->seconds = (double)(now_ns - run->count_from_ns) / 1e9;
    run->load->cpu_seconds = cpu_seconds_since(&run->before);
}

/* What is still open has its grace and is then cancelled. */
static void wind_up(struct run *run)
{
    int64_t last_ns = clock_ns() + GRACE_NS;

    run->stopping = true;
    while (run->open > 0 && clock_ns() < last_ns)
        turn(run, last_ns);
    for (size_t i = 0; i < run->n_shots; i++)
        if (run->all[i]->call != NULL) {
            run->load->unfinished += run->all[i]->counts;
            run->all[i]->counts = false;
            rota_call_cancel(run->all[i]->call);
        }
    while (run->open > 0)
        turn(run, clock_ns() + SECOND_NS);
}

rota_err rota_load_run(struct rota_load *load)
{
    struct run run = {.load = load};
    int64_t now_ns = clock_ns();

    /* Sleeps end when they should, not up to 50 us later. */
    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    rota_rng_init(&run.rng, (uint64_t)now_ns);
    run.count_from_ns = now_ns + load->warm_ns;
    run.end_ns = run.count_from_ns + load->duration_ns;
    run.next_due_ns = now_ns;
    run.next_second_ns = now_ns + SECOND_NS;
    shoot(&run);
    wind_up(&run);
    for (size_t i = 0; i < run.n_shots; i++)
        free(run.all[i]);
    free(run.all);
    return run.err;
}

uint64_t rota_load_ended(const struct rota_load *load)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ROTA_LOAD_CODES; i++)
        sum += load->codes[i];
    return sum;
}
