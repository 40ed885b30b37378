/* journal_test.c - a store that comes back from its directory; directories that are not a registry's. */
#include "base/assert.h"
#include "registry/journal.h"
#include "registry/journal_record.h"
#include "registry/store_fixture.h"
#include "testing/cmocka.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 300

struct place {
    char dir[200], data[PATH_SIZE];
};

static void place_init(struct place *p)
{
    const char *top = getenv("TMPDIR");

    snprintf(p->dir, sizeof(p->dir), "%s/rota-journal-XXXXXX", top != NULL ? top : "/tmp");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->data, sizeof(p->data), "%s/data.mdb", p->dir);
}

static void place_fini(const struct place *p)
{
    DIR *stream = opendir(p->dir);
    const struct dirent *entry;

    while ((entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
    rmdir(p->dir);
}

static int64_t clock_ns(void *arg)
{
    return ((struct store_fixture *)arg)->now_ns;
}

/* What the journal told the log last, and how often. */
static char told[256];
static unsigned n_told;

static void note_told(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    (void)ctx;
    (void)area;
    assert_int_equal(level, ROTA_LOG_ERROR);
    snprintf(told, sizeof(told), "%s", text);
    n_told++;
}

static const struct rota_log told_log = {.write = note_told};

static rota_err open_journal(struct store_fixture *f, const char *dir, struct rota_registry_journal **ret_journal, struct rota_errinfo *info)
{
    struct rota_registry_journal_options options = {.dir = dir, .max_bytes = 1 << 20, .alloc = f->alloc, .clock = clock_ns, .clock_arg = f, .log = &told_log};

    return rota_registry_journal_open(&options, f->store, ret_journal, info);
}

/* Runs the script on what the directory holds, and leaves without a farewell: what is not on disk by then never comes. */
static void visit(const char *dir, const char *script, const char *want)
{
    struct rota_registry_journal *journal = NULL;
    struct rota_errinfo info = {{0}};
    struct store_fixture f;

    assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
    assert_int_equal(open_journal(&f, dir, &journal, &info), 0);
    assert_string_equal(info.text, "");
    assert_string_equal(store_fixture_run(&f, script), want);
    rota_registry_journal_close(journal);
    rota_store_set_journal(f.store, NULL);
    store_fixture_fini(&f);
}

static void what_was_put_is_there_again(void **unused)
{
    static const struct {
        const char *rule, *before, *before_want, *after, *after_want;
    } cases[] = {
        {"nothing", "", "", "get a *; put a 1", "none r2"},
        {"keys with all their numbers", "put a 1; put b 2; put a 3", "r2 r3 r4", "get a * full; put c 1", "a=3/2/4/2/0 b=2/3/3/1/0 r5"},
        {"deletes", "put a 1; put b 2; del a", "r2 r3 d1r4", "get a *; put a 2; get a full", "b=2 r5 a=2/5/5/1/0"},
        {"leases with their keys and all their time", "grant 7 9; put a 1 lease=7; put b 1", "7:9 r2 r3", "look 7 keys; now 9; get a *", "9/9 a never b=1"},
        {"leases that ended", "grant 7 9; grant 8 9; put a 1 lease=7; revoke 7", "7:9 8:9 r2 r3", "leases; get a *", "1 leases 8 none"},
        {"history is gone", "put a 1; put a 2", "r2 r3", "get a rev=2; watch A a rev=2; pull A", "mvcc: required revision has been compacted compacted4"},
        {"also that of the last revision, which may have deleted", "put a 1; put b 1; del a", "r2 r3 d1r4",
         "watch A a * rev=4; pull A; watch B a rev=4; pull B; watch C b * rev=5; put b 2; pull C", "compacted5 compacted5 r5 +b@5"},
        {"a compaction later on is told instead", "put a 1; put a 2", "r2 r3", "put a 3; put a 4; compact 5; watch A a * rev=3; pull A", "r4 r5 c compacted5"},
        {"an empty one is watched from the beginning", "grant 7 9", "7:9", "watch A a * rev=1; put a 1; pull A", "r2 +a@2"},
        {"the present can be watched on", "put a 1; put a 2", "r2 r3", "watch A a rev=4; put a 3; pull A", "r4 +a@4"},
        {"empty values, large values", "put a _; put b 4000x", "r2 r3", "get a *", "a= b=4000x"},
        {"compaction changes nothing on disk", "put a 1; put a 2; compact 3", "r2 r3 c", "get a full", "a=2/2/3/2/0"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct place p;
        print_message("  %s\n", cases[i].rule);
        place_init(&p);
        visit(p.dir, cases[i].before, cases[i].before_want);
        visit(p.dir, cases[i].after, cases[i].after_want);
        place_fini(&p);
    }
}

static void ids_stay(void **unused)
{
    struct rota_registry_journal *journal;
    struct store_fixture f;
    uint64_t ids[2] = {0};
    struct place p;

    (void)unused;
    place_init(&p);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
        rota_store_free(f.store);
        assert_int_equal(rota_store_new(f.alloc, NULL, 10 + (uint64_t)i, &f.store), 0);
        assert_int_equal(open_journal(&f, p.dir, &journal, NULL), 0);
        assert_true(i == 0 || (ids[0] == rota_store_cluster_id(f.store) && ids[1] == rota_store_member_id(f.store)));
        ids[0] = rota_store_cluster_id(f.store);
        ids[1] = rota_store_member_id(f.store);
        rota_registry_journal_close(journal);
        store_fixture_fini(&f);
    }
    place_fini(&p);
}

static void long_keys_are_kept(void **unused)
{
    static char key[2000], other[2000];
    struct rota_store_op put = {.kind = ROTA_STORE_OP_PUT}, get = {.kind = ROTA_STORE_OP_READ}, del = {.kind = ROTA_STORE_OP_DELETE};
    struct rota_store_op_result result;
    struct rota_registry_journal *journal;
    struct store_fixture f;
    struct place p;

    (void)unused;
    place_init(&p);
    memset(key, 'k', sizeof(key));
    memset(other, 'k', sizeof(other));
    other[1999] = 'l'; /* told apart by the hash alone */
    for (int visits = 0; visits < 3; visits++) {
        assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
        assert_int_equal(open_journal(&f, p.dir, &journal, NULL), 0);
        get.read.range = (struct rota_store_range){rota_slice(key, 1), ROTA_SLICE("\0")};
        assert_int_equal(rota_store_do(f.store, &get, &f.arena.as_alloc, &result).code, ROTA_OK);
        assert_int_equal(result.read.n, 2 * (visits == 1) + (visits == 2));
        assert_true(visits != 2 || rota_slice_equal(result.read.kvs[0].key, rota_slice(other, sizeof(other))));
        put.put = (struct rota_store_put){.key = rota_slice(key, sizeof(key)), .value = ROTA_SLICE("1")};
        del.del.range.key = put.put.key;
        if (visits == 0) {
            assert_int_equal(rota_store_do(f.store, &put, &f.arena.as_alloc, &result).code, ROTA_OK);
            put.put.key = rota_slice(other, sizeof(other));
            assert_int_equal(rota_store_do(f.store, &put, &f.arena.as_alloc, &result).code, ROTA_OK);
        } else if (visits == 1) {
            assert_int_equal(rota_store_do(f.store, &del, &f.arena.as_alloc, &result).code, ROTA_OK);
        }
        rota_registry_journal_close(journal);
        store_fixture_fini(&f);
    }
    place_fini(&p);
}

/* --- Directories that cannot be used --- */

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void expect_refusal(const char *dir, rota_err want, const char *text)
{
    struct rota_registry_journal *journal = NULL;
    struct rota_errinfo info = {{0}};
    struct store_fixture f;

    assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
    assert_int_equal(open_journal(&f, dir, &journal, &info), want);
    assert_non_null(strstr(info.text, dir));
    assert_non_null(strstr(info.text, text));
    store_fixture_fini(&f);
}

static void garbage(const struct place *p)
{
    static const char bytes[9000] = "this is not a database";

    write_file(p->data, bytes, sizeof(bytes));
}

static void a_strangers_home(const struct place *p)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/member", p->dir);
    write_file(path, "x", 1);
}

static void cut_short(const struct place *p)
{
    visit(p->dir, "put a 3000x; put b 3000x; put c 3000x", "r2 r3 r4");
    assert_int_equal(truncate(p->data, 8192), 0);
}

static void a_bit_flipped(const struct place *p)
{
    static uint8_t bytes[1 << 18];
    FILE *file;
    size_t size;

    visit(p->dir, "put a 77x", "r2");
    file = fopen(p->data, "r");
    size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    for (size_t i = 0; i + 77 <= size; i++) {
        if (memcmp(bytes + i, "xxxxxxxxxxxxxxxxxxxx", 20) == 0) {
            bytes[i] ^= 1;
            i += 77;
        }
    }
    write_file(p->data, bytes, size);
}

static void what_is_not_ours_is_named(void **unused)
{
    static const struct {
        const char *rule;
        void (*spoil)(const struct place *p);
        rota_err want;
        const char *text;
    } cases[] = {
        {"no database", garbage, ROTA_EPARSE, "not an LMDB file"},
        {"somebody else's directory", a_strangers_home, ROTA_EPARSE, "it holds member; expected an empty or new one"},
        {"a database cut short", cut_short, ROTA_EPARSE, "damaged: 8192 bytes long"},
        {"a damaged record", a_bit_flipped, ROTA_EPARSE, "MDB_CORRUPTED"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct place p;
        print_message("  %s\n", cases[i].rule);
        place_init(&p);
        cases[i].spoil(&p);
        expect_refusal(p.dir, cases[i].want, cases[i].text);
        place_fini(&p);
    }
    expect_refusal("/dev/null", ROTA_EIO, "Not a directory");
    expect_refusal("/nowhere/at/all", ROTA_EIO, "No such file or directory");
}

static void one_at_a_time(void **unused)
{
    struct rota_registry_journal *journal;
    struct store_fixture f;
    struct place p;
    char process[32];

    (void)unused;
    place_init(&p);
    assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
    assert_int_equal(open_journal(&f, p.dir, &journal, NULL), 0);
    snprintf(process, sizeof(process), "process %ld", (long)getpid());
    expect_refusal(p.dir, ROTA_EEXIST, process);
    rota_registry_journal_close(journal);
    store_fixture_fini(&f);
    visit(p.dir, "put a 1", "r2");
    place_fini(&p);
}

/* --- Records --- */

static void records_are_read_as_written(void **unused)
{
    static const uint64_t seeds[2] = {1, 2};
    static uint8_t long_key[1000];
    const struct rota_slice keys[] = {ROTA_SLICE("a"), rota_slice(long_key, 500), rota_slice(long_key, 501), rota_slice(long_key, 1000)};
    uint8_t name[ROTA_RECORD_KEY_SIZE], bytes[2000];

    (void)unused;
    memset(long_key, 'k', sizeof(long_key));
    for (size_t i = 0; i < ROTA_COUNT(keys); i++) {
        struct rota_store_kv got, kv = {keys[i], ROTA_SLICE("value"), 3, INT64_MAX, 5, -6};
        struct rota_slice record = rota_slice(bytes, rota_record_size(&kv)), key = rota_slice(name, rota_record_key(keys[i], seeds, name));
        rota_record_write(&kv, bytes);
        assert_true(key.size <= ROTA_RECORD_KEY_SIZE);
        assert_int_equal(rota_record_read(key, record, &got), 0);
        assert_true(rota_slice_equal(got.key, kv.key) && rota_slice_equal(got.value, kv.value));
        assert_true(got.create_revision == 3 && got.mod_revision == INT64_MAX && got.version == 5 && got.lease == -6);
        for (size_t size = 0; size < record.size; size++)
            assert_int_equal(rota_record_read(key, rota_slice(bytes, size), &got), ROTA_EPARSE);
        for (size_t at = 0; at < record.size; at++) {
            bytes[at] ^= 0x10;
            assert_int_equal(rota_record_read(key, record, &got), ROTA_EPARSE);
            bytes[at] ^= 0x10;
        }
        assert_int_equal(rota_record_read(rota_slice(name, 1), record, &got), ROTA_EPARSE);
    }
}

/* A limit for files stands for the full disk. */
static void a_full_disk_is_told_once_a_second(void **unused)
{
    struct rota_registry_journal *journal = NULL;
    struct rlimit before, none;
    struct store_fixture f;
    struct place p;

    (void)unused;
    place_init(&p);
    assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
    assert_int_equal(open_journal(&f, p.dir, &journal, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    none = (struct rlimit){1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    n_told = 0;
    store_fixture_run(&f, "put a 1; put a 1; put a 1; put a 1");
    assert_int_equal(n_told, 1);
    assert_null(strstr(told, "more like it"));
    store_fixture_run(&f, "now 1; put a 1; put a 1");
    assert_int_equal(n_told, 2);
    assert_non_null(strstr(told, "(and 3 more like it)"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_string_equal(store_fixture_run(&f, "put a 1"), "r2");
    rota_registry_journal_close(journal);
    rota_store_set_journal(f.store, NULL);
    store_fixture_fini(&f);
    place_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_is_told_once_a_second),
        cmocka_unit_test(what_was_put_is_there_again),
        cmocka_unit_test(ids_stay),
        cmocka_unit_test(long_keys_are_kept),
        cmocka_unit_test(what_is_not_ours_is_named),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(records_are_read_as_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
