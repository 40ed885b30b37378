/* bdp.h - how large the windows of a connection should be, from what its owner takes in a round trip.
 *
 * Pure arithmetic. The session counts what the owner takes, asks with each bulky DATA whether to ping, and tells of the answer.
 */
#ifndef ROTA_H2_BDP_H
#define ROTA_H2_BDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rota_h2_bdp {
    uint32_t window_bytes; /* a stream's, as announced */
    uint32_t bound_bytes;  /* what it never exceeds */
    uint64_t taken_bytes;  /* by the owner since the last answer; counted by the session */
    int64_t since_ns;      /* the last answer, or the connection's beginning */
    int64_t pinged_ns;     /* INT64_MIN: no ping is out */
    int64_t next_ns;       /* no ping before */
    int64_t pause_ns;      /* between pings: longer while nothing grows */
    int64_t rtt_ns;        /* the shortest so far; INT64_MAX: none */
};

/* bound_bytes not above window_bytes: the window stays as it is, and no ping is sent. */
void rota_h2_bdp_init(struct rota_h2_bdp *bdp, uint32_t window_bytes, uint32_t bound_bytes, int64_t now_ns);

/* Bulky DATA came: should a ping follow it? True marks it sent. */
bool rota_h2_bdp_ping(struct rota_h2_bdp *bdp, int64_t now_ns);

/* The ping's answer came. True: window_bytes has grown. */
bool rota_h2_bdp_answer(struct rota_h2_bdp *bdp, int64_t now_ns);

#endif
