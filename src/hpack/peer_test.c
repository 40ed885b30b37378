/* peer_test.c - random blocks between us and nghttp2, both ways, with Huffman codes, evictions and tables that change their size. */
#include "base/assert.h"
#include "base/rng.h"
#include "hpack/hpack.h"
#include "hpack/static_table.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#define BLOCKS 4000
#define FIELDS_MAX 12
#define TEXT_MAX 64
#define BLOCK_CAP (FIELDS_MAX * (2 * TEXT_MAX + ROTA_HPACK_FIELD_BOUND) + ROTA_HPACK_BLOCK_BOUND)

struct block_fields {
    uint8_t names[FIELDS_MAX][TEXT_MAX], values[FIELDS_MAX][TEXT_MAX];
    nghttp2_nv nva[FIELDS_MAX];
    size_t count;
};

/* Mostly few names and values, so that there is something to find; some of all bytes. */
static size_t random_text(struct rota_rng *rng, uint8_t *text)
{
    size_t size = rota_rng_below(rng, TEXT_MAX);

    if (rota_rng_below(rng, 3) != 0)
        return (size_t)snprintf((char *)text, TEXT_MAX, "x-text-%u", (unsigned)rota_rng_below(rng, 40));
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)(size % 2 == 0 ? 'a' + rota_rng_below(rng, 26) : rota_rng_below(rng, 256));
    return size;
}

static size_t take(uint8_t *out, struct rota_slice text)
{
    memcpy(out, text.data, text.size);
    return text.size;
}

static void random_fields(struct rota_rng *rng, struct block_fields *fields)
{
    fields->count = rota_rng_below(rng, FIELDS_MAX + 1);
    for (size_t i = 0; i < fields->count; i++) {
        uint32_t pick = rota_rng_below(rng, 4 * ROTA_HPACK_STATICS);
        struct rota_slice name, value;
        nghttp2_nv *nv = &fields->nva[i];

        *nv = (nghttp2_nv){.name = fields->names[i], .value = fields->values[i]};
        if (pick < ROTA_HPACK_STATICS) {
            rota_hpack_static_get(pick + 1, &name, &value);
            nv->namelen = take(nv->name, name);
            nv->valuelen = take(nv->value, value);
        } else {
            nv->namelen = 1 + random_text(rng, nv->name + 1);
            nv->name[0] = 'n';
        }
        if (pick % 2 == 1)
            nv->valuelen = random_text(rng, nv->value);
        if (rota_rng_below(rng, 8) == 0)
            nv->flags = NGHTTP2_NV_FLAG_NO_INDEX;
    }
}

static void assert_field(const nghttp2_nv *want, struct rota_slice name, struct rota_slice value)
{
    assert_true(rota_slice_equal(rota_slice(want->name, want->namelen), name));
    assert_true(rota_slice_equal(rota_slice(want->value, want->valuelen), value));
}

static void decode_theirs(struct rota_hpack_decoder *decoder, const struct block_fields *fields, struct rota_slice bytes, bool keep)
{
    struct rota_hpack_field got[FIELDS_MAX];
    struct rota_arena arena;

    rota_arena_init(&arena, decoder->alloc, 0);
    rota_hpack_begin(decoder);
    for (size_t i = 0; i < fields->count; i++) {
        assert_int_equal(rota_hpack_decode(decoder, &bytes, keep, &arena, &got[i]), ROTA_HPACK_FIELD);
        assert_field(&fields->nva[i], got[i].name, got[i].value);
    }
    assert_int_equal(rota_hpack_decode(decoder, &bytes, keep, &arena, &got[0]), ROTA_HPACK_END);
    for (size_t i = 1; keep && i < fields->count; i++)
        assert_field(&fields->nva[i], got[i].name, got[i].value);
    rota_hpack_let_go(decoder);
    rota_arena_fini(&arena);
}

