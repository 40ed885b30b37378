/* pool_test.c - descriptors good and bad: what a pool learns of sample.proto, and what it refuses of anybody. */
#include "base/assert.h"
#include "base/buffer.h"
#include "dynamic/pool_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

/* Files f with what the digits say behind their name. A message is 22, its name 0a, a field 12, with name 0a, number 18, label 20,
 * type 28, type's name 32. */
static const struct bad_case {
    const char *rule, *hex, *text;
    rota_err err;
} cases[] = {
    {"cut off", "22 05 0a", "malformed or cut off", ROTA_EPARSE},
    {"a message cut off", "22 03 0a 04 4d", "malformed or cut off", ROTA_EPARSE},
    {"a message without a name", "22 00", "a name that is none", ROTA_EPARSE},
    {"a name that would steer a terminal", "22 04 0a 02 1b 5b", "a name that is none", ROTA_EPARSE},
    {"a name with a dot", "22 05 0a 03 4d 2e 4e", "a name that is none", ROTA_EPARSE},
    {"a package that is none", "12 02 2e 61", "a package whose name is none", ROTA_EPARSE},
    {"a field of number 0", "22 0c 0a 01 4d 12 07 0a 01 61 20 01 28 05", "a field whose number is none", ROTA_EPARSE},
    {"a field of number 2^29", "22 12 0a 01 4d 12 0d 0a 01 61 18 80 80 80 80 02 20 01 28 05", "a field whose number is none", ROTA_EPARSE},
    {"a field of type 19", "22 0e 0a 01 4d 12 09 0a 01 61 18 01 20 01 28 13", "a field whose type is none", ROTA_EPARSE},
    {"a field of no type", "22 0c 0a 01 4d 12 07 0a 01 61 18 01 20 01", "a field whose type is none", ROTA_EPARSE},
    {"two fields of one number", "22 19 0a 01 4d 12 09 0a 01 61 18 01 20 01 28 05 12 09 0a 01 62 18 01 20 01 28 05", "two fields of one number", ROTA_EPARSE},
    {"a member of no oneof", "22 10 0a 01 4d 12 0b 0a 01 61 18 01 20 01 28 05 48 00", "a field of a oneof that is not there", ROTA_EPARSE},
    {"a type whose name is none", "22 12 0a 01 4d 12 0d 0a 01 61 18 01 20 01 28 0b 32 02 78 2e", "a reference to a type by a name that is none", ROTA_EPARSE},
    {"a type that no scope has", "22 12 0a 01 4d 12 0d 0a 01 61 18 01 20 01 28 0b 32 02 78 79", "M refers to xy, which no known file declares", ROTA_ENOTFOUND},
    {"a type that is not there", "22 12 0a 01 4d 12 0d 0a 01 61 18 01 20 01 28 0b 32 02 2e 4e", "M refers to N, which no known file declares", ROTA_ENOTFOUND},
    {"an enum where a message is meant", "2a 03 0a 01 45 22 12 0a 01 4d 12 0d 0a 01 61 18 01 20 01 28 0b 32 02 2e 45",
     "M refers to E, which no known file declares", ROTA_ENOTFOUND},
    {"a method of a type that is not there", "22 03 0a 01 4d 32 10 0a 01 53 12 0b 0a 01 61 12 02 2e 4d 1a 02 2e 4e",
     "S refers to N, which no known file declares", ROTA_ENOTFOUND},
    {"a name declared twice", "22 03 0a 01 4d 2a 03 0a 01 4d", "M is declared twice", ROTA_EEXIST},
    {"an entry of a map that is none", "22 07 0a 01 4d 3a 02 38 01", "M is no entry of a map", ROTA_EPARSE},
    {"an extension of nothing", "3a 09 0a 01 78 18 64 20 01 28 05", "a reference to a type by a name that is none", ROTA_EPARSE},
    {"an extension declared twice", "3a 0d 0a 01 78 12 02 2e 4d 18 64 20 01 28 05 3a 0d 0a 01 78 12 02 2e 4d 18 65 20 01 28 05", "x is declared twice",
     ROTA_EEXIST},
    {"a JSON name that is no text", "22 11 0a 01 4d 12 0c 0a 01 61 18 01 20 01 28 05 52 01 ff", "a field's name in JSON is no text", ROTA_EPARSE},
};

