/* lb_conformance.h - throws random events at a policy, any policy, and checks what must always hold.
 *
 * What is checked, after every event: a pick that is OK names a connection that is READY and was not given back; the pick's own
 * function allocates nothing; OK comes only in READY, FAIL only in TRANSIENT_FAILURE (unless the policy decides by call), READY
 * gives OK; FAIL and DROP have a reason that can be read; every OK pick's on_done comes once. At the end, whatever happened before and memory failures included: given
 * a list, with every connection it asks for made, the policy becomes READY; and freed, it leaves nothing behind. The rest (commands on
 * things freed, states told twice wrongly) the tree and its fake owner check by themselves.
 */
#ifndef ROTA_TESTING_LB_CONFORMANCE_H
#define ROTA_TESTING_LB_CONFORMANCE_H

#include "base/rng.h"
#include <rota/lb.h>

struct rota_lb_conformance {
    const struct rota_lb_class *const *policies; /* NULL-terminated; what the config may name */
    const char *config;                          /* a loadBalancingConfig list; its first policy is put through it */
    bool decides_by_call; /* in READY a pick may also wait or fail, depending on the call */
    bool no_memory_at_times;
    uint32_t n_events; /* a run; 0: 200 */
};

/* Runs with seeds first_seed, first_seed + 1, ...; a failure prints its seed. */
void rota_lb_conformance_run(const struct rota_lb_conformance *c, uint64_t first_seed, uint32_t n_seeds);

/* One run whose events are rolled with these dice: for fuzzers. */
void rota_lb_conformance_play(const struct rota_lb_conformance *c, struct rota_rng *dice);

#endif
