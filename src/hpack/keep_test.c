/* keep_test.c - how long decoded fields last, where they lie, what is remembered of their places; what a hostile peer can cost. */
#include "base/assert.h"
#include "hpack/block_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

#define FLOOD_FIELDS 20000
#define FLOOD_BLOCKS 2 /* entries apart: what the ring and the arena take */

struct side {
    struct rota_hpack_decoder decoder;
    struct rota_leak_alloc leak;
    struct rota_arena arena;
};

static void side_init(struct side *side)
{
    rota_leak_alloc_init(&side->leak);
    rota_arena_init(&side->arena, &side->leak.alloc, 0);
    rota_hpack_decoder_init(&side->decoder, &side->leak.alloc);
    rota_hpack_begin(&side->decoder);
}

static void side_fini(struct side *side)
{
    rota_arena_fini(&side->arena);
    rota_hpack_decoder_fini(&side->decoder);
    rota_leak_alloc_fini(&side->leak);
}

/* The bytes are in memory of their own, so that borrowing shows. */
static struct rota_hpack_field decode_one(struct side *side, const char *hex, bool keep)
{
    static struct block block;
    struct rota_hpack_field field;
    struct rota_slice bytes;

    block_set_hex(&block, hex);
    bytes = block_slice(&block);
    assert_int_equal(rota_hpack_decode(&side->decoder, &bytes, keep, &side->arena, &field), ROTA_HPACK_FIELD);
    assert_int_equal(bytes.size, 0);
    return field;
}

static void assert_is(const struct rota_hpack_field *field, const char *name, const char *value)
{
    assert_true(rota_slice_equal(field->name, rota_slice_str(name)));
    assert_true(rota_slice_equal(field->value, rota_slice_str(value)));
}

static const struct place_case {
    const char *rule, *hex;
    bool name_borrowed, value_borrowed, has_kind;
    uint64_t allocs; /* by then */
} places[] = {
    {"the static table", "82", false, false, true, 0},
    {"the dynamic table", "be", false, false, true, 0},
    {"added", "4001 6101 62", false, false, true, 1},
    {"added with the name of a table", "7e01 62", false, false, true, 1},
    {"a literal", "0001 6101 62", true, true, false, 0},
    {"a literal with the name of a table", "0f01 0162", false, true, false, 0},
    {"a literal with a Huffman-coded name", "0081 1f01 62", false, true, false, 1},
    {"a literal with a Huffman-coded value", "0001 6181 1f", true, false, false, 1},
    {"never indexed", "1001 6101 62", true, true, false, 0},
};

static void fields_say_where_they_lie(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(places); i++) {
        struct rota_hpack_field field;
        struct side side;
        uint64_t before;

        print_message("  %s\n", places[i].rule);
        side_init(&side);
        (void)decode_one(&side, "4001 6101 62", true);
        before = side.leak.allocs;
        field = decode_one(&side, places[i].hex, true);
        assert_int_equal(field.name_borrowed, places[i].name_borrowed);
        assert_int_equal(field.value_borrowed, places[i].value_borrowed);
        assert_int_equal(field.kind != NULL, places[i].has_kind);
        assert_int_equal(side.leak.allocs - before, places[i].allocs);
        side_fini(&side);
    }
}

static void a_place_remembers_its_kind(void **state)
{
    struct side side;

    (void)state;
    side_init(&side);
    assert_int_equal(*decode_one(&side, "82", true).kind, 0);
    *decode_one(&side, "82", true).kind = 3;
    *decode_one(&side, "4001 6101 62", true).kind = 5;
    assert_int_equal(*decode_one(&side, "4001 6301 64", true).kind, 0);
    assert_int_equal(*decode_one(&side, "bf", true).kind, 5);
    assert_int_equal(*decode_one(&side, "be", true).kind, 0);
    assert_int_equal(*decode_one(&side, "82", true).kind, 3);
    assert_int_equal(*decode_one(&side, "83", true).kind, 0);
    /* A new field at an old place starts anew. */
    assert_int_equal(*decode_one(&side, "4001 6101 62", true).kind, 0);
    side_fini(&side);
}

static void kept_fields_outlive_their_entries(void **state)
{
    struct rota_hpack_field added, indexed, named;
    struct side side;
    size_t blocks;

    (void)state;
    side_init(&side);
    (void)decode_one(&side, "4001 6501 66", false);
    added = decode_one(&side, "4001 6101 62", true);
    indexed = decode_one(&side, "bf", true);
    (void)decode_one(&side, "4001 6301 64", false);
    named = decode_one(&side, "0f2f 0163", true); /* the name of the newest, c */
    blocks = side.leak.live_blocks;
    rota_hpack_begin(&side.decoder);
    (void)decode_one(&side, "2082", true); /* all three have to go */
    assert_int_equal(side.decoder.count, 0);
    assert_int_equal(side.leak.live_blocks, blocks);
    assert_is(&added, "a", "b");
    assert_is(&indexed, "e", "f");
    assert_true(rota_slice_equal(named.name, ROTA_SLICE("c")));
    rota_hpack_let_go(&side.decoder);
    assert_int_equal(side.leak.live_blocks, blocks - 3);
    side_fini(&side);
}

