/* orca.c - contract in orca.h. Source: protobuf's encoding (varints, tags, wire types 0, 1, 2 and 5). */
#include "lb/orca.h"
#include "base/assert.h"

enum { WIRE_VARINT = 0, WIRE_8_BYTES = 1, WIRE_LENGTH = 2, WIRE_4_BYTES = 5 };
enum { CPU = 1, MEM = 2, RPS_OLD = 3, REQUEST_COST = 4, UTILIZATION = 5, RPS = 6, EPS = 7, NAMED = 8, APPLICATION = 9 };
enum { MAP_KEY = 1, MAP_VALUE = 2 };

struct field {
    uint64_t number;
    unsigned wire;
    uint64_t value;          /* of VARINT, 8_BYTES, 4_BYTES */
    struct rota_slice bytes; /* of LENGTH */
};

struct wanted {
    const struct rota_orca_metric *metrics;
    size_t count;
    double *greatest;
};

static const struct {
    const char *name;
    uint32_t field;
    bool is_map;
} names[] = {
    {"cpu_utilization", CPU, false}, {"mem_utilization", MEM, false}, {"application_utilization", APPLICATION, false},
    {"rps_fractional", RPS, false}, {"eps", EPS, false},
    {"request_cost", REQUEST_COST, true}, {"utilization", UTILIZATION, true}, {"named_metrics", NAMED, true},
};

struct rota_orca_metric rota_orca_metric(const char *name)
{
    const char *dot = strchr(name, '.');
    size_t size = dot == NULL ? strlen(name) : (size_t)(dot - name);

    for (size_t i = 0; i < ROTA_COUNT(names); i++)
        if (names[i].is_map == (dot != NULL) && strlen(names[i].name) == size && memcmp(names[i].name, name, size) == 0)
            return (struct rota_orca_metric){names[i].field, dot == NULL ? rota_slice(NULL, 0) : rota_slice_str(dot + 1)};
    return (struct rota_orca_metric){0};
}

/* --- Fields --- */

static struct rota_slice skip(struct rota_slice from, size_t size)
{
    return rota_slice(from.data + size, from.size - size);
}

static bool read_varint(struct rota_slice *from, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < from->size && i < 10; i++) {
        value |= (uint64_t)(from->data[i] & 0x7F) << (7 * i);
        if (from->data[i] < 0x80) {
            *from = skip(*from, i + 1);
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool read_fixed(struct rota_slice *from, size_t size, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (from->size < size)
        return false;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | from->data[i];
    *from = skip(*from, size);
    *ret_value = value;
    return true;
}

static bool read_length(struct rota_slice *from, struct rota_slice *ret_bytes)
{
    uint64_t size;

    if (!read_varint(from, &size) || size > from->size)
        return false;
    *ret_bytes = rota_slice(from->data, (size_t)size);
    *from = skip(*from, (size_t)size);
    return true;
}

static bool read_field(struct rota_slice *from, struct field *ret_field)
{
    uint64_t tag;

    if (!read_varint(from, &tag) || tag >> 3 == 0)
        return false;
    *ret_field = (struct field){.number = tag >> 3, .wire = tag & 7};
    switch (ret_field->wire) {
    case WIRE_VARINT:
        return read_varint(from, &ret_field->value);
    case WIRE_8_BYTES:
        return read_fixed(from, 8, &ret_field->value);
    case WIRE_4_BYTES:
        return read_fixed(from, 4, &ret_field->value);
    case WIRE_LENGTH:
        return read_length(from, &ret_field->bytes);
    default:
        return false; /* groups: nobody sends them */
    }
}

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

static bool read_map_entry(const struct field *entry, const struct wanted *wanted)
{
    struct rota_slice left = entry->bytes, key = {NULL, 0};
    double value = 0;
    struct field field;

    while (left.size > 0) {
        if (!read_field(&left, &field))
            return false;
        if (field.number == MAP_KEY && field.wire == WIRE_LENGTH)
            key = field.bytes;
        else if (field.number == MAP_VALUE && field.wire == WIRE_8_BYTES)
            value = double_of(field.value);
    }
    consider(wanted, entry->number, key, value);
    return true;
}

static void keep_scalar(const struct field *field, struct rota_orca_report *report)
{
    switch (field->number) {
    case CPU:
        report->cpu_utilization = double_of(field->value);
        break;
    case MEM:
        report->mem_utilization = double_of(field->value);
        break;
    case APPLICATION:
        report->application_utilization = double_of(field->value);
        break;
    case RPS:
        report->requests_per_s = double_of(field->value);
        break;
    case EPS:
        report->errors_per_s = double_of(field->value);
        break;
    default:
        break; /* unknown to us */
    }
}

static bool is_map(uint64_t number)
{
    return number == REQUEST_COST || number == UTILIZATION || number == NAMED;
}

static void consider_scalars(const struct wanted *wanted, const struct rota_orca_report *report)
{
    const struct rota_slice none = {NULL, 0};

    consider(wanted, CPU, none, report->cpu_utilization);
    consider(wanted, MEM, none, report->mem_utilization);
    consider(wanted, APPLICATION, none, report->application_utilization);
    consider(wanted, RPS, none, report->requests_per_s);
    consider(wanted, EPS, none, report->errors_per_s);
}

bool rota_orca_decode(struct rota_slice bytes, const struct rota_orca_metric *metrics, size_t n_metrics, struct rota_orca_report *ret_report)
{
    struct rota_orca_report report = {0};
    struct wanted wanted = {metrics, n_metrics, &report.named};
    double old_rps = 0;
    struct field field;

    while (bytes.size > 0) {
        if (!read_field(&bytes, &field))
            return false;
        if (field.wire == WIRE_LENGTH && is_map(field.number) && !read_map_entry(&field, &wanted))
            return false;
        if (field.wire == WIRE_8_BYTES)
            keep_scalar(&field, &report);
        if (field.number == RPS_OLD && field.wire == WIRE_VARINT)
            old_rps = (double)field.value;
    }
    if (report.requests_per_s == 0)
        report.requests_per_s = old_rps;
    consider_scalars(&wanted, &report);
    *ret_report = report;
    return true;
}
