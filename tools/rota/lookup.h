/* lookup.h - the method that a verb is to call: what its messages look like, asked of the server or read from files. */
#ifndef ROTA_TOOL_LOOKUP_H
#define ROTA_TOOL_LOOKUP_H

#include "connect.h"
#include "reflect.h"
#include "requests.h"

struct rota_lookup {
    const char *verb, *target; /* for what is said on standard error */
    struct rota_loop *loop;
    struct rota_pool pool;
    struct rota_reflect reflect;
    const char *const *sets; /* files that protoc has made; with any, the server is not asked */
    size_t n_sets;
    const char *const *metadata; /* for rota_pairs_read; sent with calls and reflection's questions */
    size_t n_metadata;
    int64_t timeout_ms; /* of each of reflection's questions, if that is less than they have anyway; 0: it is not */
    enum rota_dyn_unknown unknown; /* fields in the requests */
};

/* With verb, target, files and metadata filled in: opens the rest, has `answer` do the work, closes. The exit code. */
int rota_lookup_run(struct rota_lookup *lookup, const struct rota_connect *connect, int (*answer)(void *arg), void *arg);

/* Reads the files. False after having said what is wrong with one. */
bool rota_lookup_load(struct rota_lookup *lookup);

/* Has the pool know the name, if anybody does; as rota_reflect_learn. */
int rota_lookup_learn(struct rota_lookup *lookup, const char *name, struct rota_status *ret_why);

/* Says why, with what might help; returns ROTA_EXIT_FAILED. */
int rota_lookup_fail(const struct rota_lookup *lookup, const struct rota_status *why);

/* NULL after having said why. */
const struct rota_dyn_method *rota_lookup_method(struct rota_lookup *lookup, const char *service, const char *method);

/* The messages of a call from `data`; no message is {}, or none where the method takes a stream and `none` allows it. False after
 * having said what is wrong; rota_requests_fini in either case. */
bool rota_lookup_requests(const struct rota_lookup *lookup, const struct rota_dyn_method *method, const char *const *data, size_t n_data, bool none,
                          struct rota_requests *ret_requests);

#endif
