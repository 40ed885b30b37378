/* json_read.h - typed reading of JSON as protobuf writes it, with the place of a mistake in the sentence.
 *
 * Absent and null are the same: 0 is returned and the output is left as it was. A wrong type or value is ROTA_EPARSE
 * and "PLACE: what is wrong". Source: protobuf's JSON mapping.
 */
#ifndef ROTA_WIRE_JSON_READ_H
#define ROTA_WIRE_JSON_READ_H

#include <jansson.h>
#include <rota/err.h>
#include <rota/slice.h>

#define ROTA_JSON_PLACE_SIZE 200

struct rota_json_reader {
    char place[ROTA_JSON_PLACE_SIZE]; /* "methodConfig[0].timeout"; "" at the top */
    struct rota_errinfo *info;
};

/* what: its name in the sentence. ROTA_EPARSE with line and column, ROTA_ENOMEM. Duplicate keys and anything behind the value are refused. */
rota_err rota_json_load(const char *what, struct rota_slice text, json_t **ret_json, struct rota_errinfo *info);

/* Steps down; the result is what rota_json_leave takes. */
size_t rota_json_enter(struct rota_json_reader *r, const char *key);
size_t rota_json_enter_index(struct rota_json_reader *r, size_t index);
void rota_json_leave(struct rota_json_reader *r, size_t mark);

/* Returns ROTA_EPARSE and says it of the present place. */
rota_err rota_json_bad(struct rota_json_reader *r, const char *format, ...) ROTA_PRINTF(2, 3);
/* The same of a member. */
rota_err rota_json_bad_member(struct rota_json_reader *r, const char *key, const char *sentence);

rota_err rota_json_object(struct rota_json_reader *r, const json_t *parent, const char *key, const json_t **ret_object);
rota_err rota_json_array(struct rota_json_reader *r, const json_t *parent, const char *key, const json_t **ret_array);
rota_err rota_json_text(struct rota_json_reader *r, const json_t *parent, const char *key, const char **ret_text); /* the JSON's own */
rota_err rota_json_bool(struct rota_json_reader *r, const json_t *parent, const char *key, bool *ret_bool, bool *ret_seen);
/* A number without fraction, or the same as text; within 0..max. */
rota_err rota_json_uint(struct rota_json_reader *r, const json_t *parent, const char *key, uint64_t max, uint64_t *ret_number, bool *ret_seen);
/* A number, or one as text; finite. */
rota_err rota_json_double(struct rota_json_reader *r, const json_t *parent, const char *key, double *ret_number, bool *ret_seen);
/* "1.5s", not negative; more than int64 holds is INT64_MAX. */
rota_err rota_json_duration(struct rota_json_reader *r, const json_t *parent, const char *key, int64_t *ret_ns, bool *ret_seen);

#endif
