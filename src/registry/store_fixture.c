/* store_fixture.c - see store_fixture.h. */
#include "registry/store_fixture.h"

#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)
#define MAX_WORDS 16
#define KEY_SIZE 64

struct words {
    char *word[MAX_WORDS];
    size_t n;
};

void store_fixture_say(struct store_fixture *f, const char *format, ...)
{
    va_list args;
    int n;

    if (f->out_size > 0 && f->out_size + 1 < sizeof(f->out))
        f->out[f->out_size++] = ' ';
    va_start(args, format);
    n = vsnprintf(f->out + f->out_size, sizeof(f->out) - f->out_size, format, args);
    va_end(args);
    f->out_size += (size_t)n;
    assert_true(f->out_size < sizeof(f->out));
}

void store_fixture_status(struct store_fixture *f, const struct rota_status *status)
{
    static const char prefix[] = "etcdserver: ";
    const char *text = status->message;

    if (strstr(text, "out of memory") != NULL)
        f->out_of_memory = true;
    store_fixture_say(f, "%s", strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text);
}

static void no_memory(struct store_fixture *f)
{
    f->out_of_memory = true;
    store_fixture_say(f, "ENOMEM");
}

/* --- Words --- */

static bool flag(const struct words *w, const char *name)
{
    for (size_t i = 1; i < w->n; i++)
        if (strcmp(w->word[i], name) == 0)
            return true;
    return false;
}

/* What follows the name, or NULL. */
static const char *option(const struct words *w, const char *name)
{
    for (size_t i = 1; i < w->n; i++)
        if (strncmp(w->word[i], name, strlen(name)) == 0)
            return w->word[i] + strlen(name);
    return NULL;
}

