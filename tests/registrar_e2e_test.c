/* registrar_e2e_test.c - a registrar and a watch against the embedded registry on the same loop: coming, going, closing at any moment, and
 * short of memory: whichever allocation fails, opening fails cleanly or the entry is there in the end; nothing leaks.
 */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <dirent.h>
#include <poll.h>
#include <rota/registrar.h>
#include <rota/registry.h>
#include <rota/resolver.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_NS ((int64_t)20 * 1000000000)

struct fixture {
    struct rota_loop *loop;
    struct rota_registry *registry;
    struct rota_registrar *registrar;
    char uri[128];
    size_t n_states;
    size_t n_servers; /* as the watch tells */
    bool closed, listed;
};

static void on_closed(void *arg)
{
    ((struct fixture *)arg)->closed = true;
}

/* At a loopback address of this process alone: the port is still free when the registry comes back to it, whatever runs beside. */
static void start_logging(struct fixture *f, const struct rota_alloc *alloc, const struct rota_log *log)
{
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
    unsigned pid = (unsigned)getpid();
    char address[32];

    *f = (struct fixture){0};
    loop_options.alloc = alloc;
    loop_options.log = log;
    assert_int_equal(rota_loop_new(&loop_options, &f->loop), 0);
    options.loop = f->loop;
    snprintf(address, sizeof(address), "127.%u.%u.%u:0", 128 + (pid >> 16 & 63), pid >> 8 & 255, pid & 255);
    options.listen = address;
    assert_int_equal(rota_registry_open(&options, &f->registry, NULL), 0);
    snprintf(f->uri, sizeof(f->uri), "etcd://%s/s", rota_registry_address(f->registry));
}

static void start(struct fixture *f, const struct rota_alloc *alloc)
{
    start_logging(f, alloc, NULL);
}

static void turn_once(struct fixture *f, int64_t end_ns)
{
    struct pollfd pfd = {.fd = rota_loop_fd(f->loop), .events = POLLIN};
    int timeout_ms = rota_loop_timeout_ms(f->loop);

    (void)poll(&pfd, 1, timeout_ms < 0 || timeout_ms > 1000 ? 1000 : timeout_ms);
    assert_int_equal(rota_loop_turn(f->loop), 0);
    assert_true(rota_loop_now_ns(f->loop) < end_ns);
}

/* Turns the loop until *done. */
static void turn_until(struct fixture *f, const bool *done)
{
    int64_t end_ns = rota_loop_now_ns(f->loop) + LIMIT_NS;

    while (!*done)
        turn_once(f, end_ns);
}

static void finish(struct fixture *f)
{
    f->closed = false;
    rota_registry_close(f->registry, 100, on_closed, f);
    turn_until(f, &f->closed);
    rota_loop_free(f->loop);
}

static void turn_for(struct fixture *f, int64_t ms)
{
    int64_t until_ns = rota_loop_now_ns(f->loop) + ms * 1000000;

    while (rota_loop_now_ns(f->loop) < until_ns)
        turn_once(f, until_ns + LIMIT_NS);
}

static void on_state(void *arg, enum rota_registrar_state state, const struct rota_status *why)
{
    struct fixture *f = arg;

    assert_non_null(f->registrar); /* not before open has returned */
    assert_false(f->closed);
    assert_int_equal(state == ROTA_REGISTRAR_REGISTERED, why->code == ROTA_OK);
    f->n_states++;
}

static rota_err open_registrar(struct fixture *f, const struct rota_alloc *alloc)
{
    struct rota_registrar_options options = ROTA_REGISTRAR_OPTIONS_INIT;

    options.loop = f->loop;
    options.address = "10.0.0.1:80";
    options.weight = 5;
    options.alloc = alloc;
    options.on_state = on_state;
    options.arg = f;
    f->closed = false;
    return rota_registrar_open(f->uri, &options, &f->registrar, NULL);
}

static void close_registrar(struct fixture *f, int64_t timeout_ms)
{
    f->closed = false;
    rota_registrar_close(f->registrar, timeout_ms, on_closed, f);
    turn_until(f, &f->closed);
    f->registrar = NULL;
}

static void turn_until_registered(struct fixture *f)
{
    int64_t end_ns = rota_loop_now_ns(f->loop) + LIMIT_NS;

    while (rota_registrar_state(f->registrar) != ROTA_REGISTRAR_REGISTERED)
        turn_once(f, end_ns);
}

