/* frame_test.c - each stream of frames whole, byte by byte and cut at random places; memory bounds; failing memory. */
#include "wire/frame.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/rng.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

#define MAX_BYTES 20000
#define LONG_BYTES 15000 /* more than the first gathering chunk */

static uint8_t long_frame[ROTA_FRAME_PREFIX + LONG_BYTES];

static const struct frame_case {
    const char *rule;
    struct rota_slice bytes;
    int want; /* of the last decode: 0 or the error */
    size_t n_messages, sizes[3];
    bool compressed, clean;
} cases[] = {
    {"nothing", {NULL, 0}, 0, 0, {0}, false, true},
    {"one message", ROTA_SLICE("\0\0\0\0\3abc"), 0, 1, {3}, false, true},
    {"an empty message", ROTA_SLICE("\0\0\0\0\0"), 0, 1, {0}, false, true},
    {"three in one piece", ROTA_SLICE("\0\0\0\0\1a\0\0\0\0\0\0\0\0\0\2bc"), 0, 3, {1, 0, 2}, false, true},
    {"the compressed flag", ROTA_SLICE("\1\0\0\0\1a"), 0, 1, {1}, true, true},
    {"half a prefix is not clean", ROTA_SLICE("\0\0\0"), 0, 0, {0}, false, false},
    {"half a message is not clean", ROTA_SLICE("\0\0\0\0\5ab"), 0, 0, {0}, false, false},
    {"a prefix alone is not clean", ROTA_SLICE("\0\0\0\0\5"), 0, 0, {0}, false, false},
    {"a flag byte that is none", ROTA_SLICE("\2\0\0\0\1a"), ROTA_EPARSE, 0, {0}, false, false},
    {"one byte too long", ROTA_SLICE("\0\0\0\x4e\x21"), ROTA_ELIMIT, 0, {0}, false, false},
    {"four gigabytes", ROTA_SLICE("\0\xff\xff\xff\xff...."), ROTA_ELIMIT, 0, {0}, false, false},
    {"an error after a good message", ROTA_SLICE("\0\0\0\0\1a\xff\0\0\0\0"), ROTA_EPARSE, 1, {1}, false, false},
    {"a message that grows its chunk", {long_frame, sizeof(long_frame)}, 0, 1, {LONG_BYTES}, false, true},
};

struct got {
    int last;
    size_t n_messages, sizes[3];
    uint64_t sum;
    bool compressed;
};

static void take(struct got *got, const struct rota_frame *frame)
{
    assert_true(got->n_messages < ROTA_COUNT(got->sizes));
    got->sizes[got->n_messages++] = frame->message.size;
    got->compressed |= frame->compressed;
    for (size_t i = 0; i < frame->message.size; i++)
        got->sum = got->sum * 31 + frame->message.data[i];
}

/* Cuts the bytes into pieces of 1 to max_piece, each in memory of its own that is gone afterwards. */
static rota_err run(struct rota_frame_decoder *d, struct rota_slice bytes, size_t max_piece, struct rota_rng *rng, struct got *got)
{
    struct rota_errinfo info;

    for (size_t at = 0; at < bytes.size;) {
        size_t size = max_piece == 1 ? 1 : max_piece == SIZE_MAX ? bytes.size : 1 + rota_rng_below(rng, (uint32_t)max_piece);
        uint8_t *piece;
        struct rota_slice input;

        if (size > bytes.size - at)
            size = bytes.size - at;
        piece = rota_alloc_get(NULL, size);
        memcpy(piece, bytes.data + at, size);
        input = rota_slice(piece, size);
        at += size;
        for (;;) {
            struct rota_frame frame;

            got->last = rota_frame_decode(d, &input, &frame, &info);
            if (got->last <= 0)
                break;
            take(got, &frame);
        }
        rota_alloc_free(NULL, piece);
        if (got->last < 0)
            return got->last;
        assert_int_equal(input.size, 0);
    }
    return 0;
}

static void check(const struct frame_case *c, size_t max_piece, struct rota_rng *rng, uint64_t sum)
{
    struct rota_leak_alloc leak;
    struct rota_frame_decoder d;
    struct got got = {0};

    rota_leak_alloc_init(&leak);
    rota_frame_decoder_init(&d, &leak.alloc, MAX_BYTES);
    run(&d, c->bytes, max_piece, rng, &got);
    assert_int_equal(got.last, c->want);
    assert_int_equal(got.n_messages, c->n_messages);
    assert_memory_equal(got.sizes, c->sizes, sizeof(got.sizes));
    assert_int_equal(got.compressed, c->compressed);
    assert_int_equal(rota_frame_decoder_clean(&d), c->clean);
    assert_true(max_piece == SIZE_MAX || got.sum == sum);
    rota_frame_decoder_fini(&d);
    rota_leak_alloc_fini(&leak);
}

static uint64_t whole_sum(const struct frame_case *c)
{
    struct rota_frame_decoder d;
    struct got got = {0};

    rota_frame_decoder_init(&d, NULL, MAX_BYTES);
    run(&d, c->bytes, SIZE_MAX, NULL, &got);
    rota_frame_decoder_fini(&d);
    return got.sum;
}

