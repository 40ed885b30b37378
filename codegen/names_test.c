/* names_test.c - names in C, one row per rule. protobuf-c's own are proved again when golden outputs compile against it. */
#include "base/assert.h"
#include "codegen/names.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

static const struct name_case {
    const char *rule, *dotted, *type, *lower, *snake;
} cases[] = {
    {"packages and types are capitalised", ".proto.HelloRequest", "Proto__HelloRequest", "proto__hello_request", "proto_hello_request"},
    {"no package", "Foo", "Foo", "foo", "foo"},
    {"nested messages", ".a.Outer.Inner", "A__Outer__Inner", "a__outer__inner", "a_outer_inner"},
    {"protobuf-c keeps an acronym and what follows together", ".HTTPServer", "HTTPServer", "httpserver", "http_server"},
    {"an acronym at the end", ".UserID", "UserID", "user_id", "user_id"},
    {"an acronym in the middle", ".GetURLByID", "GetURLByID", "get_urlby_id", "get_url_by_id"},
    {"a word after a digit", ".Sha256Sum", "Sha256Sum", "sha256_sum", "sha256_sum"},
    {"an acronym after a digit", ".Request2XX", "Request2XX", "request2_xx", "request2_xx"},
    {"underscores vanish from types and stay in functions", ".foo_bar.baz_qux", "FooBar__BazQux", "foo_bar__baz_qux", "foo_bar_baz_qux"},
    {"protobuf-c doubles an underscore before a capital", ".Foo_Bar", "FooBar", "foo__bar", "foo_bar"},
    {"a leading underscore", "._Foo", "Foo", "__foo", "_foo"},
    {"a digit after an underscore is no letter to raise", "._2d", "2d", "_2d", "_2d"},
    {"empty parts count for nothing", "..a..B.", "A__B", "a__b", "a_b"},
    {"nothing", "", "", "", ""},
};

static void names_follow_the_rules(void **unused)
{
    struct rota_leak_alloc alloc;
    struct rota_arena arena;

    (void)unused;
    rota_leak_alloc_init(&alloc);
    rota_arena_init(&arena, &alloc.alloc, 0);
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        print_message("  %s\n", cases[i].rule);
        assert_string_equal(rota_name_type(&arena, cases[i].dotted), cases[i].type);
        assert_string_equal(rota_name_lower(&arena, cases[i].dotted), cases[i].lower);
        assert_string_equal(rota_name_snake(&arena, cases[i].dotted), cases[i].snake);
    }
    assert_string_equal(rota_name_file(&arena, "a/b-c.proto"), "a_2fb_2dc_2eproto");
    assert_string_equal(rota_name_file(&arena, "\xc3\xa9"), "_c3_a9");
    rota_arena_fini(&arena);
    rota_leak_alloc_fini(&alloc);
}

static const struct dotted_case {
    const char *text;
    bool good;
} dotted[] = {
    {"Foo", true},   {".a.B_2", true}, {"_", true},   {"", false},     {".", false},  {"a.", false},    {"..a", false},
    {"2a", false},   {"a.2", false},   {"a b", false}, {"a\"", false}, {"a;", false}, {"a\xc3\xa9", false},
};

static void only_identifiers_and_dots_are_names(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(dotted); i++) {
        print_message("  \"%s\"\n", dotted[i].text);
        assert_int_equal(rota_name_is_dotted(dotted[i].text), dotted[i].good);
    }
}

static void keywords_of_c_and_cpp_are_reserved(void **unused)
{
    (void)unused;
    assert_true(rota_name_is_reserved("default"));
    assert_true(rota_name_is_reserved("delete"));
    assert_true(rota_name_is_reserved("xor_eq"));
    assert_true(rota_name_is_reserved("errno"));
    assert_true(rota_name_is_reserved("typeof_unqual"));
    assert_true(rota_name_is_reserved("offsetof"));
    assert_true(rota_name_is_reserved("strdupa"));
    assert_false(rota_name_is_reserved("say"));
    assert_false(rota_name_is_reserved("Default"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_rules),
        cmocka_unit_test(only_identifiers_and_dots_are_names),
        cmocka_unit_test(keywords_of_c_and_cpp_are_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
