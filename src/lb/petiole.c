/* petiole.c - contract in petiole.h.
 *
 * Invariants: by_hash holds every leaf, listed or retired, chained by same_hash; counts sums to n_listed; a leaf is in
 * `ready` exactly while its conn is READY; retired leaves are READY, and there are none while a listed one is. A leaf with calls
 * under way outlives its place in the list, so that a cookie stays good.
 * Elsewhere: the set of READY leaves (petiole_ready.c).
 */
#include "lb/petiole.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "lb/identity.h"
#include "lb/petiole_ready.h"

static const struct rota_leaf_hooks no_hooks = {.leaf_size = sizeof(struct rota_leaf)};

rota_err rota_petiole_init(struct rota_petiole *p, const struct rota_lb_env *env, const struct rota_leaf_hooks *hooks)
{
    p->env = env;
    rota_status_set(&p->failure, ROTA_UNAVAILABLE, "no server could be connected to");
    p->hooks = hooks == NULL ? &no_hooks : hooks;
    p->seed = (uint64_t)rota_lb_random_below(env, UINT32_MAX);
    rota_idmap_init(&p->by_hash, env->alloc);
    rota_list_init(&p->retired);
    rota_list_init(&p->gone);
    return rota_lb_config_named(env, "pick_first", &p->leaf_config);
}

/* --- Leaves --- */

static void leaf_release(struct rota_petiole *p, struct rota_leaf *leaf)
{
    rota_endpoint_unref(leaf->endpoint);
    rota_alloc_free(p->env->alloc, leaf);
}

void rota_petiole_fini(struct rota_petiole *p)
{
    if (p->env == NULL)
        return;
    for (size_t i = 0; i < p->n_listed; i++)
        leaf_release(p, p->listed[i].leaf);
    rota_list_take(&p->retired, &p->gone);
    while (!rota_list_empty(&p->retired))
        leaf_release(p, ROTA_CONTAINER(rota_list_pop(&p->retired), struct rota_leaf, retired));
    rota_idmap_fini(&p->by_hash);
    rota_alloc_free(p->env->alloc, p->listed);
    rota_alloc_free(p->env->alloc, p->ready);
    rota_lb_config_free(p->leaf_config);
}

static struct rota_leaf *leaf_find(const struct rota_petiole *p, const struct rota_endpoint *endpoint, uint64_t hash)
{
    struct rota_leaf *leaf = rota_idmap_get(&p->by_hash, hash);

    while (leaf != NULL && !rota_endpoint_same(leaf->endpoint, endpoint))
        leaf = leaf->same_hash;
    return leaf;
}

static void unhash(struct rota_petiole *p, struct rota_leaf *leaf)
{
    struct rota_leaf *first = rota_idmap_get(&p->by_hash, leaf->hash);

    if (first != leaf) {
        while (first->same_hash != leaf)
            first = first->same_hash;
        first->same_hash = leaf->same_hash;
    } else if (leaf->same_hash != NULL) {
        /* Replacing a value needs no memory. */
        ROTA_ASSERT(rota_idmap_set(&p->by_hash, leaf->hash, leaf->same_hash) == 0);
    } else {
        rota_idmap_remove(&p->by_hash, leaf->hash);
    }
}

static rota_err leaf_start(struct rota_petiole *p, struct rota_leaf *leaf, struct rota_lb_cmds *cmds)
{
    rota_err err = rota_lb_child_new(cmds, p->leaf_config, leaf, &leaf->child);

    if (err < 0)
        return err;
    err = rota_lb_child_endpoints(cmds, leaf->child, &leaf->endpoint, 1);
    if (err < 0) {
        rota_lb_child_free(cmds, leaf->child);
        leaf->child = NULL;
        return err;
    }
    rota_lb_child_heed(cmds, leaf->child, leaf->endpoint);
    if (p->report_ns != 0)
        rota_lb_child_reports(cmds, leaf->child, p->report_ns);
    return 0;
}

