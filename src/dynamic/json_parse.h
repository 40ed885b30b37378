/* json_parse.h - JSON text (RFC 8259) as a tree in which numbers are still the digits that were written, so that none is lost.
 *
 * Strict: what is not UTF-8, lone surrogates, a key twice in one object, and nesting deeper than ROTA_DYN_JSON_DEPTH are refused.
 * Ownership: the tree and its texts are the arena's; the text that was read is needed no more.
 */
#ifndef ROTA_DYNAMIC_JSON_PARSE_H
#define ROTA_DYNAMIC_JSON_PARSE_H

#include "base/arena.h"
#include <rota/err.h>

#define ROTA_DYN_JSON_DEPTH 256 /* more than messages may be nested, each with a list or map around it */

enum rota_dyn_json_kind { ROTA_DYN_NULL, ROTA_DYN_FALSE, ROTA_DYN_TRUE, ROTA_DYN_NUMBER, ROTA_DYN_TEXT, ROTA_DYN_ARRAY, ROTA_DYN_OBJECT };

struct rota_dyn_json {
    enum rota_dyn_json_kind kind;
    struct rota_slice key;  /* of a member */
    struct rota_slice text; /* a text, or a number as it was written; a zero that does not count is behind it, and behind the key */
    const struct rota_dyn_json *first, *next; /* elements or members, in order */
    size_t n;
};

/* Takes the value at *at and the blanks on both sides of it. ROTA_EPARSE: info has line and column, counted from the start of
 * `text`; ROTA_ENOMEM. */
rota_err rota_dyn_json_parse(struct rota_slice text, size_t *at, struct rota_arena *arena, const struct rota_dyn_json **ret_json,
                             struct rota_errinfo *info);

/* NULL: no object, or no such member. */
const struct rota_dyn_json *rota_dyn_json_get(const struct rota_dyn_json *object, const char *key);

/* How long the number is that the text begins with; 0: none. */
size_t rota_dyn_json_number_size(struct rota_slice text);

#endif
