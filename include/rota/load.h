/* rota/load.h - what a server says of its load: ORCA reports (gRFC A51), as policies read them.
 *
 * A report comes in the trailers of a call, or out of band to a policy that asked for it (rota_lb_child_reports in rota/lb.h). How a
 * server of ours makes them: rota/orca.h.
 * Ownership: a report borrows the bytes it was read from.
 */
#ifndef ROTA_LOAD_H
#define ROTA_LOAD_H

#include <rota/metadata.h>

ROTA_BEGIN_DECLS

struct rota_load_report {
    double cpu_utilization, mem_utilization, application_utilization; /* 0: not said */
    double requests_per_s, errors_per_s;
    struct rota_slice bytes; /* all of it: an xds.data.orca.v3.OrcaLoadReport, well-formed */
};

/* False, nothing written: the bytes are no report. */
ROTA_API bool rota_load_report_read(struct rota_slice bytes, struct rota_load_report *ret_report);

/* The report in the trailers of a call; they may be NULL. False: there is none. */
ROTA_API bool rota_load_report_of(const struct rota_metadata *trailers, struct rota_load_report *ret_report);

/* A value by its name as gRFC A114 has it: "cpu_utilization", "mem_utilization", "application_utilization", "rps_fractional", "eps", or a
 * map and a key of it: "request_cost.KEY", "utilization.KEY", "named_metrics.KEY". False: the report does not have it. */
ROTA_API bool rota_load_report_get(const struct rota_load_report *report, const char *metric, double *ret_value);

ROTA_END_DECLS
#endif
