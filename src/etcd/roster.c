/* roster.c - see roster.h. */
#include "etcd/roster.h"

#include "base/alloc.h"
#include "base/log.h"
#include <stdio.h>

#define WINDOW_NS ((int64_t)10 * 1000000000)
#define SUSPECT_NS ((int64_t)60 * 1000000000)
#define MAX_ATTRIBUTES 40

enum entry_state { LIVE, GOING, SUSPECT };

struct entry {
    struct rota_link link;
    const struct rota_endpoint *endpoint; /* NULL: the value could not be read */
    int64_t mod_revision;
    int64_t lease;
    int64_t leaves_ns; /* SUSPECT: INT64_MAX while the list is otherwise empty */
    uint64_t round;
    enum entry_state state;
    size_t key_size;
    uint8_t key[];
};

static struct entry *entry_at(struct rota_link *link)
{
    return ROTA_CONTAINER(link, struct entry, link);
}

void rota_etcd_roster_init(struct rota_etcd_roster *r, const struct rota_alloc *alloc, const struct rota_log *log,
                           const struct rota_etcd_dialect *dialect, size_t prefix_size, uint64_t seed)
{
    *r = (struct rota_etcd_roster){.alloc = alloc, .log = log, .dialect = dialect, .prefix_size = prefix_size};
    rota_map_init(&r->by_key, alloc, seed);
    rota_list_init(&r->entries);
}

/* Takes the entry out of the counts, or puts it back in. */
static void count(struct rota_etcd_roster *r, const struct entry *e, bool in)
{
    size_t *counter = e->endpoint == NULL ? &r->unreadable : e->state == SUSPECT ? &r->suspects : &r->live;

    *counter += in ? 1 : (size_t)-1;
}