static void bad_descriptors_are_refused_with_a_sentence(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_errinfo info = {""};
        uint8_t bytes[64] = {0x0a, 0x01, 'f'};
        struct rota_slice rest = rota_sample_bytes(cases[i].hex, bytes + 3, sizeof(bytes) - 3);
        struct rota_pool pool;
        rota_err err;

        print_message("  %s\n", cases[i].rule);
        rota_pool_init(&pool, NULL);
        err = rota_pool_add(&pool, rota_slice(bytes, 3 + rest.size), &info);
        if (err == 0)
            err = rota_pool_link(&pool, &info);
        assert_int_equal(err, cases[i].err);
        assert_non_null(strstr(info.text, cases[i].text));
        rota_pool_fini(&pool);
    }
}

static void a_file_needs_a_path(void **unused)
{
    static const struct rota_slice files[] = {{NULL, 0}, ROTA_SLICE("\x0a\x00"), ROTA_SLICE("\x0a\x01\n"), ROTA_SLICE("\x0a\x01\xff")};
    struct rota_pool pool;

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(files); i++) {
        rota_pool_init(&pool, NULL);
        assert_int_equal(rota_pool_add(&pool, files[i], NULL), ROTA_EPARSE);
        rota_pool_fini(&pool);
    }
}

/* A message in a message, `levels` of them. */
static rota_err add_nested(int levels)
{
    uint8_t bytes[1024];
    size_t at = sizeof(bytes);
    struct rota_pool pool;
    rota_err err;

    for (int i = 0; i < levels; i++) {
        size_t size = sizeof(bytes) - at + 3;
        at -= 3;
        memcpy(bytes + at, "\x0a\x01M", 3);
        if (size > 0x7f)
            bytes[--at] = (uint8_t)(size >> 7);
        bytes[--at] = (uint8_t)((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
        bytes[--at] = i + 1 == levels ? 0x22 : 0x1a;
    }
    at -= 3;
    memcpy(bytes + at, "\x0a\x01"
                       "f",
           3);
    rota_pool_init(&pool, NULL);
    err = rota_pool_add(&pool, rota_slice(bytes + at, sizeof(bytes) - at), NULL);
    rota_pool_fini(&pool);
    return err;
}

static void nesting_is_bounded(void **unused)
{
    (void)unused;
    assert_int_equal(add_nested(99), 0);
    assert_int_equal(add_nested(100), ROTA_EPARSE);
}

static void imports_are_missed_until_they_are_there(void **unused)
{
    static const struct rota_slice importer = ROTA_SLICE("\x0a\x01"
                                                         "f\x1a\x01g"),
                                   imported = ROTA_SLICE("\x0a\x01g\x22\x03\x0a\x01M");
    struct rota_pool pool;

    (void)unused;
    rota_pool_init(&pool, NULL);
    assert_null(rota_pool_missing(&pool));
    assert_int_equal(rota_pool_add(&pool, importer, NULL), 0);
    assert_string_equal(rota_pool_missing(&pool), "g");
    assert_int_equal(rota_pool_add(&pool, imported, NULL), 0);
    assert_int_equal(rota_pool_add(&pool, imported, NULL), 0);
    assert_null(rota_pool_missing(&pool));
    assert_int_equal(rota_pool_link(&pool, NULL), 0);
    assert_non_null(rota_pool_message(&pool, ROTA_SLICE("M")));
    rota_pool_fini(&pool);
}

static void check_field(const struct rota_pool *pool, const char *message, uint32_t number, bool presence, bool packed, int oneof)
{
    const struct rota_dyn_field *field = rota_dyn_field_numbered(rota_pool_message(pool, rota_slice_str(message)), number);

    assert_non_null(field);
    assert_int_equal(field->presence, presence);
    assert_int_equal(field->packed, packed);
    assert_int_equal(field->oneof, oneof);
}

static void the_sample_is_learnt(void **unused)
{
    const struct rota_dyn_service *service;
    const struct rota_dyn_method *method;
    struct rota_pool pool;

    (void)unused;
    rota_sample_pool(&pool, NULL);
    check_field(&pool, "sample.Scalars", 5, false, false, -1);
    check_field(&pool, "sample.Shapes", 1, true, false, -1);  /* a message */
    check_field(&pool, "sample.Shapes", 2, false, true, -1);  /* proto3 packs */
    check_field(&pool, "sample.Shapes", 3, false, false, -1); /* unless told not to */
    check_field(&pool, "sample.Shapes", 9, true, false, -1);  /* optional: a oneof for protoc alone */
    check_field(&pool, "sample.Shapes", 10, true, false, 0);
    check_field(&pool, "sample.old.Old", 1, true, false, -1); /* proto2 */
    check_field(&pool, "sample.old.Old", 2, false, false, -1);
    check_field(&pool, "sample.old.Old", 3, false, true, -1);
    assert_null(rota_dyn_field_numbered(rota_pool_message(&pool, ROTA_SLICE("sample.Shapes")), 17));
    assert_int_equal(rota_pool_message(&pool, ROTA_SLICE("google.protobuf.Struct"))->special, ROTA_DYN_STRUCT);
    assert_int_equal(rota_pool_message(&pool, ROTA_SLICE("google.protobuf.Empty"))->special, ROTA_DYN_PLAIN);
    service = rota_pool_service(&pool, ROTA_SLICE("sample.Sampler"));
    assert_int_equal(service->n_methods, 4);
    method = rota_dyn_service_method(service, ROTA_SLICE("Down"));
    assert_true(method->server_streaming && !method->client_streaming);
    assert_string_equal(method->output->name, "sample.Scalars");
    assert_null(rota_dyn_service_method(service, ROTA_SLICE("Dow")));
    rota_pool_fini(&pool);
}

/* Files with a message M that has the field a = 1; 3a is an extension, its extendee's name 12. */
static const struct extension_case {
    const char *rule, *hex;
    uint32_t number; /* to look up */
    const char *want; /* the field's JSON name */
    size_t n;
} extensions[] = {
    {"an extension", "3a 0d 0a 01 78 12 02 2e 4d 18 64 20 01 28 05", 100, "[x]", 1},
    {"others are not found by its number", "3a 0d 0a 01 78 12 02 2e 4d 18 64 20 01 28 05", 101, NULL, 1},
    {"one declared in a message", "22 12 0a 01 4e 32 0d 0a 01 78 12 02 2e 4d 18 64 20 01 28 05", 100, "[N.x]", 1},
    {"one of a message that is not there", "3a 0d 0a 01 78 12 02 2e 4e 18 64 20 01 28 05", 100, NULL, 0},
    {"one of a type that is not there", "3a 11 0a 01 78 12 02 2e 4d 18 64 20 01 28 0b 32 02 2e 4e", 100, NULL, 0},
    {"one of a field's number", "3a 0d 0a 01 78 12 02 2e 4d 18 01 20 01 28 05", 1, "a", 0},
    {"one that is listed among a message's fields", "22 0f 0a 01 4e 12 0a 0a 02 2e 78 18 64 20 01 28 05", 100, NULL, 0},
    {"the first of two of a number", "3a 0d 0a 01 78 12 02 2e 4d 18 64 20 01 28 05 3a 0d 0a 01 79 12 02 2e 4d 18 64 20 01 28 05", 100, "[x]", 1},
};

static void extensions_are_found_if_they_make_sense(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(extensions); i++) {
        const struct rota_dyn_message *message;
        const struct rota_dyn_field *field;
        uint8_t bytes[80] = "\x0a\x01"
                            "f\x22\x0e\x0a\x01M\x12\x09\x0a\x01"
                            "a\x18\x01\x20\x01\x28\x05";
        struct rota_slice rest = rota_sample_bytes(extensions[i].hex, bytes + 19, sizeof(bytes) - 19);
        struct rota_pool pool;

        print_message("  %s\n", extensions[i].rule);
        rota_pool_init(&pool, NULL);
        assert_int_equal(rota_pool_add(&pool, rota_slice(bytes, 19 + rest.size), NULL), 0);
        assert_int_equal(rota_pool_link(&pool, NULL), 0);
        message = rota_pool_message(&pool, ROTA_SLICE("M"));
        assert_int_equal(message->n_extensions, extensions[i].n);
        field = rota_pool_field(&pool, message, extensions[i].number);
        assert_int_equal(field == NULL, extensions[i].want == NULL);
        if (field != NULL)
            assert_string_equal(field->json_name, extensions[i].want);
        rota_pool_fini(&pool);
    }
}

static size_t put(uint8_t *out, uint8_t tag, struct rota_slice bytes)
{
    out[0] = tag;
    out[1] = (uint8_t)bytes.size;
    if (bytes.size > 0)
        memcpy(out + 2, bytes.data, bytes.size);
    return bytes.size + 2;
}

/* The field a = 1 of a message M in a file of an edition. Features stand in options: of a file 92 03, a message 62, a field aa 01;
 * presence is 08, lists 18, messages 28. In a field label 20, type 28, type's name 32, options 42. */
static const struct feature_case {
    const char *rule, *file, *message, *field;
    bool presence, required, packed;
    enum rota_dyn_type type;
} features[] = {
    {"presence is explicit", "", "", "20 01 28 05", true, false, false, ROTA_DYN_INT32},
    {"or implicit in a file", "92 03 02 08 02", "", "20 01 28 05", false, false, false, ROTA_DYN_INT32},
    {"or in a message", "", "62 02 08 02", "20 01 28 09", false, false, false, ROTA_DYN_STRING},
    {"or in a field", "", "", "20 01 28 05 42 05 aa 01 02 08 02", false, false, false, ROTA_DYN_INT32},
    {"the nearest counts", "92 03 02 08 02", "", "20 01 28 05 42 05 aa 01 02 08 01", true, false, false, ROTA_DYN_INT32},
    {"what is not named is inherited", "92 03 02 08 02", "62 02 18 02", "20 01 28 05", false, false, false, ROTA_DYN_INT32},
    {"a message always has presence", "92 03 02 08 02", "", "20 01 28 0b 32 02 2e 4d", true, false, false, ROTA_DYN_MESSAGE},
    {"so has a member of a oneof", "92 03 02 08 02", "", "20 01 28 05 48 00", true, false, false, ROTA_DYN_INT32},
    {"a field that is required", "", "", "20 01 28 05 42 05 aa 01 02 08 03", true, true, false, ROTA_DYN_INT32},
    {"lists are packed", "", "", "20 03 28 05", false, false, true, ROTA_DYN_INT32},
    {"unless expanded", "92 03 02 18 02", "", "20 03 28 05", false, false, false, ROTA_DYN_INT32},
    {"or packed again", "92 03 02 18 02", "62 02 18 01", "20 03 28 05", false, false, true, ROTA_DYN_INT32},
    {"delimited messages are groups", "92 03 02 28 02", "", "20 01 28 0b 32 02 2e 4d", true, false, false, ROTA_DYN_GROUP},
    {"but prefixed ones are not", "92 03 02 28 02", "", "20 01 28 0b 32 02 2e 4d 42 05 aa 01 02 28 01", true, false, false, ROTA_DYN_MESSAGE},
    {"nor are maps", "92 03 02 28 02", "", "20 03 28 0b 32 02 2e 45", false, false, false, ROTA_DYN_MESSAGE},
};

/* E is the entry of a map from int32 to E itself. */
static void features_shape_fields(void **unused)
{
    static const struct rota_slice entry = ROTA_SLICE("\x0a\x01"
                                                      "E\x12\x09\x0a\x01k\x18\x01\x20\x01\x28\x05\x12\x0d\x0a\x01v\x18\x02\x20\x01\x28\x0b\x32\x02.E\x3a\x02\x38\x01"),
                                   oneof = ROTA_SLICE("\x42\x03\x0a\x01o");

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(features); i++) {
        const struct feature_case *c = &features[i];
        uint8_t options[16], field[40] = "\x0a\x01"
                                         "a\x18\x01",
                             message[64] = "\x0a\x01M", file[192] = "\x0a\x01"
                                                                    "f\x62\x08"
                                                                    "editions";
        size_t size = 5 + rota_sample_bytes(c->field, field + 5, sizeof(field) - 5).size, file_size = 13;
        const struct rota_dyn_field *got;
        struct rota_pool pool;

        print_message("  %s\n", c->rule);
        size = 3 + put(message + 3, 0x12, rota_slice(field, size));
        size += put(message + size, 0x3a, rota_sample_bytes(c->message, options, sizeof(options)));
        memcpy(message + size, oneof.data, oneof.size);
        file_size += put(file + file_size, 0x22, rota_slice(message, size + oneof.size));
        file_size += put(file + file_size, 0x22, entry);
        file_size += put(file + file_size, 0x42, rota_sample_bytes(c->file, options, sizeof(options)));
        rota_pool_init(&pool, NULL);
        assert_int_equal(rota_pool_add(&pool, rota_slice(file, file_size), NULL), 0);
        assert_int_equal(rota_pool_link(&pool, NULL), 0);
        got = rota_dyn_field_numbered(rota_pool_message(&pool, ROTA_SLICE("M")), 1);
        assert_int_equal(got->presence, c->presence);
        assert_int_equal(got->required, c->required);
        assert_int_equal(got->packed, c->packed);
        assert_int_equal(got->type, c->type);
        assert_int_equal(rota_dyn_field_numbered(rota_pool_message(&pool, ROTA_SLICE("E")), 2)->type, ROTA_DYN_MESSAGE);
        rota_pool_fini(&pool);
    }
}

