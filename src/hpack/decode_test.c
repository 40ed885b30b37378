/* decode_test.c - what a block may say, rule by rule, whole and cut at every byte; how long fields last; what a hostile peer can cost. */
#include "base/assert.h"
#include "hpack/block_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <stdio.h>
#include <stdlib.h>

#define TEXT_CAP 4096
#define LONG_BYTES (ROTA_HPACK_STRING_MAX_BYTES + 100)
#define ADD_AB "4001 6101 62" /* a: b */
#define ADD_CD "4001 6301 64" /* c: d */

static const struct block_case {
    const char *rule, *hex;
    enum rota_hpack_result want;
    const char *fields; /* before the end or the error */
    uint32_t want_bytes, want_max; /* of the table afterwards; max 0: ROTA_HPACK_TABLE_BYTES */
} cases[] = {
    {"5.1: a value of one byte less than the prefix holds", "2a", ROTA_HPACK_END, "", 0, 10},
    {"5.1: a value in three bytes", "3f9a 0a", ROTA_HPACK_END, "", 0, 1337},
    {"5.1: zeros may follow", "3f9a 8a00", ROTA_HPACK_END, "", 0, 1337},
    {"5.1: as many bytes as 32 bits take", "3f9a 8a80 8000", ROTA_HPACK_END, "", 0, 1337},
    {"5.1: a byte more than that", "3f9a 8a80 8080 00", ROTA_HPACK_BAD, "", 0, 0},
    {"5.1: more than 32 bits", "ffff ffff ff7f", ROTA_HPACK_BAD, "", 0, 0},
    {"5.1: wrapping around to a good index", "ff83 8080 8010", ROTA_HPACK_BAD, "", 0, 0},
    {"6.1: index 0", "80", ROTA_HPACK_BAD, "", 0, 0},
    {"6.1: the last of the static table", "bd", ROTA_HPACK_FIELD, "www-authenticate: \n", 0, 0},
    {"6.1: the first of an empty table", "be", ROTA_HPACK_BAD, "", 0, 0},
    {"6.1: newest and oldest", ADD_AB ADD_CD "be bf", ROTA_HPACK_FIELD, "a: b\nc: d\nc: d\na: b\n", 68, 0},
    {"6.1: one after the oldest", ADD_AB ADD_CD "c0", ROTA_HPACK_BAD, "a: b\nc: d\n", 68, 0},
    {"6.1: an index of more than a byte, beyond the table", "ff00", ROTA_HPACK_BAD, "", 0, 0},
    {"6.2.1: name of the static table", "4101 78", ROTA_HPACK_FIELD, ":authority: x\n", 43, 0},
    {"6.2.1: name of the dynamic table", ADD_AB "7e01 78", ROTA_HPACK_FIELD, "a: b\na: x\n", 68, 0},
    {"6.2.1: name that is not there", ADD_AB "7f00 0178", ROTA_HPACK_BAD, "a: b\n", 34, 0},
    {"6.2.1: empty name and value", "4000 00", ROTA_HPACK_FIELD, ": \n", 32, 0},
    {"6.2.2: adds nothing", "0001 6101 62 be", ROTA_HPACK_BAD, "a: b\n", 0, 0},
    {"6.2.2: name that is not there", "0f2f 0178", ROTA_HPACK_BAD, "", 0, 0},
    {"6.2.3: adds nothing", "1001 6101 62 be", ROTA_HPACK_BAD, "a: b\n", 0, 0},
    {"6.2.3: name of the dynamic table", ADD_AB "1f2f 0178", ROTA_HPACK_FIELD, "a: b\na: x\n", 34, 0},
    {"5.2: Huffman code in a name and a value, added", "4081 1f81 8f", ROTA_HPACK_FIELD, "a: b\n", 34, 0},
    {"5.2: the same, not added", "0081 1f81 8f", ROTA_HPACK_FIELD, "a: b\n", 0, 0},
    {"5.2: padding with a zero in it, added", "4001 6181 06", ROTA_HPACK_BAD, "", 0, 0},
    {"5.2: padding with a zero in it, not added", "0001 6181 06", ROTA_HPACK_BAD, "", 0, 0},
    {"5.2: padding with a zero in it, in a name", "4081 0601 61", ROTA_HPACK_BAD, "", 0, 0},
    {"5.2: EOS in a text", "0001 6184 ffff ffff", ROTA_HPACK_BAD, "", 0, 0},
    {"6.3: smaller, then as large as we allow", "203f e11f", ROTA_HPACK_END, "", 0, 4096},
    {"6.3: larger than we allow", "3fe2 1f", ROTA_HPACK_BAD, "", 0, 0},
    {"6.3: after a field", "8220", ROTA_HPACK_BAD, ":method: GET\n", 0, 0},
    {"6.3: after a literal", "0001 6101 6220", ROTA_HPACK_BAD, "a: b\n", 0, 0},
    {"4.4: a table of no bytes takes nothing", "20" ADD_AB "be", ROTA_HPACK_BAD, "a: b\n", 0, 1},
    {"4.4: what just fits", "3f03" ADD_AB "be", ROTA_HPACK_FIELD, "a: b\na: b\n", 34, 34},
    {"4.4: what just fits pushes out the other", "3f03" ADD_AB ADD_CD "be", ROTA_HPACK_FIELD, "a: b\nc: d\nc: d\n", 34, 34},
    {"4.4: what just fits pushes out the other, which is gone", "3f03" ADD_AB ADD_CD "bf", ROTA_HPACK_BAD, "a: b\nc: d\n", 34, 34},
    {"4.4: what does not fit empties the table", "3f03" ADD_AB "4001 6302 6465 be", ROTA_HPACK_BAD, "a: b\nc: de\n", 0, 34},
    {"4.4: the name lies in what it pushes out", "3f03" ADD_AB "7e01 78 be", ROTA_HPACK_FIELD, "a: b\na: x\na: x\n", 34, 34},
    {"4.4: the name lies in what it pushes out without fitting", "3f03" ADD_AB "7e03 7879 7a", ROTA_HPACK_FIELD, "a: b\na: xyz\n", 0, 34},
    {"4.4: the same in Huffman code", "3f03" ADD_AB "7e83 f8f8 f8", ROTA_HPACK_FIELD, "a: b\na: &&&\n", 0, 34},
};

