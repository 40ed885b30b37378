/* orca_metric.c - contract in orca_metric.h. */
#include "base/orca_metric.h"
#include "base/assert.h"

static const struct {
    const char *name;
    enum rota_orca_field field;
} names[] = {
    {"cpu_utilization", ROTA_ORCA_CPU},
    {"mem_utilization", ROTA_ORCA_MEM},
    {"application_utilization", ROTA_ORCA_APPLICATION},
    {"rps_fractional", ROTA_ORCA_RPS},
    {"eps", ROTA_ORCA_EPS},
    {"request_cost", ROTA_ORCA_REQUEST_COST},
    {"utilization", ROTA_ORCA_UTILIZATION},
    {"named_metrics", ROTA_ORCA_NAMED},
};

struct rota_orca_metric rota_orca_metric(const char *name)
{
    const char *dot = strchr(name, '.');
    size_t size = dot == NULL ? strlen(name) : (size_t)(dot - name);

    for (size_t i = 0; i < ROTA_COUNT(names); i++)
        if (rota_orca_is_map(names[i].field) == (dot != NULL) && strlen(names[i].name) == size && memcmp(names[i].name, name, size) == 0)
            return (struct rota_orca_metric){names[i].field, dot == NULL ? rota_slice(NULL, 0) : rota_slice_str(dot + 1)};
    return (struct rota_orca_metric){0};
}