rota_err rota_petiole_wake(struct rota_petiole *p, struct rota_leaf *leaf, struct rota_lb_cmds *cmds)
{
    if (leaf->child == NULL)
        return leaf_start(p, leaf, cmds);
    rota_lb_child_exit_idle(cmds, leaf->child);
    return 0;
}

static rota_err leaf_enter(struct rota_petiole *p, struct rota_leaf *leaf, struct rota_lb_cmds *cmds)
{
    rota_err err = rota_idmap_set(&p->by_hash, leaf->hash, leaf);

    if (err < 0 || p->hooks->lazy)
        return err;
    err = leaf_start(p, leaf, cmds);
    if (err < 0)
        unhash(p, leaf);
    return err;
}

static rota_err leaf_new(struct rota_petiole *p, const struct rota_endpoint *endpoint, uint64_t hash, struct rota_lb_cmds *cmds,
                         struct rota_leaf **ret_leaf)
{
    struct rota_leaf *leaf = rota_alloc_zero(p->env->alloc, 1, p->hooks->leaf_size);
    rota_err err;

    if (leaf == NULL)
        return ROTA_ENOMEM;
    leaf->endpoint = rota_endpoint_ref(endpoint);
    leaf->hash = hash;
    leaf->conn = ROTA_CONN_IDLE;
    leaf->same_hash = rota_idmap_get(&p->by_hash, hash);
    rota_list_init(&leaf->retired);
    err = rota_alloc_reserve(p->env->alloc, &p->ready, &p->cap_ready, p->n_leaves + 1, sizeof(*p->ready));
    if (err == 0 && p->hooks->take_endpoint != NULL)
        err = p->hooks->take_endpoint(p, leaf, endpoint);
    if (err == 0) {
        err = leaf_enter(p, leaf, cmds);
        if (err < 0 && p->hooks->drop != NULL)
            p->hooks->drop(p, leaf);
    }
    if (err < 0) {
        leaf_release(p, leaf);
        return err;
    }
    p->n_leaves++;
    p->counts[leaf->conn]++;
    *ret_leaf = leaf;
    return 0;
}

static void leave_ready(struct rota_petiole *p, struct rota_leaf *leaf)
{
    if (leaf->ready_place == 0)
        return;
    if (p->hooks->leave != NULL)
        p->hooks->leave(p, leaf);
    rota_petiole_ready_remove(p, leaf);
}

static void come_ready(struct rota_petiole *p, struct rota_leaf *leaf)
{
    rota_petiole_ready_add(p, leaf);
    if (p->hooks->come != NULL)
        p->hooks->come(p, leaf);
}

/* The leaf is not counted any more. */
static void leaf_drop(struct rota_petiole *p, struct rota_leaf *leaf, struct rota_lb_cmds *cmds)
{
    leave_ready(p, leaf);
    if (p->hooks->drop != NULL)
        p->hooks->drop(p, leaf);
    unhash(p, leaf);
    rota_list_remove(&leaf->retired);
    rota_lb_child_free(cmds, leaf->child);
    leaf->child = NULL;
    p->n_leaves--;
    if (leaf->n_calls > 0) {
        leaf->is_gone = true;
        rota_list_append(&p->gone, &leaf->retired);
        return;
    }
    leaf_release(p, leaf);
}

void rota_petiole_end(struct rota_petiole *p, struct rota_leaf *leaf)
{
    ROTA_ASSERT(leaf->n_calls > 0);
    if (--leaf->n_calls > 0 || !leaf->is_gone)
        return;
    rota_list_remove(&leaf->retired);
    leaf_release(p, leaf);
}

static void drop_retired(struct rota_petiole *p, struct rota_lb_cmds *cmds)
{
    while (!rota_list_empty(&p->retired))
        leaf_drop(p, ROTA_CONTAINER(p->retired.next, struct rota_leaf, retired), cmds);
}

