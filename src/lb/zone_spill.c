/* zone_spill.c - contract in zone_spill.h. */
#include "lb/zone_spill.h"
#include <math.h>

#define SPILL_MAX 0.95
#define BACK 0.01

void rota_zone_begin(struct rota_zone_group *group, int64_t now_ns)
{
    group->under_way++;
    group->since_us += now_ns / 1000;
}

void rota_zone_end(struct rota_zone_group *group, int64_t started_ns, int64_t ended_ns, enum rota_zone_end end)
{
    group->under_way--;
    group->since_us -= started_ns / 1000;
    if (group->under_way == 0)
        group->since_us = 0;
    if (end == ROTA_ZONE_UNTOLD)
        return;
    group->answered += end == ROTA_ZONE_ANSWERED;
    group->failed += end == ROTA_ZONE_FAILED;
    group->spent_ns += ended_ns > started_ns ? (double)(ended_ns - started_ns) : 0;
}

static double cost_ns(const struct rota_zone_group *group, int64_t now_ns)
{
    double cost = group->answered > 0 ? group->spent_ns / group->answered : group->failed > 0 ? INFINITY : 0;
    double age = group->under_way > 0 ? ((double)(now_ns / 1000) - (double)group->since_us / group->under_way) * 1000 : 0;

    return age > cost ? age : cost;
}

static bool is_enough(const struct rota_zone_group *group)
{
    return group->answered + group->failed >= ROTA_ZONE_SAMPLES;
}

static void restart(struct rota_zone_group *group)
{
    group->answered = group->failed = 0;
    group->spent_ns = 0;
}

bool rota_zone_compare(struct rota_zone_spill *s, int64_t now_ns)
{
    double was = s->spill, own_ns;

    s->next_ns = now_ns + ROTA_ZONE_PERIOD_NS;
    if (is_enough(&s->others)) {
        s->others_ns = cost_ns(&s->others, now_ns);
        restart(&s->others);
    }
    /* Calls that hang are as good as samples. */
    if (s->factor == 0 || s->others_ns == 0 || (!is_enough(&s->own) && s->own.under_way < ROTA_ZONE_SAMPLES))
        return false;
    own_ns = cost_ns(&s->own, now_ns);
    restart(&s->own);
    if (own_ns > s->factor * s->others_ns) {
        double excess = own_ns / (s->factor * s->others_ns);
        s->spill = 1 - (1 - s->spill) / (excess < 2 ? excess : 2);
    } else if (own_ns < (1 + s->factor) / 2 * s->others_ns) {
        s->spill -= BACK;
    }
    s->spill = s->spill > SPILL_MAX ? SPILL_MAX : s->spill < 0 ? 0 : s->spill;
    return s->spill != was;
}
