/* text_test.c - timeouts, percent-encoding, base64: one row a rule, then round trips of random bytes. */
#include "wire/text.h"
#include "base/assert.h"
#include "base/rng.h"
#include "testing/cmocka.h"
#include <stdio.h>

#define S INT64_C(1000000000)

static const struct format_case {
    const char *rule;
    int64_t timeout_ns;
    const char *want;
} formats[] = {
    {"nothing left is the shortest timeout there is", 0, "1n"},
    {"a negative one as well", -5, "1n"},
    {"nanoseconds while they fit", 99999999, "99999999n"},
    {"one more is rounded up to microseconds", 100000000, "100000u"},
    {"part of a microsecond counts as one", 100000001, "100001u"},
    {"milliseconds", 100 * S, "100000m"},
    {"seconds", 100000 * S, "100000S"},
    {"minutes", INT64_C(100000000) * S, "1666667M"},
    {"the longest is hours", INT64_MAX - 1, "2562048H"},
};

static void timeouts_are_written_in_the_finest_unit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(formats); i++) {
        char text[ROTA_TIMEOUT_TEXT];

        print_message("  %s\n", formats[i].rule);
        assert_int_equal(rota_timeout_format(formats[i].timeout_ns, text), strlen(formats[i].want));
        assert_string_equal(text, formats[i].want);
    }
}

static const struct parse_case {
    const char *rule, *text;
    rota_err want;
    int64_t want_ns;
} parses[] = {
    {"nanoseconds", "7n", 0, 7},
    {"microseconds", "7u", 0, 7000},
    {"milliseconds", "7m", 0, 7000000},
    {"seconds", "7S", 0, 7 * S},
    {"minutes", "7M", 0, 420 * S},
    {"hours", "7H", 0, 25200 * S},
    {"leading zeros", "00000007S", 0, 7 * S},
    {"zero", "0m", 0, 0},
    {"more than int64 holds is for ever", "99999999H", 0, INT64_MAX},
    {"empty", "", ROTA_EPARSE, 0},
    {"no unit", "7", ROTA_EPARSE, 0},
    {"no digits", "S", ROTA_EPARSE, 0},
    {"nine digits", "123456789n", ROTA_EPARSE, 0},
    {"unknown unit", "7s", ROTA_EPARSE, 0},
    {"a sign", "-7S", ROTA_EPARSE, 0},
    {"a fraction", "1.5S", ROTA_EPARSE, 0},
    {"a space", "7 S", ROTA_EPARSE, 0},
};

static void timeouts_are_read_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(parses); i++) {
        int64_t got = -99;

        print_message("  %s\n", parses[i].rule);
        assert_int_equal(rota_timeout_parse(rota_slice_str(parses[i].text), &got), parses[i].want);
        assert_true(got == (parses[i].want < 0 ? -99 : parses[i].want_ns));
    }
}

static const struct percent_case {
    const char *rule, *text, *encoded;
} percents[] = {
    {"printable ASCII stands for itself", "a b~!", "a b~!"},
    {"the percent sign does not", "50%", "50%25"},
    {"nor do bytes above ASCII", "\xC3\xA9", "%C3%A9"},
    {"nor control characters", "a\nb\x7f", "a%0Ab%7F"},
};

static void percent_encoding_goes_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(percents); i++) {
        char encoded[64], decoded[64];
        size_t size;

        print_message("  %s\n", percents[i].rule);
        size = rota_percent_encode(rota_slice_str(percents[i].text), encoded, sizeof(encoded));
        assert_int_equal(size, strlen(percents[i].encoded));
        assert_memory_equal(encoded, percents[i].encoded, size);
        size = rota_percent_decode(rota_slice(encoded, size), decoded);
        assert_int_equal(size, strlen(percents[i].text));
        assert_memory_equal(decoded, percents[i].text, size);
    }
}

