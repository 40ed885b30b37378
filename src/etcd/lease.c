/* lease.c - see lease.h for the rules. */
#include "etcd/lease.h"

#include "base/assert.h"
#include "base/moves.h"

#define SECOND_NS ((int64_t)1000000000)
#define BACKOFF_FIRST_NS 1e8
#define BACKOFF_MAX_NS 2e9
#define RETRY_STREAM_NS 1e8

#define BIT(state) (1u << ROTA_ETCD_LEASE_##state)

static const char *const state_names[] = {"WAITING", "GRANTING", "PUTTING", "HELD"};
static const uint32_t state_moves[] = {
    [ROTA_ETCD_LEASE_WAITING] = BIT(GRANTING),
    [ROTA_ETCD_LEASE_GRANTING] = BIT(PUTTING) | BIT(WAITING),
    [ROTA_ETCD_LEASE_PUTTING] = BIT(HELD) | BIT(WAITING) | BIT(GRANTING),
    [ROTA_ETCD_LEASE_HELD] = BIT(PUTTING) | BIT(GRANTING),
};
static const struct rota_moves moves = {"etcd lease", state_names, state_moves, ROTA_COUNT(state_names)};

void rota_etcd_lease_init(struct rota_etcd_lease *l, struct rota_rng *rng)
{
    *l = (struct rota_etcd_lease){.rng = rng, .state = ROTA_ETCD_LEASE_WAITING, .wake_ns = INT64_MAX};
}

static void grant(struct rota_etcd_lease *l)
{
    rota_moves_go(&moves, &l->state, ROTA_ETCD_LEASE_GRANTING);
    l->id = 0;
    l->wake_ns = INT64_MAX; /* the call has a deadline of its own */
    l->cmds |= ROTA_ETCD_LEASE_GRANT;
}

void rota_etcd_lease_start(struct rota_etcd_lease *l)
{
    grant(l);
}

static void tell(struct rota_etcd_lease *l, bool registered, const struct rota_status *why)
{
    l->registered = registered;
    l->why = *why;
    l->cmds |= ROTA_ETCD_LEASE_TELL;
}

static void back_off(struct rota_etcd_lease *l, const struct rota_status *why, int64_t now_ns)
{
    rota_moves_go(&moves, &l->state, ROTA_ETCD_LEASE_WAITING);
    l->backoff_ns = l->backoff_ns == 0 ? BACKOFF_FIRST_NS : l->backoff_ns * 1.6 < BACKOFF_MAX_NS ? l->backoff_ns * 1.6 : BACKOFF_MAX_NS;
    l->wake_ns = now_ns + (int64_t)rota_rng_between(l->rng, 0.5 * l->backoff_ns, l->backoff_ns);
    l->cmds |= ROTA_ETCD_LEASE_DROP;
    tell(l, false, why);
}

static void lost(struct rota_etcd_lease *l, const char *what)
{
    struct rota_status why;

    rota_status_set(&why, ROTA_NOT_FOUND, "%s", what);
    l->cmds |= ROTA_ETCD_LEASE_DROP;
    tell(l, false, &why);
    grant(l);
}

static void put(struct rota_etcd_lease *l)
{
    rota_moves_go(&moves, &l->state, ROTA_ETCD_LEASE_PUTTING);
    l->wake_ns = INT64_MAX;
    l->cmds |= ROTA_ETCD_LEASE_PUT;
}

void rota_etcd_lease_granted(struct rota_etcd_lease *l, const struct rota_status *status, int64_t id, int64_t ttl_seconds, int64_t now_ns)
{
    if (l->state != ROTA_ETCD_LEASE_GRANTING)
        return;
    if (status->code != ROTA_OK) {
        back_off(l, status, now_ns);
        return;
    }
    l->id = id;
    l->ttl_ns = (ttl_seconds < 1 ? 1 : ttl_seconds > INT32_MAX ? INT32_MAX : ttl_seconds) * SECOND_NS;
    l->alive_ns = now_ns;
    put(l);
}

void rota_etcd_lease_put_done(struct rota_etcd_lease *l, const struct rota_status *status, int64_t now_ns)
{
    static const struct rota_status well = {.code = ROTA_OK};

    if (l->state != ROTA_ETCD_LEASE_PUTTING)
        return;
    if (status->code != ROTA_OK) {
        back_off(l, status, now_ns);
        return;
    }
    rota_moves_go(&moves, &l->state, ROTA_ETCD_LEASE_HELD);
    l->backoff_ns = 0;
    l->wake_ns = now_ns + l->ttl_ns / 3;
    tell(l, true, &well);
}

void rota_etcd_lease_kept_alive(struct rota_etcd_lease *l, int64_t id, int64_t ttl_seconds, int64_t now_ns)
{
    if (l->state != ROTA_ETCD_LEASE_HELD || id != l->id)
        return;
    if (ttl_seconds <= 0) {
        lost(l, "the registry no longer knows the lease");
        return;
    }
    l->alive_ns = now_ns;
    l->ttl_ns = ttl_seconds * SECOND_NS;
    l->wake_ns = now_ns + l->ttl_ns / 3;
    l->cmds |= ROTA_ETCD_LEASE_LOOK;
}

void rota_etcd_lease_stream_ended(struct rota_etcd_lease *l, const struct rota_status *why, int64_t now_ns)
{
    int64_t again_ns = now_ns + (int64_t)rota_rng_between(l->rng, RETRY_STREAM_NS, 3 * RETRY_STREAM_NS);

    if (l->state != ROTA_ETCD_LEASE_HELD)
        return;
    l->why = *why;
    if (again_ns < l->wake_ns)
        l->wake_ns = again_ns;
}

void rota_etcd_lease_looked(struct rota_etcd_lease *l, bool found, int64_t lease_id)
{
    struct rota_status why;

    if (l->state != ROTA_ETCD_LEASE_HELD || (found && lease_id == l->id))
        return;
    rota_status_set(&why, ROTA_NOT_FOUND, found ? "somebody else registers under the same key: registering again" : "somebody deleted the key: registering again");
    tell(l, false, &why);
    put(l);
}

void rota_etcd_lease_tick(struct rota_etcd_lease *l, int64_t now_ns)
{
    if (now_ns < l->wake_ns)
        return;
    if (l->state == ROTA_ETCD_LEASE_WAITING) {
        grant(l);
        return;
    }
    if (l->state != ROTA_ETCD_LEASE_HELD)
        return;
    if (now_ns - l->alive_ns >= l->ttl_ns) {
        lost(l, "no answer from the registry for as long as the lease lasts");
        return;
    }
    l->cmds |= ROTA_ETCD_LEASE_KEEPALIVE;
    l->wake_ns = now_ns + l->ttl_ns / 3;
    /* Not later than the lease's end: that is when it counts as lost. */
    if (l->wake_ns > l->alive_ns + l->ttl_ns)
        l->wake_ns = l->alive_ns + l->ttl_ns;
}

unsigned rota_etcd_lease_take(struct rota_etcd_lease *l)
{
    unsigned cmds = l->cmds;

    l->cmds = 0;
    return cmds;
}
