/* outlier_detection.h - what the policy's files share: its parameters. */
#ifndef ROTA_LB_OUTLIER_DETECTION_H
#define ROTA_LB_OUTLIER_DETECTION_H

#include "lb/outlier.h"

struct rota_outlier_detection_config {
    struct rota_outlier_config sweep;
    struct rota_lb_config *child;
};

rota_err rota_outlier_detection_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info);
void rota_outlier_detection_free_config(const struct rota_lb_env *env, void *config);

#endif