static const struct decode_case {
    const char *rule, *text, *want;
} decodes[] = {
    {"lower-case digits", "%c3%a9", "\xC3\xA9"},
    {"a percent sign at the end", "50%", "50%"},
    {"half an escape at the end", "a%4", "a%4"},
    {"no hex digits", "%zz%g1%1g", "%zz%g1%1g"},
    {"a bad escape before a good one", "%%41", "%A"},
};

static void bad_escapes_stand_for_themselves(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(decodes); i++) {
        char got[64] = {0};

        print_message("  %s\n", decodes[i].rule);
        assert_int_equal(rota_percent_decode(rota_slice_str(decodes[i].text), got), strlen(decodes[i].want));
        assert_string_equal(got, decodes[i].want);
    }
}

static void a_short_buffer_gets_no_half_escape(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= 6; cap++) {
        char out[8];

        memset(out, '.', sizeof(out));
        assert_int_equal(rota_percent_encode(ROTA_SLICE("a\nb\n"), out, cap), 8);
        assert_memory_equal(out, cap == 0 ? "......" : cap < 4 ? "a....." : cap < 5 ? "a%0A.." : "a%0Ab.", 6);
    }
}

static const struct base64_case {
    const char *rule, *text;
    rota_err want;
    const char *bytes;
} base64s[] = {
    {"empty", "", 0, ""},
    {"one byte without padding", "Zg", 0, "f"},
    {"one byte with padding", "Zg==", 0, "f"},
    {"two bytes without padding", "Zm8", 0, "fo"},
    {"two bytes with padding", "Zm8=", 0, "fo"},
    {"three bytes", "Zm9v", 0, "foo"},
    {"both last digits", "+/+/", 0, "\xfb\xff\xbf"},
    {"one digit too many", "Zm9vZ", ROTA_EPARSE, NULL},
    {"half the padding", "Zg=", ROTA_EPARSE, NULL},
    {"too much padding", "Zm8==", ROTA_EPARSE, NULL},
    {"nothing but padding", "====", ROTA_EPARSE, NULL},
    {"padding inside", "Zg==Zg==", ROTA_EPARSE, NULL},
    {"no digit", "Zm 9", ROTA_EPARSE, NULL},
    {"the URL alphabet is another one", "-_-_", ROTA_EPARSE, NULL},
};

static void base64_is_read_with_or_without_padding(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(base64s); i++) {
        uint8_t got[32];
        size_t size = 99;

        print_message("  %s\n", base64s[i].rule);
        assert_int_equal(rota_base64_decode(rota_slice_str(base64s[i].text), got, &size), base64s[i].want);
        if (base64s[i].want == 0) {
            assert_int_equal(size, strlen(base64s[i].bytes));
            assert_memory_equal(got, base64s[i].bytes, size);
        }
    }
}

static void random_bytes_survive_both_codecs(void **state)
{
    struct rota_rng rng;

    (void)state;
    print_message("  seed 7\n");
    rota_rng_init(&rng, 7);
    for (int round = 0; round < 500; round++) {
        uint8_t bytes[40], back[64];
        char text[160];
        size_t size = rota_rng_below(&rng, sizeof(bytes)), text_size, back_size;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)rota_rng_below(&rng, 256);
        text_size = rota_base64_encoded_size(size);
        rota_base64_encode(rota_slice(bytes, size), text);
        assert_int_equal(rota_base64_decode(rota_slice(text, text_size), back, &back_size), 0);
        assert_int_equal(back_size, size);
        assert_memory_equal(back, bytes, size);
        text_size = rota_percent_encode(rota_slice(bytes, size), text, sizeof(text));
        back_size = rota_percent_decode(rota_slice(text, text_size), text);
        assert_int_equal(back_size, size);
        assert_memory_equal(text, bytes, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts_are_written_in_the_finest_unit),
        cmocka_unit_test(timeouts_are_read_strictly),
        cmocka_unit_test(percent_encoding_goes_both_ways),
        cmocka_unit_test(bad_escapes_stand_for_themselves),
        cmocka_unit_test(a_short_buffer_gets_no_half_escape),
        cmocka_unit_test(base64_is_read_with_or_without_padding),
        cmocka_unit_test(random_bytes_survive_both_codecs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