/* Whether the listed leaves can speak for themselves: one serves, or all have failed. */
static bool list_is_settled(const struct rota_petiole *p)
{
    return p->counts[ROTA_CONN_READY] > 0 || p->counts[ROTA_CONN_TRANSIENT_FAILURE] == p->n_listed;
}

/* --- A new list --- */

/* The part of the old and the new list between what is the same at both ends. */
struct middle {
    size_t from;
    size_t old_to, new_to;
};

static struct middle find_middle(const struct rota_petiole *p, const struct rota_endpoint *const *endpoints, size_t count)
{
    struct middle m = {0, p->n_listed, count};

    while (m.from < m.old_to && m.from < m.new_to && p->listed[m.from].endpoint == endpoints[m.from])
        m.from++;
    while (m.old_to > m.from && m.new_to > m.from && p->listed[m.old_to - 1].endpoint == endpoints[m.new_to - 1]) {
        m.old_to--;
        m.new_to--;
    }
    return m;
}

/* The endpoint's object is another now, though its addresses are the same. ROTA_ENOMEM: the leaf, or at least its child, goes on with the old one. */
static rota_err leaf_refresh(struct rota_petiole *p, struct rota_leaf *leaf, const struct rota_endpoint *endpoint, struct rota_lb_cmds *cmds)
{
    rota_err err = 0;

    if (leaf->endpoint == endpoint)
        return 0;
    if (p->hooks->take_endpoint != NULL)
        err = p->hooks->take_endpoint(p, leaf, endpoint);
    if (err == 0 && leaf->child != NULL)
        err = rota_lb_child_endpoints(cmds, leaf->child, &endpoint, 1);
    if (err < 0)
        return err;
    rota_endpoint_ref(endpoint);
    rota_endpoint_unref(leaf->endpoint);
    leaf->endpoint = endpoint;
    return 0;
}

/* The leaf for a listed endpoint; NULL when the list has had it before. ROTA_ENOMEM: there is none, or *ret_leaf has the old endpoint. */
static rota_err leaf_claim(struct rota_petiole *p, const struct rota_endpoint *endpoint, struct rota_lb_cmds *cmds, struct rota_leaf **ret_leaf)
{
    uint64_t hash = rota_lb_identity_hash(endpoint, p->seed);
    struct rota_leaf *leaf = leaf_find(p, endpoint, hash);

    if (leaf == NULL)
        return leaf_new(p, endpoint, hash, cmds, ret_leaf);
    *ret_leaf = NULL;
    if (!leaf->unmatched && !leaf->is_retired)
        return 0;
    if (leaf->is_retired) {
        p->counts[leaf->conn]++;
        rota_lb_child_heed(cmds, leaf->child, endpoint); /* what was known of it went with its place in the list */
    }
    leaf->unmatched = leaf->is_retired = false;
    rota_list_remove(&leaf->retired);
    *ret_leaf = leaf;
    return leaf_refresh(p, leaf, endpoint, cmds);
}

static rota_err fill_middle(struct rota_petiole *p, const struct rota_endpoint *const *endpoints, struct middle m, struct rota_listed *fresh,
                            struct rota_lb_cmds *cmds)
{
    size_t size = m.new_to - m.from;
    size_t start = size < 2 ? 0 : rota_lb_random_below(p->env, (uint32_t)size);
    rota_err failure = 0;

    for (size_t k = 0; k < size; k++) {
        size_t i = m.from + (start + k) % size;
        struct rota_leaf *leaf = NULL;
        rota_err err = leaf_claim(p, endpoints[i], cmds, &leaf);
        if (err < 0)
            failure = err;
        fresh[i] = (struct rota_listed){leaf == NULL ? NULL : leaf->endpoint, leaf};
    }
    return failure;
}

/* Closes the gaps that duplicates and failures left. */
static size_t compact(struct rota_listed *fresh, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (fresh[i].leaf != NULL)
            fresh[kept++] = fresh[i];
    return kept;
}

static void let_go(struct rota_petiole *p, struct rota_leaf *leaf)
{
    p->counts[leaf->conn]--;
    leaf->unmatched = false;
    leaf->is_retired = true;
    rota_list_append(&p->retired, &leaf->retired);
}

