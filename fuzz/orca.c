/* orca.c - a load report from anywhere: read or refused, and the same bytes again, cut anywhere, never read beyond their end. */
#include "lb/orca.h"
#include "base/assert.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rota_orca_metric metrics[] = {rota_orca_metric("named_metrics.q"), rota_orca_metric("cpu_utilization")};
    struct rota_orca_report report;
    struct rota_load_report by_name;
    double value;

    if (rota_orca_decode(rota_slice(data, size), metrics, ROTA_COUNT(metrics), &report)) {
        ROTA_ASSERT(report.named >= 0); /* NaN would fail here */
        ROTA_ASSERT(!(report.cpu_utilization > report.named));
        ROTA_ASSERT(rota_load_report_read(rota_slice(data, size), &by_name));
        ROTA_ASSERT(!rota_load_report_get(&by_name, "named_metrics.q", &value) || !(value > report.named));
    }
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1); /* so that a sanitizer sees the end */
        ROTA_ASSERT(copy != NULL);
        memcpy(copy + 1, data, cut);
        (void)rota_orca_decode(rota_slice(copy + 1, cut), metrics, ROTA_COUNT(metrics), &report);
        free(copy);
    }
    return 0;
}
