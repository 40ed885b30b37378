/* json_write.h - what the two files that write JSON share, and the pieces of JSON text themselves. */
#ifndef ROTA_DYNAMIC_JSON_WRITE_H
#define ROTA_DYNAMIC_JSON_WRITE_H

#include "base/pb.h"
#include "dynamic/json.h"

#define ROTA_DYN_MAX_DEPTH 100

struct rota_dyn_writer {
    const struct rota_pool *pool;
    struct rota_buffer *out;
    const struct rota_alloc *alloc;
    int depth;
    struct rota_errinfo *info;
};

/* A value by its type's own form; the depth is counted here. */
rota_err rota_dyn_write_message(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice bytes);
/* The members of an object without its braces; *first says whether one has been written before. */
rota_err rota_dyn_write_members(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice bytes, bool *first);
/* A number, text, bytes, enum: `value` is a field as it is on the wire, or an empty one for the default. */
rota_err rota_dyn_write_scalar(struct rota_dyn_writer *w, const struct rota_dyn_field *field, const struct rota_pb *value);
/* The special ones that do not consist of their fields' JSON. */
rota_err rota_dyn_write_special(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice bytes);

enum rota_pb_wire rota_dyn_wire_of(enum rota_dyn_type type);

/* ROTA_ENOMEM or ROTA_EPARSE (no UTF-8). */
rota_err rota_dyn_put(struct rota_dyn_writer *w, const char *text);
rota_err rota_dyn_put_text(struct rota_dyn_writer *w, struct rota_slice text);
rota_err rota_dyn_put_bytes(struct rota_dyn_writer *w, struct rota_slice bytes); /* base64 */
rota_err rota_dyn_put_double(struct rota_dyn_writer *w, double value, bool is_float);

#endif
