/* roster.c - see roster.h. */
#include "etcd/roster.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "etcd/watch.h"
#include <stdio.h>

#define WINDOW_NS ((int64_t)10 * 1000000000)
#define SUSPECT_NS ((int64_t)60 * 1000000000)
#define MAX_ATTRIBUTES 40

enum entry_state { LIVE, GOING, GONE, SUSPECT };

struct entry {
    struct rota_link link;
    const struct rota_endpoint *endpoint; /* NULL: no value could be read yet, or what was read has left; such an entry is LIVE */
    bool spoilt; /* the key is there, with a value that is no endpoint; what it was before goes as if the key had been deleted */
    int64_t mod_revision;
    int64_t lease;
    int64_t leaves_ns; /* GONE, SUSPECT */
    uint64_t value_hash;
    uint64_t round;
    enum entry_state state;
    size_t key_size;
    uint8_t key[];
};

static struct entry *entry_at(struct rota_link *link)
{
    return ROTA_CONTAINER(link, struct entry, link);
}

static struct rota_slice key_of(const struct entry *e)
{
    return rota_slice(e->key, e->key_size);
}

/* Dialects read one address each. */
static struct rota_slice address_of(const struct entry *e)
{
    return rota_slice_str(e->endpoint->addresses[0].text);
}

void rota_etcd_roster_init(struct rota_etcd_roster *r, const struct rota_alloc *alloc, const struct rota_log *log,
                           const struct rota_etcd_dialect *dialect, struct rota_slice prefix, uint64_t seed)
{
    *r = (struct rota_etcd_roster){.alloc = alloc, .log = log, .dialect = dialect, .prefix = prefix, .leave_ns = INT64_MAX};
    rota_map_init(&r->by_key, alloc, seed);
    rota_list_init(&r->entries);
}

/* For entries with an endpoint. */
static size_t *counter(struct rota_etcd_roster *r, const struct entry *e)
{
    switch (e->state) {
    case LIVE: return &r->live;
    case GOING: return &r->going;
    case GONE: return &r->gone;
    default: return &r->suspects;
    }
}

static void move(struct rota_etcd_roster *r, struct entry *e, enum entry_state state)
{
    --*counter(r, e);
    e->state = state;
    ++*counter(r, e);
}

static void set_spoilt(struct rota_etcd_roster *r, struct entry *e, bool spoilt)
{
    r->unreadable -= e->spoilt;
    e->spoilt = spoilt;
    r->unreadable += e->spoilt;
}

static void set_endpoint(struct rota_etcd_roster *r, struct entry *e, const struct rota_endpoint *endpoint)
{
    if (e->endpoint != NULL)
        --*counter(r, e);
    rota_endpoint_unref(e->endpoint);
    e->endpoint = endpoint;
    e->state = LIVE;
    if (endpoint != NULL)
        ++*counter(r, e);
}

static void drop(struct rota_etcd_roster *r, struct entry *e)
{
    set_spoilt(r, e, false);
    set_endpoint(r, e, NULL);
    rota_map_remove(&r->by_key, key_of(e));
    rota_list_remove(&e->link);
    rota_alloc_free(r->alloc, e);
}

/* The endpoint has left for good; a key that is there with a value that is none stays. */
static void expire(struct rota_etcd_roster *r, struct entry *e)
{
    r->changed |= e->state != GONE;
    if (e->spoilt)
        set_endpoint(r, e, NULL);
    else
        drop(r, e);
}

void rota_etcd_roster_fini(struct rota_etcd_roster *r)
{
    while (!rota_list_empty(&r->entries))
        drop(r, entry_at(r->entries.next));
    rota_map_fini(&r->by_key);
}

