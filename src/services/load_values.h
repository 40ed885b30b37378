/* load_values.h - metrics set for a server or a call, and the report they make: an xds.data.orca.v3.OrcaLoadReport (gRFC A51).
 *
 * Pure. A list of values has each metric once.
 */
#ifndef ROTA_SERVICES_LOAD_VALUES_H
#define ROTA_SERVICES_LOAD_VALUES_H

#include "base/buffer.h"
#include "base/orca_metric.h"

#define ROTA_LOAD_VALUES_MAX 64

struct rota_load_value {
    struct rota_load_value *next;
    struct rota_orca_metric metric; /* key: its own */
    double value;
    uint8_t key[];
};

struct rota_load_values {
    struct rota_load_value *first;
    uint32_t count;
};

/* Sets or replaces; what it needs comes from alloc, and stays there until clear. ROTA_EINVAL, ROTA_ELIMIT, ROTA_ENOMEM: as rota_orca_set. */
rota_err rota_load_values_set(struct rota_load_values *values, const struct rota_alloc *alloc, const char *metric, double value);
void rota_load_values_clear(struct rota_load_values *values, const struct rota_alloc *alloc, const char *metric); /* NULL: all */
bool rota_load_values_have(const struct rota_load_values *values, struct rota_orca_metric metric);

/* Appends the value's field. ROTA_ENOMEM. */
rota_err rota_load_value_pack(struct rota_orca_metric metric, double value, struct rota_buffer *out);

/* The same of all that are not in `but`, which may be NULL. */
rota_err rota_load_values_pack(const struct rota_load_values *values, const struct rota_load_values *but, struct rota_buffer *out);

#endif
