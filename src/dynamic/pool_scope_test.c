/* pool_scope_test.c - references to types by less than a full name, which descriptor.proto allows and protobufjs writes; custom
 * options of every shape. */
#include "base/assert.h"
#include "dynamic/pool_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <stdlib.h>

/* Bytes that grow: a message being written. */
struct text {
    uint8_t bytes[512];
    size_t size;
};

static void put(struct text *out, uint8_t tag, struct rota_slice bytes)
{
    assert_true(bytes.size < 256 && out->size + bytes.size + 3 <= sizeof(out->bytes));
    out->bytes[out->size++] = tag;
    if (bytes.size > 0x7f)
        out->bytes[out->size++] = (uint8_t)(bytes.size | 0x80);
    out->bytes[out->size++] = (uint8_t)(bytes.size > 0x7f ? bytes.size >> 7 : bytes.size);
    memcpy(out->bytes + out->size, bytes.size == 0 ? (const uint8_t *)"" : bytes.data, bytes.size);
    out->size += bytes.size;
}

static struct rota_slice whole(const struct text *text)
{
    return rota_slice(text->bytes, text->size);
}

/* A message or enum of that name, with what else is in it. */
static void declare(struct text *out, uint8_t tag, const char *name, struct rota_slice rest)
{
    struct text message = {.size = 0};

    put(&message, 0x0a, rota_slice_str(name));
    memcpy(message.bytes + message.size, rest.size == 0 ? (const uint8_t *)"" : rest.data, rest.size);
    message.size += rest.size;
    put(out, tag, whole(&message));
}

#define NOTHING rota_slice(NULL, 0)

/* other.proto: message N; message Top { message Deep } */
static rota_err add_other(struct rota_pool *pool)
{
    struct text file = {.size = 0}, top = {.size = 0};

    declare(&file, 0x22, "N", NOTHING);
    declare(&top, 0x1a, "Deep", NOTHING);
    declare(&file, 0x22, "Top", whole(&top));
    put(&file, 0x0a, ROTA_SLICE("other.proto"));
    return rota_pool_add(pool, whole(&file), NULL);
}

/* package p.q, proto3; message M { message In; enum E; FIELD a = 1; }; messages In and N; enum E; and the rest. */
static rota_err add_file(struct rota_pool *pool, struct rota_slice field, struct rota_slice rest)
{
    struct text file = {.size = 0}, message = {.size = 0};

    put(&file, 0x0a, ROTA_SLICE("x.proto"));
    put(&file, 0x12, ROTA_SLICE("p.q"));
    put(&file, 0x62, ROTA_SLICE("proto3"));
    declare(&message, 0x1a, "In", NOTHING);
    declare(&message, 0x22, "E", NOTHING);
    declare(&message, 0x12, "a", field);
    declare(&file, 0x22, "M", whole(&message));
    declare(&file, 0x22, "In", NOTHING);
    declare(&file, 0x22, "N", NOTHING);
    declare(&file, 0x2a, "E", NOTHING);
    memcpy(file.bytes + file.size, rest.size == 0 ? (const uint8_t *)"" : rest.data, rest.size);
    file.size += rest.size;
    return rota_pool_add(pool, whole(&file), NULL);
}

static const struct scope_case {
    const char *rule, *name;
    int label, type; /* 0: not said */
    const char *want; /* NULL: there is no such type */
    enum rota_dyn_type want_type;
} scopes[] = {
    {"the innermost counts", "In", 1, 11, "p.q.M.In", ROTA_DYN_MESSAGE},
    {"of several parts", "M.In", 1, 11, "p.q.M.In", ROTA_DYN_MESSAGE},
    {"beside the message", "N", 1, 11, "p.q.N", ROTA_DYN_MESSAGE},
    {"from the package's last part on", "q.N", 1, 11, "p.q.N", ROTA_DYN_MESSAGE},
    {"the full name", "p.q.N", 1, 11, "p.q.N", ROTA_DYN_MESSAGE},
    {"the full name behind a dot", ".p.q.N", 1, 11, "p.q.N", ROTA_DYN_MESSAGE},
    {"behind a dot nothing else is looked at", ".N", 1, 11, "N", ROTA_DYN_MESSAGE},
    {"of another file, in no package", "Top.Deep", 1, 11, "Top.Deep", ROTA_DYN_MESSAGE},
    {"nowhere", "M.None", 1, 11, NULL, ROTA_DYN_MESSAGE},
    {"an enum", "E", 1, 14, "p.q.M.E", ROTA_DYN_ENUM},
    {"an enum nearer than the message that is meant", "E", 1, 11, NULL, ROTA_DYN_MESSAGE},
    {"a message nearer than the enum that is meant", "In", 1, 14, NULL, ROTA_DYN_ENUM},
    {"a message by its name alone", "In", 1, 0, "p.q.M.In", ROTA_DYN_MESSAGE},
    {"an enum by its name alone", ".p.q.E", 1, 0, "p.q.E", ROTA_DYN_ENUM},
    {"messages by their name alone", "N", 3, 0, "p.q.N", ROTA_DYN_MESSAGE},
    {"enums by their name alone", "q.E", 3, 0, "p.q.E", ROTA_DYN_ENUM},
};

