/* json_test.c - JSON to messages and back, after protobuf's JSON mapping. Types are those of sample.proto. */
#include "base/assert.h"
#include "dynamic/json.h"
#include "dynamic/pool_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "wire/json_read.h"
#include <stdlib.h>

static struct rota_pool pool;

static const struct rota_dyn_message *type_of(const char *name)
{
    char full[64];

    snprintf(full, sizeof(full), "sample.%s", name);
    return rota_pool_message(&pool, rota_slice_str(full));
}

/* Both directions; the text, or the sentence of what went wrong with its kind before it. To be freed. */
static char *there_and_back(const char *type, const char *text, enum rota_dyn_unknown unknown)
{
    struct rota_buffer bytes, out;
    struct rota_errinfo info = {""};
    const struct rota_dyn_json *json;
    struct rota_arena arena;
    size_t at = 0;
    rota_err err;

    rota_arena_init(&arena, NULL, 0);
    rota_buffer_init(&bytes, NULL, 0);
    rota_buffer_init(&out, NULL, 0);
    err = rota_dyn_json_parse(rota_slice_str(text), &at, &arena, &json, &info);
    if (err == 0)
        err = rota_dyn_from_json(&pool, type_of(type), json, unknown, &bytes, &info);
    if (err == 0)
        err = rota_dyn_to_json(&pool, type_of(type), rota_buffer_peek(&bytes), &out, &info);
    rota_arena_fini(&arena);
    if (err < 0) {
        rota_buffer_clear(&out);
        assert_int_equal(rota_buffer_printf(&out, "%s", info.text), 0);
    }
    assert_int_equal(rota_buffer_append(&out, rota_slice("", 1)), 0);
    text = strdup((const char *)rota_buffer_peek(&out).data);
    rota_buffer_fini(&bytes);
    rota_buffer_fini(&out);
    return (char *)(uintptr_t)text;
}

