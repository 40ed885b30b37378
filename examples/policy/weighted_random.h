/* weighted_random.h - a policy written outside the library: each call goes to a server by chance, in proportion to its weight. */
#ifndef WEIGHTED_RANDOM_H
#define WEIGHTED_RANDOM_H

#include <rota/lb.h>

extern const struct rota_lb_class weighted_random;

#endif
