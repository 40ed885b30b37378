/* lease.c - see lease.h for the rules. */
#include "etcd/lease.h"

#include "base/assert.h"
#include "base/moves.h"
#include <string.h>

#define SECOND_NS ((int64_t)1000000000)
#define BACKOFF_FIRST_NS 1e8
#define BACKOFF_MAX_NS 2e9
#define LOOK_NS (3 * SECOND_NS)
#define ANSWER_MAX_NS (5 * SECOND_NS)
#define LAST_LOOK_NS (SECOND_NS / 1000) /* not at once, so that a poll comes first */
#define TELL_AGAIN_NS (10 * SECOND_NS)
#define RETRY_LATE_PUT_NS ((int64_t)100000000)
/* With the pause above less than two thirds of the shortest lease, so that a put that timed out is made again under it. */
#define CALL_MIN_MS 500
#define CALL_MAX_MS 5000

#define BIT(state) (1u << ROTA_ETCD_LEASE_##state)

static const char *const state_names[] = {"WAITING", "GRANTING", "PUTTING", "HELD"};
static const uint32_t state_moves[] = {
    [ROTA_ETCD_LEASE_WAITING] = BIT(GRANTING) | BIT(PUTTING),
    [ROTA_ETCD_LEASE_GRANTING] = BIT(PUTTING) | BIT(WAITING),
    [ROTA_ETCD_LEASE_PUTTING] = BIT(HELD) | BIT(WAITING) | BIT(GRANTING),
    [ROTA_ETCD_LEASE_HELD] = BIT(PUTTING) | BIT(GRANTING),
};
static const struct rota_moves moves = {"etcd lease", state_names, state_moves, ROTA_COUNT(state_names)};

void rota_etcd_lease_init(struct rota_etcd_lease *l, struct rota_rng *rng)
{
    *l = (struct rota_etcd_lease){.rng = rng, .state = ROTA_ETCD_LEASE_WAITING, .wake_ns = INT64_MAX, .told_ns = INT64_MIN};
}

static void grant(struct rota_etcd_lease *l)
{
    rota_moves_go(&moves, &l->state, ROTA_ETCD_LEASE_GRANTING);
    l->id = 0;
    l->wake_ns = INT64_MAX; /* the call has a deadline of its own */
    l->cmds |= ROTA_ETCD_LEASE_GRANT;
}

void rota_etcd_lease_start(struct rota_etcd_lease *l, int64_t now_ns)
{
    l->wake_ns = now_ns;
}

static bool news(const struct rota_etcd_lease *l, bool registered, const struct rota_status *why, int64_t now_ns)
{
    if (l->told_ns == INT64_MIN || registered != l->registered || why->code != l->why.code)
        return true;
    return now_ns - l->told_ns >= TELL_AGAIN_NS && strcmp(why->message, l->why.message) != 0;
}

static void tell(struct rota_etcd_lease *l, bool registered, const struct rota_status *why, int64_t now_ns)
{
    if (!news(l, registered, why, now_ns))
        return;
    l->told_ns = now_ns;
    l->registered = registered;
    l->why = *why;
    l->cmds |= ROTA_ETCD_LEASE_TELL;
}

static double longer(double backoff_ns)
{
    return backoff_ns == 0 ? BACKOFF_FIRST_NS : backoff_ns * 1.6 < BACKOFF_MAX_NS ? backoff_ns * 1.6 : BACKOFF_MAX_NS;
}

static void back_off(struct rota_etcd_lease *l, const struct rota_status *why, int64_t now_ns)
{
    rota_moves_go(&moves, &l->state, ROTA_ETCD_LEASE_WAITING);
    l->backoff_ns = longer(l->backoff_ns);
    l->wake_ns = now_ns + (int64_t)rota_rng_between(l->rng, 0.5 * l->backoff_ns, l->backoff_ns);
    l->cmds |= ROTA_ETCD_LEASE_DROP;
    tell(l, false, why, now_ns);
}

static void lost(struct rota_etcd_lease *l, const struct rota_status *why, int64_t now_ns)
{
    l->cmds = (l->cmds & ~(unsigned)(ROTA_ETCD_LEASE_KEEPALIVE | ROTA_ETCD_LEASE_LOOK)) | ROTA_ETCD_LEASE_DROP;
    tell(l, false, why, now_ns);
    grant(l);
}

