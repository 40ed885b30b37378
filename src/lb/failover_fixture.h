/* failover_fixture.h - a policy as a user would write it, from rota/lb.h alone: two children, the second in reserve. */
#ifndef ROTA_LB_FAILOVER_FIXTURE_H
#define ROTA_LB_FAILOVER_FIXTURE_H

#include <rota/lb.h>

/* {"child": [a loadBalancingConfig list]}. Endpoints of weight 9 are the reserve, the others the main force. The reserve is
 * called up when the main force has failed, or is not READY after a second; it is dismissed when that is READY again. */
extern const struct rota_lb_class failover_policy;

/* Calls out, over all instances. */
extern int failover_calls_out;

#endif
