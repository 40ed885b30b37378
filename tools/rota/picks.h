/* picks.h - `rota watch TARGET --picks`: sample picks, with the reasons for them. */
#ifndef ROTA_TOOL_PICKS_H
#define ROTA_TOOL_PICKS_H

#include "connect.h"

struct rota_picks {
    const char *target;
    const char *method;         /* "package.Service/Method": picks without calls; NULL: health checks */
    const char *policy;         /* NULL: what the service config says */
    const char *service_config; /* NULL: the target's */
    long long every_ms, count;  /* count 0: until a signal comes */
    bool json;
};

/* Returns the program's exit code. */
int rota_picks_show(const struct rota_picks *picks, struct rota_connect *connect, struct rota_loop *loop);

#endif
