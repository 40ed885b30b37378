/* etcd_watch.c - the watch and its roster against a small registry that does what the bytes say: keys change, streams break, history is
 * compacted, the registry comes back empty or as another. However it went, once left alone the roster holds exactly the registry's keys.
 *
 * A byte is a step: its low three bits say which, the others with what.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "etcd/watch.h"
#include <stdio.h>

#define PREFIX "/grpclb/s/"
#define KEYS 8
#define HISTORY 4096
#define SECOND_NS ((int64_t)1000000000)

enum step { PUT, DELETE, STREAM, LIST, BREAK, TIME, COMPACT, RESTART };

struct change {
    uint8_t key;
    bool deleted;
};

/* The keys at a revision. */
struct reading {
    uint64_t cluster;
    int64_t revision;
    int64_t put_revision[KEYS];
};

struct model {
    /* The registry. history[r]: what revision r did. */
    uint64_t cluster;
    int64_t revision, compacted;
    struct change history[HISTORY];
    int64_t put_revision[KEYS]; /* 0: not there */
    /* What is under way to the client. */
    bool listing, streaming, created, asked, checking;
    bool served; /* the list was read, and is on its way */
    struct reading reading;
    int64_t first_revision, next_revision;
    /* The client. */
    int64_t now_ns;
    struct rota_rng rng;
    struct rota_etcd_roster roster;
    struct rota_etcd_watch watch;
    bool had_servers, in_parts;
};

struct batch {
    const struct model *m;
    int64_t first_revision;
};

static struct rota_etcd_kv kv_at(uint8_t key, int64_t revision)
{
    static char keys[KEYS][32], values[KEYS][32];

    snprintf(keys[key], sizeof(keys[0]), PREFIX "%c", 'a' + key);
    snprintf(values[key], sizeof(values[0]), "10.0.0.%d:%d", key + 1, (int)(revision % 60000) + 1);
    return (struct rota_etcd_kv){.key = rota_slice_str(keys[key]), .value = rota_slice_str(values[key]), .mod_revision = revision};
}

static struct rota_etcd_event event_at(const void *events, size_t i)
{
    const struct batch *batch = events;
    int64_t revision = batch->first_revision + (int64_t)i;
    const struct change *change = &batch->m->history[revision];

    return (struct rota_etcd_event){.deleted = change->deleted, .kv = kv_at(change->key, revision)};
}

static void check_servers_never_vanish(struct model *m)
{
    size_t in_use = m->roster.live + m->roster.going + m->roster.suspects;

    ROTA_ASSERT(in_use > 0 || !m->had_servers);
    m->had_servers |= in_use > 0;
}

static void carry_out(struct model *m)
{
    unsigned cmds = rota_etcd_watch_take(&m->watch);

    /* What changed is published, the parts of a batch only with the last. */
    ROTA_ASSERT((cmds & ROTA_ETCD_CMD_PUBLISH) != 0 || m->in_parts || !m->roster.changed);
    if (cmds & ROTA_ETCD_CMD_PUBLISH)
        (void)rota_etcd_roster_take_changed(&m->roster);
    if (cmds & ROTA_ETCD_CMD_CLOSE)
        m->streaming = m->listing = m->checking = false;
    if (cmds & ROTA_ETCD_CMD_LIST) {
        m->listing = true;
        m->served = false;
    }
    if (cmds & ROTA_ETCD_CMD_OPEN) {
        m->streaming = true;
        m->created = m->asked = false;
        m->first_revision = m->next_revision = m->watch.revision + 1;
    }
    if (cmds & ROTA_ETCD_CMD_PROGRESS)
        m->asked = m->streaming;
    if (cmds & ROTA_ETCD_CMD_CHECK)
        m->checking = true;
    check_servers_never_vanish(m);
}

static void change(struct model *m, uint8_t key, bool deleted)
{
    if (m->revision + 1 >= HISTORY || (deleted && m->put_revision[key] == 0))
        return;
    m->history[++m->revision] = (struct change){key, deleted};
    m->put_revision[key] = deleted ? 0 : m->revision;
}