static void on_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    struct fixture *f = arg;

    assert_non_null(source);
    assert_true(count == 0 || endpoints[0]->weight == 5);
    f->n_servers = count;
    f->listed = true;
}

static const struct rota_watch_events watch_events = {.on_endpoints = on_endpoints};

/* What a fresh watch lists. */
static size_t list(struct fixture *f)
{
    struct rota_watch *watch;

    f->listed = f->closed = false;
    assert_int_equal(rota_watch_open(f->loop, f->uri, NULL, &watch_events, f, &watch, NULL), 0);
    turn_until(f, &f->listed);
    rota_watch_close(watch, on_closed, f);
    turn_until(f, &f->closed);
    return f->n_servers;
}

static void an_entry_comes_and_goes(void **state)
{
    struct rota_leak_alloc leak;
    struct fixture f;

    (void)state;
    rota_leak_alloc_init(&leak);
    start(&f, &leak.alloc);
    assert_int_equal(list(&f), 0);
    assert_int_equal(open_registrar(&f, NULL), 0);
    assert_int_equal(f.n_states, 0);
    turn_until_registered(&f);
    assert_int_equal(f.n_states, 1);
    assert_string_equal(rota_registrar_key(f.registrar), "/grpclb/s/10.0.0.1:80");
    assert_string_equal(rota_registrar_value(f.registrar), "{\"addr\":\"10.0.0.1:80\",\"weight\":5}");
    assert_int_equal(list(&f), 1);
    close_registrar(&f, 1000);
    assert_int_equal(list(&f), 0);
    finish(&f);
    rota_leak_alloc_fini(&leak);
}

static void note_line(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    (void)level;
    *(bool *)ctx |= strcmp(area, "etcd") == 0 && strstr(text, ": registered") != NULL;
}

/* Opens and closes one, and says how many blocks the loop's allocator was asked for meanwhile. */
static uint64_t allocs_of_opening(struct fixture *f, const struct rota_leak_alloc *loops, const struct rota_alloc *own)
{
    uint64_t before = loops->allocs, after;

    assert_int_equal(open_registrar(f, own), 0);
    after = loops->allocs;
    turn_until_registered(f);
    close_registrar(f, 1000);
    return after - before;
}

static void memory_and_log_are_the_loops_unless_given(void **state)
{
    bool logged = false;
    const struct rota_log log = {.write = note_line, .ctx = &logged};
    struct rota_leak_alloc loops, own;
    struct fixture f;
    uint64_t n_beside;

    (void)state;
    rota_leak_alloc_init(&loops);
    rota_leak_alloc_init(&own);
    start_logging(&f, &loops.alloc, &log);
    n_beside = allocs_of_opening(&f, &loops, &own.alloc);
    assert_true(own.allocs > 0);
    assert_true(allocs_of_opening(&f, &loops, NULL) > n_beside);
    assert_true(logged);
    finish(&f);
    rota_leak_alloc_fini(&own);
    rota_leak_alloc_fini(&loops);
}

static void it_may_be_closed_after_any_turn(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, NULL);
    for (int turns = 0; turns < 30; turns++) {
        assert_int_equal(open_registrar(&f, NULL), 0);
        for (int i = 0; i < turns; i++)
            assert_int_equal(rota_loop_turn(f.loop), 0);
        close_registrar(&f, 1000);
        assert_int_equal(list(&f), 0);
    }
    finish(&f);
}

static void short_of_memory_it_registers_in_the_end(void **state)
{
    uint64_t n_allocs = 0;
    struct fixture f;

    (void)state;
    start(&f, NULL);
    for (bool failed = true; failed; n_allocs++) {
        struct rota_leak_alloc leak;
        rota_err err;
        rota_leak_alloc_init(&leak);
        rota_leak_alloc_fail_nth(&leak, n_allocs + 1);
        err = open_registrar(&f, &leak.alloc);
        assert_true(err == 0 || (err == ROTA_ENOMEM && leak.failed));
        if (err == 0) {
            turn_until_registered(&f);
            close_registrar(&f, 1000);
        } else {
            /* What had been opened goes in turns of its own. */
            for (int i = 0; i < 10; i++)
                assert_int_equal(rota_loop_turn(f.loop), 0);
        }
        failed = leak.failed;
        rota_leak_alloc_fini(&leak);
    }
    assert_true(n_allocs > 20);
    finish(&f);
}

