/* rota/orca.h - a server tells its clients how loaded it is: ORCA reports (gRFC A51), which weighted_round_robin turns into weights.
 *
 * A report goes in the trailers of a call, as "endpoint-load-metrics-bin", and out of band, by the service
 * xds.service.orca.v3.OpenRcaService, to clients that stream reports. It has what the library measures, if it is told to, in its place what
 * the program has set for the server, and in the place of both what the handler has set for its call.
 * Metrics have the names of gRFC A114: "cpu_utilization" (1: all that the server may use; it may exceed 1), "mem_utilization" (0 to 1),
 * "application_utilization" (may exceed 1), "rps_fractional" (requests per second), "eps" (errors per second), "utilization.KEY" (0 to 1),
 * "request_cost.KEY" and "named_metrics.KEY" (any number). What clients read of them: rota/load.h.
 * Threading: on the loop of the server. Ownership: the struct belongs to the server and goes with it.
 */
#ifndef ROTA_ORCA_H
#define ROTA_ORCA_H

#include <rota/server.h>

ROTA_BEGIN_DECLS

struct rota_orca;

struct rota_orca_options {
    size_t size;             /* set by ROTA_ORCA_OPTIONS_INIT */
    int64_t min_interval_ms; /* between reports out of band, whatever a client asks for; default 30 s */
    uint32_t max_streams;    /* of reports, open at a time; further ones end RESOURCE_EXHAUSTED; default 10000 */
    bool no_trailers;        /* only what handlers set goes in the trailers of their calls */
    bool measure;            /* once a second at most, when a report is made: CPU utilization, requests and errors (calls not ended OK) per second */
    double cores;            /* with measure: processors that the process may use up, for instance 0.5 of a container's quota; default: all
                              * that the system lets it run on. CPU utilization is the process's time on processors, over time, over this. */
};
#define ROTA_ORCA_OPTIONS_INIT ROTA_SIZED(struct rota_orca_options)

/* Adds the service, and trailers. options NULL: defaults. ret_orca may be NULL. ROTA_EEXIST, ROTA_EINVAL (an option is negative, or options.size is 0), ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_orca_add(struct rota_server *server, const struct rota_orca_options *options, struct rota_orca **ret_orca);

/* From now on in every report. ROTA_EINVAL: no metric has that name, or the value is out of its range; ROTA_ELIMIT: more than 64, or a key
 * longer than 200 bytes; ROTA_ENOMEM. Nothing has changed then. */
ROTA_API ROTA_MUST_USE rota_err rota_orca_set(struct rota_orca *orca, const char *metric, double value);
ROTA_API void rota_orca_clear(struct rota_orca *orca, const char *metric); /* NULL: all that were set */

/* Into the report of this call, before it is finished. Errors as above; ROTA_ESTATE: the server has no rota_orca. */
ROTA_API ROTA_MUST_USE rota_err rota_server_call_report(struct rota_server_call *call, const char *metric, double value);

ROTA_END_DECLS
#endif
