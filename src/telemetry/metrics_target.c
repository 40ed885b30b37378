/* metrics_target.c - counts what a channel measures beside calls, by its target: connections (gRFC A94), weights of weighted_round_robin (A78).
 *
 * A program has few targets and these things are rare, so a target is looked for in a list. The bounds of weights are OpenTelemetry's for
 * histograms that say none.
 */
#include "base/alloc.h"
#include "telemetry/metrics.h"
#include <rota/channel.h>
#include <string.h>

const double rota_metrics_weights[ROTA_METRICS_WEIGHTS] = {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};

static struct rota_metrics_target *look(struct rota_metrics_target *first, const char *name)
{
    while (first != NULL && strcmp(first->name, name) != 0)
        first = first->next;
    return first;
}

/* NULL: there is no memory. */
static struct rota_metrics_target *find(struct rota_metrics *metrics, const char *name)
{
    struct rota_metrics_target *first = atomic_load_explicit(&metrics->targets, memory_order_acquire);
    struct rota_metrics_target *target = look(first, name), *mine;

    if (target != NULL)
        return target;
    mine = rota_alloc_zero(metrics->alloc, 1, sizeof(*mine) + strlen(name) + 1);
    if (mine == NULL)
        return NULL;
    memcpy(mine->name, name, strlen(name) + 1);
    do {
        target = look(first, name);
        mine->next = first;
    } while (target == NULL && !atomic_compare_exchange_weak_explicit(&metrics->targets, &first, mine, memory_order_acq_rel, memory_order_acquire));
    if (target == NULL)
        return mine;
    rota_alloc_free(metrics->alloc, mine);
    return target;
}

static void add_weight(struct rota_metrics_target *target, double weight)
{
    double sum = atomic_load_explicit(&target->sum_of_weights, memory_order_relaxed);

    rota_metrics_put(rota_metrics_weights, ROTA_METRICS_WEIGHTS, target->weights, weight);
    while (!atomic_compare_exchange_weak_explicit(&target->sum_of_weights, &sum, sum + weight, memory_order_relaxed, memory_order_relaxed))
        ;
}

void rota_metrics_measure(void *arg, const struct rota_channel *channel, enum rota_measure what, double value)
{
    struct rota_metrics_target *target = find(arg, rota_channel_target(channel));

    if (target == NULL)
        return;
    if (what == ROTA_MEASURE_WRR_WEIGHT)
        add_weight(target, value);
    else
        atomic_fetch_add_explicit(&target->counts[what], (uint64_t)value, memory_order_relaxed);
}

void rota_metrics_free_targets(struct rota_metrics *metrics)
{
    struct rota_metrics_target *target = atomic_load_explicit(&metrics->targets, memory_order_acquire);

    while (target != NULL) {
        struct rota_metrics_target *next = target->next;
        rota_alloc_free(metrics->alloc, target);
        target = next;
    }
}
