/* options_test.c - option structs of older and newer programs, and one that was not begun as it should be. */
#include "base/options.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdint.h>

struct two_options {
    size_t size;
    int64_t first, second;
};

static const struct take_case {
    const char *rule;
    struct two_options given;
    rota_err want;
    int64_t first, second;
} cases[] = {
    {"all of it", {sizeof(struct two_options), 5, 6}, 0, 5, 6},
    {"what an older program has", {offsetof(struct two_options, second), 5, 6}, 0, 5, 2},
    {"of a newer one's what is known", {sizeof(struct two_options) + 8, 5, 6}, 0, 5, 6},
    {"size 0 is a mistake", {0, 5, 6}, ROTA_EINVAL, 1, 2},
};

static void as_much_is_taken_as_there_is(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct two_options options = {sizeof(options), 1, 2};
        struct rota_errinfo info = {""};

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(rota_options_take(&options, sizeof(options), &cases[i].given, "ROTA_TWO_OPTIONS_INIT", &info), cases[i].want);
        assert_int_equal(options.first, cases[i].first);
        assert_int_equal(options.second, cases[i].second);
        assert_string_equal(info.text, cases[i].want == 0 ? "" : "options of size 0: begin with ROTA_TWO_OPTIONS_INIT");
    }
}

static void none_are_none(void **unused)
{
    struct two_options options = {sizeof(options), 1, 2};

    (void)unused;
    assert_int_equal(rota_options_take(&options, sizeof(options), NULL, "ROTA_TWO_OPTIONS_INIT", NULL), 0);
    assert_int_equal(options.first, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_much_is_taken_as_there_is),
        cmocka_unit_test(none_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
