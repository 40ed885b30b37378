/* err_test.c - codes have names and sentences; details are cut at a character. */
#include "base/assert.h"
#include "base/errinfo.h"
#include "testing/cmocka.h"
#include "testing/death.h"
#include <string.h>

static const struct err_case {
    rota_err err;
    const char *name, *text;
} cases[] = {
    {0, "ROTA_SUCCESS", "success"},
    {ROTA_ENOMEM, "ROTA_ENOMEM", "out of memory"},
    {ROTA_ESTATE, "ROTA_ESTATE", "not possible in the present state"},
    {1, "ROTA_EUNKNOWN", "unknown error"},
    {-1000, "ROTA_EUNKNOWN", "unknown error"},
};

static void codes_have_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        assert_string_equal(rota_err_name(cases[i].err), cases[i].name);
        assert_string_equal(rota_err_text(cases[i].err), cases[i].text);
    }
}

static void every_code_has_a_sentence_of_its_own(void **state)
{
    (void)state;
#define NAMED(name, code, text) \
    assert_string_equal(rota_err_name(code), "ROTA_" #name); \
    assert_string_equal(rota_err_text(code), text);
    ROTA_ERR_MAP(NAMED)
#undef NAMED
}

static void details_are_optional(void **state)
{
    struct rota_errinfo info = {"old"};

    (void)state;
    assert_int_equal(rota_errinfo_set(NULL, ROTA_EPARSE, "%d", 1), ROTA_EPARSE);
    assert_int_equal(rota_errinfo_set(&info, ROTA_EINVAL, "port %d of %s", 70000, "x"), ROTA_EINVAL);
    assert_string_equal(info.text, "port 70000 of x");
}

static void details_may_wrap_the_old_ones(void **state)
{
    struct rota_errinfo info = {"no such file"};

    (void)state;
    rota_errinfo_set(&info, ROTA_EIO, "reading x: %s", info.text);
    assert_string_equal(info.text, "reading x: no such file");
}

static void long_details_end_at_a_character(void **state)
{
    struct rota_errinfo info;
    char culprit[ROTA_ERRINFO_SIZE];

    (void)state;
    memset(culprit, 'a', sizeof(culprit));
    culprit[ROTA_ERRINFO_SIZE - 2] = '\0';
    rota_errinfo_set(&info, ROTA_EINVAL, "%s\u00e9", culprit);
    assert_int_equal(strlen(info.text), ROTA_ERRINFO_SIZE - 2);
}

static void break_it(void *ctx)
{
    ROTA_ASSERT(ctx != NULL);
}

static void a_bug_names_itself(void **state)
{
    (void)state;
    ROTA_ASSERT(1 + 1 == 2);
    rota_assert_aborts(break_it, NULL, "assertion failed: ctx != ");
    rota_assert_aborts(break_it, NULL, "err_test.c:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_names),
        cmocka_unit_test(every_code_has_a_sentence_of_its_own),
        cmocka_unit_test(details_are_optional),
        cmocka_unit_test(details_may_wrap_the_old_ones),
        cmocka_unit_test(long_details_end_at_a_character),
        cmocka_unit_test(a_bug_names_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
