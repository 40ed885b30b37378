/* status_test.c - gRPC's code names both ways, and messages that fit. */
#include "base/assert.h"
#include "testing/cmocka.h"
#include <rota/status.h>
#include <string.h>

static const struct name_case {
    const char *rule, *name;
    int want;
} parses[] = {
    {"the first code", "OK", ROTA_OK},
    {"the last code", "UNAUTHENTICATED", ROTA_UNAUTHENTICATED},
    {"any case", "Deadline_Exceeded", ROTA_DEADLINE_EXCEEDED},
    {"gRPC spells it with two Ls", "cancelled", ROTA_CANCELLED},
    {"and only so", "CANCELED", -1},
    {"no prefix of a name", "UNAVAIL", -1},
    {"no name", "", -1},
    {"not even that", NULL, -1},
    {"numbers are no names", "14", -1},
};

static void names_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(parses); i++) {
        print_message("  %s\n", parses[i].rule);
        assert_int_equal(rota_code_parse(parses[i].name), parses[i].want);
    }
}

static void every_name_comes_back(void **state)
{
    (void)state;
    for (int code = 0; code <= 16; code++)
        assert_int_equal(rota_code_parse(rota_code_name((enum rota_code)code)), code);
    assert_string_equal(rota_code_name(ROTA_RESOURCE_EXHAUSTED), "RESOURCE_EXHAUSTED");
}

static void numbers_beyond_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(rota_code_name((enum rota_code)17), "UNKNOWN");
    assert_string_equal(rota_code_name((enum rota_code)-1), "UNKNOWN");
}

static void a_status_is_set_and_wrapped(void **state)
{
    struct rota_status status;

    (void)state;
    rota_status_set(&status, ROTA_UNAVAILABLE, "%s refused", "127.0.0.1:1");
    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    assert_false(rota_status_ok(&status));
    rota_status_set(&status, ROTA_INTERNAL, "all failed: %s", status.message);
    assert_string_equal(status.message, "all failed: 127.0.0.1:1 refused");
    rota_status_set(&status, ROTA_OK, "%s", "");
    assert_true(rota_status_ok(&status));
    assert_string_equal(status.message, "");
}

static void a_long_message_ends_at_a_character(void **state)
{
    struct rota_status status;
    char text[2 * ROTA_STATUS_MESSAGE_SIZE];

    (void)state;
    for (size_t i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 4);
    rota_status_set(&status, ROTA_UNKNOWN, "%s", text);
    assert_int_equal(strlen(status.message), (ROTA_STATUS_MESSAGE_SIZE - 1) / 3 * 3);
    assert_memory_equal(status.message, text, strlen(status.message));
}

static const struct mend_case {
    const char *rule, *format, *text, *want;
} mends[] = {
    {"bytes that are none of a character", "path \"%s\"", "/\xff\xfe", "path \"/?\?\""},
    {"a character that a precision has cut", "%.2s, of more", "\xE2\x82\xAC", "?\?, of more"},
    {"UTF-8 stays", "%s", "/\xE2\x82\xAC", "/\xE2\x82\xAC"},
};

/* Bytes of the peer's stand in many. */
static void a_message_is_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(mends); i++) {
        struct rota_status status;

        print_message("  %s\n", mends[i].rule);
        rota_status_set(&status, ROTA_UNKNOWN, mends[i].format, mends[i].text);
        assert_string_equal(status.message, mends[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_parse),
        cmocka_unit_test(every_name_comes_back),
        cmocka_unit_test(numbers_beyond_are_unknown),
        cmocka_unit_test(a_status_is_set_and_wrapped),
        cmocka_unit_test(a_long_message_ends_at_a_character),
        cmocka_unit_test(a_message_is_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
