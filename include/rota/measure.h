/* rota/measure.h - what a channel and its policies count beside calls, for whoever collects metrics; off the path of any call.
 *
 * A channel tells its interceptors' on_measure (rota/interceptor.h), rota_metrics_client (rota/metrics.h) among them. Source: gRFCs A78, A94.
 */
#ifndef ROTA_MEASURE_H
#define ROTA_MEASURE_H

#include <rota/api.h>

ROTA_BEGIN_DECLS

enum rota_measure {
    /* Of connections; the value is 1. */
    ROTA_MEASURE_CONNECTED,      /* an attempt has come up; each is followed by one DISCONNECTED */
    ROTA_MEASURE_CONNECT_FAILED,
    ROTA_MEASURE_DISCONNECTED,   /* lost, told to go (GOAWAY), or given up: no new calls */
    /* Of each schedule that weighted_round_robin makes. */
    ROTA_MEASURE_WRR_FALLBACK,       /* 1: fewer than two endpoints have a usable report */
    ROTA_MEASURE_WRR_NOT_YET_USABLE, /* how many endpoints have no report yet, or one within the blackout */
    ROTA_MEASURE_WRR_STALE,          /* how many have none that has not expired */
    ROTA_MEASURE_WRR_WEIGHT,         /* each endpoint's reported weight, 0 where it is not usable */
    ROTA_MEASURES,
};

ROTA_END_DECLS
#endif
