/* config.h - a policy's name and its parsed parameters. Reading parameters: config_json.h. */
#ifndef ROTA_LB_CONFIG_H
#define ROTA_LB_CONFIG_H

#include <rota/lb.h>

struct rota_lb_config {
    const struct rota_lb_env *env;
    const struct rota_lb_class *class;
    void *parsed; /* by class->parse; NULL when it has none */
};

#endif
