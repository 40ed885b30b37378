/* round_trip_test.c - an encoder and a decoder on random fields: tables that change their size, cuts, fields that are kept, memory that fails. */
#include "base/assert.h"
#include "base/rng.h"
#include "hpack/hpack.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <stdio.h>

#define SEEDS 40
#define BLOCKS 200
#define FIELDS_MAX 10
#define TEXT_MAX 300
#define BLOCK_CAP (FIELDS_MAX * (2 * TEXT_MAX + ROTA_HPACK_FIELD_BOUND) + ROTA_HPACK_BLOCK_BOUND)
#define SWEEP_BLOCKS 30

struct sent_fields {
    uint8_t names[FIELDS_MAX][TEXT_MAX], values[FIELDS_MAX][TEXT_MAX];
    struct rota_slice name[FIELDS_MAX], value[FIELDS_MAX];
    struct rota_hpack_field got[FIELDS_MAX];
    size_t count;
};

struct trip {
    struct rota_hpack_encoder encoder;
    struct rota_hpack_decoder decoder;
    struct rota_arena arena;
    struct rota_rng rng;
    struct sent_fields fields;
    uint8_t bytes[BLOCK_CAP];
    size_t size;
};

static struct rota_slice random_text(struct rota_rng *rng, uint8_t *text)
{
    static const char *const known[] = {":path", ":method", "POST", "te", "trailers", "200", ":status", "", "grpc-timeout", "accept-encoding"};
    uint32_t kind = rota_rng_below(rng, 10);
    size_t size = rota_rng_below(rng, kind == 0 ? TEXT_MAX : 24);

    if (kind < 4)
        return rota_slice_str(known[rota_rng_below(rng, ROTA_COUNT(known))]);
    if (kind < 7)
        return rota_slice(text, (size_t)snprintf((char *)text, TEXT_MAX, "text-%u-of-many", (unsigned)rota_rng_below(rng, 60)));
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)(kind < 9 ? 'a' + rota_rng_below(rng, 26) : rota_rng_below(rng, 256));
    return rota_slice(text, size);
}

static void encode(struct trip *trip)
{
    struct sent_fields *fields = &trip->fields;
    uint8_t *out = trip->bytes;

    fields->count = rota_rng_below(&trip->rng, FIELDS_MAX + 1);
    for (uint32_t n = rota_rng_below(&trip->rng, 16); n < 3; n++)
        rota_hpack_encoder_resize(&trip->encoder, rota_rng_below(&trip->rng, 2) == 0 ? 10000 : rota_rng_below(&trip->rng, 1000));
    out = rota_hpack_encode_begin(&trip->encoder, out);
    assert_true(out <= trip->bytes + ROTA_HPACK_BLOCK_BOUND);
    for (size_t i = 0; i < fields->count; i++) {
        uint8_t *start = out;

        fields->name[i] = random_text(&trip->rng, fields->names[i]);
        fields->value[i] = random_text(&trip->rng, fields->values[i]);
        out = rota_hpack_encode(&trip->encoder, fields->name[i], fields->value[i], (enum rota_hpack_index)rota_rng_below(&trip->rng, 3), out);
        assert_true((size_t)(out - start) <= ROTA_HPACK_FIELD_BOUND + fields->name[i].size + fields->value[i].size);
    }
    trip->size = (size_t)(out - trip->bytes);
}

static void assert_came(const struct trip *trip, size_t i)
{
    assert_true(rota_slice_equal(trip->fields.got[i].name, trip->fields.name[i]));
    assert_true(rota_slice_equal(trip->fields.got[i].value, trip->fields.value[i]));
}

/* false: out of memory. The block is given in two pieces. */
static bool decode(struct trip *trip, bool keep)
{
    size_t cut = rota_rng_below(&trip->rng, (uint32_t)trip->size + 1), count = 0;
    struct rota_slice bytes = rota_slice(trip->bytes, cut);
    enum rota_hpack_result result = ROTA_HPACK_FIELD;

    rota_hpack_begin(&trip->decoder);
    for (int piece = 0; piece < 2; piece++) {
        while (result == ROTA_HPACK_FIELD) {
            result = rota_hpack_decode(&trip->decoder, &bytes, keep, &trip->arena, &trip->fields.got[count % FIELDS_MAX]);
            if (result == ROTA_HPACK_FIELD)
                assert_came(trip, count++);
        }
        if (result == ROTA_HPACK_NOMEM)
            return false;
        assert_true(result == ROTA_HPACK_END || (result == ROTA_HPACK_CUT && piece == 0));
        result = ROTA_HPACK_FIELD;
        bytes.size = (size_t)(trip->bytes + trip->size - bytes.data);
    }
    assert_int_equal(count, trip->fields.count);
    for (size_t i = 0; keep && i < count; i++)
        assert_came(trip, i);
    return true;
}

static void trip_init(struct trip *trip, uint64_t seed, const struct rota_alloc *alloc)
{
    rota_hpack_encoder_init(&trip->encoder, alloc);
    rota_hpack_decoder_init(&trip->decoder, alloc);
    rota_arena_init(&trip->arena, alloc, 0);
    rota_rng_init(&trip->rng, seed);
}

static void trip_fini(struct trip *trip)
{
    rota_hpack_encoder_fini(&trip->encoder);
    rota_hpack_decoder_fini(&trip->decoder);
    rota_arena_fini(&trip->arena);
}

static void what_is_encoded_is_decoded(void **state)
{
    static struct trip trip;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct rota_leak_alloc leak;

        rota_leak_alloc_init(&leak);
        trip_init(&trip, seed, &leak.alloc);
        for (int i = 0; i < BLOCKS; i++) {
            encode(&trip);
            assert_true(decode(&trip, i % 2 == 0));
            rota_arena_reset(&trip.arena);
            if (i % 3 == 0)
                rota_hpack_let_go(&trip.decoder);
        }
        trip_fini(&trip);
        rota_leak_alloc_fini(&leak);
    }
}

static rota_err a_few_blocks(const struct rota_alloc *alloc, void *ctx)
{
    struct trip *trip = ctx;
    rota_err err = 0;

    trip_init(trip, 3, alloc);
    for (int i = 0; i < SWEEP_BLOCKS && err == 0; i++) {
        encode(trip);
        err = decode(trip, true) ? 0 : ROTA_ENOMEM;
    }
    trip_fini(trip);
    return err;
}

static void failing_memory_ends_a_decoder_and_no_encoder(void **state)
{
    static struct trip trip;

    (void)state;
    assert_true(rota_alloc_sweep_absorbing(a_few_blocks, &trip) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(failing_memory_ends_a_decoder_and_no_encoder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
