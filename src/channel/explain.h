/* explain.h - picks with the reasons for them (rota/explain.h). */
#ifndef ROTA_CHANNEL_EXPLAIN_H
#define ROTA_CHANNEL_EXPLAIN_H

#include "channel/core.h"

/* As rota_balance_pick, and tells. */
enum rota_pick_verdict rota_explain_pick(struct rota_channel *channel, const struct rota_call_info *call, struct rota_pick *ret_pick, uint64_t *ret_number,
                                         const struct rota_explainer *explainer);

#endif
