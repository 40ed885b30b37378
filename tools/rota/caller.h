/* caller.h - one call of a method that is known at run time only: JSON in, a line of JSON for each reply. */
#ifndef ROTA_TOOL_CALLER_H
#define ROTA_TOOL_CALLER_H

#include "requests.h"
#include <rota/rota.h>

struct rota_caller {
    struct rota_loop *loop;
    struct rota_channel *channel;
    const struct rota_pool *pool;
    const char *service; /* its full name */
    const struct rota_dyn_method *method;
    const struct rota_requests *requests;
    const struct rota_call_options *options;
    bool verbose; /* metadata on standard error */
};

/* Sends what there is while replies come, and returns an exit code, after "CODE: message" on standard error unless the status is OK. */
int rota_caller_run(const struct rota_caller *caller);

#endif
