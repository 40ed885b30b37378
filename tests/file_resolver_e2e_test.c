/* file_resolver_e2e_test.c - the example that docs/writing-a-resolver.md goes through: the whole list is published, or an error. */
#include "../examples/resolver/file_resolver.h"

#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <rota/rota.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SERVERS "10.0.0.1:1\n# a comment\nno address\n[::1]:2 5\nsvc.example:3\n"

static struct rota_leak_alloc memory;
static struct rota_loop *loop;
static char said[64 * 1024]; /* what the watch told first */

static void on_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    size_t size = 0;

    (void)arg, (void)source;
    memory.fail_at = 0;
    said[0] = '\0';
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(said + size, sizeof(said) - size, "%s*%u ", endpoints[i]->addresses[0].text, (unsigned)endpoints[i]->weight);
    rota_loop_stop(loop);
}

static void on_error(void *arg, const struct rota_status *why)
{
    (void)arg;
    memory.fail_at = 0;
    snprintf(said, sizeof(said), "error: %s", why->message);
    rota_loop_stop(loop);
}

/* fails: the allocation that does, once the watch is open; 0: none. */
static const char *first_words(const char *path, uint64_t fails)
{
    static const struct rota_resolver_class *const resolvers[] = {&file_resolver, NULL};
    static const struct rota_watch_events events = {.on_endpoints = on_endpoints, .on_error = on_error};
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_watch *watch;
    char target[300];

    rota_leak_alloc_init(&memory);
    options.alloc = &memory.alloc;
    snprintf(target, sizeof(target), "file://%s", path);
    snprintf(said, sizeof(said), "nothing");
    assert_int_equal(rota_loop_new(&options, &loop), 0);
    assert_int_equal(rota_watch_open(loop, target, resolvers, &events, NULL, &watch, NULL), 0);
    if (fails > 0)
        rota_leak_alloc_fail_nth(&memory, fails);
    assert_int_equal(rota_loop_run(loop), 0);
    rota_watch_close(watch, NULL, NULL);
    assert_int_equal(rota_loop_run(loop), 0);
    rota_loop_free(loop);
    rota_leak_alloc_fini(&memory);
    return said;
}

static char dir[200], path[220];

static int make_file(void **unused)
{
    const char *top = getenv("TMPDIR");
    FILE *file;

    (void)unused;
    snprintf(dir, sizeof(dir), "%s/rota-servers-XXXXXX", top != NULL ? top : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/servers", dir);
    file = fopen(path, "w");
    return file == NULL || fputs(SERVERS, file) < 0 ? -1 : fclose(file);
}

static int remove_file(void **unused)
{
    (void)unused;
    return unlink(path) + rmdir(dir);
}

#define LIST "10.0.0.1:1*0 [::1]:2*5 svc.example:3*0 "

static void a_file_is_a_list(void **unused)
{
    (void)unused;
    assert_string_equal(first_words(path, 0), LIST);
}

static void what_cannot_be_read_is_an_error(void **unused)
{
    char nowhere[240];

    (void)unused;
    assert_non_null(strstr(first_words(dir, 0), "Is a directory"));
    snprintf(nowhere, sizeof(nowhere), "%s/nowhere", dir);
    assert_non_null(strstr(first_words(nowhere, 0), "No such file"));
}

static char list[64 * 1024];

static void write_servers(int n, const char *last)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (int i = 1; i <= n; i++)
        fprintf(file, "h:%d\n", i);
    fputs(last, file);
    assert_int_equal(fclose(file), 0);
}

static void a_list_that_is_too_long_is_an_error(void **unused)
{
    size_t size = 0;

    (void)unused;
    for (int i = 1; i <= 1000; i++)
        size += (size_t)snprintf(list + size, sizeof(list) - size, "h:%d*0 ", i);
    write_servers(1000, "# the end\n");
    assert_string_equal(first_words(path, 0), list);
    write_servers(1001, "");
    assert_ptr_equal(strstr(first_words(path, 0), "error: "), said);
    assert_non_null(strstr(said, "more than 1000 servers"));
    write_servers(0, SERVERS);
}

static void without_memory_no_server_is_left_out(void **unused)
{
    unsigned n_errors = 0;

    (void)unused;
    for (uint64_t n = 1; n < 12; n++) {
        const char *words = first_words(path, n);
        bool failed = strstr(words, "error: ") == words;
        n_errors += failed;
        if (!failed)
            assert_string_equal(words, LIST);
    }
    assert_true(n_errors >= 3); /* one for each server at least */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_a_list),
        cmocka_unit_test(a_list_that_is_too_long_is_an_error),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
        cmocka_unit_test(without_memory_no_server_is_left_out),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
