/* lookup.h - the method that a verb is to call: what its messages look like, asked of the server or read from files. */
#ifndef ROTA_TOOL_LOOKUP_H
#define ROTA_TOOL_LOOKUP_H

#include "reflect.h"

struct rota_lookup {
    const char *verb, *target; /* for what is said on standard error */
    struct rota_pool *pool;
    struct rota_reflect reflect;
    const char *const *sets; /* files that protoc has made; with any, the server is not asked */
    size_t n_sets;
};

/* Reads the files. False after having said what is wrong with one. */
bool rota_lookup_load(struct rota_lookup *lookup);

/* Has the pool know the name, if anybody does; as rota_reflect_learn. */
int rota_lookup_learn(struct rota_lookup *lookup, const char *name, struct rota_status *ret_why);

/* Says why, with what might help; returns ROTA_EXIT_FAILED. */
int rota_lookup_fail(const struct rota_lookup *lookup, const struct rota_status *why);

/* NULL after having said why. */
const struct rota_dyn_method *rota_lookup_method(struct rota_lookup *lookup, const char *service, const char *method);

/* Metadata from texts "key: value" or "key=value"; blanks before the value go. NULL after having said what is wrong. */
struct rota_metadata *rota_lookup_metadata(const struct rota_lookup *lookup, const char *const *texts, size_t n);

#endif
