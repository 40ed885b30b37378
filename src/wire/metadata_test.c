/* metadata_test.c - which pairs are taken, what they look like as header fields, and back. */
#include "wire/metadata.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

static const struct add_case {
    const char *rule, *key, *value;
    rota_err want;
    const char *says; /* part of the sentence */
} adds[] = {
    {"a plain pair", "x-id", "a b ~", 0, NULL},
    {"digits, dots and underscores in a key", "0.a_b", "", 0, NULL},
    {"any bytes under -bin", "x-bin", "\x01\xff ", 0, NULL},
    {"the pushback a server sets", "grpc-retry-pushback-ms", "5", 0, NULL},
    {"the details a server sets", "grpc-status-details-bin", "\x08\x05", 0, NULL},
    {"an empty key", "", "v", ROTA_EINVAL, "empty"},
    {"an upper-case letter", "X-id", "v", ROTA_EINVAL, "0x58 at 0"},
    {"a pseudo field", ":path", "v", ROTA_EINVAL, "0x3a"},
    {"a space in a key", "a b", "v", ROTA_EINVAL, "0x20 at 1"},
    {"gRPC's own", "grpc-timeout", "1S", ROTA_EINVAL, "grpc-"},
    {"a future field of gRPC", "grpc-x", "v", ROTA_EINVAL, "grpc-"},
    {"HTTP/2 forbids connection", "connection", "close", ROTA_EINVAL, "header field"},
    {"a second content-type", "content-type", "text/plain", ROTA_EINVAL, "header field"},
    {"the length is HTTP/2's", "content-length", "3", ROTA_EINVAL, "header field"},
    {"a newline in a value", "k", "a\nb", ROTA_EINVAL, "0x0a at 1"},
    {"UTF-8 in a value", "k", "\xC3\xA9", ROTA_EINVAL, "-bin"},
    {"a space before a value", "k", " v", ROTA_EINVAL, "space"},
    {"a space behind a value", "k", "v ", ROTA_EINVAL, "space"},
};

static void pairs_are_checked_when_added(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(adds); i++) {
        const struct add_case *c = &adds[i];
        struct rota_leak_alloc leak;
        struct rota_metadata *list;
        struct rota_errinfo info = {""};

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        assert_int_equal(rota_metadata_new(&leak.alloc, &list), 0);
        assert_int_equal(rota_metadata_add(list, rota_slice_str(c->key), rota_slice_str(c->value), &info), c->want);
        assert_int_equal(rota_metadata_add_text(list, c->key, c->value), c->want);
        assert_int_equal(rota_metadata_count(list), c->want == 0 ? 2 : 0);
        if (c->says != NULL)
            assert_non_null(strstr(info.text, c->says));
        rota_metadata_free(list);
        rota_leak_alloc_fini(&leak);
    }
}

static void a_list_keeps_order_and_copies(void **state)
{
    char key[] = "k1";
    struct rota_metadata *list;
    struct rota_slice value;

    (void)state;
    assert_int_equal(rota_metadata_new(NULL, &list), 0);
    for (int i = 0; i < 20; i++) {
        key[1] = (char)('a' + i);
        assert_int_equal(rota_metadata_add_text(list, key, i % 2 == 0 ? "even" : "odd"), 0);
    }
    assert_int_equal(rota_metadata_add_text(list, "ka", "second"), 0);
    assert_int_equal(rota_metadata_count(list), 21);
    assert_memory_equal(rota_metadata_at(list, 3).key.data, "kd", 2);
    assert_int_equal(rota_metadata_at(list, 21).key.size, 0);
    assert_true(rota_metadata_get(list, "ka", &value));
    assert_true(rota_slice_equal(value, ROTA_SLICE("even")));
    assert_false(rota_metadata_get(list, "kz", &value));
    assert_int_equal(list->size_bytes, 20 * (2 + 32) + 10 * 4 + 10 * 3 + (2 + 6 + 32));
    rota_metadata_free(list);
}

static void what_is_missing_does_no_harm(void **state)
{
    struct rota_slice value;

    (void)state;
    assert_int_equal(rota_metadata_new(NULL, NULL), ROTA_EINVAL);
    assert_int_equal(rota_metadata_add(NULL, ROTA_SLICE("k"), ROTA_SLICE("v"), NULL), ROTA_EINVAL);
    assert_int_equal(rota_metadata_add_text(NULL, "k", NULL), ROTA_EINVAL);
    assert_int_equal(rota_metadata_count(NULL), 0);
    assert_int_equal(rota_metadata_at(NULL, 0).key.size, 0);
    assert_false(rota_metadata_get(NULL, "k", &value));
    assert_false(rota_metadata_get(NULL, NULL, NULL));
    rota_metadata_free(NULL);
}

#define SPLIT_MAX_BYTES (2 * (sizeof("k-bin") - 1 + 32 - 1)) /* the third part is the last that fits */

