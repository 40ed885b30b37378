/* reflect.h - what a server serves, asked by reflection into a pool: v1, or v1alpha where v1 is not served. */
#ifndef ROTA_TOOL_REFLECT_H
#define ROTA_TOOL_REFLECT_H

#include "dynamic/pool.h"
#include <rota/rota.h>

struct rota_reflect {
    struct rota_channel *channel;
    struct rota_pool *pool;
    struct rota_call *call; /* NULL: not open */
    bool older;             /* v1alpha */
    int64_t timeout_ms;     /* for all questions of one stream */
};

/* All return 0, or -1 with *ret_why. rota_reflect_close ends the stream that they share. */

/* The names of all services, in one piece of memory that the caller frees. */
int rota_reflect_list(struct rota_reflect *r, char ***ret_names, size_t *ret_n, struct rota_status *ret_why);
/* Has the pool know and link the file that declares the name, with all it imports. NOT_FOUND: no file does. */
int rota_reflect_learn(struct rota_reflect *r, const char *name, struct rota_status *ret_why);
void rota_reflect_close(struct rota_reflect *r);

#endif