/* want NULL: the same text again. */
static const struct text_case {
    const char *rule, *type, *text, *want;
} same[] = {
    {"nothing", "Scalars", "{}", NULL},
    {"zeros are not shown", "Scalars", "{\"real\":0,\"flag\":false,\"text\":\"\",\"data\":\"\",\"colour\":\"GREY\",\"s64\":\"0\"}", "{}"},
    {"null is absent", "Scalars", "{\"real\":null,\"text\":null}", "{}"},
    {"doubles in the fewest digits", "Scalars", "{\"real\":0.1,\"single\":0.1}", NULL},
    {"all digits of a double", "Scalars", "{\"real\":0.12345678901234566}", NULL},
    {"large and small", "Scalars", "{\"real\":1.7976931348623157e+308,\"single\":1e-45}", "{\"real\":1.7976931348623157e+308,\"single\":1.4013e-45}"},
    {"what is no number", "Scalars", "{\"real\":\"NaN\",\"single\":\"-Infinity\"}", NULL},
    {"minus zero is no zero", "Scalars", "{\"real\":-0.0}", NULL},
    {"numbers as texts", "Scalars", "{\"real\":\"1.5\",\"number\":\"-12\",\"unsigned\":\"4294967295\"}",
     "{\"real\":1.5,\"number\":-12,\"unsigned\":4294967295}"},
    {"64 bits are texts", "Scalars", "{\"long\":-9223372036854775807,\"ulong\":\"18446744073709551615\"}",
     "{\"long\":\"-9223372036854775807\",\"ulong\":\"18446744073709551615\"}"},
    {"the lowest of all", "Scalars",
     "{\"long\":\"-9223372036854775808\",\"number\":-2147483648,\"sf32\":-2147483648,\"sf64\":\"-9223372036854775808\",\"s32\":-2147483648,"
     "\"s64\":\"-9223372036854775808\"}",
     NULL},
    {"the highest of all", "Scalars", "{\"f64\":\"18446744073709551615\",\"f32\":4294967295,\"s32\":2147483647,\"s64\":\"9223372036854775807\"}", NULL},
    {"a whole number with an exponent", "Scalars", "{\"number\":1e3,\"long\":\"2.0\"}", "{\"long\":\"2\",\"number\":1000}"},
    {"as many digits as 64 bits hold, with a fraction that is none", "Scalars",
     "{\"long\":9007199254740993.0,\"ulong\":1.8446744073709551615e19,\"s64\":\"-922337203685477580800e-2\"}",
     "{\"long\":\"9007199254740993\",\"ulong\":\"18446744073709551615\",\"s64\":\"-9223372036854775808\"}"},
    {"64 bits without quotes", "Scalars", "{\"ulong\":18446744073709551615}", "{\"ulong\":\"18446744073709551615\"}"},
    {"zero in many ways", "Scalars", "{\"number\":-0,\"unsigned\":\"0.000e9\",\"long\":0e99999999999999999999}", "{}"},
    {"a whole number in small pieces", "Scalars", "{\"number\":0.0012e4,\"unsigned\":120000e-4}", "{\"number\":12,\"unsigned\":12}"},
    {"minus zero without a fraction", "Scalars", "{\"real\":-0}", "{\"real\":-0.0}"},
    {"a number beyond 64 bits", "Scalars", "{\"real\":100000000000000000000000}", "{\"real\":1e+23}"},
    {"a float is rounded once", "Scalars", "{\"single\":1.000000059604644776}", "{\"single\":1.0000001}"},
    {"a number that is next to nothing", "Scalars", "{\"real\":1e-999}", "{}"},
    {"a text with all that must be escaped", "Scalars", "{\"text\":\"a\\\"b\\\\c\\u0000\\n\\u007f\\u0085é\\ud83d\\ude00\"}",
     "{\"text\":\"a\\\"b\\\\c\\u0000\\n\\u007f\\u0085é😀\"}"},
    {"base64 with padding", "Scalars", "{\"data\":\"AAEC/w==\"}", NULL},
    {"base64 without, for URLs", "Scalars", "{\"data\":\"-_8\"}", "{\"data\":\"+/8=\"}"},
    {"enums by name", "Scalars", "{\"colour\":\"DARK\"}", NULL},
    {"enums by number", "Scalars", "{\"colour\":1}", "{\"colour\":\"RED\"}"},
    {"numbers that no name has", "Scalars", "{\"colour\":-77}", NULL},
    {"fields by their name in the .proto", "Shapes", "{\"by_name\":{\"a\":1},\"other_one\":\"x\"}", "{\"byName\":{\"a\":1},\"otherOne\":\"x\"}"},
    {"a name of one's own", "Shapes", "{\"@odd\\\"name\":5}", NULL},
    {"lists packed and not", "Shapes", "{\"numbers\":[1,0,-1],\"loose\":[1,0,-1],\"texts\":[\"\",\"b\"],\"inners\":[{},{\"a\":1}],\"colours\":[\"RED\",\"GREY\"]}",
     NULL},
    {"empty lists are not shown", "Shapes", "{\"numbers\":[],\"texts\":[],\"byName\":{}}", "{}"},
    {"maps with keys of all kinds", "Shapes", "{\"byName\":{\"\":0,\"a\":1},\"byLong\":{\"-5\":{},\"7\":{\"b\":2}},\"byFlag\":{\"false\":\"GREY\",\"true\":\"RED\"}}",
     NULL},
    {"presence shows zero", "Shapes", "{\"maybe\":0}", NULL},
    {"so does a oneof", "Shapes", "{\"one\":0}", NULL},
    {"a oneof's message", "Shapes", "{\"third\":{}}", NULL},
    {"a member whose null is absence beside another of its oneof", "Shapes", "{\"one\":null,\"otherOne\":\"x\"}", "{\"otherOne\":\"x\"}"},
    {"a oneof's null", "Shapes", "{\"nothing\":null}", NULL},
    {"messages in messages", "Shapes", "{\"deeper\":{\"deeper\":{\"inner\":{\"a\":1,\"b\":2}}}}", NULL},
    {"a group", "old.Old", "{\"text\":\"\",\"inner\":{\"a\":1}}", NULL},
    {"an empty group", "old.Old", "{\"text\":\"x\",\"inner\":{}}", NULL},
    {"an extension", "old.Old", "{\"text\":\"x\",\"[sample.old.extra]\":0}", NULL},
    {"extensions behind the fields", "old.Old",
     "{\"[sample.old.Elsewhere.inside]\":{\"flag\":true},\"[sample.old.extra_numbers]\":[\"-1\",2],\"[sample.old.Elsewhere.pairs]\":[{\"key\":\"a\"},{}],"
     "\"number\":1,\"[sample.old.extra]\":null,\"text\":\"x\"}",
     "{\"number\":1,\"text\":\"x\",\"[sample.old.Elsewhere.inside]\":{\"flag\":true},\"[sample.old.Elsewhere.pairs]\":[{\"key\":\"a\"},{}],"
     "\"[sample.old.extra_numbers]\":[\"-1\",\"2\"]}"},
    {"proto2 has presence everywhere", "old.Old", "{\"number\":0,\"loose\":[1],\"packed\":[2],\"text\":\"\"}", NULL},
};

