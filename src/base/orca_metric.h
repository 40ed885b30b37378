/* orca_metric.h - the metrics of an xds.data.orca.v3.OrcaLoadReport by their names (gRFC A51, A114), for those who write it and those who read it. */
#ifndef ROTA_BASE_ORCA_METRIC_H
#define ROTA_BASE_ORCA_METRIC_H

#include <rota/slice.h>

enum rota_orca_field {
    ROTA_ORCA_CPU = 1,
    ROTA_ORCA_MEM = 2,
    ROTA_ORCA_RPS_OLD = 3, /* whole requests per second, of old */
    ROTA_ORCA_REQUEST_COST = 4,
    ROTA_ORCA_UTILIZATION = 5,
    ROTA_ORCA_RPS = 6,
    ROTA_ORCA_EPS = 7,
    ROTA_ORCA_NAMED = 8,
    ROTA_ORCA_APPLICATION = 9,
};

struct rota_orca_metric {
    uint32_t field;        /* 0: no metric has that name */
    struct rota_slice key; /* in the field's map; empty for a scalar. Points into the name. */
};

/* "cpu_utilization", or a map and a key of it: "named_metrics.queue" (cut at the first dot). */
struct rota_orca_metric rota_orca_metric(const char *name);

static inline bool rota_orca_is_map(uint64_t field)
{
    return field == ROTA_ORCA_REQUEST_COST || field == ROTA_ORCA_UTILIZATION || field == ROTA_ORCA_NAMED;
}

#endif
