/* stats.c - what a channel tells about itself. */
#include "channel/core.h"
#include "channel/subchannel.h"

struct rota_channel_stats rota_channel_stats(const struct rota_channel *channel)
{
    struct rota_channel_stats stats = {
        .calls = channel->counts.calls,
        .attempts = channel->counts.attempts,
        .retries = channel->counts.retries,
        .transparent_retries = channel->counts.transparent_retries,
        .hedges = channel->counts.hedges,
        .retries_throttled = channel->counts.throttled,
        .retries_over_budget = channel->counts.over_budget,
    };
    struct rota_map_entry *entry = NULL;

    while ((entry = rota_map_next(&channel->subchannels, entry)) != NULL) {
        const struct rota_subchannel *subchannel = entry->value;
        stats.subchannels++;
        stats.ready += subchannel->state == ROTA_CONN_READY;
        stats.connections += subchannel->state == ROTA_CONN_READY ? 1U + subchannel->n_extras : 0;
    }
    return stats;
}