static const struct text_case known[] = {
    {"a time", "Known", "{\"time\":\"2021-10-13T15:32:35.777148Z\"}", NULL},
    {"a time with an offset", "Known", "{\"time\":\"1970-01-01T01:00:00.5+01:00\"}", "{\"time\":\"1970-01-01T00:00:00.500Z\"}"},
    {"before 1970", "Known", "{\"time\":\"1969-12-31T23:59:59.999999999Z\"}", NULL},
    {"the first and the last", "Known", "{\"times\":[\"0001-01-01T00:00:00Z\",\"9999-12-31T23:59:59.999999999Z\"]}", NULL},
    {"leap days", "Known", "{\"times\":[\"2000-02-29T00:00:00Z\",\"1904-02-29T12:00:00Z\",\"2100-03-01T00:00:00Z\"]}", NULL},
    {"a duration", "Known", "{\"span\":\"-1.5s\"}", "{\"span\":\"-1.500s\"}"},
    {"the longest", "Known", "{\"span\":\"315576000000s\"}", NULL},
    {"less than a second", "Known", "{\"span\":\"-0.000000001s\"}", NULL},
    {"a mask", "Known", "{\"mask\":\"user.displayName,photo\"}", NULL},
    {"an empty mask", "Known", "{\"mask\":\"\"}", NULL},
    {"an object", "Known", "{\"object\":{\"a\":1,\"b\":[null,true,\"x\",{\"c\":{}}]}}", NULL},
    {"an empty object", "Known", "{\"object\":{}}", NULL},
    {"values", "Known", "{\"value\":null,\"list\":[],\"values\":{\"a\":null,\"b\":-1.5}}", NULL},
    {"lists of what can say null", "Known", "{\"valuesList\":[null,1],\"nulls\":[null,null]}", NULL},
    {"null is absent where a list of such is due", "Known", "{\"valuesList\":null,\"nulls\":null}", "{}"},
    {"numbers of 64 bits in a value", "Known", "{\"value\":18446744073709551615,\"list\":[9223372036854775808]}",
     "{\"value\":1.8446744073709552e+19,\"list\":[9.223372036854776e+18]}"},
    {"a number's text in a value stays a text", "Known", "{\"value\":\"1\"}", NULL},
    {"keys of all characters", "Known", "{\"object\":{\"a\\u0000b\":1,\"\":2}}", NULL},
    {"an any of what has no fields", "Known", "{\"any\":{\"@type\":\"a/google.protobuf.Empty\"}}", NULL},
    {"a list in a value", "Known", "{\"value\":[[],{}]}", NULL},
    {"an empty message", "Known", "{\"empty\":{}}", NULL},
    {"wrappers show zero", "Known", "{\"real\":0,\"long\":\"0\",\"text\":\"\",\"data\":\"\",\"flag\":false}", NULL},
    {"wrappers", "Known", "{\"real\":1.5,\"long\":\"-1\",\"text\":\"x\",\"data\":\"AA==\",\"flag\":true}", NULL},
    {"an any", "Known", "{\"any\":{\"@type\":\"type.googleapis.com/sample.Scalars\",\"number\":5}}", NULL},
    {"an any of what has a form of its own", "Known", "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1s\"}}", NULL},
    {"an any in an any", "Known",
     "{\"any\":{\"@type\":\"a/google.protobuf.Any\",\"value\":{\"@type\":\"b/sample.Scalars\",\"number\":1}}}", NULL},
    {"an any of an unknown type", "Known", "{\"any\":{\"@type\":\"x.y/no.Such\",\"value\":\"AQI=\"}}", NULL},
    {"an empty any", "Known", "{\"any\":{}}", NULL},
};