static void answer(struct model *m, const struct rota_etcd_watch_answer *a)
{
    struct rota_etcd_watch_answer with_head = *a;

    with_head.head = (struct rota_etcd_head){m->cluster, m->revision};
    rota_etcd_watch_answered(&m->watch, &with_head, m->now_ns);
}

/* The stream's next answer: confirmed, compacted, a batch of changes whole or in pieces, or progress. */
static void stream(struct model *m, unsigned how)
{
    struct batch batch = {m, m->next_revision};
    int64_t left = m->revision - m->next_revision + 1;

    if (!m->streaming)
        return;
    if (!m->created) {
        m->created = true;
        answer(m, &(struct rota_etcd_watch_answer){.created = true});
    } else if (m->next_revision <= m->compacted) {
        m->streaming = false;
        answer(m, &(struct rota_etcd_watch_answer){.canceled = true, .compact_revision = m->compacted});
    } else if (left > 0) {
        size_t n = 1 + how % 4 < (size_t)left ? 1 + how % 4 : (size_t)left;
        m->next_revision += (int64_t)n;
        m->in_parts = how >= 16 && m->next_revision <= m->revision;
        answer(m, &(struct rota_etcd_watch_answer){.n_events = n, .event = event_at, .events = &batch, .fragment = m->in_parts});
    } else if (m->asked) {
        m->asked = false;
        /* A member says nothing before the revision that the watch begins at, unless it is an old one. */
        if (how >= 16 || m->revision >= m->first_revision)
            answer(m, &(struct rota_etcd_watch_answer){.event = event_at, .requested = true});
    }
}

/* Reads the list; what changes from here on may arrive before it. */
static void serve(struct model *m)
{
    if (!m->listing || m->served)
        return;
    m->served = true;
    m->reading = (struct reading){.cluster = m->cluster, .revision = m->revision};
    memcpy(m->reading.put_revision, m->put_revision, sizeof(m->put_revision));
}

static void list(struct model *m, bool fails, bool late)
{
    static const struct rota_status why = {.code = ROTA_UNAVAILABLE, .message = "no"};
    struct rota_etcd_head head;

    if (!m->listing)
        return;
    serve(m);
    head = (struct rota_etcd_head){m->reading.cluster, m->reading.revision};
    m->listing = m->served = false;
    if (fails && late) {
        rota_etcd_watch_list_late(&m->watch, &why, m->now_ns);
        return;
    }
    if (fails) {
        rota_etcd_watch_list_failed(&m->watch, &why, m->now_ns);
        return;
    }
    if (!rota_etcd_watch_list_begin(&m->watch, &head, m->now_ns))
        return;
    for (uint8_t key = 0; key < KEYS; key++) {
        struct rota_etcd_kv kv = kv_at(key, m->reading.put_revision[key]);
        if (m->reading.put_revision[key] != 0)
            rota_etcd_watch_list_kv(&m->watch, &kv);
    }
    rota_etcd_watch_list_end(&m->watch, &head, m->now_ns);
}

static void check(struct model *m, bool fails)
{
    struct rota_etcd_head head = {m->cluster, m->revision};

    if (m->checking && fails)
        rota_etcd_watch_check_failed(&m->watch, m->now_ns);
    else if (m->checking)
        rota_etcd_watch_checked(&m->watch, &head, m->now_ns);
    m->checking = false;
}

/* The list fails, is late, is read, or arrives; likewise the cluster's revision. */
static void answer_reads(struct model *m, unsigned how)
{
    check(m, how % 8 == 7);
    carry_out(m);
    if (how % 4 == 2)
        serve(m);
    else
        list(m, how % 4 == 3, how >= 16);
}

static void cut(struct model *m)
{
    static const struct rota_status why = {.code = ROTA_UNAVAILABLE, .message = "cut"};

    if (!m->streaming)
        return;
    m->streaming = false;
    rota_etcd_watch_ended(&m->watch, &why, m->now_ns);
}

