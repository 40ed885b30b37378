/* utf8_test.c - every character passes, each way to be none fails or is mended. */
#include "base/assert.h"
#include "base/text.h"
#include "testing/cmocka.h"
#include <string.h>

static bool is_utf8(const char *text, size_t size)
{
    return rota_text_is_utf8((struct rota_slice){.data = (const uint8_t *)text, .size = size});
}

static const struct utf8_case {
    const char *rule, *text;
    bool want;
} cases[] = {
    {"nothing is UTF-8", "", true},
    {"lengths mix", "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z", true},
    {"a continuation byte needs a lead", "a\x80", false},
    {"two bytes are overlong for ASCII", "\xC1\xBF", false},
    {"three bytes are overlong below U+0800", "\xE0\x9F\xBF", false},
    {"four bytes are overlong below U+10000", "\xF0\x8F\xBF\xBF", false},
    {"the first surrogate is none", "\xED\xA0\x80", false},
    {"the last surrogate is none", "\xED\xBF\xBF", false},
    {"nothing lies beyond U+10FFFF", "\xF4\x90\x80\x80", false},
    {"no lead is above F4", "\xF5\x80\x80\x80", false},
    {"FE and FF are nowhere", "\xFF", false},
    {"two bytes may not end early", "\xC3", false},
    {"three bytes may not end early", "\xE2\x82", false},
    {"four bytes may not end early", "\xF0\x9F\x98", false},
    {"the second byte continues", "\xC3z", false},
    {"the third byte continues", "\xE2\x82z", false},
    {"the fourth byte continues", "\xF0\x9F\x98z", false},
};

static void the_rules_of_rfc_3629(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        print_message("  %s\n", cases[i].rule);
        assert_int_equal(is_utf8(cases[i].text, strlen(cases[i].text)), cases[i].want);
    }
}

static size_t encode(char out[4], uint32_t point)
{
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(leads[size] | point);
    return size;
}

static void every_code_point_but_the_surrogates(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        char text[4];
        size_t size = encode(text, point);
        bool surrogate = point >= 0xd800 && point <= 0xdfff;

        if (is_utf8(text, size) == surrogate)
            fail_msg("U+%04X", (unsigned)point);
    }
}

static const struct mend_case {
    const char *rule, *text;
    size_t size;
    const char *want;
} mends[] = {
    {"UTF-8 stays", "a\xC3\xA9z", 4, "a\xC3\xA9z"},
    {"a stray byte", "a\x80z", 3, "a?z"},
    {"each byte of a character cut short", "\xE2\x82z", 3, "??z"},
    {"a zero", "a\0z", 3, "a?z"},
};

static void what_is_no_character_is_replaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(mends); i++) {
        char text[8] = {0};

        print_message("  %s\n", mends[i].rule);
        memcpy(text, mends[i].text, mends[i].size);
        rota_text_mend(text, mends[i].size);
        assert_string_equal(text, mends[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_of_rfc_3629),
        cmocka_unit_test(every_code_point_but_the_surrogates),
        cmocka_unit_test(what_is_no_character_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