static int64_t number(const struct words *w, const char *name)
{
    const char *text = option(w, name);

    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

struct rota_store_range store_fixture_range(const char *key, const char *end, char *prefix_end)
{
    struct rota_store_range range = {.key = rota_slice_str(key)};

    if (end == NULL || strcmp(end, "-") == 0)
        return range;
    if (strcmp(end, "*") == 0) {
        range.end = ROTA_SLICE("\0");
    } else if (strcmp(end, "+") == 0) {
        snprintf(prefix_end, KEY_SIZE, "%s", key);
        prefix_end[strlen(prefix_end) - 1]++;
        range.end = rota_slice_str(prefix_end);
    } else {
        range.end = rota_slice_str(end);
    }
    return range;
}

/* The END among the words, if there is one at that place: options have a sign or are known. */
static const char *end_at(const struct words *w, size_t at)
{
    static const char *const flags[] = {"prev", "desc", "keys", "count", "full", "noput", "nodel"};

    if (at >= w->n || strpbrk(w->word[at], "=<>") != NULL)
        return NULL;
    for (size_t i = 0; i < ROTA_COUNT(flags); i++)
        if (strcmp(w->word[at], flags[i]) == 0)
            return NULL;
    return w->word[at];
}

/* --- Keys --- */

static void say_kv(struct store_fixture *f, const struct rota_store_kv *kv, bool full)
{
    int key_size = (int)kv->key.size, value_size = (int)kv->value.size;

    if (full)
        store_fixture_say(f, "%.*s=%.*s/%d/%d/%d/%d", key_size, (const char *)kv->key.data, value_size, (const char *)kv->value.data,
                          (int)kv->create_revision, (int)kv->mod_revision, (int)kv->version, (int)kv->lease);
    else if (value_size > 20)
        store_fixture_say(f, "%.*s=%dx", key_size, (const char *)kv->key.data, value_size);
    else
        store_fixture_say(f, "%.*s=%.*s", key_size, (const char *)kv->key.data, value_size, (const char *)kv->value.data);
}

void store_fixture_read(struct store_fixture *f, const struct rota_store_read_result *read, bool full)
{
    for (size_t i = 0; i < read->n; i++)
        say_kv(f, &read->kvs[i], full);
    if (read->n == 0 && read->count == 0)
        store_fixture_say(f, "none");
    if (read->more)
        store_fixture_say(f, "...");
    if (read->count != (int64_t)read->n)
        store_fixture_say(f, "(%d)", (int)read->count);
}

/* false after a failure was told */
static bool run_op(struct store_fixture *f, const struct rota_store_op *op, struct rota_store_op_result *result)
{
    struct rota_status status = rota_store_do(f->store, op, &f->arena.as_alloc, result);

    if (!rota_status_ok(&status))
        store_fixture_status(f, &status);
    return rota_status_ok(&status);
}

static void do_put(struct store_fixture *f, const struct words *w)
{
    static char many[4096];
    struct rota_store_op_result result;
    struct rota_store_op op = {.kind = ROTA_STORE_OP_PUT};
    char *rest;
    long size = strtol(w->word[2], &rest, 10);

    op.put = (struct rota_store_put){.key = rota_slice_str(strcmp(w->word[1], "_") == 0 ? "" : w->word[1]),
                                     .value = rota_slice_str(strcmp(w->word[2], "_") == 0 ? "" : w->word[2]),
                                     .lease = number(w, "lease="),
                                     .prev_kv = flag(w, "prev"),
                                     .ignore_value = flag(w, "ignore_value"),
                                     .ignore_lease = flag(w, "ignore_lease")};
    if (size > 0 && strcmp(rest, "x") == 0) {
        memset(many, 'x', sizeof(many));
        op.put.value = rota_slice(many, (size_t)size);
    }
    if (!run_op(f, &op, &result))
        return;
    store_fixture_say(f, "r%d", (int)rota_store_revision(f->store));
    if (op.put.prev_kv)
        store_fixture_read(f, &result.read, false);
}

static enum rota_store_sort_target target_of(const char *name)
{
    static const char *const names[] = {"key", "version", "create", "mod", "value"};

    for (size_t i = 0; name != NULL && i < ROTA_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum rota_store_sort_target)i;
    return ROTA_STORE_BY_KEY;
}

static void do_get(struct store_fixture *f, const struct words *w)
{
    char prefix_end[KEY_SIZE];
    struct rota_store_op_result result;
    struct rota_store_op op = {.kind = ROTA_STORE_OP_READ};

    op.read = (struct rota_store_read){.range = store_fixture_range(strcmp(w->word[1], "_") == 0 ? "" : w->word[1], end_at(w, 2), prefix_end),
                                       .limit = number(w, "limit="),
                                       .revision = number(w, "rev="),
                                       .order = flag(w, "desc") ? ROTA_STORE_DESCENDING : ROTA_STORE_UNSORTED,
                                       .target = target_of(option(w, "by=")),
                                       .keys_only = flag(w, "keys"),
                                       .count_only = flag(w, "count"),
                                       .min_mod_revision = number(w, "mod>="),
                                       .max_mod_revision = number(w, "mod<="),
                                       .min_create_revision = number(w, "create>="),
                                       .max_create_revision = number(w, "create<=")};
    if (run_op(f, &op, &result))
        store_fixture_read(f, &result.read, flag(w, "full"));
}

static void do_del(struct store_fixture *f, const struct words *w)
{
    char prefix_end[KEY_SIZE];
    struct rota_store_op_result result;
    struct rota_store_op op = {.kind = ROTA_STORE_OP_DELETE};

    op.del = (struct rota_store_delete){.range = store_fixture_range(w->word[1], end_at(w, 2), prefix_end), .prev_kv = flag(w, "prev")};
    if (!run_op(f, &op, &result))
        return;
    store_fixture_say(f, "d%dr%d", (int)result.deleted, (int)rota_store_revision(f->store));
    if (op.del.prev_kv)
        store_fixture_read(f, &result.read, false);
}

static void do_compact(struct store_fixture *f, const struct words *w)
{
    struct rota_status status = rota_store_compact(f->store, strtoll(w->word[1], NULL, 10));

    if (rota_status_ok(&status))
        store_fixture_say(f, "c");
    else
        store_fixture_status(f, &status);
}

/* --- Leases --- */

static void do_grant(struct store_fixture *f, const struct words *w)
{
    int64_t id, ttl;
    struct rota_status status = rota_store_lease_grant(f->store, strtoll(w->word[1], NULL, 10), strtoll(w->word[2], NULL, 10), f->now_ns, &id, &ttl);

    if (!rota_status_ok(&status))
        store_fixture_status(f, &status);
    else if (strcmp(w->word[1], "0") == 0)
        store_fixture_say(f, "%s:%d", id > 0 ? "some" : "none", (int)ttl);
    else
        store_fixture_say(f, "%d:%lld", (int)id, (long long)ttl);
}

static void do_revoke(struct store_fixture *f, const struct words *w)
{
    struct rota_status status = rota_store_lease_revoke(f->store, strtoll(w->word[1], NULL, 10));

    if (rota_status_ok(&status))
        store_fixture_say(f, "r%d", (int)rota_store_revision(f->store));
    else
        store_fixture_status(f, &status);
}

static void do_alive(struct store_fixture *f, const struct words *w)
{
    int64_t ttl = rota_store_lease_keep_alive(f->store, strtoll(w->word[1], NULL, 10), f->now_ns);

    store_fixture_say(f, "ttl%lld", (long long)ttl);
}

static void do_look(struct store_fixture *f, const struct words *w)
{
    struct rota_store_lease_info info;

    if (rota_store_lease_look(f->store, strtoll(w->word[1], NULL, 10), flag(w, "keys"), f->now_ns, &f->arena.as_alloc, &info) < 0) {
        no_memory(f);
        return;
    }
    if (!info.found) {
        store_fixture_say(f, "unknown");
        return;
    }
    store_fixture_say(f, "%d/%d", (int)info.ttl_seconds, (int)info.granted_seconds);
    for (size_t i = 0; i < info.n_keys; i++)
        store_fixture_say(f, "%.*s", (int)info.keys[i].size, (const char *)info.keys[i].data);
}

static void do_leases(struct store_fixture *f, const struct words *w)
{
    int64_t *ids;
    size_t n;

    (void)w;
    if (rota_store_leases(f->store, &f->arena.as_alloc, &ids, &n) < 0) {
        no_memory(f);
        return;
    }
    store_fixture_say(f, "%d leases", (int)n);
    for (size_t i = 0; i < n; i++)
        store_fixture_say(f, "%d", (int)ids[i]);
}

static void do_now(struct store_fixture *f, const struct words *w)
{
    int64_t next_ns;

    f->now_ns = strtoll(w->word[1], NULL, 10) * SECOND_NS;
    next_ns = rota_store_tick(f->store, f->now_ns);
    if (next_ns == INT64_MAX)
        store_fixture_say(f, "never");
    else if (next_ns == f->now_ns + SECOND_NS / 1000)
        store_fixture_say(f, "soon");
    else if (next_ns % SECOND_NS != 0)
        no_memory(f); /* it wants to try again soon */
    else
        store_fixture_say(f, "at%d", (int)(next_ns / SECOND_NS));
}

/* --- Watches --- */

static struct rota_store_watch **watch_of(struct store_fixture *f, const struct words *w)
{
    assert_in_range(w->word[1][0], 'A', 'Z');
    return &f->watches[w->word[1][0] - 'A'];
}

static void do_watch(struct store_fixture *f, const struct words *w)
{
    char prefix_end[KEY_SIZE];
    struct rota_store_watch_options options = {.range = store_fixture_range(w->word[2], end_at(w, 3), prefix_end),
                                               .start_revision = number(w, "rev="),
                                               .prev_kv = flag(w, "prev"),
                                               .no_put = flag(w, "noput"),
                                               .no_delete = flag(w, "nodel"),
                                               .user = watch_of(f, w)};
    rota_err err = rota_store_watch_open(f->store, &options, watch_of(f, w));

    if (err == ROTA_ENOMEM)
        no_memory(f);
    else if (err < 0)
        store_fixture_say(f, "%s", rota_err_name(err));
}

static void do_pull(struct store_fixture *f, const struct words *w)
{
    struct rota_store_watch *watch = *watch_of(f, w);
    size_t max_bytes = option(w, "max=") == NULL ? SIZE_MAX : (size_t)number(w, "max="), n;
    struct rota_store_event *events;
    int64_t compact_revision;
    rota_err err;

    if (watch == NULL)
        return; /* opening it ran out of memory */
    err = rota_store_watch_pull(watch, max_bytes, &f->arena.as_alloc, &events, &n, &compact_revision);
    if (err == ROTA_ENOTFOUND)
        store_fixture_say(f, "compacted%d", (int)compact_revision);
    else if (err < 0)
        no_memory(f);
    else if (n == 0)
        store_fixture_say(f, "nothing");
    for (size_t i = 0; err == 0 && i < n; i++) {
        const struct rota_store_event *e = &events[i];
        store_fixture_say(f, "%s%.*s", e->deleted ? "-" : "+", (int)e->kv.key.size, (const char *)e->kv.key.data);
        f->out_size += (size_t)snprintf(f->out + f->out_size, 64, "@%d", (int)e->kv.mod_revision);
        if (e->prev.mod_revision != 0)
            say_kv(f, &e->prev, false);
    }
}

static void do_unpull(struct store_fixture *f, const struct words *w)
{
    if (*watch_of(f, w) != NULL)
        rota_store_watch_unpull(*watch_of(f, w));
}

static void do_close(struct store_fixture *f, const struct words *w)
{
    rota_store_watch_close(*watch_of(f, w));
    *watch_of(f, w) = NULL;
}

static void do_ready(struct store_fixture *f, const struct words *w)
{
    struct rota_store_watch *watch;
    bool any = false;

    (void)w;
    while ((watch = rota_store_watch_next_ready(f->store)) != NULL) {
        store_fixture_say(f, "%c", (char)('A' + ((struct rota_store_watch **)rota_store_watch_user(watch) - f->watches)));
        any = true;
    }
    if (!any)
        store_fixture_say(f, "quiet");
}

/* --- Running --- */

static void run_command(struct store_fixture *f, char *text)
{
    static const struct {
        const char *verb;
        void (*run)(struct store_fixture *f, const struct words *w);
        size_t words;
    } verbs[] = {
        {"put", do_put, 3},       {"get", do_get, 2},     {"del", do_del, 2},   {"compact", do_compact, 2}, {"grant", do_grant, 3},
        {"revoke", do_revoke, 2}, {"alive", do_alive, 2}, {"look", do_look, 2}, {"leases", do_leases, 1},   {"now", do_now, 2},
        {"watch", do_watch, 3},   {"pull", do_pull, 2},   {"unpull", do_unpull, 2}, {"close", do_close, 2}, {"ready", do_ready, 1},
    };
    struct words w = {.n = 0};
    char *rest = NULL;

    for (char *word = strtok_r(text, " ", &rest); word != NULL && w.n < MAX_WORDS; word = strtok_r(NULL, " ", &rest))
        w.word[w.n++] = word;
    if (w.n == 0)
        return;
    for (size_t i = 0; i < ROTA_COUNT(verbs); i++) {
        if (strcmp(w.word[0], verbs[i].verb) == 0 && w.n >= verbs[i].words) {
            verbs[i].run(f, &w);
            return;
        }
    }
    fail_msg("not a command: %s", w.word[0]);
}

const char *store_fixture_run(struct store_fixture *f, const char *script)
{
    char copy[4096], *rest = NULL;

    f->out_size = 0;
    f->out[0] = '\0';
    assert_true(strlen(script) < sizeof(copy));
    strcpy(copy, script);
    for (char *command = strtok_r(copy, ";", &rest); command != NULL; command = strtok_r(NULL, ";", &rest)) {
        run_command(f, command);
        rota_arena_reset(&f->arena);
    }
    return f->out;
}

rota_err store_fixture_init(struct store_fixture *f, const struct rota_alloc *alloc, const struct rota_store_limits *limits)
{
    *f = (struct store_fixture){.own_leaks = alloc == NULL};
    if (f->own_leaks)
        rota_leak_alloc_init(&f->leaks);
    f->alloc = f->own_leaks ? &f->leaks.alloc : alloc;
    rota_arena_init(&f->arena, f->alloc, 64);
    return rota_store_new(f->alloc, limits, 1, &f->store);
}

void store_fixture_fini(struct store_fixture *f)
{
    for (size_t i = 0; i < FIXTURE_WATCHES; i++)
        rota_store_watch_close(f->watches[i]);
    rota_store_free(f->store);
    rota_arena_fini(&f->arena);
    if (f->own_leaks)
        rota_leak_alloc_fini(&f->leaks);
}

void store_fixture_check(const struct store_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct store_fixture f;
        print_message("  %s\n", cases[i].rule);
        assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
        assert_string_equal(store_fixture_run(&f, cases[i].script), cases[i].want);
        store_fixture_fini(&f);
    }
}