/* Members that no field has, when they are to be passed over. */
static const struct text_case ignored[] = {
    {"a field", "Scalars", "{\"nmber\":{\"a\":[1]},\"number\":1}", "{\"number\":1}"},
    {"also its null", "Scalars", "{\"nmber\":null}", "{}"},
    {"a field of a message inside", "Shapes", "{\"inners\":[{\"x\":1,\"a\":1}]}", "{\"inners\":[{\"a\":1}]}"},
    {"the name of an enum's value", "Scalars", "{\"colour\":\"BLUE\"}", "{}"},
    {"such a name in a list", "Shapes", "{\"colours\":[\"RED\",\"BLUE\",\"GREY\"]}", "{\"colours\":[\"RED\",\"GREY\"]}"},
    {"alone in a list", "Shapes", "{\"colours\":[\"BLUE\"]}", "{}"},
    {"such a name in a map", "Shapes", "{\"byFlag\":{\"true\":\"BLUE\",\"false\":\"RED\"}}", "{\"byFlag\":{\"false\":\"RED\"}}"},
    {"but not a wrong type", "Scalars", "{\"colour\":true}", "colour: expected a value of the enum sample.Colour, by name or number"},
    {"nor a wrong value of a known field", "Scalars", "{\"number\":\"x\"}", "number: expected a whole number of 32 bits"},
};

