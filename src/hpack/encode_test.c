/* encode_test.c - which form a field takes, what is said about the table's size, and what happens without memory. */
#include "base/assert.h"
#include "hpack/block_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <stdio.h>

#define MANY_FIELDS 1000
#define COLLIDING_FIELDS 30
#define LONG_VALUE "0123456789012345678901234567890123456789"

static const struct form_case {
    const char *rule, *first; /* added before; "": nothing */
    const char *field;
    enum rota_hpack_index how;
    const char *hex;
    uint32_t n_changes;
} forms[] = {
    {"a field of the static table", "", ":method: POST\n", ROTA_HPACK_ADD, "83", 0},
    {"one of its statuses", "", ":status: 404\n", ROTA_HPACK_PLAIN, "8d", 0},
    {"one with a name of no colon", "", "accept-encoding: gzip, deflate\n", ROTA_HPACK_ADD, "90", 0},
    {"a name of the static table, added", "", ":path: /x\n", ROTA_HPACK_ADD, "4402 2f78", 1},
    {"a name of the static table, plain", "", ":path: /x\n", ROTA_HPACK_PLAIN, "0402 2f78", 0},
    {"a name of the static table, secret", "", "authorization: s\n", ROTA_HPACK_SECRET, "1f08 0173", 0},
    {"a field that was added", "&&: &\n", "&&: &\n", ROTA_HPACK_ADD, "be", 0},
    {"a field that was added, plain now", "&&: &\n", "&&: &\n", ROTA_HPACK_PLAIN, "be", 0},
    {"a field that was added, secret now: its name only", "&&: &\n", "&&: &\n", ROTA_HPACK_SECRET, "1f2f 0126", 0},
    {"a name that was added", "&&: &\n", "&&: x\n", ROTA_HPACK_PLAIN, "0f2f 0178", 0},
    {"a name that was added, added with another value", "&&: &\n", "&&: <\n", ROTA_HPACK_ADD, "7e01 3c", 1},
    {"a new name, added", "", "&&: &\n", ROTA_HPACK_ADD, "4002 2626 0126", 1},
    {"a new name, plain", "", "&&: &\n", ROTA_HPACK_PLAIN, "0002 2626 0126", 0},
    {"a new name, secret", "", "&&: &\n", ROTA_HPACK_SECRET, "1002 2626 0126", 0},
    {"an empty value", "", "&&: \n", ROTA_HPACK_ADD, "4002 2626 00", 1},
    {"Huffman code where it is shorter and sent once", "", "aa: aaa\n", ROTA_HPACK_ADD, "4002 6161 8218 c7", 1},
    {"none in what is short and sent again", "", "aa: aaa\n", ROTA_HPACK_PLAIN, "0002 6161 0361 6161", 0},
    {"Huffman code in what is long", "", "aa: " LONG_VALUE "\n", ROTA_HPACK_PLAIN,
        "0002 6161 9d 0044 cb4d b8eb cf80 2265 a6dc 75e7 c011 32d3 6e3a f3e0 0899 69b7 1d79 ff", 0},
};

static void fields_take_their_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(forms); i++) {
        const struct form_case *c = &forms[i];
        struct rota_hpack_encoder encoder;
        struct rota_leak_alloc leak;
        static struct block block;
        uint32_t changes;

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        rota_hpack_encoder_init(&encoder, &leak.alloc);
        block_encode(&encoder, c->first, ROTA_HPACK_ADD, &block);
        changes = encoder.changes;
        block_encode(&encoder, c->field, c->how, &block);
        assert_block(&block, c->hex);
        assert_int_equal(encoder.changes - changes, c->n_changes);
        rota_hpack_encoder_fini(&encoder);
        rota_leak_alloc_fini(&leak);
    }
}

#define NEVER UINT32_MAX

static const struct resize_case {
    const char *rule;
    uint32_t sizes[4]; /* to the first NEVER */
    const char *hex;   /* of the next block's beginning */
    uint32_t want_max;
} resizes[] = {
    {"nothing was said", {NEVER}, "", 4096},
    {"what is the case already", {4096, NEVER}, "", 4096},
    {"more than we use", {65536, NEVER}, "", 4096},
    {"less", {100, NEVER}, "3f45", 100},
    {"nothing at all", {0, NEVER}, "20", 0},
    {"less, then more", {0, 100, NEVER}, "203f 45", 100},
    {"less, then as it was", {30, 4096, NEVER}, "3e3f e11f", 4096},
    {"less and less", {100, 30, NEVER}, "3e", 30},
    {"up and down, the least and the last are said", {100, 20, 4000, NEVER}, "343f 811f", 4000},
};

