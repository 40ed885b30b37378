/* orca.h - reads a server's load report: xds.data.orca.v3.OrcaLoadReport in protobuf's wire format (gRFC A51, A114).
 *
 * Only what weights are computed from is kept; nothing is allocated. Reports come from the network: any bytes are fine. A scalar given
 * twice counts as the last one; of a map's entries under one key the greatest counts.
 */
#ifndef ROTA_LB_ORCA_H
#define ROTA_LB_ORCA_H

#include "base/orca_metric.h"
#include <rota/load.h>

struct rota_orca_report {
    double cpu_utilization, mem_utilization, application_utilization;
    double requests_per_s, errors_per_s;
    double named; /* the greatest of the metrics asked for; 0: none was there, or none was a number above 0 */
};

/* False, nothing written: the bytes are no report. */
bool rota_orca_decode(struct rota_slice bytes, const struct rota_orca_metric *metrics, size_t n_metrics, struct rota_orca_report *ret_report);

/* The metric's value, the last if there are several; of bytes that rota_orca_decode has taken. False: it is not there. */
bool rota_orca_find(struct rota_slice bytes, struct rota_orca_metric metric, double *ret_value);

#endif