/* The registry and the registrar have memory enough; the watch and the connections have not. */
static void short_of_memory_a_watch_tells_in_the_end(void **state)
{
    struct rota_leak_alloc leak;
    struct rota_watch *watch;
    struct fixture f;
    uint64_t n_allocs = 0;

    (void)state;
    rota_leak_alloc_init(&leak);
    start(&f, &leak.alloc);
    for (bool failed = true; failed; n_allocs++) {
        int64_t end_ns = rota_loop_now_ns(f.loop) + LIMIT_NS;
        f.listed = false;
        assert_int_equal(rota_watch_open(f.loop, f.uri, NULL, &watch_events, &f, &watch, NULL), 0);
        turn_until(&f, &f.listed);
        assert_int_equal(f.n_servers, 0);
        leak.failed = false;
        assert_int_equal(open_registrar(&f, NULL), 0);
        rota_leak_alloc_fail_nth(&leak, n_allocs + 1);
        while (f.n_servers == 0)
            turn_once(&f, end_ns);
        failed = leak.failed;
        leak.fail_at = 0;
        f.closed = false;
        rota_watch_close(watch, on_closed, &f);
        turn_until(&f, &f.closed);
        close_registrar(&f, 1000);
    }
    assert_true(n_allocs > 20);
    finish(&f);
    rota_leak_alloc_fini(&leak);
}

/* --- A time without any memory --- */

#define FILLERS 256

/* malloc, while it is open. */
struct gate {
    struct rota_alloc alloc;
    bool shut;
};

