/* load_values.c - contract in load_values.h. Source: protobuf's encoding; the ranges are those of C-core's and grpc-go's recorders. */
#include "services/load_values.h"
#include "base/alloc.h"
#include "base/pb.h"
#include "base/text.h"
#include <math.h>

#define MAX_KEY_BYTES 200
#define TAG(number, wire) ((uint8_t)((number) << 3 | (wire)))
#define DOUBLE_BYTES 8

static bool is_in_range(uint32_t field, double value)
{
    switch (field) {
    case ROTA_ORCA_MEM:
    case ROTA_ORCA_UTILIZATION:
        return value >= 0 && value <= 1;
    case ROTA_ORCA_CPU:
    case ROTA_ORCA_APPLICATION:
    case ROTA_ORCA_RPS:
    case ROTA_ORCA_EPS:
        return value >= 0 && isfinite(value);
    default:
        return isfinite(value);
    }
}

static bool is_same(struct rota_orca_metric a, struct rota_orca_metric b)
{
    return a.field == b.field && rota_slice_equal(a.key, b.key);
}

/* Where the value is linked, or the end. */
static struct rota_load_value **find(struct rota_load_values *values, struct rota_orca_metric metric)
{
    struct rota_load_value **link = &values->first;

    while (*link != NULL && !is_same((*link)->metric, metric))
        link = &(*link)->next;
    return link;
}

bool rota_load_values_have(const struct rota_load_values *values, struct rota_orca_metric metric)
{
    const struct rota_load_value *at = values->first;

    while (at != NULL && !is_same(at->metric, metric))
        at = at->next;
    return at != NULL;
}

rota_err rota_load_values_set(struct rota_load_values *values, const struct rota_alloc *alloc, const char *name, double value)
{
    struct rota_orca_metric metric = rota_orca_metric(name);
    struct rota_load_value **link, *fresh;

    if (metric.field == 0 || !is_in_range(metric.field, value) || !rota_text_is_utf8(metric.key)) /* peers refuse all of the report else */
        return ROTA_EINVAL;
    link = find(values, metric);
    if (*link != NULL) {
        (*link)->value = value;
        return 0;
    }
    if (values->count == ROTA_LOAD_VALUES_MAX || metric.key.size > MAX_KEY_BYTES)
        return ROTA_ELIMIT;
    fresh = rota_alloc_get(alloc, sizeof(*fresh) + metric.key.size);
    if (fresh == NULL)
        return ROTA_ENOMEM;
    *fresh = (struct rota_load_value){.metric = {metric.field, rota_slice(fresh->key, metric.key.size)}, .value = value};
    if (metric.key.size > 0)
        memcpy(fresh->key, metric.key.data, metric.key.size);
    *link = fresh;
    values->count++;
    return 0;
}

void rota_load_values_clear(struct rota_load_values *values, const struct rota_alloc *alloc, const char *name)
{
    struct rota_load_value **link = name == NULL ? &values->first : find(values, rota_orca_metric(name)), *at;

    while ((at = *link) != NULL) {
        *link = at->next;
        rota_alloc_free(alloc, at);
        values->count--;
        if (name != NULL)
            return;
    }
}

static uint8_t *put_double(uint8_t *to, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    for (int i = 0; i < DOUBLE_BYTES; i++)
        *to++ = (uint8_t)(bits >> (8 * i));
    return to;
}

rota_err rota_load_value_pack(struct rota_orca_metric metric, double value, struct rota_buffer *out)
{
    uint8_t *start = rota_buffer_reserve(out, metric.key.size + 2 * ROTA_PB_VARINT_SIZE + 3 + DOUBLE_BYTES), *to = start;
    uint8_t size_bytes[ROTA_PB_VARINT_SIZE];

    if (start == NULL)
        return ROTA_ENOMEM;
    if (!rota_orca_is_map(metric.field)) {
        *to++ = TAG(metric.field, ROTA_PB_64);
        to = put_double(to, value);
        rota_buffer_commit(out, (size_t)(to - start));
        return 0;
    }
    *to++ = TAG(metric.field, ROTA_PB_BYTES); /* an entry: {1: key, 2: value} */
    to += rota_pb_put_varint(to, 1 + rota_pb_put_varint(size_bytes, metric.key.size) + metric.key.size + 1 + DOUBLE_BYTES);
    *to++ = TAG(1, ROTA_PB_BYTES);
    to += rota_pb_put_varint(to, metric.key.size);
    if (metric.key.size > 0)
        memcpy(to, metric.key.data, metric.key.size);
    to += metric.key.size;
    *to++ = TAG(2, ROTA_PB_64);
    to = put_double(to, value);
    rota_buffer_commit(out, (size_t)(to - start));
    return 0;
}

rota_err rota_load_values_pack(const struct rota_load_values *values, const struct rota_load_values *but, struct rota_buffer *out)
{
    rota_err err = 0;

    for (const struct rota_load_value *at = values->first; at != NULL && err == 0; at = at->next)
        if (but == NULL || !rota_load_values_have(but, at->metric))
            err = rota_load_value_pack(at->metric, at->value, out);
    return err;
}
