/* zip_test.c - what compressed messages open to: encodings, damage, limits; frames that get shorter or stay; failing memory. */
#include "wire/zip.h"
#include "base/assert.h"
#include "base/rng.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "wire/frame.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LIMIT 5000
#define BOMB_BYTES ((size_t)8 << 20)

/* --- Names --- */

static void encodings_are_known_by_name(void **unused)
{
    (void)unused;
    assert_int_equal(rota_encoding_of(rota_slice(NULL, 0)), ROTA_ENCODING_IDENTITY);
    assert_int_equal(rota_encoding_of(ROTA_SLICE("identity")), ROTA_ENCODING_IDENTITY);
    assert_int_equal(rota_encoding_of(ROTA_SLICE("gzip")), ROTA_ENCODING_GZIP);
    assert_int_equal(rota_encoding_of(ROTA_SLICE("deflate")), ROTA_ENCODING_DEFLATE);
    assert_int_equal(rota_encoding_of(ROTA_SLICE("snappy")), ROTA_ENCODING_UNKNOWN);
    assert_int_equal(rota_encoding_of(ROTA_SLICE("gzip,deflate")), ROTA_ENCODING_UNKNOWN);
}

static void gzip_is_found_in_a_list(void **unused)
{
    static const struct {
        const char *rule, *list;
        bool want;
    } rows[] = {
        {"nothing", "", false},
        {"alone", "gzip", true},
        {"last, as we write it", ROTA_ENCODINGS, true},
        {"last, as C++ writes it", "identity, deflate, gzip", true},
        {"last, but a part of another name", "identity,xgzip", false},
        {"last, behind a blank that parts nothing", "x gzip", false},
        {"behind a blank alone", " gzip", true},
        {"too short", "zip", false},
        {"last, behind two blanks", "identity,  gzip", true},
        {"first, with blanks", "gzip , deflate", true},
        {"in the middle", "identity, \tgzip\t,deflate", true},
        {"a part of another name", "xgzip,gzipx,gz ip", false},
        {"after an empty place", ",,gzip", true},
        {"not there", "identity,deflate,", false},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        print_message("  %s\n", rows[i].rule);
        assert_int_equal(rota_encodings_have_gzip(rota_slice_str(rows[i].list)), rows[i].want);
    }
    assert_false(rota_encodings_have_gzip((struct rota_slice){0})); /* the field is not there */
}

/* --- Opening --- */

/* By zlib itself, so that what is opened was not made by the code under test. */
static size_t pack(int window_bits, const uint8_t *data, size_t size, uint8_t *out, size_t cap)
{
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)data, .avail_in = (unsigned)size, .next_out = out, .avail_out = (unsigned)cap};

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return cap - z.avail_out;
}

enum { GZIP = 31, DEFLATE = 15, RAW = -15 }; /* window bits */

static const struct open_case {
    const char *rule;
    int pack; /* window bits */
    enum rota_encoding encoding;
    size_t size; /* of the message */
    int cut;     /* bytes left out at the end, or, negative, added */
    int spoil;   /* the byte that is changed: its place from the front, or, negative, from the end; 0: none */
    bool twice;  /* packed data comes twice */
    int want;
    const char *says;
} opens[] = {
    {"gzip", GZIP, ROTA_ENCODING_GZIP, 300, 0, 0, false, 0, NULL},
    {"deflate is zlib's format", DEFLATE, ROTA_ENCODING_DEFLATE, 300, 0, 0, false, 0, NULL},
    {"an empty message", GZIP, ROTA_ENCODING_GZIP, 0, 0, 0, false, 0, NULL},
    {"as long as the limit", GZIP, ROTA_ENCODING_GZIP, LIMIT, 0, 0, false, 0, NULL},
    {"one byte longer", GZIP, ROTA_ENCODING_GZIP, LIMIT + 1, 0, 0, false, ROTA_ELIMIT, "more than 5000 bytes"},
    {"deflate, one byte longer", DEFLATE, ROTA_ENCODING_DEFLATE, LIMIT + 1, 0, 0, false, ROTA_ELIMIT, "the limit"},
    {"a bomb", GZIP, ROTA_ENCODING_GZIP, BOMB_BYTES, 0, 0, false, ROTA_ELIMIT, "the limit"},
    {"members of gzip are joined", GZIP, ROTA_ENCODING_GZIP, 100, 0, 0, true, 0, NULL},
    {"their sum counts", GZIP, ROTA_ENCODING_GZIP, LIMIT - 1, 0, 0, true, ROTA_ELIMIT, "the limit"},
    {"deflate has no members", DEFLATE, ROTA_ENCODING_DEFLATE, 100, 0, 0, true, ROTA_EPARSE, "after the end of its deflate data"},
    {"no bytes at all", GZIP, ROTA_ENCODING_GZIP, 0, 20, 0, false, ROTA_EPARSE, "cut off"},
    {"a byte is missing", GZIP, ROTA_ENCODING_GZIP, 300, 1, 0, false, ROTA_EPARSE, "gzip data is cut off"},
    {"only the header", GZIP, ROTA_ENCODING_GZIP, 0, 10, 0, false, ROTA_EPARSE, "cut off"},
    {"cut off at the limit", GZIP, ROTA_ENCODING_GZIP, LIMIT, 4, 0, false, ROTA_EPARSE, "cut off"},
    {"deflate, a byte is missing", DEFLATE, ROTA_ENCODING_DEFLATE, 300, 1, 0, false, ROTA_EPARSE, "deflate data is cut off"},
    {"bytes behind", GZIP, ROTA_ENCODING_GZIP, 300, -3, 0, false, ROTA_EPARSE, "3 bytes after the end"},
    {"a wrong first byte", GZIP, ROTA_ENCODING_GZIP, 300, 0, 1, false, ROTA_EPARSE, "incorrect header check"},
    {"a wrong checksum", GZIP, ROTA_ENCODING_GZIP, 300, 0, -6, false, ROTA_EPARSE, "incorrect data check"},
    {"a wrong length", GZIP, ROTA_ENCODING_GZIP, 300, 0, -1, false, ROTA_EPARSE, "incorrect length check"},
    {"gzip that is deflate", DEFLATE, ROTA_ENCODING_GZIP, 300, 0, 0, false, ROTA_EPARSE, "corrupt"},
    {"deflate that is gzip", GZIP, ROTA_ENCODING_DEFLATE, 300, 0, 0, false, ROTA_EPARSE, "corrupt"},
    {"deflate without a header", RAW, ROTA_ENCODING_DEFLATE, 300, 0, 0, false, ROTA_EPARSE, "corrupt"},
};

