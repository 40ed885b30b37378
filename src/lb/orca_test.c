/* orca_test.c - load reports byte by byte: what is read, what is passed over, what is refused. Source: gRFC A51, A114; protobuf's encoding. */
#include "lb/orca.h"
#include "base/assert.h"
#include "testing/cmocka.h"

/* Doubles as they travel, least significant byte first. */
#define HALF "\0\0\0\0\0\0\xE0\x3F"
#define ONE "\0\0\0\0\0\0\xF0\x3F"
#define TWO "\0\0\0\0\0\0\0\x40"
#define MINUS_ONE "\0\0\0\0\0\0\xF0\xBF"
#define NAN_BYTES "\0\0\0\0\0\0\xF8\x7F"
#define ENTRY(value) "\x0A\x01q\x11" value /* {1: "q", 2: value}, 12 bytes */
#define BYTES(literal) literal, sizeof(literal) - 1

static const struct row {
    const char *rule, *bytes;
    size_t size;
    bool ok;
    struct rota_orca_report want;
} rows[] = {
    {"nothing is a report that says nothing", BYTES(""), true, {.named = 0}},
    {"1: CPU utilization", BYTES("\x09" HALF), true, {.cpu_utilization = 0.5}},
    {"2: memory utilization", BYTES("\x11" HALF), true, {.mem_utilization = 0.5, .named = 0.5}},
    {"3: the old whole requests per second", BYTES("\x18\xAC\x02"), true, {.requests_per_s = 300}},
    {"6: requests per second", BYTES("\x31" TWO), true, {.requests_per_s = 2}},
    {"6 goes before 3", BYTES("\x31" TWO "\x18\x05"), true, {.requests_per_s = 2}},
    {"7: errors per second", BYTES("\x39" ONE), true, {.errors_per_s = 1}},
    {"9: application utilization", BYTES("\x49" HALF), true, {.application_utilization = 0.5}},
    {"the last of a scalar counts", BYTES("\x09" HALF "\x09" ONE), true, {.cpu_utilization = 1}},
    {"8: a named metric that was asked for", BYTES("\x42\x0C" ENTRY(TWO)), true, {.named = 2}},
    {"one that was not asked for", BYTES("\x42\x0C\x0A\x01z\x11" TWO), true, {.named = 0}},
    {"5: a utilization that was not asked for", BYTES("\x2A\x0C" ENTRY(TWO)), true, {.named = 0}},
    {"4: a request cost that was", BYTES("\x22\x0C" ENTRY(ONE)), true, {.named = 1}},
    {"the greatest of those asked for", BYTES("\x42\x0C" ENTRY(ONE) "\x22\x0C" ENTRY(TWO) "\x42\x0C" ENTRY(HALF)), true, {.named = 2}},
    {"a scalar may be asked for too", BYTES("\x11" TWO "\x42\x0C" ENTRY(ONE)), true, {.mem_utilization = 2, .named = 2}},
    {"NaN does not count", BYTES("\x42\x0C" ENTRY(NAN_BYTES)), true, {.named = 0}},
    {"nor does what is below zero", BYTES("\x42\x0C" ENTRY(MINUS_ONE)), true, {.named = 0}},
    {"an entry without a value is 0", BYTES("\x42\x03\x0A\x01q"), true, {.named = 0}},
    {"unknown fields of every type are passed over", BYTES("\xA0\x06\x01\xA1\x06" ONE "\xA2\x06\x02xy\xA5\x06" "abcd\x09" HALF), true, {.cpu_utilization = 0.5}},
    {"a known field of another type is unknown", BYTES("\x08\x01\x0D" "abcd"), true, {.named = 0}},
    {"a value cut short", BYTES("\x09\0\0\0"), false, {.named = 0}},
    {"a tag without a value", BYTES("\x09"), false, {.named = 0}},
    {"a length beyond the end", BYTES("\x42\x0D" ENTRY(ONE)), false, {.named = 0}},
    {"a length of 2^63", BYTES("\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), false, {.named = 0}},
    {"a number that does not end", BYTES("\x18\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), false, {.named = 0}},
    {"a map entry cut short", BYTES("\x42\x04\x0A\x05qq"), false, {.named = 0}},
    {"field 0", BYTES("\x01" HALF), false, {.named = 0}},
    {"a group", BYTES("\x0B\x0C"), false, {.named = 0}},
    {"rubbish behind a good field", BYTES("\x09" HALF "\xFF"), false, {.named = 0}},
};

static const char *const asked[] = {"named_metrics.q", "request_cost.q", "mem_utilization", "utilization.other", "nothing.q", "nothing"};

static void reads(void **unused)
{
    struct rota_orca_metric metrics[ROTA_COUNT(asked)];

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(asked); i++)
        metrics[i] = rota_orca_metric(asked[i]);
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_orca_report got = {.cpu_utilization = 77};
        const struct rota_orca_report *want = &rows[i].want;
        print_message("  %s\n", rows[i].rule);
        assert_int_equal(rota_orca_decode(rota_slice(rows[i].bytes, rows[i].size), metrics, ROTA_COUNT(metrics), &got), rows[i].ok);
        if (!rows[i].ok) {
            assert_true(got.cpu_utilization == 77);
            continue;
        }
        assert_true(got.cpu_utilization == want->cpu_utilization && got.mem_utilization == want->mem_utilization);
        assert_true(got.application_utilization == want->application_utilization && got.named == want->named);
        assert_true(got.requests_per_s == want->requests_per_s && got.errors_per_s == want->errors_per_s);
    }
}

static const struct {
    const char *rule, *name;
    uint32_t field;
    const char *key;
} names[] = {
    {"a scalar", "cpu_utilization", 1, ""},
    {"a map and its key", "named_metrics.queue", 8, "queue"},
    {"cut at the first dot", "utilization.a.b", 5, "a.b"},
    {"a map needs a key", "named_metrics", 0, ""},
    {"a scalar has none", "cpu_utilization.x", 0, ""},
    {"an empty key is one", "request_cost.", 4, ""},
    {"no metric of that name", "queue", 0, ""},
};

static void names_are_cut(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(names); i++) {
        struct rota_orca_metric metric = rota_orca_metric(names[i].name);
        print_message("  %s\n", names[i].rule);
        assert_int_equal(metric.field, names[i].field);
        assert_true(rota_slice_equal(metric.key, rota_slice_str(names[i].key)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(names_are_cut)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
