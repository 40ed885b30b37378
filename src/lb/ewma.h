/* ewma.h - how long a server takes: a moving average that jumps to a peak at once and comes down slowly (Finagle's peak EWMA).
 *
 * A reading counts as a sample of zero, so that a server nobody calls becomes attractive again, however slow it once was. How fast it comes down
 * is a matter of time, or also of samples: `least` is how much a lower one counts at the least, however soon it comes (0: as Finagle has it).
 */
#ifndef ROTA_LB_EWMA_H
#define ROTA_LB_EWMA_H

#include <rota/lb.h>

/* Zeroed: nothing is known. */
struct rota_ewma {
    double cost_ns;
    int64_t stamp_ns;
};

/* tau_ns: after that time without samples 1/e of the cost is left. */
double rota_ewma_read(struct rota_ewma *e, int64_t now_ns, double tau_ns);
void rota_ewma_sample(struct rota_ewma *e, double latency_ns, int64_t now_ns, double tau_ns, double least);

/* A call that failed so fast or so slowly: twice the worse of that and what is known, within 10 ms and 30 s. A server that refuses everything at
 * once would else look the best of all. */
void rota_ewma_failure(struct rota_ewma *e, double latency_ns, int64_t now_ns, double tau_ns, double least);

/* What a call's end tells of its server. Failures through the server's fault count as slow, those that the caller gave up only where they took
 * longer than what is known. True: it was the server's fault. */
bool rota_ewma_learn(struct rota_ewma *e, const struct rota_outcome *outcome, double tau_ns, double least);

/* What is compared: the cost for each call under way and one more. A server with calls and no answer yet comes after all others. */
double rota_ewma_load(double cost_ns, uint32_t n_calls);

#endif