static void check_scope(const struct scope_case *c, const struct rota_dyn_field *field)
{
    assert_int_equal(field->type, c->want_type);
    assert_string_equal(field->type_name, c->want);
    assert_int_equal(field->message != NULL, c->want_type == ROTA_DYN_MESSAGE);
    assert_int_equal(field->enumeration != NULL, c->want_type == ROTA_DYN_ENUM);
    assert_int_equal(field->repeated, c->label == 3);
    assert_int_equal(field->packed, field->repeated && c->want_type == ROTA_DYN_ENUM);
    assert_int_equal(field->presence, !field->repeated && c->want_type == ROTA_DYN_MESSAGE);
}

static void types_are_looked_for_from_the_inside_out(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(scopes); i++) {
        const struct scope_case *c = &scopes[i];
        uint8_t head[] = {0x18, 1, 0x20, (uint8_t)c->label, 0x28, (uint8_t)c->type};
        struct text field = {.size = c->type == 0 ? 4 : 6};
        struct rota_pool pool;
        rota_err err;

        print_message("  %s\n", c->rule);
        memcpy(field.bytes, head, field.size);
        put(&field, 0x32, rota_slice_str(c->name));
        rota_pool_init(&pool, NULL);
        assert_int_equal(add_other(&pool), 0);
        assert_int_equal(add_file(&pool, whole(&field), NOTHING), 0);
        err = rota_pool_link(&pool, NULL);
        assert_int_equal(err, c->want == NULL ? ROTA_ENOTFOUND : 0);
        if (err == 0)
            check_scope(c, rota_dyn_field_numbered(rota_pool_message(&pool, ROTA_SLICE("p.q.M")), 1));
        rota_pool_fini(&pool);
    }
}

/* service S { rpc a(In) returns (M.In); }; extend N { M.In x = 100; } */
static void so_are_those_of_methods_and_extensions(void **unused)
{
    static const struct rota_slice number = ROTA_SLICE("\x18\x01\x20\x01\x28\x05"),
                                   method = ROTA_SLICE("\x12\x02In\x1a\x04M.In"),
                                   extension = ROTA_SLICE("\x12\x01N\x18\x64\x20\x01\x32\x04M.In");
    struct text service = {.size = 0}, rest = {.size = 0};
    const struct rota_dyn_service *found;
    const struct rota_dyn_field *field;
    struct rota_pool pool;

    (void)unused;
    declare(&service, 0x12, "a", method);
    declare(&rest, 0x32, "S", whole(&service));
    declare(&rest, 0x3a, "x", extension);
    rota_pool_init(&pool, NULL);
    assert_int_equal(add_other(&pool), 0);
    assert_int_equal(add_file(&pool, number, whole(&rest)), 0);
    assert_int_equal(rota_pool_link(&pool, NULL), 0);
    found = rota_pool_service(&pool, ROTA_SLICE("p.q.S"));
    assert_string_equal(found->methods[0].input->name, "p.q.In");
    assert_string_equal(found->methods[0].input_name, "p.q.In");
    assert_string_equal(found->methods[0].output_name, "p.q.M.In");
    field = rota_pool_extension(&pool, rota_pool_message(&pool, ROTA_SLICE("p.q.N")), ROTA_SLICE("p.q.x"));
    assert_non_null(field);
    assert_string_equal(field->type_name, "p.q.M.In");
    rota_pool_fini(&pool);
}

/* What names of types are looked for in is bounded: by a name's size, and by its parts. */
static rota_err add_package(size_t part_size, size_t n_parts)
{
    char package[2000];
    struct rota_pool pool;
    uint8_t file[2100] = {0x0a, 1, 'f', 0x12};
    size_t size = 0;
    rota_err err;

    for (size_t i = 0; i < n_parts; i++) {
        memset(package + size, 'a', part_size);
        size += part_size;
        package[size++] = '.';
    }
    size--;
    assert_true(size < sizeof(package));
    file[4] = (uint8_t)(size | 0x80);
    file[5] = (uint8_t)(size >> 7);
    memcpy(file + 6, package, size);
    memcpy(file + 6 + size, "\x22\x03\x0a\x01M", 5);
    rota_pool_init(&pool, NULL);
    err = rota_pool_add(&pool, rota_slice(file, size + 11), NULL);
    rota_pool_fini(&pool);
    return err;
}

static void names_are_bounded(void **unused)
{
    (void)unused;
    assert_int_equal(add_package(1, 99), 0);
    assert_int_equal(add_package(1, 100), ROTA_EPARSE);
    assert_int_equal(add_package(1022, 1), 0);
    assert_int_equal(add_package(1023, 1), ROTA_EPARSE);
}

static const struct often_case {
    const char *rule;
    const char *format; /* of something named by a number, that makes a type be looked for in all scopes */
} oftens[] = {
    {"by fields, in vain but for the last time", "\x22\x15\x0a\x05m%04zu\x12\x0c\x0a\x01" "a\x18\x01 \x01(\x0b" "2\x01Z"}, /* message m1 { Z a = 1; } */
    {"by extensions, in vain", "\x3a\x10\x0a\x05x%04zu\x12\x01Y\x18" "d \x01(\x05"}, /* extend Y { int32 x1 = 100; } */
};

