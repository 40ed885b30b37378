/* load.h - calls of one method as a load: so many at a time, or so many a second whatever becomes of them.
 *
 * Open loop: arrivals are a Poisson process, and a call's time counts from when it was due, so that a server that stops for a second
 * shows in a second's worth of calls (no coordinated omission). Closed loop: the next call starts when one ends.
 */
#ifndef ROTA_TOOL_LOAD_H
#define ROTA_TOOL_LOAD_H

#include "sim/histogram.h"
#include "requests.h"
#include <rota/rota.h>

#define ROTA_LOAD_CODES 17

struct rota_load {
    /* What to do: */
    struct rota_loop *loop;
    struct rota_channel *channel;
    const struct rota_method *method; /* of rota_codec_bytes */
    const struct rota_requests *requests;
    const struct rota_call_options *options;
    uint32_t outstanding; /* closed loop */
    double rate_per_s;    /* open loop; 0: closed */
    int64_t warm_ns, duration_ns;
    void (*on_second)(const struct rota_load *load); /* may be NULL */
    /* How it went, from the end of the warm-up: */
    struct rota_sim_histogram latency; /* of calls that ended OK */
    uint64_t codes[ROTA_LOAD_CODES];
    uint64_t replies;
    uint64_t unfinished; /* open loop: still open when the time was up and a grace of two seconds more */
    double seconds, cpu_seconds; /* of this process */
    struct rota_status first_failure; /* OK: none failed */
};

/* ROTA_ENOMEM. */
rota_err rota_load_run(struct rota_load *load);
uint64_t rota_load_ended(const struct rota_load *load);

#endif
