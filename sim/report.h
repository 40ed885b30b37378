/* report.h - results side by side: a table to read, JSON to work with, a drawing. Text is appended to a buffer. ROTA_ENOMEM. */
#ifndef ROTA_SIM_REPORT_H
#define ROTA_SIM_REPORT_H

#include "base/buffer.h"
#include "sim/result.h"

ROTA_MUST_USE rota_err rota_sim_report_table(const struct rota_sim_scenario *scenario, const struct rota_sim_result *const *results, size_t count,
                                             bool markdown, struct rota_buffer *out);
ROTA_MUST_USE rota_err rota_sim_report_json(const struct rota_sim_scenario *scenario, const struct rota_sim_result *const *results, size_t count,
                                            struct rota_buffer *out);
ROTA_MUST_USE rota_err rota_sim_report_svg(const struct rota_sim_scenario *scenario, const struct rota_sim_result *const *results, size_t count,
                                           struct rota_buffer *out);

/* "slow", "pause", ... of an episode. */
const char *rota_sim_verb_name(enum rota_sim_verb verb);

#endif
