/* zone_spill.h - whether the own zone is overloaded: what a call costs there and elsewhere, and what part of the calls should go elsewhere.
 *
 * A call's cost in a group of servers is the time that all calls took by those that were answered, so that failures make the others dearer; or, where
 * that is more, the mean age of those under way, so that servers that hang show. Once a period (short: what an overloaded zone was sent too much waits in queues) the two are compared. While the own zone is
 * `factor` times as dear, what stays in it is divided by that excess, at most halved; when it is less than half of that dearer, it comes back
 * by a hundredth; between the two nothing changes.
 */
#ifndef ROTA_LB_ZONE_SPILL_H
#define ROTA_LB_ZONE_SPILL_H

#include <stdbool.h>
#include <stdint.h>

#define ROTA_ZONE_PERIOD_NS INT64_C(100000000)
#define ROTA_ZONE_SAMPLES 30 /* calls that a comparison takes, of each group */

struct rota_zone_group {
    uint32_t answered, failed;
    double spent_ns;    /* of both */
    uint32_t under_way;
    int64_t since_us;   /* the sum of when those began */
};

struct rota_zone_spill {
    struct rota_zone_group own, others;
    double factor;    /* above 1; 0: nothing is ever spilled */
    double others_ns; /* what a call cost there when last enough had been seen; 0: not known */
    int64_t next_ns;  /* of the next comparison */
    double spill;     /* 0 to 0.95 */
};

enum rota_zone_end { ROTA_ZONE_ANSWERED, ROTA_ZONE_FAILED, ROTA_ZONE_UNTOLD /* it says nothing of the servers */ };

void rota_zone_begin(struct rota_zone_group *group, int64_t now_ns);
void rota_zone_end(struct rota_zone_group *group, int64_t started_ns, int64_t ended_ns, enum rota_zone_end end);

/* After next_ns has come. True when spill has changed. */
bool rota_zone_compare(struct rota_zone_spill *s, int64_t now_ns);

#endif