static void what_it_says_we_read(void **state)
{
    struct rota_hpack_decoder decoder;
    static struct block_fields fields;
    nghttp2_hd_deflater *deflater;
    struct rota_leak_alloc leak;
    uint8_t bytes[BLOCK_CAP];
    struct rota_rng rng;

    (void)state;
    print_message("  seed 7\n");
    rota_rng_init(&rng, 7);
    rota_leak_alloc_init(&leak);
    rota_hpack_decoder_init(&decoder, &leak.alloc);
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, ROTA_HPACK_TABLE_BYTES), 0);
    for (int i = 0; i < BLOCKS; i++) {
        ssize_t size;

        for (uint32_t n = rota_rng_below(&rng, 20); n < 3; n++)
            nghttp2_hd_deflate_change_table_size(deflater, rota_rng_below(&rng, 2) == 0 ? ROTA_HPACK_TABLE_BYTES : rota_rng_below(&rng, 600));
        random_fields(&rng, &fields);
        size = nghttp2_hd_deflate_hd(deflater, bytes, sizeof(bytes), fields.nva, fields.count);
        assert_true(size >= 0);
        decode_theirs(&decoder, &fields, rota_slice(bytes, (size_t)size), rota_rng_below(&rng, 2) == 0);
        assert_int_equal(decoder.max_bytes, nghttp2_hd_deflate_get_max_dynamic_table_size(deflater));
        assert_int_equal(decoder.count, nghttp2_hd_deflate_get_num_table_entries(deflater) - ROTA_HPACK_STATICS);
    }
    nghttp2_hd_deflate_del(deflater);
    rota_hpack_decoder_fini(&decoder);
    rota_leak_alloc_fini(&leak);
}

static void read_ours(nghttp2_hd_inflater *inflater, const struct block_fields *fields, const enum rota_hpack_index *hows, const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    int flags = 0;

    while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
        nghttp2_nv nv;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, bytes, size, 1);

        assert_true(used >= 0);
        bytes += used;
        size -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
            continue;
        assert_true(count < fields->count);
        assert_field(&fields->nva[count], rota_slice(nv.name, nv.namelen), rota_slice(nv.value, nv.valuelen));
        assert_int_equal((nv.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0, hows[count] == ROTA_HPACK_SECRET);
        count++;
    }
    assert_int_equal(count, fields->count);
    assert_int_equal(size, 0);
    assert_int_equal(nghttp2_hd_inflate_end_headers(inflater), 0);
}

static void what_we_say_it_reads(void **state)
{
    struct rota_hpack_encoder encoder;
    static struct block_fields fields;
    nghttp2_hd_inflater *inflater;
    struct rota_leak_alloc leak;
    uint8_t bytes[BLOCK_CAP];
    struct rota_rng rng;

    (void)state;
    print_message("  seed 8\n");
    rota_rng_init(&rng, 8);
    rota_leak_alloc_init(&leak);
    rota_hpack_encoder_init(&encoder, &leak.alloc);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (int i = 0; i < BLOCKS; i++) {
        enum rota_hpack_index hows[FIELDS_MAX];
        uint8_t *out;

        for (uint32_t n = rota_rng_below(&rng, 20); n < 3; n++) {
            uint32_t max_bytes = rota_rng_below(&rng, 2) == 0 ? 3 * ROTA_HPACK_TABLE_BYTES : rota_rng_below(&rng, 600);
            assert_int_equal(nghttp2_hd_inflate_change_table_size(inflater, max_bytes), 0);
            rota_hpack_encoder_resize(&encoder, max_bytes);
        }
        random_fields(&rng, &fields);
        out = rota_hpack_encode_begin(&encoder, bytes);
        for (size_t n = 0; n < fields.count; n++) {
            const nghttp2_nv *nv = &fields.nva[n];

            hows[n] = (enum rota_hpack_index)rota_rng_below(&rng, 3);
            out = rota_hpack_encode(&encoder, rota_slice(nv->name, nv->namelen), rota_slice(nv->value, nv->valuelen), hows[n], out);
        }
        assert_true((size_t)(out - bytes) <= sizeof(bytes));
        read_ours(inflater, &fields, hows, bytes, (size_t)(out - bytes));
    }
    nghttp2_hd_inflate_del(inflater);
    rota_hpack_encoder_fini(&encoder);
    rota_leak_alloc_fini(&leak);
}

static void the_static_tables_agree(void **state)
{
    nghttp2_hd_inflater *inflater;

    (void)state;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (uint32_t i = 1; i <= ROTA_HPACK_STATICS; i++) {
        uint8_t byte = (uint8_t)(0x80 | i);
        struct rota_slice name, value;
        nghttp2_nv nv;
        int flags = 0;

        assert_int_equal(nghttp2_hd_inflate_hd2(inflater, &nv, &flags, &byte, 1, 0), 1);
        rota_hpack_static_get(i, &name, &value);
        assert_field(&nv, name, value);
    }
    nghttp2_hd_inflate_del(inflater);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_static_tables_agree),
        cmocka_unit_test(what_it_says_we_read),
        cmocka_unit_test(what_we_say_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