/* One that only has the name: 22 07 0a 05 "Value" in google.protobuf. */
static void a_false_value_is_plain(void **unused)
{
    static const struct rota_slice file = ROTA_SLICE("\x0a\x01"
                                                     "f\x12\x0fgoogle.protobuf\x22\x07\x0a\x05Value");
    struct rota_pool pool;

    (void)unused;
    rota_pool_init(&pool, NULL);
    assert_int_equal(rota_pool_add(&pool, file, NULL), 0);
    assert_int_equal(rota_pool_link(&pool, NULL), 0);
    assert_int_equal(rota_pool_message(&pool, ROTA_SLICE("google.protobuf.Value"))->special, ROTA_DYN_PLAIN);
    rota_pool_fini(&pool);
}

static rota_err learn_sample(const struct rota_alloc *alloc, void *unused)
{
    struct rota_pool pool;
    rota_err err;

    (void)unused;
    rota_pool_init(&pool, alloc);
    err = rota_pool_add_set(&pool, rota_sample_set(), NULL);
    if (err == 0)
        err = rota_pool_link(&pool, NULL);
    rota_pool_fini(&pool);
    return err;
}

static void out_of_memory_is_an_error(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep(learn_sample, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_descriptors_are_refused_with_a_sentence),
        cmocka_unit_test(a_file_needs_a_path),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(imports_are_missed_until_they_are_there),
        cmocka_unit_test(the_sample_is_learnt),
        cmocka_unit_test(extensions_are_found_if_they_make_sense),
        cmocka_unit_test(features_shape_fields),
        cmocka_unit_test(a_false_value_is_plain),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