static void put(struct rota_etcd_lease *l)
{
    rota_moves_go(&moves, &l->state, ROTA_ETCD_LEASE_PUTTING);
    l->wake_ns = INT64_MAX;
    l->put_id = l->id;
    l->asked = false;
    l->cmds |= ROTA_ETCD_LEASE_PUT;
}

static void set_ttl(struct rota_etcd_lease *l, int64_t ttl_seconds)
{
    l->ttl_ns = (ttl_seconds < 1 ? 1 : ttl_seconds > INT32_MAX ? INT32_MAX : ttl_seconds) * SECOND_NS;
}

void rota_etcd_lease_granted(struct rota_etcd_lease *l, const struct rota_status *status, int64_t id, int64_t ttl_seconds, int64_t now_ns)
{
    struct rota_status bad;

    if (l->state != ROTA_ETCD_LEASE_GRANTING)
        return;
    if (status->code != ROTA_OK) {
        back_off(l, status, now_ns);
        return;
    }
    /* Under lease 0 the key would stay for ever. */
    if (id <= 0) {
        rota_status_set(&bad, ROTA_INTERNAL, "the registry granted no lease");
        back_off(l, &bad, now_ns);
        return;
    }
    l->id = id;
    set_ttl(l, ttl_seconds);
    l->alive_ns = now_ns;
    l->late = false;
    l->stream_backoff_ns = 0;
    put(l);
}

/* The next keepalive is due then; while that is long, the key is looked at in between. */
static void keep_alive_at(struct rota_etcd_lease *l, int64_t at_ns, int64_t now_ns)
{
    l->keep_ns = at_ns;
    l->wake_ns = at_ns - now_ns > LOOK_NS ? now_ns + LOOK_NS : at_ns;
}

void rota_etcd_lease_put_done(struct rota_etcd_lease *l, const struct rota_status *status, int64_t now_ns)
{
    static const struct rota_status well = {.code = ROTA_OK};

    if (l->state != ROTA_ETCD_LEASE_PUTTING)
        return;
    if (status->code != ROTA_OK) {
        if (status->code == ROTA_NOT_FOUND)
            l->id = 0;
        back_off(l, status, now_ns);
        /* It has waited long enough, and the lease grows old. */
        if (status->code == ROTA_DEADLINE_EXCEEDED && l->wake_ns > now_ns + RETRY_LATE_PUT_NS)
            l->wake_ns = now_ns + RETRY_LATE_PUT_NS;
        return;
    }
    rota_moves_go(&moves, &l->state, ROTA_ETCD_LEASE_HELD);
    l->backoff_ns = 0;
    keep_alive_at(l, l->alive_ns + l->ttl_ns / 3, now_ns);
    tell(l, true, &well, now_ns);
}

void rota_etcd_lease_kept_alive(struct rota_etcd_lease *l, int64_t id, int64_t ttl_seconds, int64_t now_ns)
{
    static const struct rota_status forgotten = {.code = ROTA_NOT_FOUND, .message = "the registry no longer knows the lease"};

    if (l->state != ROTA_ETCD_LEASE_HELD || id != l->id)
        return;
    if (ttl_seconds <= 0) {
        l->put_id = 0;
        lost(l, &forgotten, now_ns);
        return;
    }
    l->alive_ns = now_ns;
    l->asked = l->late = false;
    l->stream_backoff_ns = 0;
    set_ttl(l, ttl_seconds);
    keep_alive_at(l, now_ns + l->ttl_ns / 3, now_ns);
    l->cmds |= ROTA_ETCD_LEASE_LOOK;
}

/* The lease is held yet, so there is nothing to tell. A keepalive fails once, whatever is said of its stream afterwards. */
void rota_etcd_lease_stream_ended(struct rota_etcd_lease *l, const struct rota_status *why, int64_t now_ns)
{
    int64_t again_ns;

    if (l->state != ROTA_ETCD_LEASE_HELD)
        return;
    if (l->asked || l->stream_backoff_ns == 0)
        l->stream_backoff_ns = longer(l->stream_backoff_ns);
    again_ns = now_ns + (int64_t)rota_rng_between(l->rng, l->stream_backoff_ns, 3 * l->stream_backoff_ns);
    l->stream_why = *why;
    l->asked = false;
    if (again_ns < l->keep_ns)
        keep_alive_at(l, again_ns, now_ns);
}