static uint8_t *message_of(size_t size)
{
    uint8_t *message = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        message[i] = size == BOMB_BYTES ? 0 : (uint8_t)(i % 7 + i / 100);
    return message;
}

/* The packed bytes in a block of exactly their size. */
static struct rota_slice packed_of(const struct open_case *c, const uint8_t *message)
{
    static uint8_t out[64 << 10];
    size_t size = pack(c->pack, message, c->size, out, sizeof(out) / 2);
    uint8_t *exact;

    if (c->twice)
        memcpy(out + size, out, size);
    size *= c->twice ? 2 : 1;
    if (c->cut < 0)
        memset(out + size, 'x', (size_t)-c->cut);
    size = (size_t)((int)size - c->cut);
    if (c->spoil != 0)
        out[c->spoil > 0 ? (size_t)(c->spoil - 1) : (size_t)((int)size + c->spoil)] ^= 0x55;
    exact = malloc(size + (size == 0));
    memcpy(exact, out, size);
    return rota_slice(exact, size);
}

static rota_err open_one(const struct rota_alloc *alloc, void *ctx)
{
    const struct open_case *c = ctx;
    uint8_t *message = message_of(c->size);
    struct rota_slice packed = packed_of(c, message);
    struct rota_errinfo info = {{0}};
    struct rota_chunk *got = NULL;
    struct rota_zip zip;
    rota_err err;

    rota_zip_init(&zip, alloc);
    err = rota_zip_open(&zip, c->encoding, packed, LIMIT, &got, &info);
    if (err != ROTA_ENOMEM) {
        assert_int_equal(err, c->want);
        if (c->says != NULL)
            assert_non_null(strstr(info.text, c->says));
    }
    if (err == 0) {
        assert_int_equal(got->size, c->size * (c->twice ? 2 : 1));
        assert_memory_equal(got->data, message, c->size);
        rota_chunk_unref(got);
    }
    rota_zip_fini(&zip);
    free((void *)(uintptr_t)packed.data);
    free(message);
    return err == ROTA_ENOMEM ? ROTA_ENOMEM : 0;
}

static void what_was_compressed_opens_or_says_why_not(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(opens); i++) {
        struct open_case row = opens[i];

        print_message("  %s\n", row.rule);
        assert_true(rota_alloc_sweep(open_one, &row) >= 3);
    }
}

struct watched {
    struct rota_leak_alloc a;
    size_t largest_bytes;
};

static void *watch(void *ctx, void *ptr, size_t size_bytes)
{
    struct watched *watched = ctx;

    if (size_bytes > watched->largest_bytes)
        watched->largest_bytes = size_bytes;
    return watched->a.alloc.resize(watched->a.alloc.ctx, ptr, size_bytes);
}

