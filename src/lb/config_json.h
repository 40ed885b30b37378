/* config_json.h - what policies share when they read their parameters.
 *
 * Parameters are gRPC's JSON (service_config.proto in grpc/grpc-proto, in its JSON mapping): unknown fields are
 * ignored, a known one of the wrong type or range is ROTA_EPARSE with a sentence that names it.
 */
#ifndef ROTA_LB_CONFIG_JSON_H
#define ROTA_LB_CONFIG_JSON_H

#include <jansson.h>
#include <rota/lb.h>

/* The object in `json`, to be given back by json_decref. ROTA_EPARSE, ROTA_ENOMEM. */
rota_err rota_lb_json_load(struct rota_slice json, json_t **ret_object, struct rota_errinfo *info);

/* Each writes its output only when the field is there (null counts as absent). ROTA_EPARSE. */
rota_err rota_lb_json_bool(const json_t *object, const char *field, bool *ret_value, struct rota_errinfo *info);
/* protobuf's JSON form of a Duration: "1.5s", up to nine decimals; negative ones are refused. */
rota_err rota_lb_json_duration(const json_t *object, const char *field, int64_t *ret_ns, struct rota_errinfo *info);

#endif
