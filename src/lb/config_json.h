/* config_json.h - what policies share when they read their parameters.
 *
 * Parameters are gRPC's JSON (service_config.proto in grpc/grpc-proto, in its JSON mapping): unknown fields are
 * ignored, a known one of the wrong type or range is ROTA_EPARSE with a sentence that names it.
 */
#ifndef ROTA_LB_CONFIG_JSON_H
#define ROTA_LB_CONFIG_JSON_H

#include <jansson.h>
#include <rota/lb.h>

/* Any JSON, as json_loadb, keys once only. A number that no integer holds harms only who reads it: where there is one, all are floating point. */
json_t *rota_lb_json_parse(struct rota_slice text, json_error_t *error);

/* The object in `json`, to be given back by json_decref. ROTA_EPARSE, ROTA_ENOMEM. */
rota_err rota_lb_json_load(struct rota_slice json, json_t **ret_object, struct rota_errinfo *info);

/* Each writes its output only when the field is there (null counts as absent). ROTA_EPARSE. */
rota_err rota_lb_json_bool(const json_t *object, const char *field, bool *ret_value, struct rota_errinfo *info);
/* protobuf's JSON form of a Duration: "1.5s", up to nine decimals and 10,000 years, of which 285 count; negative ones are refused. */
rota_err rota_lb_json_duration(const json_t *object, const char *field, int64_t *ret_ns, struct rota_errinfo *info);

/* A whole number below 2^32, or one as text, as protobuf's JSON form has it. */
rota_err rota_lb_json_u32(const json_t *object, const char *field, uint32_t *ret_value, struct rota_errinfo *info);
rota_err rota_lb_json_number(const json_t *object, const char *field, double *ret_value, struct rota_errinfo *info);
/* Borrowed from the object. */
rota_err rota_lb_json_text(const json_t *object, const char *field, const char **ret_text, struct rota_errinfo *info);
/* The field is an object too. */
rota_err rota_lb_json_object(const json_t *object, const char *field, const json_t **ret_object, struct rota_errinfo *info);
/* A list of policies, as loadBalancingConfig is one; it has to be there. */
rota_err rota_lb_json_policy(const struct rota_lb_env *env, const json_t *object, const char *field, struct rota_lb_config **ret_config,
                             struct rota_errinfo *info);

/* The whole of a policy's parse: a struct of size_bytes, zeroed, filled by `read`, freed by `free_config` should that fail. */
rota_err rota_lb_json_config(const struct rota_lb_env *env, struct rota_slice json, size_t size_bytes,
                             rota_err (*read)(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info),
                             void (*free_config)(const struct rota_lb_env *env, void *config), void **ret_config, struct rota_errinfo *info);
/* free_config of a struct that owns nothing. */
void rota_lb_json_config_free(const struct rota_lb_env *env, void *config);

#endif
