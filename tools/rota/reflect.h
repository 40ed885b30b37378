/* reflect.h - what a server serves, asked by reflection into a pool: v1, or v1alpha where v1 is not served. */
#ifndef ROTA_TOOL_REFLECT_H
#define ROTA_TOOL_REFLECT_H

#include "dynamic/pool.h"
#include <rota/rota.h>

struct rota_reflect {
    struct rota_channel *channel;
    struct rota_pool *pool;
    struct rota_loop *loop; /* the channel's */
    const struct rota_metadata *metadata; /* sent along; NULL: none */
    int64_t timeout_ms;     /* of each question, nine tenths of it at least */
    int64_t imports_ms;     /* of all questions about the imports of one file; not less than timeout_ms */
    struct rota_call *call; /* NULL: not open */
    int64_t opened_ns;
    size_t file_bytes;      /* in the pool; a server may send ever more */
    bool answered, older;   /* older: v1alpha */
    bool lost;              /* the server ended the stream; why is in the last *ret_why */
};

/* All return 0, or -1 with *ret_why. rota_reflect_close ends the stream that they share, which is a new one now and then. */

/* The names of all services, in one piece of memory that the caller frees. */
int rota_reflect_list(struct rota_reflect *r, char ***ret_names, size_t *ret_n, struct rota_status *ret_why);
/* Has the pool know and link the file that declares the name, with all it imports. NOT_FOUND: no file does. */
int rota_reflect_learn(struct rota_reflect *r, const char *name, struct rota_status *ret_why);
void rota_reflect_close(struct rota_reflect *r);

/* After a failure: empties the pool, whose files would stand in the way of others, and ends the stream, on which the server need not
 * send a file again. */
void rota_reflect_forget(struct rota_reflect *r);

#endif