static void *gate_resize(void *ctx, void *ptr, size_t size_bytes)
{
    if (size_bytes == 0) {
        free(ptr);
        return NULL;
    }
    return ((struct gate *)ctx)->shut ? NULL : realloc(ptr, size_bytes);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Takes every place that the loop has for timers. */
static void fill(struct rota_timer **fillers)
{
    size_t n_set = 0;

    while (n_set < FILLERS && rota_timer_set(fillers[n_set], INT64_MAX) == 0)
        n_set++;
    assert_true(n_set < FILLERS);
}

/* Whatever wakes them must not have lost its timer meanwhile, after however many turns that time begins. */
static void after_a_time_without_memory_all_goes_on(void **state)
{
    struct gate gate = {.alloc = {gate_resize, &gate}};
    struct rota_timer *fillers[FILLERS];
    struct rota_watch *watch;
    struct fixture f;

    (void)state;
    start(&f, &gate.alloc);
    for (int turns = 0; turns < 12; turns++) {
        assert_int_equal(open_registrar(&f, NULL), 0);
        f.n_servers = 0;
        assert_int_equal(rota_watch_open(f.loop, f.uri, NULL, &watch_events, &f, &watch, NULL), 0);
        for (size_t i = 0; i < FILLERS; i++)
            assert_int_equal(rota_timer_new(f.loop, nothing, NULL, &fillers[i]), 0);
        for (int i = 0; i < turns; i++)
            assert_int_equal(rota_loop_turn(f.loop), 0);
        gate.shut = true;
        fill(fillers);
        turn_for(&f, 300);
        fill(fillers);
        turn_for(&f, 300);
        gate.shut = false;
        for (size_t i = 0; i < FILLERS; i++)
            rota_timer_free(fillers[i]);
        turn_until_registered(&f);
        for (int64_t end_ns = rota_loop_now_ns(f.loop) + LIMIT_NS; f.n_servers == 0;)
            turn_once(&f, end_ns);
        f.closed = false;
        rota_watch_close(watch, on_closed, &f);
        turn_until(&f, &f.closed);
        close_registrar(&f, 1000);
    }
    finish(&f);
}

/* --- A registry that is away --- */

static void registry_goes(struct fixture *f)
{
    f->closed = false;
    rota_registry_close(f->registry, 0, on_closed, f);
    turn_until(f, &f->closed);
    f->registry = NULL;
}

static void registry_comes(struct fixture *f, const char *dir)
{
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    char address[128];

    snprintf(address, sizeof(address), "%.*s", (int)strcspn(f->uri + strlen("etcd://"), "/"), f->uri + strlen("etcd://"));
    options.loop = f->loop;
    options.listen = address;
    options.data_dir = dir;
    assert_int_equal(rota_registry_open(&options, &f->registry, NULL), 0);
}

static void remove_dir(const char *dir)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;

    while ((entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
    rmdir(dir);
}

static void it_is_revoked_by_a_registry_that_comes_back(void **state)
{
    const char *top = getenv("TMPDIR");
    char dir[200];
    struct fixture f;

    (void)state;
    snprintf(dir, sizeof(dir), "%s/rota-registrar-XXXXXX", top != NULL ? top : "/tmp");
    assert_non_null(mkdtemp(dir));
    start(&f, NULL);
    registry_goes(&f);
    registry_comes(&f, dir);
    assert_int_equal(open_registrar(&f, NULL), 0);
    turn_until_registered(&f);
    registry_goes(&f);
    f.closed = false;
    rota_registrar_close(f.registrar, 10000, on_closed, &f);
    turn_for(&f, 500);
    assert_false(f.closed);
    registry_comes(&f, dir);
    turn_until(&f, &f.closed);
    assert_int_equal(list(&f), 0);
    finish(&f);
    remove_dir(dir);
}

static void a_registry_that_stays_away_is_waited_for_no_longer_than_asked(void **state)
{
    struct fixture f;
    int64_t start_ns;

    (void)state;
    start(&f, NULL);
    assert_int_equal(open_registrar(&f, NULL), 0);
    turn_until_registered(&f);
    registry_goes(&f);
    start_ns = rota_loop_now_ns(f.loop);
    close_registrar(&f, 700);
    assert_in_range(rota_loop_now_ns(f.loop) - start_ns, INT64_C(700000000), INT64_C(5000000000));
    rota_loop_free(f.loop);
}

static const struct refuse_case {
    const char *rule, *uri, *address, *zone, *words;
    int64_t lease_seconds;
} refusals[] = {
    {"no registry", "dns:///a:1", "10.0.0.1:80", NULL, "no registry; expected etcd://members/service", 0},
    {"no service", "etcd://a:1", "10.0.0.1:80", NULL, "no service", 0},
    {"an address that is none", "etcd:///s", "here", NULL, "here", 0},
    {"port 0, whose entry nobody would read", "etcd:///s", "10.0.0.1:0", NULL, "\"10.0.0.1:0\" has port 0", 0},
    {"a lease below zero", "etcd:///s", "10.0.0.1:80", NULL, "lease_seconds: -1", -1},
    {"a lease too long", "etcd:///s", "10.0.0.1:80", NULL, "lease_seconds: 9000001", 9000001},
    {"a zone that is no text", "etcd:///s", "10.0.0.1:80", "\xff", "zone", 0},
    {"no address", "etcd:///s", NULL, NULL, "options.address", 0},
};

static void bad_options_are_refused_with_a_sentence(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, NULL);
    for (size_t i = 0; i < ROTA_COUNT(refusals); i++) {
        struct rota_registrar_options options = ROTA_REGISTRAR_OPTIONS_INIT;
        struct rota_errinfo info = {""};

        print_message("  %s\n", refusals[i].rule);
        options.loop = f.loop;
        options.address = refusals[i].address;
        options.zone = refusals[i].zone;
        options.lease_seconds = refusals[i].lease_seconds;
        assert_true(rota_registrar_open(refusals[i].uri, &options, &f.registrar, &info) < 0);
        if (strstr(info.text, refusals[i].words) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", info.text, refusals[i].words);
    }
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_comes_and_goes),
        cmocka_unit_test(memory_and_log_are_the_loops_unless_given),
        cmocka_unit_test(it_may_be_closed_after_any_turn),
        cmocka_unit_test(short_of_memory_it_registers_in_the_end),
        cmocka_unit_test(short_of_memory_a_watch_tells_in_the_end),
        cmocka_unit_test(after_a_time_without_memory_all_goes_on),
        cmocka_unit_test(it_is_revoked_by_a_registry_that_comes_back),
        cmocka_unit_test(a_registry_that_stays_away_is_waited_for_no_longer_than_asked),
        cmocka_unit_test(bad_options_are_refused_with_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
