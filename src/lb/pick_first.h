/* pick_first.h - what pick_first's two files share: its parameters. */
#ifndef ROTA_LB_PICK_FIRST_H
#define ROTA_LB_PICK_FIRST_H

#include <rota/lb.h>

struct rota_pick_first_config {
    bool shuffle;             /* shuffleAddressList (A62) */
    int64_t attempt_delay_ns; /* connectionAttemptDelay, an extension of ours: the happy-eyeballs delay (A61) */
};

rota_err rota_pick_first_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info);
/* What its picks choose; NULL when they do not. */
struct rota_lb_subchannel *rota_pick_first_selected(const void *state);

void rota_pick_first_free_config(const struct rota_lb_env *env, void *config);

#endif
