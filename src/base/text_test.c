/* text_test.c - where a text is cut, names without case, numbers without locale. */
#include "base/text.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/comma_locale.h"
#include <string.h>

static const struct cut_case {
    const char *rule, *text;
    size_t size, want;
} cuts[] = {
    {"nothing stays nothing", "", 0, 0},
    {"ASCII is cut anywhere", "abc", 2, 2},
    {"a whole two-byte character stays", "a\xC3\xA9", 3, 3},
    {"half a two-byte character goes", "a\xC3\xA9", 2, 1},
    {"two thirds of a three-byte character go", "a\xE2\x82\xAC", 3, 1},
    {"one third of it goes", "a\xE2\x82\xAC", 2, 1},
    {"a whole three-byte character stays", "a\xE2\x82\xAC", 4, 4},
    {"three quarters of a four-byte character go", "\xF0\x9F\x98\x80", 3, 0},
    {"a whole four-byte character stays", "\xF0\x9F\x98\x80", 4, 4},
    {"only the last character matters", "\xC3\xA9\xC3\xA9", 3, 2},
    {"stray continuation bytes stay", "\x80\x80\x80\x80\x80", 5, 5},
    {"stray continuation bytes without a lead stay", "\x80\x80", 2, 2},
    {"too many continuation bytes stay", "\xC3\xA9\xA9", 3, 3},
};

static void cuts_fall_on_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cuts); i++) {
        print_message("  %s\n", cuts[i].rule);
        assert_int_equal(rota_text_cut(cuts[i].text, cuts[i].size), cuts[i].want);
    }
}

static size_t format(char *ret_text, size_t cap_bytes, const char *format, ...)
{
    va_list args;
    size_t size;

    va_start(args, format);
    size = rota_text_format(ret_text, cap_bytes, format, args);
    va_end(args);
    return size;
}

static const struct format_case {
    const char *rule;
    size_t cap_bytes;
    const char *word, *want;
} formats[] = {
    {"what fits is whole", 8, "word", "<word>"},
    {"the terminator fits just so", 7, "word", "<word>"},
    {"one byte less cuts the last", 6, "word", "<word"},
    {"a cut character goes whole", 4, "a\xC3\xA9", "<a"},
    {"room for the terminator alone", 1, "word", ""},
};

static void formats_fit_their_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(formats); i++) {
        char text[16];
        print_message("  %s\n", formats[i].rule);
        memset(text, '#', sizeof(text));
        assert_int_equal(format(text, formats[i].cap_bytes, "<%s>", formats[i].word), strlen(formats[i].want));
        assert_string_equal(text, formats[i].want);
        assert_int_equal(text[formats[i].cap_bytes], '#');
    }
}

static const struct equal_case {
    const char *a, *b;
    bool want;
} equals[] = {
    {"", "", true},           {"Title", "tITLE", true}, {"a", "", false},       {"", "a", false},
    {"abc", "abd", false},    {"abc", "ab", false},     {"a-Z0", "A-z0", true}, {"[", "{", false},
    {"@", "`", false},
};

static void names_compare_without_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(equals); i++)
        assert_int_equal(rota_text_equal_nocase(equals[i].a, equals[i].b), equals[i].want);
}

static const struct point_case {
    const char *rule, *number, *want;
} points[] = {
    {"a point stays", "-0.5", "-0.5"},
    {"a comma becomes one", "-0,5", "-0.5"},
    {"so does what takes two bytes", "0\xD9\xAB" "5", "0.5"},
    {"an exponent stays", "1,5e+300", "1.5e+300"},
    {"whole numbers have none", "42", "42"},
    {"nor has what is no number", "inf", "inf"},
    {"nor nothing", "", ""},
};

static void numbers_have_a_point(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(points); i++) {
        char number[32];

        print_message("  %s\n", points[i].rule);
        strcpy(number, points[i].number);
        rota_text_point(number);
        assert_string_equal(number, points[i].want);
    }
}

static const struct number_case {
    const char *rule, *text;
    bool good;
    double want;
} numbers[] = {
    {"whole", "12", true, 12},
    {"with a point", "0.5", true, 0.5},
    {"with an exponent", "-25E-1", true, -2.5},
    {"as C has them too", "+.5", true, 0.5},
    {"no comma", "0,5", false, 0},
    {"nothing", "", false, 0},
    {"signs alone", "+-", false, 0},
    {"more behind it", "1-1", false, 0},
    {"a space before it", " 1", false, 0},
    {"no hexadecimal digits", "0x1", false, 0},
    {"no word", "nan", false, 0},
    {"nothing that no double holds", "1e999", false, 0},
};

static void check_numbers(void)
{
    for (size_t i = 0; i < ROTA_COUNT(numbers); i++) {
        double got = 7;

        print_message("  %s\n", numbers[i].rule);
        assert_int_equal(rota_text_number(numbers[i].text, &got), numbers[i].good);
        assert_true(got == (numbers[i].good ? numbers[i].want : 7));
    }
}

static void numbers_are_read(void **state)
{
    (void)state;
    check_numbers();
}

static void whatever_the_locale(void **state)
{
    (void)state;
    rota_comma_locale_enter();
    check_numbers();
    rota_comma_locale_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_fall_on_characters),
        cmocka_unit_test(formats_fit_their_room),
        cmocka_unit_test(names_compare_without_case),
        cmocka_unit_test(numbers_have_a_point),
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(whatever_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
