/* static_table_test.c - every field is found by name and value, and nothing else is; peer_test.c says that they are the right ones. */
#include "hpack/static_table.h"
#include "base/assert.h"
#include "testing/cmocka.h"

static void every_field_is_found(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= ROTA_HPACK_STATICS; i++) {
        struct rota_slice name, value, found_name, found_value;
        bool whole;
        uint32_t found;

        rota_hpack_static_get(i, &name, &value);
        assert_int_equal(rota_hpack_static_find(name, value, &whole), i);
        assert_true(whole);
        found = rota_hpack_static_find(name, ROTA_SLICE("no such value"), &whole);
        assert_false(whole);
        assert_in_range(found, 1, i);
        rota_hpack_static_get(found, &found_name, &found_value);
        assert_true(rota_slice_equal(found_name, name));
    }
}

static const struct find_case {
    const char *rule;
    struct rota_slice name, value;
    uint32_t want;
    bool want_whole;
} cases[] = {
    {"the first", ROTA_SLICE(":authority"), ROTA_SLICE(""), 1, true},
    {"the last", ROTA_SLICE("www-authenticate"), ROTA_SLICE(""), 61, true},
    {"a request's method", ROTA_SLICE(":method"), ROTA_SLICE("POST"), 3, true},
    {"a response's status", ROTA_SLICE(":status"), ROTA_SLICE("200"), 8, true},
    {"the last of the statuses", ROTA_SLICE(":status"), ROTA_SLICE("500"), 14, true},
    {"another status is the first one's name", ROTA_SLICE(":status"), ROTA_SLICE("503"), 8, false},
    {"a value with a comma", ROTA_SLICE("accept-encoding"), ROTA_SLICE("gzip, deflate"), 16, true},
    {"the next name is not this one's", ROTA_SLICE(":path"), ROTA_SLICE("http"), 4, false},
    {"no name", {NULL, 0}, ROTA_SLICE("x"), 0, false},
    {"a name that is not there", ROTA_SLICE("te"), ROTA_SLICE("trailers"), 0, false},
    {"only a beginning", ROTA_SLICE(":metho"), ROTA_SLICE("POST"), 0, false},
    {"the same seen from afar", ROTA_SLICE(":mxthod"), ROTA_SLICE("POST"), 0, false},
};

static void nothing_else_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        bool whole = !cases[i].want_whole;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(rota_hpack_static_find(cases[i].name, cases[i].value, &whole), cases[i].want);
        assert_int_equal(whole, cases[i].want_whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_found),
        cmocka_unit_test(nothing_else_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