static void frames_come_out_however_they_are_cut(void **state)
{
    struct rota_rng rng;

    (void)state;
    print_message("  seed 11\n");
    rota_rng_init(&rng, 11);
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        uint64_t sum = whole_sum(&cases[i]);

        print_message("  %s\n", cases[i].rule);
        check(&cases[i], SIZE_MAX, &rng, sum);
        check(&cases[i], 1, &rng, sum);
        for (int round = 0; round < 20; round++)
            check(&cases[i], cases[i].bytes.size + 1, &rng, sum);
    }
}

static void a_whole_message_is_not_copied(void **state)
{
    struct rota_slice bytes = ROTA_SLICE("\0\0\0\0\3abc"), input = bytes;
    struct rota_leak_alloc leak;
    struct rota_frame_decoder d;
    struct rota_frame frame;

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_frame_decoder_init(&d, &leak.alloc, MAX_BYTES);
    assert_int_equal(rota_frame_decode(&d, &input, &frame, NULL), 1);
    assert_ptr_equal(frame.message.data, bytes.data + ROTA_FRAME_PREFIX);
    assert_int_equal(leak.allocs, 0);
    rota_frame_decoder_fini(&d);
    rota_leak_alloc_fini(&leak);
}

static void memory_follows_the_bytes_and_not_the_prefix(void **state)
{
    struct rota_slice input = ROTA_SLICE("\0\x7f\xff\xff\xff" "abc");
    struct rota_leak_alloc leak;
    struct rota_frame_decoder d;
    struct rota_frame frame;

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_frame_decoder_init(&d, &leak.alloc, SIZE_MAX);
    assert_int_equal(rota_frame_decode(&d, &input, &frame, NULL), 0);
    assert_true(leak.live_bytes < 10000);
    rota_frame_decoder_fini(&d);
    rota_leak_alloc_fini(&leak);
}

#define BULK_BYTES ((size_t)1 << 20)
#define PIECE_BYTES ((size_t)16 << 10) /* what HTTP/2 frames bring */

/* So that a megabyte is moved once at most, and a sender has to send something for what it makes us take. */
static void a_large_message_takes_few_chunks(void **state)
{
    static uint8_t piece[PIECE_BYTES];
    uint8_t prefix[ROTA_FRAME_PREFIX];
    struct rota_slice input = rota_slice(prefix, sizeof(prefix));
    struct rota_leak_alloc leak;
    struct rota_frame_decoder d;
    struct rota_frame frame;
    int got = 0;

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_frame_decoder_init(&d, &leak.alloc, SIZE_MAX);
    rota_frame_put_prefix(prefix, false, BULK_BYTES);
    assert_int_equal(rota_frame_decode(&d, &input, &frame, NULL), 0);
    for (size_t at = 0; at < BULK_BYTES; at += PIECE_BYTES) {
        assert_int_equal(got, 0);
        input = rota_slice(piece, PIECE_BYTES);
        got = rota_frame_decode(&d, &input, &frame, NULL);
        assert_true(rota_frame_decoder_held(&d) <= 8 * (at + PIECE_BYTES));
    }
    assert_int_equal(got, 1);
    assert_int_equal(frame.message.size, BULK_BYTES);
    assert_ptr_equal(frame.message.data, d.ready->data);
    assert_int_equal(leak.allocs, 2);
    rota_frame_decoder_fini(&d);
    rota_leak_alloc_fini(&leak);
}

static void an_error_stays(void **state)
{
    struct rota_slice input = ROTA_SLICE("\2\0\0\0\1a");
    struct rota_frame_decoder d;
    struct rota_frame frame;
    struct rota_errinfo info;

    (void)state;
    rota_frame_decoder_init(&d, NULL, MAX_BYTES);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rota_frame_decode(&d, &input, &frame, &info), ROTA_EPARSE);
        assert_string_equal(info.text, "a message begins with flag byte 0x02, expected 0 or 1");
    }
    rota_frame_decoder_fini(&d);
}

static void a_prefix_is_read_as_it_was_written(void **state)
{
    uint8_t prefix[ROTA_FRAME_PREFIX];

    (void)state;
    rota_frame_put_prefix(prefix, true, 0x01020304);
    assert_memory_equal(prefix, "\1\1\2\3\4", 5);
    rota_frame_put_prefix(prefix, false, UINT32_MAX);
    assert_memory_equal(prefix, "\0\xff\xff\xff\xff", 5);
}

static rota_err gather_long(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_frame_decoder d;
    struct got got = {0};
    rota_err err;

    (void)ctx;
    rota_frame_decoder_init(&d, alloc, MAX_BYTES);
    err = run(&d, rota_slice(long_frame, sizeof(long_frame)), 1, NULL, &got);
    rota_frame_decoder_fini(&d);
    return err;
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_true(rota_alloc_sweep(gather_long, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_however_they_are_cut),
        cmocka_unit_test(a_whole_message_is_not_copied),
        cmocka_unit_test(memory_follows_the_bytes_and_not_the_prefix),
        cmocka_unit_test(a_large_message_takes_few_chunks),
        cmocka_unit_test(an_error_stays),
        cmocka_unit_test(a_prefix_is_read_as_it_was_written),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };

    rota_frame_put_prefix(long_frame, false, LONG_BYTES);
    for (size_t i = 0; i < LONG_BYTES; i++)
        long_frame[ROTA_FRAME_PREFIX + i] = (uint8_t)(i * 7);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
