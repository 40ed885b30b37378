/* death_test.c - the guards' guards, both ways. */
#include "testing/death.h"
#include "base/assert.h"
#include "testing/cmocka.h"

static void break_assertion(void *ctx)
{
    ROTA_ASSERT(ctx != NULL && "a reason");
}

static void failing_test(void **state)
{
    (void)state;
    assert_int_equal(1, 2);
}

static void passing_test(void **state)
{
    (void)state;
}

static void an_abort_is_seen(void **state)
{
    (void)state;
    rota_assert_aborts(break_assertion, NULL, "a reason");
}

static void a_failing_test_is_seen(void **state)
{
    (void)state;
    rota_assert_test_fails(failing_test, "0x1 != 0x2");
}

static void expects_abort_in_vain(void **state)
{
    rota_assert_aborts(break_assertion, &state, "");
}

static void expects_other_words(void **state)
{
    (void)state;
    rota_assert_aborts(break_assertion, NULL, "another reason");
}

static void expects_failure_in_vain(void **state)
{
    (void)state;
    rota_assert_test_fails(passing_test, "");
}

static void what_does_not_happen_fails_the_test(void **state)
{
    (void)state;
    rota_assert_test_fails(expects_abort_in_vain, "did not abort");
    rota_assert_test_fails(expects_other_words, "without saying \"another reason\"");
    rota_assert_test_fails(expects_failure_in_vain, "did not fail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_is_seen),
        cmocka_unit_test(a_failing_test_is_seen),
        cmocka_unit_test(what_does_not_happen_fails_the_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