/* A copy of the endpoint that also tells where it comes from. */
static rota_err annotate(struct rota_etcd_roster *r, const struct rota_endpoint *plain, const struct rota_etcd_kv *kv, bool suspect,
                         const struct rota_endpoint **ret_endpoint)
{
    struct rota_attribute attributes[MAX_ATTRIBUTES];
    struct rota_endpoint full = *plain;
    char lease[24], revision[24];
    size_t n = 0;
    char *key = rota_alloc_text(r->alloc, kv->key);
    rota_err err;

    if (key == NULL)
        return ROTA_ENOMEM;
    rota_text_mend(key, kv->key.size);
    snprintf(lease, sizeof(lease), "%llx", (unsigned long long)kv->lease);
    snprintf(revision, sizeof(revision), "%lld", (long long)kv->mod_revision);
    for (size_t i = 0; i < plain->n_attributes && n < MAX_ATTRIBUTES - 4; i++)
        if (strncmp(plain->attributes[i].key, "etcd.", 5) != 0)
            attributes[n++] = plain->attributes[i];
    attributes[n++] = (struct rota_attribute){"etcd.key", key};
    attributes[n++] = (struct rota_attribute){"etcd.lease", lease};
    attributes[n++] = (struct rota_attribute){"etcd.mod_revision", revision};
    if (suspect)
        attributes[n++] = (struct rota_attribute){"etcd.suspect", "true"};
    full.attributes = attributes;
    full.n_attributes = n;
    err = rota_endpoint_new(r->alloc, &full, ret_endpoint);
    rota_alloc_free(r->alloc, key);
    return err;
}

static struct rota_slice tail_of(const struct rota_etcd_roster *r, struct rota_slice key)
{
    return rota_slice(key.data + r->prefix.size, key.size - r->prefix.size);
}

/* Reads the value; *ret_endpoint stays NULL when it is no endpoint. */
static rota_err read_value(struct rota_etcd_roster *r, const struct rota_etcd_kv *kv, const struct rota_endpoint **ret_endpoint, bool *ret_gone)
{
    const struct rota_endpoint *plain;
    struct rota_errinfo info = {{0}};
    rota_err err = r->dialect->read(r->alloc, tail_of(r, kv->key), kv->value, &plain, &info);

    if (err == ROTA_ENOMEM)
        return err;
    *ret_gone = err == ROTA_ENOTFOUND;
    if (err < 0) {
        if (!*ret_gone)
            rota_log_write(r->log, ROTA_LOG_WARN, "etcd", "%.*s: skipped: %s", (int)kv->key.size, (const char *)kv->key.data, info.text);
        return 0;
    }
    err = annotate(r, plain, kv, false, ret_endpoint);
    rota_endpoint_unref(plain);
    return err;
}

/* Takes the endpoint, NULL for a value that could not be read. */
static void fill(struct rota_etcd_roster *r, struct entry *e, const struct rota_etcd_kv *kv, uint64_t value_hash, const struct rota_endpoint *endpoint)
{
    e->value_hash = value_hash;
    e->round = r->round;
    set_spoilt(r, e, endpoint == NULL);
    if (endpoint != NULL) {
        e->mod_revision = kv->mod_revision;
        e->lease = kv->lease;
        set_endpoint(r, e, endpoint);
        r->changed = true;
    } else if (e->endpoint != NULL && e->state == LIVE) {
        move(r, e, GOING);
    }
}

/* Takes the endpoint. */
static rota_err add(struct rota_etcd_roster *r, const struct rota_etcd_kv *kv, uint64_t value_hash, const struct rota_endpoint *endpoint)
{
    struct entry *e = rota_alloc_zero(r->alloc, 1, sizeof(*e) + kv->key.size);
    rota_err err = ROTA_ENOMEM;

    if (e != NULL) {
        e->key_size = kv->key.size;
        memcpy(e->key, kv->key.data, kv->key.size);
        err = rota_map_set(&r->by_key, key_of(e), e);
    }
    if (err < 0) {
        rota_alloc_free(r->alloc, e);
        rota_endpoint_unref(endpoint);
        return err;
    }
    rota_list_append(&r->entries, &e->link);
    fill(r, e, kv, value_hash, endpoint);
    return 0;
}

/* Nothing new about it. The revision alone does not tell: a registry that came back empty counts anew. */
static bool unchanged(const struct entry *e, const struct rota_etcd_kv *kv, uint64_t value_hash)
{
    if (e->spoilt)
        return e->value_hash == value_hash;
    return e->state == LIVE && e->mod_revision == kv->mod_revision && e->lease == kv->lease && e->value_hash == value_hash;
}