static void pass(struct model *m, int64_t by_ns)
{
    int64_t until_ns = m->now_ns + by_ns;

    while (rota_etcd_watch_deadline_ns(&m->watch) <= until_ns) {
        if (rota_etcd_watch_deadline_ns(&m->watch) > m->now_ns)
            m->now_ns = rota_etcd_watch_deadline_ns(&m->watch);
        rota_etcd_watch_tick(&m->watch, m->now_ns);
        carry_out(m);
        ROTA_ASSERT(rota_etcd_watch_deadline_ns(&m->watch) > m->now_ns);
    }
    m->now_ns = until_ns;
}

/* It comes back empty, with or without another id; what was under way is lost. */
static void restart(struct model *m, bool another)
{
    m->cluster += another;
    m->revision = 1;
    m->compacted = 0;
    memset(m->put_revision, 0, sizeof(m->put_revision));
    cut(m);
    carry_out(m);
    list(m, true, false);
}

static void step(struct model *m, uint8_t byte)
{
    unsigned how = byte >> 3;

    switch ((enum step)(byte % 8)) {
    case PUT: change(m, (uint8_t)(how % KEYS), false); break;
    case DELETE: change(m, (uint8_t)(how % KEYS), true); break;
    case STREAM: stream(m, how); break;
    case LIST: answer_reads(m, how); break;
    case BREAK: cut(m); break;
    case TIME: pass(m, (int64_t)how * SECOND_NS / 2); break;
    case COMPACT: m->compacted = m->revision; break;
    case RESTART: restart(m, how % 2 == 1); break;
    }
    carry_out(m);
}

/* Everything under way arrives, and nothing breaks any more. */
static void leave_alone(struct model *m)
{
    for (int i = 0; i < 64 || m->next_revision <= m->revision; i++) {
        ROTA_ASSERT(i < 64 + HISTORY);
        stream(m, 0);
        carry_out(m);
        list(m, false, false);
        carry_out(m);
        check(m, false);
        carry_out(m);
        if (m->watch.state == ROTA_ETCD_WATCH_WAITING || m->watch.stale)
            pass(m, 2 * SECOND_NS);
    }
    ROTA_ASSERT(m->watch.state == ROTA_ETCD_WATCH_WATCHING && !m->watch.stale);
}

static void compare(struct model *m)
{
    size_t count, n_there = 0, n_live = 0;
    const struct rota_endpoint **endpoints = rota_etcd_roster_endpoints(&m->roster, &count);

    for (uint8_t key = 0; key < KEYS; key++)
        n_there += m->put_revision[key] != 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t key = (uint8_t)(endpoints[i]->addresses[0].ip[3] - 1);
        bool suspect = rota_endpoint_attribute(endpoints[i], "etcd.suspect") != NULL;
        n_live += !suspect;
        ROTA_ASSERT(key < KEYS && suspect == (m->put_revision[key] == 0));
        ROTA_ASSERT(suspect || endpoints[i]->addresses[0].port == m->put_revision[key] % 60000 + 1);
    }
    ROTA_ASSERT(n_live == n_there && m->roster.live == n_there && m->roster.going == 0);
    rota_alloc_free(NULL, endpoints);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct model m;

    memset(&m, 0, sizeof(m));
    m.cluster = m.revision = 1;
    m.now_ns = SECOND_NS;
    rota_rng_init(&m.rng, 1);
    rota_etcd_roster_init(&m.roster, NULL, NULL, &rota_etcd_grpclb, rota_slice_str(PREFIX), 1);
    rota_etcd_watch_init(&m.watch, &rota_etcd_roster_keep, &m.roster, &m.rng);
    rota_etcd_watch_start(&m.watch, m.now_ns);
    carry_out(&m);
    for (size_t i = 0; i < size_bytes && i < HISTORY; i++)
        step(&m, data[i]);
    leave_alone(&m);
    compare(&m);
    rota_etcd_roster_fini(&m.roster);
    return 0;
}
