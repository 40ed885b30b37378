/* lb_policies.h - every policy of the library, for tests that take them all. */
#ifndef ROTA_TESTING_LB_POLICIES_H
#define ROTA_TESTING_LB_POLICIES_H

#include <rota/lb.h>

extern const struct rota_lb_class *const rota_test_policies[]; /* NULL-terminated */

/* A config for each, the parents among them over others: what conformance, memory sweeps and fuzzers go through. NULL-terminated. */
extern const char *const rota_test_lb_configs[];

#endif
