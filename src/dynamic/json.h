/* json.h - messages of a linked pool as JSON text, and JSON as messages.
 *
 * Follows protobuf's JSON mapping: 64-bit numbers are texts, bytes are base64, enums are names, fields go by their JSON names
 * (and are taken by either), extensions by "[full.name]", google.protobuf's well-known types have their own forms. Unknown
 * fields are left out, and JSON without a required one is refused. An Any whose type neither the pool knows nor google.protobuf
 * declares is written, and read, as {"@type": ..., "value": base64}.
 * Nesting is bounded, 100 messages as in protobuf. Both directions append to `out`, also when they fail half-way.
 */
#ifndef ROTA_DYNAMIC_JSON_H
#define ROTA_DYNAMIC_JSON_H

#include "base/buffer.h"
#include "dynamic/json_parse.h"
#include "dynamic/pool.h"

/* One line, without the end of it. ROTA_EPARSE: the bytes are no such message, info says where; ROTA_ENOMEM. */
rota_err rota_dyn_to_json(const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice bytes, struct rota_buffer *out,
                          struct rota_errinfo *info);

/* What is to be done with fields, and enum values by name, that the types do not have. */
enum rota_dyn_unknown { ROTA_DYN_REFUSE, ROTA_DYN_IGNORE };

/* ROTA_EPARSE: info names the place and what was expected; ROTA_ENOMEM. */
rota_err rota_dyn_from_json(const struct rota_pool *pool, const struct rota_dyn_message *type, const struct rota_dyn_json *json,
                            enum rota_dyn_unknown unknown, struct rota_buffer *out, struct rota_errinfo *info);

#endif