static const struct text_case bad[] = {
    {"no object", "Scalars", "[]", "expected an object"},
    {"no such field", "Scalars", "{\"nmber\":1}", "nmber: sample.Scalars has no such field"},
    {"too large for 32 bits", "Scalars", "{\"number\":2147483648}", "number: expected a whole number of 32 bits"},
    {"too large for 64", "Scalars", "{\"long\":\"9223372036854775808\"}", "long: expected a whole number of 64 bits"},
    {"negative where none can be", "Scalars", "{\"ulong\":-1}", "ulong: expected a whole number of 64 bits, not negative"},
    {"a fraction", "Scalars", "{\"number\":1.5}", "number: expected a whole number of 32 bits"},
    {"a double too large for a float", "Scalars", "{\"single\":1e39}", "single: expected a number that a float can hold"},
    {"blanks in a number", "Scalars", "{\"number\":\" 1\"}", "number: expected a whole number of 32 bits"},
    {"a hexadecimal number", "Scalars", "{\"real\":\"0x10\"}", "real: expected a number"},
    {"a number with a zero behind it", "Scalars", "{\"number\":\"1\\u0000\"}", "number: expected a whole number of 32 bits"},
    {"a zero before a number", "Scalars", "{\"number\":\"01\"}", "number: expected a whole number of 32 bits"},
    {"a plus before a number", "Scalars", "{\"real\":\"+1\"}", "real: expected a number"},
    {"no number at all", "Scalars", "{\"real\":\"\"}", "real: expected a number"},
    {"a fraction far behind the point", "Scalars", "{\"long\":1.00000000000000000000000000001}", "long: expected a whole number of 64 bits"},
    {"an exponent beyond all", "Scalars", "{\"ulong\":\"1e99999999999999999999\"}", "ulong: expected a whole number of 64 bits, not negative"},
    {"one too low for 64 bits", "Scalars", "{\"long\":-9223372036854775809}", "long: expected a whole number of 64 bits"},
    {"a double beyond all", "Scalars", "{\"real\":1e400}", "real: expected a number that a double can hold"},
    {"a text that is a number", "Scalars", "{\"text\":1}", "text: expected a text"},
    {"a flag that is a text", "Scalars", "{\"flag\":\"true\"}", "flag: expected true or false"},
    {"no base64", "Scalars", "{\"data\":\"A\"}", "data: expected bytes in base64"},
    {"padding in the middle", "Scalars", "{\"data\":\"AA==AA==\"}", "data: expected bytes in base64"},
    {"no value of the enum", "Scalars", "{\"colour\":\"BLUE\"}", "colour: expected a value of the enum sample.Colour, by name or number"},
    {"the place in lists", "Shapes", "{\"inners\":[{},{\"a\":\"x\"}]}", "inners[1].a: expected a whole number of 32 bits"},
    {"null in a map", "Shapes", "{\"byName\":{\"a\":null}}", "byName.a: expected a whole number of 32 bits"},
    {"null in a list of messages", "Shapes", "{\"inners\":[null]}", "inners[0]: expected an object"},
    {"a member and a null of one oneof", "Shapes", "{\"one\":1,\"nothing\":null}", "nothing: another member of the same oneof is set"},
    {"a message that is a text", "Shapes", "{\"inner\":\"\"}", "inner: expected an object"},
    {"null in a list", "Shapes", "{\"numbers\":[null]}", "numbers[0]: expected a whole number of 32 bits"},
    {"no list", "Shapes", "{\"numbers\":1}", "numbers: expected a list"},
    {"no map", "Shapes", "{\"byName\":[]}", "byName: expected an object, for a map"},
    {"a key that is no number", "Shapes", "{\"byLong\":{\"x\":{}}}", "byLong.x: expected a whole number of 64 bits"},
    {"a key that is no flag", "Shapes", "{\"byFlag\":{\"1\":0}}", "byFlag.1: expected true or false as the key"},
    {"two of a oneof", "Shapes", "{\"one\":1,\"otherOne\":\"x\"}", "otherOne: another member of the same oneof is set"},
    {"a field by both its names", "Shapes", "{\"byName\":{},\"by_name\":{}}", "by_name: comes twice, by both its names"},
    {"a leap second", "Known", "{\"time\":\"2016-12-31T23:59:60Z\"}", "time: expected a time as in \"2006-01-02T15:04:05.5Z\""},
    {"a time in small letters", "Known", "{\"time\":\"2021-02-28t00:00:00Z\"}", "time: expected a time as in \"2006-01-02T15:04:05.5Z\""},
    {"its zone in small letters", "Known", "{\"time\":\"2021-02-28T00:00:00z\"}", "time: expected a time as in \"2006-01-02T15:04:05.5Z\""},
    {"a value that no double holds", "Known", "{\"value\":-1e400}", "value: expected a number that a double can hold"},
    {"a time in seconds", "Known", "{\"time\":1}", "time: expected a text"},
    {"a wrapper's value in an object", "Known", "{\"long\":{\"value\":1}}", "long: expected a whole number of 64 bits"},
    {"an object that is none", "Known", "{\"object\":[]}", "object: expected an object, for a map"},
    {"a list that is none", "Known", "{\"list\":{}}", "list: expected a list"},
    {"an empty message with a field", "Known", "{\"empty\":{\"a\":1}}", "empty.a: google.protobuf.Empty has no such field"},
    {"the place in an any", "Known", "{\"any\":{\"@type\":\"a/sample.Scalars\",\"nmber\":5}}", "any.nmber: sample.Scalars has no such field"},
    {"no time", "Known", "{\"time\":\"2021-02-29T00:00:00Z\"}", "time: expected a time as in \"2006-01-02T15:04:05.5Z\""},
    {"a time without a zone", "Known", "{\"time\":\"2021-02-28T00:00:00\"}", "time: expected a time as in \"2006-01-02T15:04:05.5Z\""},
    {"a time before the first", "Known", "{\"time\":\"0001-01-01T00:00:00+01:00\"}", "time: expected a time as in \"2006-01-02T15:04:05.5Z\""},
    {"ten digits of a second", "Known", "{\"span\":\"1.0123456789s\"}", "span: expected a duration as in \"1.5s\""},
    {"too long a duration", "Known", "{\"span\":\"315576000001s\"}", "span: expected a duration as in \"1.5s\""},
    {"a duration without a unit", "Known", "{\"span\":\"1\"}", "span: expected a duration as in \"1.5s\""},
    {"an any without a type", "Known", "{\"any\":{\"a\":1}}", "any.@type: expected a text as in \"type.googleapis.com/package.Message\""},
    {"an any of an unknown type, in fields", "Known", "{\"any\":{\"@type\":\"x/no.Such\",\"a\":1}}",
     "any: no type x/no.Such is known here; its bytes may be given as \"value\", in base64"},
    {"a mask in the wrong case", "Known", "{\"mask\":\"foo_bar\"}", "mask: expected names as in fooBar.baz"},
    {"an empty name at a mask's end", "Known", "{\"mask\":\"a,\"}", "mask: expected names as in fooBar.baz"},
    {"an empty name in a mask", "Known", "{\"mask\":\"a,,b\"}", "mask: expected names as in fooBar.baz"},
    {"no required field", "old.Old", "{\"number\":1}", "text: is required, and missing"},
    {"nor in a message inside", "Known", "{\"old\":{\"text\":null}}", "old.text: is required, and missing"},
    {"a group that is none", "old.Old", "{\"inner\":1}", "inner: expected an object"},
    {"an extension that is not there", "old.Old", "{\"[sample.old.none]\":1}", "[sample.old.none]: sample.old.Old has no such field"},
    {"one of another message", "old.Elsewhere", "{\"[sample.old.extra]\":1}", "[sample.old.extra]: sample.old.Elsewhere has no such field"},
    {"one without its brackets", "old.Old", "{\"extra\":1}", "extra: sample.old.Old has no such field"},
    {"the place in an extension", "old.Old", "{\"[sample.old.extra]\":\"x\"}", "[sample.old.extra]: expected a whole number of 32 bits"},
};