void rota_etcd_lease_looked(struct rota_etcd_lease *l, bool found, int64_t lease_id, int64_t now_ns)
{
    struct rota_status why;

    if (l->state != ROTA_ETCD_LEASE_HELD || (found && lease_id == l->id))
        return;
    if (found)
        rota_status_set(&why, ROTA_ALREADY_EXISTS, "somebody else registers under the same key, with lease %llx: registering again", (unsigned long long)lease_id);
    else
        rota_status_set(&why, ROTA_NOT_FOUND, "somebody deleted the key: registering again");
    tell(l, false, &why, now_ns);
    put(l);
}

static void keep_alive(struct rota_etcd_lease *l, int64_t now_ns)
{
    if (l->asked) {
        l->cmds |= ROTA_ETCD_LEASE_DROP;
        l->answer_ns *= 2; /* or answers that are always that late would never count */
    } else {
        l->answer_ns = l->ttl_ns / 6 < ANSWER_MAX_NS ? l->ttl_ns / 6 : ANSWER_MAX_NS;
    }
    l->asked = true;
    l->cmds |= ROTA_ETCD_LEASE_KEEPALIVE;
    l->keep_ns = now_ns + l->answer_ns;
    /* Not later than the lease's end: that is when it counts as lost. */
    if (l->keep_ns > l->alive_ns + l->ttl_ns)
        l->keep_ns = l->alive_ns + l->ttl_ns;
    l->wake_ns = l->keep_ns;
}

/* A lease for each put that fails would be a trail of them, each as long as its TTL. */
static bool young(const struct rota_etcd_lease *l, int64_t now_ns)
{
    return l->id != 0 && now_ns - l->alive_ns < l->ttl_ns / 3 * 2;
}

static void expire(struct rota_etcd_lease *l, int64_t now_ns)
{
    static const char silence[] = "no answer from the registry for as long as the lease lasts";
    struct rota_status why;

    if (!l->late) {
        l->late = true;
        l->wake_ns = now_ns + LAST_LOOK_NS;
        return;
    }
    if (l->stream_backoff_ns == 0)
        rota_status_set(&why, ROTA_NOT_FOUND, "%s", silence);
    else
        rota_status_set(&why, ROTA_NOT_FOUND, "%s; the last stream of keepalives ended with %s: %s", silence, rota_code_name(l->stream_why.code),
                        l->stream_why.message);
    lost(l, &why, now_ns);
}

void rota_etcd_lease_tick(struct rota_etcd_lease *l, int64_t now_ns)
{
    if (now_ns < l->wake_ns)
        return;
    if (l->state == ROTA_ETCD_LEASE_WAITING && young(l, now_ns))
        put(l);
    else if (l->state == ROTA_ETCD_LEASE_WAITING)
        grant(l);
    else if (l->state == ROTA_ETCD_LEASE_HELD && now_ns - l->alive_ns >= l->ttl_ns)
        expire(l, now_ns);
    else if (l->state == ROTA_ETCD_LEASE_HELD && now_ns >= l->keep_ns)
        keep_alive(l, now_ns);
    else if (l->state == ROTA_ETCD_LEASE_HELD) {
        l->cmds |= ROTA_ETCD_LEASE_LOOK;
        keep_alive_at(l, l->keep_ns, now_ns);
    }
}

unsigned rota_etcd_lease_take(struct rota_etcd_lease *l)
{
    unsigned cmds = l->cmds;

    l->cmds = 0;
    return cmds;
}

int64_t rota_etcd_lease_call_ms(const struct rota_etcd_lease *l, int64_t asked_seconds)
{
    int64_t ttl_seconds = l->ttl_ns > 0 ? l->ttl_ns / SECOND_NS : asked_seconds;
    int64_t third_ms = ttl_seconds * 1000 / 3;

    return third_ms < CALL_MIN_MS ? CALL_MIN_MS : third_ms > CALL_MAX_MS ? CALL_MAX_MS : third_ms;
}

int64_t rota_etcd_lease_to_revoke(const struct rota_etcd_lease *l)
{
    return l->id != 0 ? l->id : l->put_id;
}
