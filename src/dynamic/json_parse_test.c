/* json_parse_test.c - what JSON's grammar (RFC 8259) allows, what it does not, and where. */
#include "dynamic/json_parse.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

static int append(struct rota_buffer *out, const char *text)
{
    return rota_buffer_append(out, rota_slice_str(text));
}

/* A tree as text again: numbers as they are, texts in quotes as they are, zeros as \0. */
static void show(const struct rota_dyn_json *json, struct rota_buffer *out)
{
    static const char *const words[] = {"null", "false", "true"};
    bool object = json->kind == ROTA_DYN_OBJECT, many = object || json->kind == ROTA_DYN_ARRAY;
    size_t n = 0;

    if (json->kind <= ROTA_DYN_TRUE)
        assert_int_equal(append(out, words[json->kind]), 0);
    if (json->kind == ROTA_DYN_TEXT)
        assert_int_equal(append(out, "'"), 0);
    for (size_t i = 0; i < json->text.size; i++)
        assert_int_equal(json->text.data[i] == '\0' ? append(out, "\\0") : rota_buffer_append(out, rota_slice(json->text.data + i, 1)), 0);
    if (json->text.data != NULL)
        assert_int_equal(json->text.data[json->text.size], 0);
    if (json->kind == ROTA_DYN_TEXT)
        assert_int_equal(append(out, "'"), 0);
    if (many)
        assert_int_equal(append(out, object ? "{" : "["), 0);
    for (const struct rota_dyn_json *item = json->first; item != NULL; item = item->next, n++) {
        if (n > 0)
            assert_int_equal(append(out, " "), 0);
        if (object)
            assert_int_equal(rota_buffer_printf(out, "%s:", (const char *)item->key.data), 0);
        show(item, out);
    }
    assert_int_equal(n, json->n);
    if (many)
        assert_int_equal(append(out, object ? "}" : "]"), 0);
}

/* All values of the text, with ; behind each; or the sentence of the first that is none. */
static const struct parse_case {
    const char *rule;
    struct rota_slice text;
    const char *want;
} cases[] = {
#define TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
    {"words", TEXT("[null,true,false]"), "[null true false];"},
    {"blanks everywhere", TEXT(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n"), "{a:[1 2] b:{}};"},
    {"nothing in it", TEXT("[[],{},\"\"]"), "[[] {} ''];"},
    {"values one behind the other", TEXT("{}{\"a\":1} 2\n\"b\"[3]"), "{};{a:1};2;'b';[3];"},
    {"numbers stay as they are", TEXT("[0,-0,-0.50,1e5,1E-05,18446744073709551616,1.0e+999]"), "[0 -0 -0.50 1e5 1E-05 18446744073709551616 1.0e+999];"},
    {"the escapes", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\""), "'\"\\/\b\f\n\r\tA';"},
    {"characters of two, three and four bytes", TEXT("\"\\u00e9\\u20AC\\ud83d\\ude00\""), "'\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80';"},
    {"the first and last around surrogates", TEXT("\"\\uD7FF\\uE000\\uDBFF\\uDFFF\""), "'\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf';"},
    {"zeros in texts", TEXT("\"a\\u0000b\""), "'a\\0b';"},
    {"keys are texts", TEXT("{\"\\u0061\":1,\"\":2}"), "{a:1 :2};"},
    {"DEL needs no escape", TEXT("\"\x7f\""), "'\x7f';"},
    {"nothing at all", TEXT(" \n"), "line 2, column 1: the text ends too early"},
    {"no value", TEXT("?"), "line 1, column 1: expected a value"},
    {"a word that is none", TEXT("[nul]"), "line 1, column 2: expected a value"},
    {"a word in capitals", TEXT("True"), "line 1, column 1: expected a value"},
    {"a comma too many", TEXT("[1,]"), "line 1, column 4: expected a value"},
    {"a comma too many in an object", TEXT("{\"a\":1,}"), "line 1, column 8: expected a key in double quotes"},
    {"a comma too few", TEXT("[1 2]"), "line 1, column 4: expected a comma or ]"},
    {"a comma too few in an object", TEXT("{\"a\":1\n \"b\":2}"), "line 2, column 2: expected a comma or }"},
    {"the wrong bracket", TEXT("[1}"), "line 1, column 3: expected a comma or ]"},
    {"a comment", TEXT("{/*a*/}"), "line 1, column 2: expected a key in double quotes"},
    {"a key without quotes", TEXT("{a:1}"), "line 1, column 2: expected a key in double quotes"},
    {"single quotes", TEXT("{\"a\":'b'}"), "line 1, column 6: expected a value"},
    {"no colon", TEXT("{\"a\" 1}"), "line 1, column 6: expected a colon"},
    {"a key that comes twice", TEXT("{\"a\":1,\n\"b\":2,\"\\u0061\":3}"), "line 2, column 7: a key that comes twice"},
    {"cut off", TEXT("{\"a\":[1,"), "line 1, column 9: the text ends too early"},
    {"cut off in a string", TEXT("[\"ab"), "line 1, column 2: a string without an end"},
    {"cut off behind a backslash", TEXT("\"ab\\"), "line 1, column 1: a string without an end"},
    {"what is behind", TEXT("{\"a\":1}, {}"), "line 1, column 8: expected a value"},
    {"a zero byte behind", TEXT("1\0"), "line 1, column 2: expected a value"},
    {"columns are characters", TEXT("[\"\xc3\xa9\xe2\x82\xac\", ?]"), "line 1, column 8: expected a value"},
    {"a zero before a number", TEXT("[01]"), "line 1, column 2: a number that is none"},
    {"a point without digits", TEXT("1."), "line 1, column 1: a number that is none"},
    {"no digit before the point", TEXT("[.5]"), "line 1, column 2: expected a value"},
    {"an exponent without digits", TEXT("1e+"), "line 1, column 1: a number that is none"},
    {"a plus", TEXT("+1"), "line 1, column 1: expected a value"},
    {"a minus alone", TEXT("[-]"), "line 1, column 2: a number that is none"},
    {"a hexadecimal number", TEXT("[0x1]"), "line 1, column 3: expected a comma or ]"},
    {"what is no number", TEXT("NaN"), "line 1, column 1: expected a value"},
    {"half a character, the first", TEXT("\"a\\ud83d\""), "line 1, column 3: an escape that is none, or half a character"},
    {"half a character, with another behind", TEXT("\"\\ud83d\\u0041\""), "line 1, column 2: an escape that is none, or half a character"},
    {"half a character, the second", TEXT("\"\\ude00\""), "line 1, column 2: an escape that is none, or half a character"},
    {"an escape that is none", TEXT("\"\\x41\""), "line 1, column 2: an escape that is none, or half a character"},
    {"an escape in capitals", TEXT("\"\\U0041\""), "line 1, column 2: an escape that is none, or half a character"},
    {"an escape without all its digits", TEXT("\"\\u004\""), "line 1, column 2: an escape that is none, or half a character"},
    {"digits that are none", TEXT("\"\\u00g0\""), "line 1, column 2: an escape that is none, or half a character"},
    {"an escaped zero byte", TEXT("\"\\\0\""), "line 1, column 2: an escape that is none, or half a character"},
    {"a line break in a string", TEXT("\"a\nb\""), "line 1, column 3: a control character in a string, where it must be escaped"},
    {"no UTF-8 in a string", TEXT("[\"a\xff\"]"), "line 1, column 2: a string that is not UTF-8"},
    {"a surrogate in UTF-8", TEXT("\"\xed\xa0\x80\""), "line 1, column 1: a string that is not UTF-8"},
    {"no UTF-8 elsewhere", TEXT("[\xff]"), "line 1, column 2: expected a value"},
#undef TEXT
};

static void json_is_what_the_grammar_says(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_errinfo info = {""};
        struct rota_buffer out;
        struct rota_arena arena;
        size_t at = 0;
        rota_err err = 0;

        print_message("  %s\n", cases[i].rule);
        rota_arena_init(&arena, NULL, 0);
        rota_buffer_init(&out, NULL, 0);
        while (err == 0 && (at == 0 || at < cases[i].text.size)) {
            const struct rota_dyn_json *json;

            err = rota_dyn_json_parse(cases[i].text, &at, &arena, &json, &info);
            if (err < 0)
                break;
            show(json, &out);
            assert_int_equal(append(&out, ";"), 0);
        }
        assert_int_equal(rota_buffer_append(&out, rota_slice("", 1)), 0);
        assert_string_equal(err < 0 ? info.text : (const char *)rota_buffer_peek(&out).data, cases[i].want);
        assert_true(err == 0 || err == ROTA_EPARSE);
        rota_arena_fini(&arena);
        rota_buffer_fini(&out);
    }
}