static uint32_t want_max(const struct block_case *c)
{
    return c->want_max == 0 ? ROTA_HPACK_TABLE_BYTES : c->want_max == 1 ? 0 : c->want_max;
}

static void blocks_follow_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct block_case *c = &cases[i];
        struct rota_hpack_decoder decoder;
        struct rota_leak_alloc leak;
        static struct block block;
        char text[TEXT_CAP] = "";

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        rota_hpack_decoder_init(&decoder, &leak.alloc);
        block_set_hex(&block, c->hex);
        assert_int_equal(block_decode(&decoder, block_slice(&block), text, sizeof(text)), c->want == ROTA_HPACK_FIELD ? ROTA_HPACK_END : c->want);
        assert_string_equal(text, c->fields);
        assert_int_equal(decoder.used_bytes, c->want_bytes);
        assert_int_equal(decoder.max_bytes, want_max(c));
        rota_hpack_decoder_fini(&decoder);
        rota_leak_alloc_fini(&leak);
    }
}

/* Gives each piece in memory of its own, at first a byte, then one more until it is no longer cut. */
static enum rota_hpack_result decode_growing(struct rota_hpack_decoder *decoder, struct rota_slice bytes, char *text)
{
    enum rota_hpack_result result = ROTA_HPACK_END;
    size_t at = 0;

    rota_hpack_begin(decoder);
    for (size_t end = 1; end <= bytes.size; end++) {
        uint8_t *piece = malloc(end - at);
        struct rota_slice rest = rota_slice(memcpy(piece, bytes.data + at, end - at), end - at);
        struct rota_hpack_field field;
        struct rota_arena arena;

        rota_arena_init(&arena, decoder->alloc, 0);
        result = rota_hpack_decode(decoder, &rest, false, &arena, &field);
        if (result == ROTA_HPACK_FIELD)
            sprintf(text + strlen(text), "%.*s: %.*s\n", (int)field.name.size, (const char *)field.name.data, (int)field.value.size,
                (const char *)field.value.data);
        at = end - rest.size;
        rota_arena_fini(&arena);
        free(piece);
        if (result == ROTA_HPACK_BAD)
            break;
        assert_true(result == ROTA_HPACK_CUT || rest.size == 0);
    }
    return result;
}

static void a_cut_field_waits_for_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct block_case *c = &cases[i];
        struct rota_hpack_decoder decoder;
        struct rota_leak_alloc leak;
        static struct block block;
        char text[TEXT_CAP] = "";

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        rota_hpack_decoder_init(&decoder, &leak.alloc);
        block_set_hex(&block, c->hex);
        assert_int_equal(decode_growing(&decoder, block_slice(&block), text), c->want);
        assert_string_equal(text, c->fields);
        assert_int_equal(decoder.used_bytes, c->want_bytes);
        assert_int_equal(decoder.max_bytes, want_max(c));
        rota_hpack_decoder_fini(&decoder);
        rota_leak_alloc_fini(&leak);
    }
}

