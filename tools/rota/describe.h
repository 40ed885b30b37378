/* describe.h - services, messages and enums of a pool printed as their .proto would have them. */
#ifndef ROTA_TOOL_DESCRIBE_H
#define ROTA_TOOL_DESCRIBE_H

#include "dynamic/pool.h"

void rota_describe_service(const struct rota_dyn_service *service);
/* A message or enum of that name; false: there is none. */
bool rota_describe_type(const struct rota_pool *pool, const char *name);

#endif