static void check_cases(const struct text_case *cases, size_t n, enum rota_dyn_unknown unknown)
{
    for (size_t i = 0; i < n; i++) {
        char *got = there_and_back(cases[i].type, cases[i].text, unknown);
        print_message("  %s\n", cases[i].rule);
        assert_string_equal(got, cases[i].want == NULL ? cases[i].text : cases[i].want);
        free(got);
    }
}

static void json_comes_back_the_same(void **unused)
{
    (void)unused;
    check_cases(same, ROTA_COUNT(same), ROTA_DYN_REFUSE);
    check_cases(known, ROTA_COUNT(known), ROTA_DYN_REFUSE);
}

static void what_is_unknown_may_be_passed_over(void **unused)
{
    (void)unused;
    check_cases(ignored, ROTA_COUNT(ignored), ROTA_DYN_IGNORE);
}

static void what_is_wrong_is_named_with_its_place(void **unused)
{
    (void)unused;
    check_cases(bad, ROTA_COUNT(bad), ROTA_DYN_REFUSE);
}

/* Bytes as other programs may send them; want begins with ! when they are refused. */
static const struct wire_case {
    const char *rule, *type, *hex, *want;
} wires[] = {
    {"the last of a number counts", "Scalars", "28 01 28 02", "{\"number\":2}"},
    {"even when it is zero", "Scalars", "28 01 28 00", "{}"},
    {"a list packed that is declared loose, and back", "Shapes", "1a 02 01 02 18 03 12 01 04 10 05", "{\"numbers\":[4,5],\"loose\":[1,2,3]}"},
    {"pieces of a message are joined", "Shapes", "0a 02 08 01 0a 02 10 02", "{\"inner\":{\"a\":1,\"b\":2}}"},
    {"the last of a oneof counts", "Shapes", "50 01 5a 01 78", "{\"otherOne\":\"x\"}"},
    {"also over a message", "Shapes", "62 02 08 01 50 05", "{\"one\":5}"},
    {"a oneof's message forgets what came before another member", "Shapes", "62 02 08 01 50 05 62 02 10 02", "{\"third\":{\"b\":2}}"},
    {"its pieces are joined when no other member stands between them", "Shapes", "50 05 62 02 08 01 28 01 62 02 10 02",
     "{\"third\":{\"a\":1,\"b\":2}}"},
    {"pieces of a value's object are joined", "Known", "32 16 2a 09 0a 07 0a 01 61 12 02 20 01 2a 09 0a 07 0a 01 62 12 02 20 01",
     "{\"value\":{\"a\":true,\"b\":true}}"},
    {"but not when another kind of value stands between them", "Known",
     "32 18 2a 09 0a 07 0a 01 61 12 02 20 01 20 01 2a 09 0a 07 0a 01 62 12 02 20 01", "{\"value\":{\"b\":true}}"},
    {"the last of a map's entries counts", "Shapes", "32 05 0a 01 61 10 01 32 05 0a 01 61 10 02", "{\"byName\":{\"a\":2}}"},
    {"keys that are one when cut to 32 bits, or true", "Shapes", "42 02 08 01 42 04 08 02 10 01", "{\"byFlag\":{\"true\":\"RED\"}}"},
    {"a mask that JSON would bring back as another", "Known", "22 04 0a 02 61 5f", "!a FieldMask's path that has no form in JSON"},
    {"an entry without key or value", "Shapes", "32 00 3a 00", "{\"byName\":{\"\":0},\"byLong\":{\"0\":{}}}"},
    {"fields in any order are shown as declared", "Scalars", "28 01 09 00 00 00 00 00 00 f0 3f", "{\"real\":1,\"number\":1}"},
    {"unknown fields are left out", "Scalars", "c8 3e 01 28 01", "{\"number\":1}"},
    {"so are those of another shape", "Scalars", "2a 01 61 4d 00 00 00 00", "{}"},
    {"32 bits are cut from 64", "Scalars", "28 ff ff ff ff 1f", "{\"number\":-1}"},
    {"and if nothing is left, they are zero", "Scalars", "28 80 80 80 80 10", "{}"},
    {"a value without a kind", "Known", "32 00", "{\"value\":null}"},
    {"a struct's value without a kind", "Known", "2a 05 0a 03 0a 01 61", "{\"object\":{\"a\":null}}"},
    {"a value that is no number", "Known", "32 09 11 00 00 00 00 00 00 f8 7f", "!a Value that is no number, which JSON would bring back as a text"},
    {"nor is an infinite one", "Known", "32 09 11 00 00 00 00 00 00 f0 ff", "!a Value that is no number, which JSON would bring back as a text"},
    {"a group, its pieces joined", "old.Old", "2b 08 01 2c 08 05 2b 2c", "{\"number\":5,\"inner\":{\"a\":1}}"},
    {"a group where a message is declared", "Shapes", "0b 08 01 0c", "{}"},
    {"a message where a group is declared", "old.Old", "2a 02 08 01", "{}"},
    {"an unknown group with others in it", "Scalars", "9b 06 08 01 0b 9b 06 9c 06 0c 9c 06 28 01", "{\"number\":1}"},
    {"a group without an end", "Scalars", "9b 06 28 01", "!sample.Scalars: malformed or cut off"},
    {"a group with another's end", "old.Old", "2b 08 01 34", "!sample.old.Old: malformed or cut off"},
    {"an end without a group", "Scalars", "28 01 9c 06", "!sample.Scalars: malformed or cut off"},
    {"extensions", "old.Old", "a0 06 07 aa 06 02 01 04 a8 06 05", "{\"[sample.old.extra]\":7,\"[sample.old.extra_numbers]\":[\"-1\",\"2\",\"-3\"]}"},
    {"an any whose type is no text", "Known", "0a 05 0b 12 01 61 0c", "{\"any\":{}}"},
    {"a time with numbers of another shape", "Known", "12 05 0d 01 00 00 00", "{\"time\":\"1970-01-01T00:00:00Z\"}"},
    {"cut off", "Scalars", "28", "!sample.Scalars: malformed or cut off"},
    {"cut off inside", "Shapes", "0a 01 08", "!sample.Shapes.Inner: malformed or cut off"},
    {"cut off in numbers", "Shapes", "12 01 80", "!numbers: numbers that are malformed or cut off"},
    {"no UTF-8", "Scalars", "4a 01 ff", "!a string that is not UTF-8"},
    {"no UTF-8 in a key", "Shapes", "32 03 0a 01 ff", "!a string that is not UTF-8"},
    {"a time after the last", "Known", "12 07 08 80 83 d1 ff af 07", "!a Timestamp outside the years 1 to 9999"},
    {"nanoseconds of the other sign", "Known", "1a 0d 08 01 10 ff ff ff ff ff ff ff ff ff 01", "!a Duration out of range"},
};