static void a_bomb_takes_no_more_memory_than_the_limit(void **unused)
{
    const struct open_case bomb = {"", GZIP, ROTA_ENCODING_GZIP, BOMB_BYTES, 0, 0, false, ROTA_ELIMIT, NULL};
    uint8_t *message = message_of(bomb.size);
    struct rota_slice packed = packed_of(&bomb, message);
    struct watched watched = {0};
    struct rota_alloc alloc = {.resize = watch, .ctx = &watched};
    size_t state_bytes, n_blocks;
    struct rota_chunk *got;
    struct rota_zip zip;

    (void)unused;
    rota_leak_alloc_init(&watched.a);
    rota_zip_init(&zip, &alloc);
    assert_int_equal(watched.a.allocs, 0);
    assert_int_equal(rota_zip_open(&zip, bomb.encoding, packed, LIMIT, &got, NULL), ROTA_ELIMIT);
    state_bytes = watched.a.live_bytes; /* zlib's; nothing of the message is left */
    n_blocks = watched.a.live_blocks;
    watched.largest_bytes = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(rota_zip_open(&zip, bomb.encoding, packed, LIMIT, &got, NULL), ROTA_ELIMIT);
    assert_in_range(watched.largest_bytes, LIMIT, LIMIT + sizeof(struct rota_chunk));
    assert_int_equal(watched.a.live_bytes, state_bytes); /* the state is used again */
    assert_int_equal(watched.a.live_blocks, n_blocks);
    rota_zip_fini(&zip);
    rota_leak_alloc_fini(&watched.a);
    free((void *)(uintptr_t)packed.data);
    free(message);
}

/* --- Frames --- */

static struct rota_chunk *frame_of(const struct rota_alloc *alloc, size_t size, bool noise)
{
    struct rota_chunk *chunk = rota_chunk_new(alloc, ROTA_FRAME_PREFIX + size);
    struct rota_rng rng;

    if (chunk == NULL)
        return NULL;
    rota_rng_init(&rng, 1);
    memset(chunk->data, 0xEE, ROTA_FRAME_PREFIX);
    for (size_t i = 0; i < size; i++)
        chunk->data[ROTA_FRAME_PREFIX + i] = noise ? (uint8_t)rota_rng_next(&rng) : (uint8_t)(i / 50 % 20);
    chunk->size = ROTA_FRAME_PREFIX + size;
    return chunk;
}

static const struct frame_case {
    const char *rule;
    size_t size;
    bool noise, compressed;
} frames[] = {
    {"an empty message stays", 0, false, false},
    {"a short one stays", 20, false, false},
    {"one that would not get shorter stays", 25, true, false},
    {"a long one that would not stays", 70000, true, false},
    {"a repetitive one gets shorter", 100, false, true},
    {"a long one too", 300000, false, true},
};

static rota_err frame_one(const struct rota_alloc *alloc, void *ctx)
{
    const struct frame_case *c = ctx;
    struct rota_chunk *chunk = frame_of(alloc, c->size, c->noise), *plain = frame_of(NULL, c->size, c->noise), *opened = NULL;
    struct rota_frame_decoder decoder;
    struct rota_frame frame;
    struct rota_slice input;
    struct rota_zip zip;
    rota_err err = ROTA_ENOMEM;

    rota_zip_init(&zip, alloc);
    rota_frame_decoder_init(&decoder, alloc, SIZE_MAX);
    if (chunk == NULL)
        goto out;
    err = rota_zip_frame(&zip, &chunk);
    if (err < 0) {
        assert_int_equal(chunk->size, plain->size); /* still there */
        goto out;
    }
    input = rota_chunk_slice(chunk);
    assert_int_equal(rota_frame_decode(&decoder, &input, &frame, NULL), 1);
    assert_int_equal(input.size, 0);
    assert_int_equal(frame.compressed, c->compressed);
    assert_true(c->compressed ? chunk->size < plain->size : chunk->size == plain->size);
    if (c->compressed) {
        err = rota_zip_open(&zip, ROTA_ENCODING_GZIP, frame.message, c->size, &opened, NULL);
        if (err < 0)
            goto out;
        frame.message = rota_chunk_slice(opened);
    }
    assert_int_equal(frame.message.size, c->size);
    assert_memory_equal(frame.message.data, plain->data + ROTA_FRAME_PREFIX, c->size);
out:
    rota_frame_decoder_fini(&decoder);
    rota_chunk_unref(opened);
    rota_chunk_unref(chunk);
    rota_chunk_unref(plain);
    rota_zip_fini(&zip);
    return err;
}

static void a_frame_is_compressed_when_that_makes_it_shorter(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(frames); i++) {
        struct frame_case row = frames[i];

        print_message("  %s\n", row.rule);
        assert_true(rota_alloc_sweep(frame_one, &row) >= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings_are_known_by_name),
        cmocka_unit_test(gzip_is_found_in_a_list),
        cmocka_unit_test(what_was_compressed_opens_or_says_why_not),
        cmocka_unit_test(a_bomb_takes_no_more_memory_than_the_limit),
        cmocka_unit_test(a_frame_is_compressed_when_that_makes_it_shorter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
