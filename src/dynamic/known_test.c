/* known_test.c - an Any of a well-known type that no file declares is what it would be if one did: the same bytes, the same JSON.
 *
 * One pool has all files of sample.proto, the other any.proto alone.
 */
#include "base/assert.h"
#include "base/pb.h"
#include "dynamic/json.h"
#include "dynamic/known.h"
#include "dynamic/pool_fixture.h"
#include "testing/cmocka.h"

#define TYPE(name) "{\"@type\":\"type.googleapis.com/google.protobuf." name "\""

static const struct rota_slice any_name = {(const uint8_t *)"google.protobuf.Any", 19};
static struct rota_pool whole, bare;

static const struct any_case {
    const char *rule, *text;
} anys[] = {
    {"a text that looks like base64", TYPE("StringValue") ",\"value\":\"test\"}"},
    {"a double", TYPE("DoubleValue") ",\"value\":1.5}"},
    {"a float", TYPE("FloatValue") ",\"value\":1.5}"},
    {"64 bits", TYPE("Int64Value") ",\"value\":\"-1\"}"},
    {"64 bits, not negative", TYPE("UInt64Value") ",\"value\":\"18446744073709551615\"}"},
    {"32 bits", TYPE("Int32Value") ",\"value\":-1}"},
    {"32 bits, not negative", TYPE("UInt32Value") ",\"value\":4294967295}"},
    {"a flag", TYPE("BoolValue") ",\"value\":true}"},
    {"bytes", TYPE("BytesValue") ",\"value\":\"AAE=\"}"},
    {"a time", TYPE("Timestamp") ",\"value\":\"1970-01-01T00:00:01.500Z\"}"},
    {"a duration", TYPE("Duration") ",\"value\":\"-1.500s\"}"},
    {"a mask", TYPE("FieldMask") ",\"value\":\"a,b.cD\"}"},
    {"an object", TYPE("Struct") ",\"value\":{\"a\":{\"b\":[1,\"x\",null]},\"c\":false}}"},
    {"a value", TYPE("Value") ",\"value\":[{\"a\":null},\"x\"]}"},
    {"a value that is null", TYPE("Value") ",\"value\":null}"},
    {"a list", TYPE("ListValue") ",\"value\":[1,[2]]}"},
    {"an empty message", TYPE("Empty") "}"},
    {"an any", TYPE("Any") ",\"value\":" TYPE("StringValue") ",\"value\":\"x\"}}"},
};

/* A pool with that file of the sample alone. */
static void take_file(struct rota_pool *pool, const char *name)
{
    struct rota_slice set = rota_sample_set();

    rota_pool_init(pool, NULL);
    while (set.size > 0) {
        struct rota_pb file, first;
        struct rota_slice in;

        assert_true(rota_pb_take(&set, &file));
        in = file.bytes;
        assert_true(rota_pb_take(&in, &first) && first.number == 1);
        if (rota_slice_equal(first.bytes, rota_slice_str(name)))
            assert_int_equal(rota_pool_add(pool, file.bytes, NULL), 0);
    }
    assert_int_equal(rota_pool_link(pool, NULL), 0);
}

static rota_err read_any(const struct rota_pool *pool, const char *text, struct rota_buffer *bytes, struct rota_errinfo *info)
{
    const struct rota_dyn_json *json;
    struct rota_arena arena;
    size_t at = 0;
    rota_err err;

    rota_arena_init(&arena, NULL, 0);
    assert_int_equal(rota_dyn_json_parse(rota_slice_str(text), &at, &arena, &json, NULL), 0);
    err = rota_dyn_from_json(pool, rota_pool_message(pool, any_name), json, ROTA_DYN_REFUSE, bytes, info);
    rota_arena_fini(&arena);
    return err;
}

static void check_same(const struct any_case *c)
{
    struct rota_buffer here, there, text;
    struct rota_errinfo info = {""};

    print_message("  %s\n", c->rule);
    rota_buffer_init(&here, NULL, 0);
    rota_buffer_init(&there, NULL, 0);
    rota_buffer_init(&text, NULL, 0);
    assert_int_equal(read_any(&whole, c->text, &there, &info), 0);
    assert_int_equal(read_any(&bare, c->text, &here, &info), 0);
    assert_true(rota_slice_equal(rota_buffer_peek(&here), rota_buffer_peek(&there)));
    assert_int_equal(rota_dyn_to_json(&bare, rota_pool_message(&bare, any_name), rota_buffer_peek(&there), &text, &info), 0);
    assert_int_equal(rota_buffer_append(&text, rota_slice("", 1)), 0);
    assert_string_equal((const char *)rota_buffer_peek(&text).data, c->text);
    rota_buffer_fini(&here);
    rota_buffer_fini(&there);
    rota_buffer_fini(&text);
}

static void an_any_is_the_same_without_its_file(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(anys); i++)
        check_same(&anys[i]);
}

static void what_does_not_fit_is_refused(void **unused)
{
    static const struct {
        const char *rule, *text, *want;
    } bad[] = {
        {"bytes where a text is", TYPE("StringValue") ",\"value\":1}", "expected a text"},
        {"base64 where a duration is", TYPE("Duration") ",\"value\":\"CAE=\"}", "expected a duration as in \"1.5s\""},
        {"an unknown type's fields", "{\"@type\":\"a/google.protobuf.Other\",\"a\":1}",
         "no type a/google.protobuf.Other is known here; its bytes may be given as \"value\", in base64"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(bad); i++) {
        struct rota_errinfo info = {""};
        struct rota_buffer bytes;

        print_message("  %s\n", bad[i].rule);
        rota_buffer_init(&bytes, NULL, 0);
        assert_int_equal(read_any(&bare, bad[i].text, &bytes, &info), ROTA_EPARSE);
        assert_string_equal(info.text, bad[i].want);
        rota_buffer_fini(&bytes);
    }
}

/* What the tables say is what the files say. */
static void the_tables_agree_with_the_files(void **unused)
{
    struct rota_map_entry *at = NULL;
    size_t n = 0;

    (void)unused;
    while ((at = rota_map_next(&whole.messages, at)) != NULL) {
        const struct rota_dyn_message *file = at->value, *table = rota_dyn_known(at->key);

        if (table == NULL) {
            assert_int_equal(file->special, ROTA_DYN_PLAIN);
            continue;
        }
        n++;
        print_message("  %s\n", file->name);
        assert_int_equal(table->special, file->special);
        assert_int_equal(table->n_fields, file->n_fields);
        assert_int_equal(table->n_oneofs, file->n_oneofs);
        for (size_t i = 0; i < file->n_fields; i++) {
            const struct rota_dyn_field *here = &table->fields[i], *there = &file->fields[i];

            assert_string_equal(here->name, there->name);
            assert_string_equal(here->json_name, there->json_name);
            assert_true(here->number == there->number && here->index == there->index && here->type == there->type);
            assert_true(here->repeated == there->repeated && here->packed == there->packed && here->presence == there->presence);
            assert_int_equal(here->oneof, there->oneof);
            assert_string_equal(here->message == NULL ? "" : here->message->name, there->message == NULL ? "" : there->message->name);
            assert_ptr_equal(table->by_number[i], here);
        }
    }
    assert_int_equal(n, 17);
}

static int set_up(void **unused)
{
    (void)unused;
    rota_sample_pool(&whole, NULL);
    take_file(&bare, "google/protobuf/any.proto");
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    rota_pool_fini(&whole);
    rota_pool_fini(&bare);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_any_is_the_same_without_its_file),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(the_tables_agree_with_the_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
