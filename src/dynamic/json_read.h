/* json_read.h - what the files that read JSON into messages share. */
#ifndef ROTA_DYNAMIC_JSON_READ_H
#define ROTA_DYNAMIC_JSON_READ_H

#include "dynamic/json.h"
#include "wire/json_read.h"

#define ROTA_DYN_MAX_DEPTH 100

struct rota_dyn_reader {
    const struct rota_pool *pool;
    struct rota_buffer *out;
    const struct rota_alloc *alloc;
    enum rota_dyn_unknown unknown;
    int depth;
    struct rota_json_reader place; /* and the errinfo */
};

/* The content of a message, by its type's own form; the depth is counted here. */
rota_err rota_dyn_read_message(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_json *json);
/* The members of an object; `except` is passed over, NULL: none. */
rota_err rota_dyn_read_members(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_json *object, const char *except);
rota_err rota_dyn_read_special(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_json *json);
/* A field with its tag; one that JSON's zero stands for is written too when `always`. */
rota_err rota_dyn_read_scalar(struct rota_dyn_reader *r, const struct rota_dyn_field *field, const struct rota_dyn_json *json, bool always);

/* --- Bytes --- */

rota_err rota_dyn_no_memory(struct rota_dyn_reader *r);
rota_err rota_dyn_add_varint(struct rota_dyn_reader *r, uint64_t value);
rota_err rota_dyn_add_bytes(struct rota_dyn_reader *r, uint32_t number, struct rota_slice bytes); /* tag, length, bytes */
/* begin returns where the content starts; end puts tag and length before what has been written since. */
size_t rota_dyn_begin(struct rota_dyn_reader *r);
rota_err rota_dyn_end(struct rota_dyn_reader *r, size_t start, uint32_t number);

/* --- Scalars (json_scalar.c); false: no such value --- */

/* Whole numbers: JSON numbers that have no fraction when their exponent is worked in, or the same as text. */
bool rota_dyn_parse_signed(const struct rota_dyn_json *json, int64_t low, int64_t high, int64_t *ret_value);
bool rota_dyn_parse_unsigned(const struct rota_dyn_json *json, uint64_t high, uint64_t *ret_value);
/* The nearest float or double; "NaN", "Infinity", "-Infinity" too. */
bool rota_dyn_parse_real(const struct rota_dyn_json *json, bool is_float, double *ret_value);
/* Base64 of either alphabet, with or without padding, into `out` of at least text.size bytes. */
bool rota_dyn_parse_base64(struct rota_slice text, uint8_t *out, size_t *ret_size);

#endif