static void what_was_let_go_goes_at_once(void **state)
{
    struct side side;
    size_t blocks;

    (void)state;
    side_init(&side);
    (void)decode_one(&side, "4001 6101 62", true);
    rota_hpack_let_go(&side.decoder);
    (void)decode_one(&side, "4001 6301 64", false);
    blocks = side.leak.live_blocks;
    rota_hpack_begin(&side.decoder);
    (void)decode_one(&side, "2082", true);
    assert_int_equal(side.leak.live_blocks, blocks - 2);
    assert_null(side.decoder.dropped);
    side_fini(&side);
}

static void the_name_of_an_entry_that_goes_stays(void **state)
{
    struct rota_hpack_field field;
    struct side side;

    (void)state;
    for (int keep = 0; keep <= 1; keep++) {
        side_init(&side);
        (void)decode_one(&side, "3f03 4001 6101 62", keep);
        field = decode_one(&side, "7e03 7879 7a", keep); /* too large by two bytes */
        assert_is(&field, "a", "xyz");
        assert_false(field.name_borrowed);
        assert_true(field.value_borrowed);
        assert_int_equal(side.decoder.count, 0);
        side_fini(&side);
    }
}

static const struct flood_case {
    const char *rule, *hex;
    size_t n_entries; /* that fit */
} floods[] = {
    {"many small fields", "4000 00", 128},
    {"fields that push each other out", "3f03 4001 6101 62", 1},
    {"fields that empty the table", "3f03 4001 6101 62 7e03 7879 7a", 0},
    {"fields with Huffman code", "4081 1f81 1f", 120},
    {"literals of every kind", "0081 1f81 1f 1001 6101 62", 0},
    {"the same places again and again", "4001 6101 62 be82", 120},
    {"the table emptied and filled", "203f e11f 4001 6101 62", 1},
};

static void nothing_grows_that_is_not_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(floods); i++) {
        static struct block block;
        struct side side;

        print_message("  %s\n", floods[i].rule);
        side_init(&side);
        block_set_hex(&block, floods[i].hex);
        for (int n = 0; n < FLOOD_FIELDS; n++) {
            struct rota_slice bytes = block_slice(&block);
            struct rota_hpack_field field;

            rota_hpack_begin(&side.decoder);
            while (rota_hpack_decode(&side.decoder, &bytes, false, &side.arena, &field) == ROTA_HPACK_FIELD)
                rota_arena_reset(&side.arena);
            assert_int_equal(bytes.size, 0);
        }
        assert_int_equal(side.decoder.count, floods[i].n_entries);
        assert_true(side.leak.live_blocks <= floods[i].n_entries + FLOOD_BLOCKS);
        assert_null(side.decoder.dropped);
        side_fini(&side);
    }
}

static rota_err all_that_takes_memory(const struct rota_alloc *alloc, void *ctx)
{
    /* Added, Huffman-coded and not added, and too large with a name from the table. */
    static const char *const blocks[] = {"3f25 4001 6101 62 4081 1f81 1f", "0081 1f81 1f", "1f2f 0161",
        "7e24 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161 6161"};
    enum rota_hpack_result result = ROTA_HPACK_END;
    struct rota_hpack_decoder decoder;
    struct rota_hpack_field field;
    struct rota_arena arena;

    (void)ctx;
    rota_hpack_decoder_init(&decoder, alloc);
    for (size_t i = 0; i < ROTA_COUNT(blocks) && result == ROTA_HPACK_END; i++) {
        static struct block block;
        struct rota_slice bytes;

        block_set_hex(&block, blocks[i]);
        bytes = block_slice(&block);
        rota_arena_init(&arena, alloc, 0);
        rota_hpack_begin(&decoder);
        while ((result = rota_hpack_decode(&decoder, &bytes, true, &arena, &field)) == ROTA_HPACK_FIELD)
            continue;
        rota_arena_fini(&arena);
    }
    rota_hpack_decoder_fini(&decoder);
    assert_true(result == ROTA_HPACK_END || result == ROTA_HPACK_NOMEM);
    return result == ROTA_HPACK_END ? 0 : ROTA_ENOMEM;
}

static void failing_memory_is_noticed(void **state)
{
    (void)state;
    /* Two entries and their ring, an arena's chunk for the codes, one for the name. */
    assert_int_equal(rota_alloc_sweep(all_that_takes_memory, NULL), 5);
}

static void an_unused_decoder_has_nothing(void **state)
{
    struct side side;

    (void)state;
    side_init(&side);
    (void)decode_one(&side, "3fe1 1f82", true);
    (void)decode_one(&side, "0001 6101 62", true);
    rota_hpack_let_go(&side.decoder);
    assert_int_equal(side.leak.allocs, 0);
    side_fini(&side);
    rota_hpack_decoder_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_say_where_they_lie),
        cmocka_unit_test(a_place_remembers_its_kind),
        cmocka_unit_test(kept_fields_outlive_their_entries),
        cmocka_unit_test(what_was_let_go_goes_at_once),
        cmocka_unit_test(the_name_of_an_entry_that_goes_stays),
        cmocka_unit_test(nothing_grows_that_is_not_kept),
        cmocka_unit_test(failing_memory_is_noticed),
        cmocka_unit_test(an_unused_decoder_has_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