static void bytes_become_json(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(wires); i++) {
        struct rota_errinfo info = {""};
        struct rota_buffer out;
        uint8_t bytes[64];
        bool refused = wires[i].want[0] == '!';

        print_message("  %s\n", wires[i].rule);
        rota_buffer_init(&out, NULL, 0);
        assert_int_equal(rota_dyn_to_json(&pool, type_of(wires[i].type), rota_sample_bytes(wires[i].hex, bytes, sizeof(bytes)), &out, &info),
                         refused ? ROTA_EPARSE : 0);
        if (refused) {
            assert_string_equal(info.text, wires[i].want + 1);
        } else {
            assert_int_equal(rota_buffer_append(&out, rota_slice("", 1)), 0);
            assert_string_equal((const char *)rota_buffer_peek(&out).data, wires[i].want);
        }
        rota_buffer_fini(&out);
    }
}

/* {"deeper":{...}}, read into bytes. */
static rota_err read_nested(int levels, struct rota_buffer *bytes, struct rota_errinfo *info)
{
    const struct rota_dyn_json *json;
    struct rota_buffer text;
    struct rota_arena arena;
    size_t at = 0;
    rota_err err;

    rota_arena_init(&arena, NULL, 0);
    rota_buffer_init(&text, NULL, 0);
    for (int i = 1; i < levels; i++)
        assert_int_equal(rota_buffer_append(&text, ROTA_SLICE("{\"deeper\":")), 0);
    assert_int_equal(rota_buffer_append(&text, ROTA_SLICE("{")), 0);
    for (int i = 0; i < levels; i++)
        assert_int_equal(rota_buffer_append(&text, ROTA_SLICE("}")), 0);
    assert_int_equal(rota_dyn_json_parse(rota_buffer_peek(&text), &at, &arena, &json, info), 0);
    err = rota_dyn_from_json(&pool, type_of("Shapes"), json, ROTA_DYN_REFUSE, bytes, info);
    rota_buffer_fini(&text);
    rota_arena_fini(&arena);
    return err;
}