static void a_cut_field_leaves_no_trace(void **state)
{
    struct rota_hpack_decoder decoder;
    struct rota_leak_alloc leak;
    static struct block block;
    struct rota_arena arena;

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_arena_init(&arena, &leak.alloc, 0);
    rota_hpack_decoder_init(&decoder, &leak.alloc);
    block_set_hex(&block, "4085 2aa8 49e9 5b86 a8eb 1064 9cbf");
    rota_hpack_begin(&decoder);
    for (size_t size = 1; size < block.size; size++) {
        struct rota_slice bytes = rota_slice(block.bytes, size);
        struct rota_hpack_field field;

        assert_int_equal(rota_hpack_decode(&decoder, &bytes, true, &arena, &field), ROTA_HPACK_CUT);
        assert_ptr_equal(bytes.data, block.bytes);
        assert_int_equal(bytes.size, size);
        assert_true(decoder.may_resize);
    }
    assert_int_equal(leak.allocs, 0);
    rota_arena_fini(&arena);
    rota_hpack_decoder_fini(&decoder);
    rota_leak_alloc_fini(&leak);
}

static const struct long_case {
    const char *rule, *head; /* then as many bytes as there may be */
    size_t tail_bytes;
    uint8_t tail;
    enum rota_hpack_result want;
} long_cases[] = {
    {"a value as long as can be", "0f 08 7f81 ff03", ROTA_HPACK_STRING_MAX_BYTES, 'x', ROTA_HPACK_FIELD},
    {"its last byte is not there", "0f 08 7f81 ff03", ROTA_HPACK_STRING_MAX_BYTES - 1, 'x', ROTA_HPACK_CUT},
    {"not even its length is whole", "0f 08 7f81 ff", 0, 'x', ROTA_HPACK_CUT},
    {"a byte longer is an error before it is there", "0f 08 7f82 ff03", 0, 'x', ROTA_HPACK_BAD},
    {"so is a name", "00 7f82 ff03", 0, 'x', ROTA_HPACK_BAD},
    {"so is a value that is to be added", "5f 7f82 ff03", 0, 'x', ROTA_HPACK_BAD},
    {"a code within the bound of what decodes to more", "0f 08 ff81 ff03", ROTA_HPACK_STRING_MAX_BYTES, 0, ROTA_HPACK_BAD},
    {"an added one that empties the table", "5f 7f81 ff03", ROTA_HPACK_STRING_MAX_BYTES, 'x', ROTA_HPACK_FIELD},
    {"an added code of more than the table decodes to a field", "5f ff81 9f01", 20480, 0xf8, ROTA_HPACK_FIELD},
};

static void texts_have_a_bound(void **state)
{
    static uint8_t bytes[LONG_BYTES];

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(long_cases); i++) {
        const struct long_case *c = &long_cases[i];
        struct rota_hpack_decoder decoder;
        struct rota_leak_alloc leak;
        struct rota_hpack_field field;
        struct rota_arena arena;
        static struct block head;
        struct rota_slice given;

        print_message("  %s\n", c->rule);
        block_set_hex(&head, c->head);
        memcpy(bytes, head.bytes, head.size);
        memset(bytes + head.size, c->tail, c->tail_bytes);
        given = rota_slice(bytes, head.size + c->tail_bytes);
        rota_leak_alloc_init(&leak);
        rota_arena_init(&arena, &leak.alloc, 0);
        rota_hpack_decoder_init(&decoder, &leak.alloc);
        rota_hpack_begin(&decoder);
        assert_int_equal(rota_hpack_decode(&decoder, &given, true, &arena, &field), c->want);
        if (c->want == ROTA_HPACK_FIELD) {
            assert_int_equal(field.value.size, c->tail_bytes);
            assert_null(field.kind);
            assert_int_equal(given.size, 0);
        }
        rota_arena_fini(&arena);
        rota_hpack_decoder_fini(&decoder);
        rota_leak_alloc_fini(&leak);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_follow_the_rules),
        cmocka_unit_test(a_cut_field_waits_for_the_rest),
        cmocka_unit_test(a_cut_field_leaves_no_trace),
        cmocka_unit_test(texts_have_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