rota_err rota_etcd_roster_put(struct rota_etcd_roster *r, const struct rota_etcd_kv *kv)
{
    struct entry *e = rota_map_get(&r->by_key, kv->key);
    uint64_t value_hash = rota_hash_bytes(kv->value, r->by_key.seed);
    const struct rota_endpoint *endpoint = NULL;
    bool gone = false;
    rota_err err;

    if (kv->key.size < r->prefix.size || memcmp(kv->key.data, r->prefix.data, r->prefix.size) != 0)
        return 0;
    if (!r->nested && r->dialect->foreign != NULL && r->dialect->foreign(tail_of(r, kv->key)))
        return 0;
    if (e != NULL && unchanged(e, kv, value_hash)) {
        e->round = r->round;
        return 0;
    }
    err = read_value(r, kv, &endpoint, &gone);
    if (err < 0)
        return err;
    if (gone) {
        rota_etcd_roster_delete(r, kv->key);
        return 0;
    }
    if (e == NULL)
        return add(r, kv, value_hash, endpoint);
    fill(r, e, kv, value_hash, endpoint);
    return 0;
}

void rota_etcd_roster_delete(struct rota_etcd_roster *r, struct rota_slice key)
{
    struct entry *e = rota_map_get(&r->by_key, key);

    if (e == NULL)
        return;
    if (e->endpoint == NULL) {
        drop(r, e);
        return;
    }
    set_spoilt(r, e, false);
    if (e->state == LIVE)
        move(r, e, GOING);
}

static void leave_at(struct rota_etcd_roster *r, struct entry *e, int64_t at_ns)
{
    e->leaves_ns = at_ns;
    if (r->live > 0 && at_ns < r->leave_ns)
        r->leave_ns = at_ns;
}

static void suspect(struct rota_etcd_roster *r, struct entry *e, int64_t now_ns)
{
    struct rota_etcd_kv kv = {.key = key_of(e), .mod_revision = e->mod_revision, .lease = e->lease};
    const struct rota_endpoint *marked;

    move(r, e, SUSPECT);
    leave_at(r, e, now_ns + SUSPECT_NS);
    r->changed = true;
    /* Without memory the endpoint goes on unmarked. */
    if (annotate(r, e->endpoint, &kv, true, &marked) < 0)
        return;
    rota_endpoint_unref(e->endpoint);
    e->endpoint = marked;
}

static void forget_gone(struct rota_etcd_roster *r, int64_t now_ns)
{
    struct rota_link *next;

    for (struct rota_link *link = r->entries.next; r->gone > 0 && link != &r->entries; link = next) {
        next = link->next;
        if (entry_at(link)->state == GONE && entry_at(link)->leaves_ns <= now_ns)
            expire(r, entry_at(link));
    }
}

/* The last live entry went, or the first one is back: then the suspects' time begins. */
static void mind_suspects(struct rota_etcd_roster *r, int64_t now_ns)
{
    if (r->live == 0 || r->suspects == 0) {
        r->leave_ns = INT64_MAX;
        return;
    }
    if (r->leave_ns != INT64_MAX)
        return;
    for (struct rota_link *link = r->entries.next; link != &r->entries; link = link->next)
        if (entry_at(link)->state == SUSPECT)
            leave_at(r, entry_at(link), now_ns + SUSPECT_NS);
}

void rota_etcd_roster_settle(struct rota_etcd_roster *r, int64_t now_ns)
{
    size_t lost;
    bool together;

    forget_gone(r, now_ns);
    lost = r->going + r->gone + r->suspects;
    together = r->going > 0 && (lost > r->live || r->doubtful);
    r->doubtful = false;
    if (together)
        rota_log_write(r->log, ROTA_LOG_WARN, "etcd", "%.*s: %zu of %zu servers left within %d s: their last known addresses stay in use",
                       (int)r->prefix.size, (const char *)r->prefix.data, lost, lost + r->live, (int)(WINDOW_NS / 1000000000));
    for (struct rota_link *link = r->entries.next; r->going + (together ? r->gone : 0) > 0 && link != &r->entries; link = link->next) {
        struct entry *e = entry_at(link);
        if (together && (e->state == GOING || e->state == GONE)) {
            suspect(r, e, now_ns);
        } else if (e->state == GOING) {
            move(r, e, GONE);
            e->leaves_ns = now_ns + WINDOW_NS;
            r->changed = true;
        }
    }
    mind_suspects(r, now_ns);
}

void rota_etcd_roster_list_begin(struct rota_etcd_roster *r)
{
    r->round++;
}

void rota_etcd_roster_doubt(struct rota_etcd_roster *r)
{
    r->doubtful = true;
}

