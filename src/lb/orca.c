/* orca.c - contract in orca.h. */
#include "lb/orca.h"
#include "base/assert.h"
#include "base/pb.h"

enum { MAP_KEY = 1, MAP_VALUE = 2 };

struct wanted {
    const struct rota_orca_metric *metrics;
    size_t count;
    double *greatest;
};

/* --- Fields --- */

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* --- Metrics asked for by name --- */

/* NaN is not greater than anything. */
static void consider(const struct wanted *wanted, uint64_t number, struct rota_slice key, double value)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (wanted->metrics[i].field == number && rota_slice_equal(wanted->metrics[i].key, key) && value > *wanted->greatest)
            *wanted->greatest = value;
}

static bool read_map_entry(struct rota_slice entry, struct rota_slice *ret_key, double *ret_value)
{
    struct rota_slice key = {NULL, 0};
    double value = 0;
    struct rota_pb field;

    while (entry.size > 0) {
        if (!rota_pb_take(&entry, &field))
            return false;
        if (field.number == MAP_KEY && field.wire == ROTA_PB_BYTES)
            key = field.bytes;
        else if (field.number == MAP_VALUE && field.wire == ROTA_PB_64)
            value = double_of(field.value);
    }
    *ret_key = key;
    *ret_value = value;
    return true;
}

static bool consider_map_entry(const struct rota_pb *entry, const struct wanted *wanted)
{
    struct rota_slice key;
    double value;

    if (!read_map_entry(entry->bytes, &key, &value))
        return false;
    consider(wanted, entry->number, key, value);
    return true;
}

static void keep_scalar(const struct rota_pb *field, struct rota_orca_report *report)
{
    switch (field->number) {
    case ROTA_ORCA_CPU:
        report->cpu_utilization = double_of(field->value);
        break;
    case ROTA_ORCA_MEM:
        report->mem_utilization = double_of(field->value);
        break;
    case ROTA_ORCA_APPLICATION:
        report->application_utilization = double_of(field->value);
        break;
    case ROTA_ORCA_RPS:
        report->requests_per_s = double_of(field->value);
        break;
    case ROTA_ORCA_EPS:
        report->errors_per_s = double_of(field->value);
        break;
    default:
        break; /* unknown to us */
    }
}

static void consider_scalars(const struct wanted *wanted, const struct rota_orca_report *report)
{
    const struct rota_slice none = {NULL, 0};

    consider(wanted, ROTA_ORCA_CPU, none, report->cpu_utilization);
    consider(wanted, ROTA_ORCA_MEM, none, report->mem_utilization);
    consider(wanted, ROTA_ORCA_APPLICATION, none, report->application_utilization);
    consider(wanted, ROTA_ORCA_RPS, none, report->requests_per_s);
    consider(wanted, ROTA_ORCA_EPS, none, report->errors_per_s);
}

bool rota_orca_decode(struct rota_slice bytes, const struct rota_orca_metric *metrics, size_t n_metrics, struct rota_orca_report *ret_report)
{
    struct rota_orca_report report = {0};
    struct wanted wanted = {metrics, n_metrics, &report.named};
    double old_rps = 0;
    struct rota_pb field;

    while (bytes.size > 0) {
        if (!rota_pb_take(&bytes, &field))
            return false;
        if (field.wire == ROTA_PB_BYTES && rota_orca_is_map(field.number) && !consider_map_entry(&field, &wanted))
            return false;
        if (field.wire == ROTA_PB_64)
            keep_scalar(&field, &report);
        if (field.number == ROTA_ORCA_RPS_OLD && field.wire == ROTA_PB_VARINT)
            old_rps = (double)field.value;
    }
    if (report.requests_per_s == 0)
        report.requests_per_s = old_rps;
    consider_scalars(&wanted, &report);
    *ret_report = report;
    return true;
}

bool rota_orca_find(struct rota_slice bytes, struct rota_orca_metric metric, double *ret_value)
{
    bool found = false;
    struct rota_slice key;
    struct rota_pb field;
    double value;

    while (bytes.size > 0 && rota_pb_take(&bytes, &field)) {
        if (field.number != metric.field)
            continue;
        if (field.wire == ROTA_PB_64 && !rota_orca_is_map(field.number)) {
            *ret_value = double_of(field.value);
            found = true;
        } else if (field.wire == ROTA_PB_BYTES && rota_orca_is_map(field.number) && read_map_entry(field.bytes, &key, &value) &&
                   rota_slice_equal(key, metric.key)) {
            *ret_value = value;
            found = true;
        }
    }
    return found;
}