static void nesting_is_bounded_both_ways(void **unused)
{
    struct rota_errinfo info = {""};
    struct rota_buffer bytes, out;

    (void)unused;
    rota_buffer_init(&bytes, NULL, 0);
    rota_buffer_init(&out, NULL, 0);
    assert_int_equal(read_nested(101, &out, &info), ROTA_EPARSE);
    assert_non_null(strstr(info.text, "nested deeper than 100"));
    rota_buffer_clear(&out);
    assert_int_equal(read_nested(100, &bytes, &info), 0);
    assert_int_equal(rota_dyn_to_json(&pool, type_of("Shapes"), rota_buffer_peek(&bytes), &out, &info), 0);
    rota_buffer_clear(&out);
    /* One more around it. */
    assert_int_equal(rota_buffer_append(&out, ROTA_SLICE("\x7a")), 0);
    for (size_t size = rota_buffer_peek(&bytes).size; size > 0; size >>= 7)
        assert_int_equal(rota_buffer_append(&out, rota_slice(&(uint8_t){(uint8_t)((size & 0x7f) | (size > 0x7f ? 0x80 : 0))}, 1)), 0);
    assert_int_equal(rota_buffer_append(&out, rota_buffer_peek(&bytes)), 0);
    rota_buffer_clear(&bytes);
    assert_int_equal(rota_dyn_to_json(&pool, type_of("Shapes"), rota_buffer_peek(&out), &bytes, &info), ROTA_EPARSE);
    rota_buffer_fini(&bytes);
    rota_buffer_fini(&out);
}

static rota_err both_ways(const struct rota_alloc *alloc, void *ctx)
{
    const struct rota_dyn_json *json;
    struct rota_buffer bytes, out;
    struct rota_arena arena;
    size_t at = 0;
    rota_err err;

    rota_arena_init(&arena, alloc, 0);
    rota_buffer_init(&bytes, alloc, 0);
    rota_buffer_init(&out, alloc, 0);
    err = rota_dyn_json_parse(rota_slice_str(ctx), &at, &arena, &json, NULL);
    if (err == 0)
        err = rota_dyn_from_json(&pool, type_of("Known"), json, ROTA_DYN_REFUSE, &bytes, NULL);
    if (err == 0)
        err = rota_dyn_to_json(&pool, type_of("Known"), rota_buffer_peek(&bytes), &out, NULL);
    rota_buffer_fini(&bytes);
    rota_buffer_fini(&out);
    rota_arena_fini(&arena);
    return err;
}

static void out_of_memory_is_an_error(void **unused)
{
    char text[] = "{\"any\":{\"@type\":\"a/sample.Shapes\",\"texts\":[\"a\"],\"byName\":{\"a\":1},\"one\":2},\"mask\":\"a,b\",\"data\":\"AA==\","
                  "\"time\":\"2021-10-13T15:32:35Z\",\"object\":{\"a\":[1,null]}}";

    (void)unused;
    assert_true(rota_alloc_sweep(both_ways, text) > 10);
}

static int set_up(void **unused)
{
    (void)unused;
    rota_sample_pool(&pool, NULL);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    rota_pool_fini(&pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_comes_back_the_same),
        cmocka_unit_test(what_is_unknown_may_be_passed_over),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(bytes_become_json),
        cmocka_unit_test(nesting_is_bounded_both_ways),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