static void sizes_are_said_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(resizes); i++) {
        const struct resize_case *c = &resizes[i];
        struct rota_hpack_encoder encoder;
        static struct block block;
        uint32_t changes;

        print_message("  %s\n", c->rule);
        rota_hpack_encoder_init(&encoder, NULL);
        for (size_t n = 0; c->sizes[n] != NEVER; n++)
            rota_hpack_encoder_resize(&encoder, c->sizes[n]);
        changes = encoder.changes;
        assert_int_equal(encoder.resized, c->hex[0] != '\0');
        block_encode(&encoder, "", ROTA_HPACK_ADD, &block);
        assert_block(&block, c->hex);
        assert_true(block.size <= ROTA_HPACK_BLOCK_BOUND);
        assert_int_equal(encoder.changes - changes, c->hex[0] != '\0');
        assert_int_equal(encoder.max_bytes, c->want_max);
        changes = encoder.changes;
        block_encode(&encoder, "", ROTA_HPACK_ADD, &block);
        assert_int_equal(block.size, 0);
        assert_int_equal(encoder.changes, changes);
        rota_hpack_encoder_fini(&encoder);
    }
}

static void a_smaller_table_forgets_the_oldest(void **state)
{
    struct rota_hpack_encoder encoder;
    static struct block block;

    (void)state;
    rota_hpack_encoder_init(&encoder, NULL);
    block_encode(&encoder, "&&: &\n<<: <\n", ROTA_HPACK_ADD, &block);
    rota_hpack_encoder_resize(&encoder, 69); /* each counts 35 */
    rota_hpack_encoder_resize(&encoder, 4096);
    block_encode(&encoder, "<<: <\n&&: &\n", ROTA_HPACK_ADD, &block);
    assert_block(&block, "3f26 3fe1 1f be 4002 2626 0126");
    block_encode(&encoder, "<<: <\n&&: &\n", ROTA_HPACK_ADD, &block);
    assert_block(&block, "bfbe");
    rota_hpack_encoder_fini(&encoder);
}

static void what_is_too_large_is_not_added(void **state)
{
    struct rota_hpack_encoder encoder;
    struct rota_leak_alloc leak;
    static struct block block;
    uint32_t changes;

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_hpack_encoder_init(&encoder, &leak.alloc);
    rota_hpack_encoder_resize(&encoder, 34);
    block_encode(&encoder, "&&: &\n", ROTA_HPACK_ADD, &block);
    assert_block(&block, "3f03 0002 2626 0126");
    assert_int_equal(leak.allocs, 0);
    block_encode(&encoder, "&: &\n", ROTA_HPACK_ADD, &block);
    changes = encoder.changes;
    block_encode(&encoder, "&&: &\n&: &\n", ROTA_HPACK_ADD, &block);
    assert_block(&block, "0002 2626 0126 be");
    assert_int_equal(encoder.changes, changes);
    rota_hpack_encoder_fini(&encoder);
    rota_leak_alloc_fini(&leak);
}

static void without_memory_a_field_is_plain(void **state)
{
    (void)state;
    /* The table and its text are two allocations. */
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct rota_hpack_encoder encoder;
        struct rota_leak_alloc leak;
        static struct block block;

        rota_leak_alloc_init(&leak);
        rota_hpack_encoder_init(&encoder, &leak.alloc);
        rota_leak_alloc_fail_nth(&leak, nth);
        block_encode(&encoder, "&&: &\n", ROTA_HPACK_ADD, &block);
        assert_true(leak.failed);
        assert_block(&block, "0002 2626 0126");
        assert_int_equal(encoder.changes, 0);
        block_encode(&encoder, "&&: &\n&&: &\n", ROTA_HPACK_ADD, &block);
        assert_block(&block, "4002 2626 0126 be");
        rota_hpack_encoder_fini(&encoder);
        rota_leak_alloc_fini(&leak);
    }
}

