/* load_report.c - contract in rota/load.h. What a weight needs is read by orca.c. */
#include "base/pb.h"
#include "lb/orca.h"

bool rota_load_report_read(struct rota_slice bytes, struct rota_load_report *ret_report)
{
    struct rota_orca_report report;

    if (!rota_orca_decode(bytes, NULL, 0, &report))
        return false;
    *ret_report = (struct rota_load_report){
        .cpu_utilization = report.cpu_utilization,
        .mem_utilization = report.mem_utilization,
        .application_utilization = report.application_utilization,
        .requests_per_s = report.requests_per_s,
        .errors_per_s = report.errors_per_s,
        .bytes = bytes,
    };
    return true;
}

bool rota_load_report_of(const struct rota_metadata *trailers, struct rota_load_report *ret_report)
{
    struct rota_slice bytes;

    return trailers != NULL && rota_metadata_get(trailers, "endpoint-load-metrics-bin", &bytes) && rota_load_report_read(bytes, ret_report);
}

bool rota_load_report_get(const struct rota_load_report *report, const char *metric, double *ret_value)
{
    return rota_orca_find(report->bytes, rota_orca_metric(metric), ret_value);
}