static const struct received_case {
    const char *rule, *name, *value;
    rota_err want;
    size_t n_pairs;
    const char *first, *last;
} receiveds[] = {
    {"text comes as it is", "k", "a, b", 0, 1, "a, b", "a, b"},
    {"spaces and tabs around text are not part of it", "k", "\t  a b \t", 0, 1, "a b", "a b"},
    {"of nothing but spaces nothing is left", "k", "  ", 0, 1, "", ""},
    {"-bin is decoded", "k-bin", "Zm9v", 0, 1, "foo", "foo"},
    {"padding or not", "k-bin", "Zg==", 0, 1, "f", "f"},
    {"-bin is split at commas", "k-bin", "Zm9v,Zg==,Zm8", 0, 3, "foo", "fo"},
    {"a part too many costs the field", "k-bin", ",,,", ROTA_ELIMIT, 0, "", ""},
    {"empty parts are empty pairs", "k-bin", ",Zm8,", 0, 3, "", ""},
    {"a long name makes parts long", "a-very-long-name-of-metadata-that-is-binary-bin", "Zg,Zg", ROTA_ELIMIT, 0, "", ""},
    {"commas in text are text", "k", ",,,,,,,", 0, 1, ",,,,,,,", ",,,,,,,"},
    {"spaces around parts", "k-bin", "Zm9v , Zg", 0, 2, "foo", "f"},
    {"an empty -bin value is one empty pair", "k-bin", "", 0, 1, "", ""},
    {"a part that is no base64", "k-bin", "Zm9v,!", ROTA_EPARSE, 1, "foo", "foo"},
};

static void received_fields_become_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(receiveds); i++) {
        const struct received_case *c = &receiveds[i];
        struct rota_arena arena;
        struct rota_metadata *list;

        print_message("  %s\n", c->rule);
        rota_arena_init(&arena, NULL, 0);
        list = rota_metadata_in(&arena);
        assert_int_equal(rota_metadata_add_received(list, rota_slice_str(c->name), rota_slice_str(c->value), SPLIT_MAX_BYTES), c->want);
        assert_int_equal(rota_metadata_count(list), c->n_pairs);
        assert_true(rota_slice_equal(rota_metadata_at(list, 0).value, rota_slice_str(c->first)));
        assert_true(rota_slice_equal(rota_metadata_at(list, c->n_pairs - 1).value, rota_slice_str(c->last)));
        rota_metadata_free(list); /* the arena's: nothing happens */
        rota_arena_fini(&arena);
    }
}

static rota_err there_and_back(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_metadata *list = NULL, *copy, *back;
    struct rota_arena arena;
    struct rota_header fields[12];
    rota_err err;

    (void)ctx;
    rota_arena_init(&arena, alloc, 64);
    err = rota_metadata_new(alloc, &list);
    for (int i = 0; i < 10 && err == 0; i++)
        err = rota_metadata_add(list, ROTA_SLICE("key"), ROTA_SLICE("value"), NULL);
    if (err == 0)
        err = rota_metadata_add(list, ROTA_SLICE("x-bin"), ROTA_SLICE("\xff\0\1"), NULL);
    if (err == 0)
        err = rota_metadata_add(list, ROTA_SLICE("y-bin"), rota_slice(NULL, 0), NULL);
    copy = rota_metadata_in(&arena);
    back = rota_metadata_in(&arena);
    if (err < 0 || copy == NULL || back == NULL || rota_metadata_copy(copy, list) < 0 || rota_metadata_fields(copy, &arena, fields) < 0) {
        err = ROTA_ENOMEM;
        goto out;
    }
    assert_true(rota_slice_equal(fields[10].value, ROTA_SLICE("/wAB")));
    for (size_t i = 0; i < rota_metadata_count(copy) && err == 0; i++)
        err = rota_metadata_add_received(back, fields[i].name, fields[i].value, 0);
    for (size_t i = 0; i < rota_metadata_count(list) && err == 0; i++) {
        assert_true(rota_slice_equal(rota_metadata_at(back, i).key, rota_metadata_at(list, i).key));
        assert_true(rota_slice_equal(rota_metadata_at(back, i).value, rota_metadata_at(list, i).value));
    }
out:
    rota_metadata_free(list);
    rota_arena_fini(&arena);
    return err;
}

static void pairs_survive_the_wire_and_failing_memory(void **state)
{
    (void)state;
    assert_true(rota_alloc_sweep(there_and_back, NULL) >= 3);
}

static void a_list_may_be_copied_onto_itself(void **state)
{
    struct rota_metadata *list;

    (void)state;
    assert_int_equal(rota_metadata_new(NULL, &list), 0);
    for (int i = 0; i < 7; i++)
        assert_int_equal(rota_metadata_add_text(list, "key", "value"), 0);
    assert_int_equal(rota_metadata_copy(list, list), 0);
    assert_int_equal(rota_metadata_count(list), 14);
    assert_memory_equal(rota_metadata_at(list, 13).value.data, "value", 5);
    rota_metadata_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_checked_when_added),
        cmocka_unit_test(a_list_keeps_order_and_copies),
        cmocka_unit_test(what_is_missing_does_no_harm),
        cmocka_unit_test(received_fields_become_pairs),
        cmocka_unit_test(pairs_survive_the_wire_and_failing_memory),
        cmocka_unit_test(a_list_may_be_copied_onto_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