/* Leaves that are not READY have nothing to serve on with. */
static void drop_unready(struct rota_petiole *p, struct rota_lb_cmds *cmds)
{
    struct rota_link *next;

    for (struct rota_link *link = p->retired.next; link != &p->retired; link = next) {
        struct rota_leaf *leaf = ROTA_CONTAINER(link, struct rota_leaf, retired);
        next = link->next;
        if (leaf->conn != ROTA_CONN_READY)
            leaf_drop(p, leaf, cmds);
    }
}

rota_err rota_petiole_list(struct rota_petiole *p, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds,
                           bool *ret_changed)
{
    struct middle m = find_middle(p, endpoints, count);
    struct rota_listed *fresh = rota_alloc_zero(p->env->alloc, count, sizeof(*fresh));
    uint32_t n_ready = p->n_ready;
    rota_err err;

    if (fresh == NULL)
        return ROTA_ENOMEM;
    if (p->listed != NULL) {
        memcpy(fresh, p->listed, m.from * sizeof(*fresh));
        memcpy(fresh + m.new_to, p->listed + m.old_to, (count - m.new_to) * sizeof(*fresh));
    }
    for (size_t i = m.from; i < m.old_to; i++)
        p->listed[i].leaf->unmatched = true;
    err = fill_middle(p, endpoints, m, fresh, cmds);
    for (size_t i = m.from; i < m.old_to; i++)
        if (p->listed[i].leaf->unmatched)
            let_go(p, p->listed[i].leaf);
    rota_alloc_free(p->env->alloc, p->listed);
    p->listed = fresh;
    p->n_listed = compact(fresh, count);
    drop_unready(p, cmds);
    if (p->hooks->lazy || (list_is_settled(p) && (err == 0 || p->n_listed > 0)))
        drop_retired(p, cmds);
    *ret_changed = p->n_ready != n_ready;
    return err;
}

/* --- Events --- */

static void leaf_ready(struct rota_petiole *p, struct rota_leaf *leaf, enum rota_conn_state was)
{
    if (leaf->conn == ROTA_CONN_READY && was != ROTA_CONN_READY)
        come_ready(p, leaf);
    else if (leaf->conn != ROTA_CONN_READY)
        leave_ready(p, leaf);
}

bool rota_petiole_child(struct rota_petiole *p, struct rota_leaf *leaf, enum rota_conn_state conn, const struct rota_status *why,
                        struct rota_lb_cmds *cmds)
{
    uint8_t was = leaf->conn;
    bool changed = (was == ROTA_CONN_READY) != (conn == ROTA_CONN_READY);

    if (conn == ROTA_CONN_TRANSIENT_FAILURE && why != NULL)
        p->failure = *why;
    if (conn == ROTA_CONN_READY && leaf->ready_place != 0)
        p->ready[leaf->ready_place - 1].subchannel = rota_lb_child_sole(leaf->child); /* READY anew, perhaps by another address */
    if (leaf->is_retired) {
        if (conn != ROTA_CONN_READY)
            leaf_drop(p, leaf, cmds);
        return changed;
    }
    if (was == ROTA_CONN_TRANSIENT_FAILURE && conn != ROTA_CONN_READY)
        return false;
    leaf->conn = (uint8_t)conn;
    p->counts[was]--;
    p->counts[conn]++;
    leaf_ready(p, leaf, was);
    if (!rota_list_empty(&p->retired) && list_is_settled(p)) {
        drop_retired(p, cmds);
        changed = true;
    }
    return changed;
}

enum rota_conn_state rota_petiole_state(const struct rota_petiole *p)
{
    if (p->n_ready > 0)
        return ROTA_CONN_READY;
    return p->counts[ROTA_CONN_TRANSIENT_FAILURE] == p->n_listed ? ROTA_CONN_TRANSIENT_FAILURE : ROTA_CONN_CONNECTING;
}