bool rota_etcd_roster_list_end(struct rota_etcd_roster *r, int64_t now_ns)
{
    struct rota_link *link, *next;
    bool missing = false;

    for (link = r->entries.next; link != &r->entries; link = next) {
        struct entry *e = entry_at(link);
        next = link->next;
        if (e->round == r->round || (e->state != LIVE && !e->spoilt))
            continue;
        rota_etcd_roster_delete(r, key_of(e));
        missing = true;
    }
    rota_etcd_roster_settle(r, now_ns);
    return missing;
}

void rota_etcd_roster_tick(struct rota_etcd_roster *r, int64_t now_ns)
{
    struct rota_link *next;

    if (now_ns < r->leave_ns)
        return;
    r->leave_ns = INT64_MAX;
    for (struct rota_link *link = r->entries.next; link != &r->entries; link = next) {
        struct entry *e = entry_at(link);
        next = link->next;
        if (e->state == SUSPECT && e->leaves_ns <= now_ns)
            expire(r, e);
        else if (e->state == SUSPECT)
            leave_at(r, e, e->leaves_ns);
    }
}

int64_t rota_etcd_roster_deadline_ns(const struct rota_etcd_roster *r)
{
    return r->leave_ns;
}

bool rota_etcd_roster_take_changed(struct rota_etcd_roster *r)
{
    bool changed = r->changed;

    r->changed = false;
    return changed;
}

/* The addresses of the live entries, when there are suspects whose place they may have taken under other keys. */
static rota_err live_addresses(const struct rota_etcd_roster *r, struct rota_map *addresses)
{
    rota_err err = 0;

    rota_map_init(addresses, r->alloc, r->by_key.seed);
    for (struct rota_link *link = r->entries.next; err == 0 && r->suspects > 0 && r->live > 0 && link != &r->entries; link = link->next) {
        struct entry *e = entry_at(link);
        if (e->endpoint != NULL && e->state == LIVE)
            err = rota_map_set(addresses, address_of(e), e);
    }
    return err;
}

static bool in_use(const struct entry *e, const struct rota_map *live)
{
    if (e->endpoint == NULL || e->state == GONE)
        return false;
    return e->state != SUSPECT || rota_map_get(live, address_of(e)) == NULL;
}

const struct rota_endpoint **rota_etcd_roster_endpoints(struct rota_etcd_roster *r, size_t *ret_count)
{
    const struct rota_endpoint **list = rota_alloc_zero(r->alloc, r->live + r->going + r->suspects + 1, sizeof(*list));
    struct rota_map live;
    size_t n = 0;

    if (list == NULL)
        return NULL;
    if (live_addresses(r, &live) < 0) {
        rota_map_fini(&live);
        rota_alloc_free(r->alloc, list);
        return NULL;
    }
    for (struct rota_link *link = r->entries.next; link != &r->entries; link = link->next)
        if (in_use(entry_at(link), &live))
            list[n++] = entry_at(link)->endpoint;
    rota_map_fini(&live);
    *ret_count = n;
    return list;
}

/* --- For a watch --- */

static rota_err keep_put(void *keep, const struct rota_etcd_kv *kv)
{
    return rota_etcd_roster_put(keep, kv);
}

static void keep_delete(void *keep, struct rota_slice key)
{
    rota_etcd_roster_delete(keep, key);
}

static void keep_settle(void *keep, int64_t now_ns)
{
    rota_etcd_roster_settle(keep, now_ns);
}

static void keep_doubt(void *keep)
{
    rota_etcd_roster_doubt(keep);
}

static void keep_list_begin(void *keep)
{
    rota_etcd_roster_list_begin(keep);
}

static bool keep_list_end(void *keep, int64_t now_ns)
{
    return rota_etcd_roster_list_end(keep, now_ns);
}

static bool keep_tick(void *keep, int64_t now_ns)
{
    struct rota_etcd_roster *r = keep;
    size_t suspects = r->suspects;

    rota_etcd_roster_tick(r, now_ns);
    return r->suspects < suspects;
}

static int64_t keep_deadline_ns(const void *keep)
{
    return rota_etcd_roster_deadline_ns(keep);
}

const struct rota_etcd_keep_class rota_etcd_roster_keep = {
    .put = keep_put,
    .delete = keep_delete,
    .settle = keep_settle,
    .doubt = keep_doubt,
    .list_begin = keep_list_begin,
    .list_end = keep_list_end,
    .tick = keep_tick,
    .deadline_ns = keep_deadline_ns,
};