static void nesting_is_bounded(void **unused)
{
    (void)unused;
    for (size_t depth = ROTA_DYN_JSON_DEPTH; depth <= ROTA_DYN_JSON_DEPTH + 1; depth++) {
        char text[2 * ROTA_DYN_JSON_DEPTH + 2];
        const struct rota_dyn_json *json;
        struct rota_errinfo info = {""};
        struct rota_arena arena;
        size_t at = 0;

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        rota_arena_init(&arena, NULL, 0);
        assert_int_equal(rota_dyn_json_parse(rota_slice(text, 2 * depth), &at, &arena, &json, &info), depth > ROTA_DYN_JSON_DEPTH ? ROTA_EPARSE : 0);
        assert_string_equal(info.text, depth > ROTA_DYN_JSON_DEPTH ? "line 1, column 257: nested too deep" : "");
        rota_arena_fini(&arena);
    }
}

static void members_are_found_by_key(void **unused)
{
    const struct rota_dyn_json *json;
    struct rota_arena arena;
    size_t at = 0;

    (void)unused;
    rota_arena_init(&arena, NULL, 0);
    assert_int_equal(rota_dyn_json_parse(ROTA_SLICE("{\"a\":1,\"b\":[2]}"), &at, &arena, &json, NULL), 0);
    assert_int_equal(rota_dyn_json_get(json, "b")->kind, ROTA_DYN_ARRAY);
    assert_null(rota_dyn_json_get(json, "c"));
    assert_null(rota_dyn_json_get(rota_dyn_json_get(json, "b"), "a"));
    rota_arena_fini(&arena);
}

static rota_err parse(const struct rota_alloc *alloc, void *ctx)
{
    const struct rota_dyn_json *json;
    struct rota_arena arena;
    size_t at = 0;
    rota_err err;

    rota_arena_init(&arena, alloc, 64);
    err = rota_dyn_json_parse(rota_slice_str(ctx), &at, &arena, &json, NULL);
    rota_arena_fini(&arena);
    return err;
}

static void out_of_memory_is_an_error(void **unused)
{
    char text[] = "{\"a\":[1,2,\"three\"],\"b\":{\"c\":null}}";

    (void)unused;
    assert_true(rota_alloc_sweep(parse, text) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_what_the_grammar_says),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(members_are_found_by_key),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