/* They have the same beginning, end and size, which is all that their hash is made of. */
static void values_that_collide_are_told_apart(void **state)
{
    struct rota_hpack_encoder encoder;
    static struct block block;
    char line[64];

    (void)state;
    rota_hpack_encoder_init(&encoder, NULL);
    for (int i = 0; i < 2 * COLLIDING_FIELDS; i++) {
        snprintf(line, sizeof(line), "&: 12345678-%02d-12345678\n", i % COLLIDING_FIELDS);
        block_encode(&encoder, line, ROTA_HPACK_ADD, &block);
        if (i < COLLIDING_FIELDS)
            assert_true(block.size > 1);
        else
            assert_int_equal(block.size, 1);
        if (i >= COLLIDING_FIELDS)
            assert_int_equal(block.bytes[0], 0xbe + 2 * COLLIDING_FIELDS - 1 - i);
    }
    rota_hpack_encoder_fini(&encoder);
}

/* Ten fields as every call has them, and many that come once. */
static void memory_is_bounded(void **state)
{
    struct rota_hpack_encoder encoder;
    struct rota_leak_alloc leak;
    static struct block block;
    char line[64];

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_hpack_encoder_init(&encoder, &leak.alloc);
    for (int i = 0; i < 10; i++) {
        snprintf(line, sizeof(line), "a-name-of-15-%02d: value-of-15-byt\n", i);
        block_encode(&encoder, line, ROTA_HPACK_ADD, &block);
    }
    print_message("  ten fields of thirty bytes take %zu\n", leak.live_bytes);
    assert_true(leak.live_bytes <= 700);
    for (int i = 0; i < MANY_FIELDS; i++) {
        snprintf(line, sizeof(line), "a-name: value-%d\n", i);
        block_encode(&encoder, line, ROTA_HPACK_ADD, &block);
    }
    assert_true(leak.live_bytes <= 14 * 1024);
    rota_hpack_encoder_fini(&encoder);
    rota_leak_alloc_fini(&leak);
}

static void nothing_may_be_null(void **state)
{
    struct rota_hpack_encoder encoder;
    struct rota_slice nothing = {NULL, 0};
    struct block block;
    uint8_t *out = block.bytes;

    (void)state;
    rota_hpack_encoder_init(&encoder, NULL);
    for (int i = 0; i < 2; i++) {
        out = rota_hpack_encode(&encoder, nothing, nothing, ROTA_HPACK_ADD, out);
        out = rota_hpack_encode(&encoder, ROTA_SLICE("&&"), nothing, ROTA_HPACK_PLAIN, out);
    }
    block.size = (size_t)(out - block.bytes);
    assert_block(&block, "4000 00 0002 2626 00 be 0002 2626 00");
    rota_hpack_encoder_fini(&encoder);
}

static void a_long_field_has_room(void **state)
{
    static char line[4096];
    static struct block block;
    struct rota_hpack_encoder encoder;
    struct rota_leak_alloc leak;

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_hpack_encoder_init(&encoder, &leak.alloc);
    snprintf(line, sizeof(line), "&: %04060d\n", 0); /* with its name and what it counts more, 4093 */
    block_encode(&encoder, "a: b\n", ROTA_HPACK_ADD, &block);
    block_encode(&encoder, line, ROTA_HPACK_ADD, &block);
    block_encode(&encoder, line, ROTA_HPACK_ADD, &block);
    assert_block(&block, "be");
    block_encode(&encoder, "a: b\n", ROTA_HPACK_PLAIN, &block);
    assert_block(&block, "0001 6101 62");
    rota_hpack_encoder_fini(&encoder);
    rota_leak_alloc_fini(&leak);
    rota_hpack_encoder_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_take_their_forms),
        cmocka_unit_test(sizes_are_said_once),
        cmocka_unit_test(a_smaller_table_forgets_the_oldest),
        cmocka_unit_test(what_is_too_large_is_not_added),
        cmocka_unit_test(without_memory_a_field_is_plain),
        cmocka_unit_test(values_that_collide_are_told_apart),
        cmocka_unit_test(nothing_may_be_null),
        cmocka_unit_test(a_long_field_has_room),
        cmocka_unit_test(memory_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