static void drop(struct rota_etcd_roster *r, struct entry *e)
{
    count(r, e, false);
    r->changed |= e->endpoint != NULL;
    rota_map_remove(&r->by_key, rota_slice(e->key, e->key_size));
    rota_list_remove(&e->link);
    rota_endpoint_unref(e->endpoint);
    rota_alloc_free(r->alloc, e);
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

/* Reads the value; *ret_endpoint stays NULL when it is no endpoint. */
static rota_err read_value(struct rota_etcd_roster *r, const struct rota_etcd_kv *kv, const struct rota_endpoint **ret_endpoint, bool *ret_gone)
{
    struct rota_slice tail = rota_slice(kv->key.data + r->prefix_size, kv->key.size - r->prefix_size);
    const struct rota_endpoint *plain;
    struct rota_errinfo info = {{0}};
    rota_err err = r->dialect->read(r->alloc, tail, kv->value, &plain, &info);

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

static rota_err add(struct rota_etcd_roster *r, const struct rota_etcd_kv *kv, const struct rota_endpoint *endpoint)
{
    struct entry *e = rota_alloc_zero(r->alloc, 1, sizeof(*e) + kv->key.size);
    rota_err err = ROTA_ENOMEM;

    if (e != NULL) {
        e->key_size = kv->key.size;
        memcpy(e->key, kv->key.data, kv->key.size);
        err = rota_map_set(&r->by_key, rota_slice(e->key, e->key_size), e);
    }
    if (err < 0) {
        rota_alloc_free(r->alloc, e);
        rota_endpoint_unref(endpoint);
        return err;
    }
    e->endpoint = endpoint;
    e->mod_revision = kv->mod_revision;
    e->lease = kv->lease;
    e->round = r->round;
    rota_list_append(&r->entries, &e->link);
    count(r, e, true);
    r->changed |= endpoint != NULL;
    return 0;
}

rota_err rota_etcd_roster_put(struct rota_etcd_roster *r, const struct rota_etcd_kv *kv)
{
    struct entry *e = rota_map_get(&r->by_key, kv->key);
    const struct rota_endpoint *endpoint = NULL;
    bool gone = false;
    rota_err err;

    if (e != NULL && e->state == LIVE && e->mod_revision == kv->mod_revision) {
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
        return add(r, kv, endpoint);
    count(r, e, false);
    r->changed |= e->endpoint != NULL || endpoint != NULL;
    rota_endpoint_unref(e->endpoint);
    e->endpoint = endpoint;
    e->mod_revision = kv->mod_revision;
    e->lease = kv->lease;
    e->round = r->round;
    e->state = LIVE;
    count(r, e, true);
    return 0;
}

void rota_etcd_roster_delete(struct rota_etcd_roster *r, struct rota_slice key)
{
    struct entry *e = rota_map_get(&r->by_key, key);

    if (e == NULL || e->state != LIVE)
        return;
    if (e->endpoint == NULL)
        drop(r, e);
    else
        e->state = GOING;
}

static void suspect(struct rota_etcd_roster *r, struct entry *e, int64_t now_ns)
{
    struct rota_etcd_kv kv = {.key = rota_slice(e->key, e->key_size), .mod_revision = e->mod_revision, .lease = e->lease};
    const struct rota_endpoint *marked;

    count(r, e, false);
    e->state = SUSPECT;
    e->leaves_ns = now_ns + SUSPECT_NS;
    /* Without memory the endpoint goes on unmarked. */
    if (annotate(r, e->endpoint, &kv, true, &marked) == 0) {
        rota_endpoint_unref(e->endpoint);
        e->endpoint = marked;
    }
    count(r, e, true);
    r->changed = true;
}

void rota_etcd_roster_settle(struct rota_etcd_roster *r, int64_t now_ns)
{
    struct rota_link *link, *next;
    size_t going = 0;
    bool together;

    for (link = r->entries.next; link != &r->entries; link = link->next)
        going += entry_at(link)->state == GOING;
    if (r->window_base == 0 || now_ns - r->window_start_ns > WINDOW_NS) {
        r->window_start_ns = now_ns;
        r->window_base = r->live;
        r->window_lost = 0;
    }
    if (r->live - going > r->window_base)
        r->window_base = r->live - going;
    r->window_lost += going;
    together = r->window_lost * 2 > r->window_base;
    if (going > 0 && together)
        rota_log_write(r->log, ROTA_LOG_WARN, "etcd", "%zu of %zu servers left within %d s: their last known addresses stay in use", r->window_lost,
                       r->window_base, (int)(WINDOW_NS / 1000000000));
    for (link = r->entries.next; going > 0 && link != &r->entries; link = next) {
        next = link->next;
        if (entry_at(link)->state != GOING)
            continue;
        if (together)
            suspect(r, entry_at(link), now_ns);
        else
            drop(r, entry_at(link));
    }
}

void rota_etcd_roster_list_begin(struct rota_etcd_roster *r)
{
    r->round++;
}

void rota_etcd_roster_list_end(struct rota_etcd_roster *r, int64_t now_ns)
{
    struct rota_link *link, *next;

    for (link = r->entries.next; link != &r->entries; link = next) {
        struct entry *e = entry_at(link);
        next = link->next;
        if (e->round != r->round && e->state == LIVE)
            rota_etcd_roster_delete(r, rota_slice(e->key, e->key_size));
    }
    rota_etcd_roster_settle(r, now_ns);
}

void rota_etcd_roster_tick(struct rota_etcd_roster *r, int64_t now_ns)
{
    struct rota_link *link, *next;

    if (r->live == 0)
        return;
    for (link = r->entries.next; link != &r->entries; link = next) {
        next = link->next;
        if (entry_at(link)->state == SUSPECT && entry_at(link)->leaves_ns <= now_ns)
            drop(r, entry_at(link));
    }
}

int64_t rota_etcd_roster_deadline_ns(const struct rota_etcd_roster *r)
{
    int64_t earliest = INT64_MAX;

    if (r->live == 0 || r->suspects == 0)
        return INT64_MAX;
    for (struct rota_link *link = r->entries.next; link != &r->entries; link = link->next)
        if (entry_at(link)->state == SUSPECT && entry_at(link)->leaves_ns < earliest)
            earliest = entry_at(link)->leaves_ns;
    return earliest;
}

bool rota_etcd_roster_take_changed(struct rota_etcd_roster *r)
{
    bool changed = r->changed;

    r->changed = false;
    return changed;
}

const struct rota_endpoint **rota_etcd_roster_endpoints(struct rota_etcd_roster *r, size_t *ret_count)
{
    const struct rota_endpoint **list = rota_alloc_zero(r->alloc, r->live + r->suspects + 1, sizeof(*list));
    size_t n = 0;

    if (list == NULL)
        return NULL;
    for (struct rota_link *link = r->entries.next; link != &r->entries; link = link->next)
        if (entry_at(link)->endpoint != NULL)
            list[n++] = entry_at(link)->endpoint;
    *ret_count = n;
    return list;
}
