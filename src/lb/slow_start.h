/* slow_start.h - endpoints that have just come get fewer calls than their share, and more by and by (Envoy's slow start; gRFC A100 alike).
 *
 * One rule for all policies over a petiole, whatever they choose by: a cold leaf that was chosen is taken only so often, by chance, and
 * else the choice is made again. So its weight is multiplied by the factor, nothing has to be computed anew while it warms up, and
 * it cannot starve. Times are relative to when it came up (petiole.h).
 */
#ifndef ROTA_LB_SLOW_START_H
#define ROTA_LB_SLOW_START_H

#include <jansson.h>
#include <rota/lb.h>

/* Choices a pick makes at most; with all endpoints cold, so that each is refused as often, it matters little who is taken. */
#define ROTA_SLOW_START_TRIES 16

struct rota_slow_start {
    int64_t window_ns; /* 0: there is none */
    double aggression; /* 1: linear; more: most of the share comes early */
    double least;      /* the factor's floor */
};

/* max(least, (age / window)^(1 / aggression)), 1 from the window's end on. */
double rota_slow_start_factor(const struct rota_slow_start *slow, int64_t age_ns);

/* Reads "slowStartConfig" of a policy's parameters. ROTA_EPARSE. */
rota_err rota_slow_start_read(const json_t *object, struct rota_slow_start *slow, struct rota_errinfo *info);

/* parse of a policy without other parameters: its config is a struct rota_slow_start; free it by rota_lb_json_config_free. */
rota_err rota_slow_start_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info);

#endif
