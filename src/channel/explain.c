/* explain.c - picks with the reasons for them: the trace that policies write into, and who is told. */
#include "channel/explain.h"
#include "channel/subchannel.h"
#include <rota/explain.h>

enum rota_pick_verdict rota_explain_pick(struct rota_channel *channel, const struct rota_call_info *call, struct rota_pick *ret_pick, uint64_t *ret_number,
                                         const struct rota_explainer *explainer)
{
    struct rota_explained_pick explained = {.path = call->path, .attempt = call->attempt};
    struct rota_call_info traced = *call;
    struct rota_pick_trace trace;

    trace.n_notes = trace.n_left_out = 0; /* the notes themselves are 7 KiB that nobody reads before they are written */
    trace.policy = NULL;
    trace.depth = 0;
    traced.trace = &trace;
    explained.verdict = rota_balance_pick(channel, &traced, ret_pick, ret_number);
    if (explained.verdict == ROTA_PICK_OK)
        explained.address = ((const struct rota_subchannel *)ret_pick->subchannel->conn)->text;
    else if (explained.verdict != ROTA_PICK_WAIT)
        explained.why = ret_pick->why;
    explained.notes = trace.notes;
    explained.n_notes = trace.n_notes;
    explained.n_left_out = trace.n_left_out;
    explainer->tell(explainer->arg, &explained);
    return explained.verdict;
}

void rota_channel_explain(struct rota_channel *channel, const char *path, const struct rota_metadata *metadata, rota_explain tell, void *arg)
{
    const struct rota_explainer explainer = {tell, arg};
    struct rota_call_info call = {.path = path, .deadline_ns = INT64_MAX, .metadata = metadata};
    struct rota_outcome outcome = {.status = {ROTA_UNAVAILABLE, "a pick without a call"}};
    struct rota_pick pick = {0};
    uint64_t number = 0;

    rota_host_enter(channel->host);
    if (channel->shut)
        return;
    rota_channel_wake(channel);
    call.now_ns = outcome.started_ns = outcome.ended_ns = channel->host->now_ns;
    if (rota_explain_pick(channel, &call, &pick, &number, &explainer) == ROTA_PICK_OK && rota_balance_listens(channel, &pick, number))
        rota_balance_done(channel, &pick, &outcome);
}