/* Message Z in no package, and n things in one of 99 parts. */
static rota_err link_many(const char *format, size_t n, struct rota_errinfo *info)
{
    static const size_t package_size = 99 * 9 - 1;
    size_t size = 0, cap = 1024 + n * 32;
    char *file = malloc(cap);
    struct rota_pool pool;
    rota_err err;

    assert_non_null(file);
    size = (size_t)snprintf(file, cap, "\x0a\x01y\x12%c%c", (int)(package_size & 0x7f) | 0x80, (int)(package_size >> 7));
    for (size_t i = 0; i < package_size; i++)
        file[size++] = i % 9 == 8 ? '.' : 'a';
    for (size_t i = 0; i < n; i++)
        size += (size_t)snprintf(file + size, cap - size, format, i);
    rota_pool_init(&pool, NULL);
    assert_int_equal(rota_pool_add(&pool, ROTA_SLICE("\x0a\x01z\x22\x03\x0a\x01Z"), info), 0);
    err = rota_pool_add(&pool, rota_slice(file, size), info);
    free(file);
    assert_int_equal(err, 0);
    err = rota_pool_link(&pool, info);
    rota_pool_fini(&pool);
    return err;
}

static void so_is_how_often_they_are_looked_for(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(oftens); i++) {
        struct rota_errinfo info = {""};
        print_message("  %s\n", oftens[i].rule);
        assert_int_equal(link_many(oftens[i].format, 1000, &info), 0);
        assert_int_equal(link_many(oftens[i].format, 4000, &info), ROTA_ELIMIT);
        assert_string_equal(info.text, "names of types are looked for too often");
    }
}

/* Groups among options: 53 08 01 54 is one of number 10, e3 f6 04 e4 f6 04 one of 10092. */
static const struct option_case {
    const char *rule, *hex;
    rota_err err;
} options[] = {
    {"of a file", "42 04 53 08 01 54", 0},
    {"of a message", "22 0b 0a 01 4d 3a 06 e3 f6 04 e4 f6 04", 0},
    {"of a field", "22 14 0a 01 4d 12 0f 0a 01 61 18 01 20 01 28 05 42 04 53 08 01 54", 0},
    {"of an enum value", "2a 0e 0a 01 45 12 09 0a 01 61 1a 04 53 08 01 54", 0},
    {"among the parts of a message", "53 54 22 05 0a 01 4d 53 54", 0},
    {"what comes behind one counts", "53 54 22 00", ROTA_EPARSE},
    {"one that is cut off", "22 13 0a 01 4d 12 0e 0a 01 61 18 01 20 01 28 05 42 03 53 08 01", ROTA_EPARSE},
    {"one with another's end", "53 5c", ROTA_EPARSE},
};

/* edition 2023: option features.field_presence = PRESENCE; message M { extensions 100; } extend M { int32 x = 100; } */
static void extensions_always_have_presence(void **unused)
{
    static const char *const files[] = {"92 03 02 08 01", "92 03 02 08 02", "92 03 02 08 03"}; /* explicit, implicit, required */

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(files); i++) {
        uint8_t features[8];
        struct text file = {.size = 0};
        const struct rota_dyn_field *field;
        struct rota_pool pool;

        put(&file, 0x0a, ROTA_SLICE("f"));
        put(&file, 0x62, ROTA_SLICE("editions"));
        put(&file, 0x42, rota_sample_bytes(files[i], features, sizeof(features)));
        declare(&file, 0x22, "M", NOTHING);
        declare(&file, 0x3a, "x", ROTA_SLICE("\x12\x02.M\x18\x64\x20\x01\x28\x05"));
        rota_pool_init(&pool, NULL);
        assert_int_equal(rota_pool_add(&pool, whole(&file), NULL), 0);
        assert_int_equal(rota_pool_link(&pool, NULL), 0);
        field = rota_pool_field(&pool, rota_pool_message(&pool, ROTA_SLICE("M")), 100);
        assert_true(field->presence);
        assert_false(field->required);
        rota_pool_fini(&pool);
    }
}

static void options_may_be_groups(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(options); i++) {
        uint8_t bytes[64] = {0x0a, 0x01, 'f'};
        struct rota_slice rest = rota_sample_bytes(options[i].hex, bytes + 3, sizeof(bytes) - 3);
        struct rota_pool pool;

        print_message("  %s\n", options[i].rule);
        rota_pool_init(&pool, NULL);
        assert_int_equal(rota_pool_add(&pool, rota_slice(bytes, 3 + rest.size), NULL), options[i].err);
        rota_pool_fini(&pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_looked_for_from_the_inside_out),
        cmocka_unit_test(so_are_those_of_methods_and_extensions),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(so_is_how_often_they_are_looked_for),
        cmocka_unit_test(extensions_always_have_presence),
        cmocka_unit_test(options_may_be_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
