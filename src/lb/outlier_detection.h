/* outlier_detection.h - what the policy's files share: its parameters. */
#ifndef ROTA_LB_OUTLIER_DETECTION_H
#define ROTA_LB_OUTLIER_DETECTION_H

#include "lb/outlier.h"
#include "lb/wrapper.h"

struct rota_outlier_detection_config {
    struct rota_wrapper_config wrapper;
    struct rota_outlier_config sweep;
};

rota_err rota_outlier_detection_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info);

#endif
