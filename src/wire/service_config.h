/* service_config.h - gRPC's service config: JSON to a checked, immutable structure.
 *
 * Unknown fields are ignored, bad known ones make the whole config invalid, with a sentence that names the place.
 * Policies are only located here (loadBalancingConfig's text); src/lb reads them. Source: gRFC A2, A6, A21, A24, A105;
 * service_config.proto in grpc/grpc-proto.
 */
#ifndef ROTA_WIRE_SERVICE_CONFIG_H
#define ROTA_WIRE_SERVICE_CONFIG_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>

struct rota_retry_policy {
    uint32_t max_attempts; /* 0: no policy */
    int64_t initial_backoff_ns, max_backoff_ns;
    double backoff_multiplier;
    uint32_t retryable_codes; /* bit c: status code c */
};

struct rota_hedging_policy {
    uint32_t max_attempts; /* 0: no policy */
    int64_t hedging_delay_ns;
    uint32_t non_fatal_codes;
};

struct rota_method_config {
    int64_t timeout_ns; /* INT64_MAX: none */
    int8_t wait_for_ready; /* -1 not set */
    size_t max_request_bytes, max_reply_bytes; /* SIZE_MAX: not set */
    struct rota_retry_policy retry;
    struct rota_hedging_policy hedging;
};

struct rota_service_config {
    char *json;                /* as given */
    char *lb_config;           /* the loadBalancingConfig list as JSON text; NULL: none */
    char *lb_policy;           /* the old loadBalancingPolicy, lower case; NULL: none */
    char *health_service;      /* healthCheckConfig.serviceName; NULL: none */
    uint32_t throttle_max_tokens_milli, throttle_ratio_milli; /* retryThrottling, in thousandths; 0: none */
    uint32_t max_connections;  /* connectionScaling.maxConnectionsPerSubchannel (gRFC A105); 1: not set */
    bool has_methods; /* else rota_service_config_method never finds any */
    struct rota_service_config_methods *methods;
};

/* ROTA_EPARSE, ROTA_ENOMEM. */
rota_err rota_service_config_parse(struct rota_slice json, const struct rota_alloc *alloc, struct rota_service_config **ret_config, struct rota_errinfo *info);
void rota_service_config_free(const struct rota_alloc *alloc, struct rota_service_config *config); /* NULL is fine */

/* The config for "/package.Service/Method": exact, then the service's, then the default's; NULL when none applies. */
const struct rota_method_config *rota_service_config_method(const struct rota_service_config *config, const char *path);

#endif
