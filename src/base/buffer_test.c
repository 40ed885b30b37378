/* buffer_test.c - what goes in comes out in order, within the limit, and each byte is moved O(1) times. */
#include "base/buffer.h"
#include "base/rng.h"
#include "testing/cmocka.h"
#include "testing/death.h"
#include "testing/leak_alloc.h"
#include <wchar.h>

struct fixture {
    struct rota_leak_alloc a;
    struct rota_buffer b;
};

static void fixture_init(struct fixture *f, size_t limit_bytes)
{
    rota_leak_alloc_init(&f->a);
    rota_buffer_init(&f->b, &f->a.alloc, limit_bytes);
}

static void fixture_fini(struct fixture *f)
{
    rota_buffer_fini(&f->b);
    rota_leak_alloc_fini(&f->a);
}

static void assert_holds(const struct rota_buffer *b, const char *want)
{
    assert_true(rota_slice_equal(rota_buffer_peek(b), rota_slice_str(want)));
}

static void bytes_queue(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 0);
    assert_holds(&f.b, "");
    assert_int_equal(rota_buffer_append(&f.b, ROTA_SLICE("")), 0);
    assert_int_equal(f.a.allocs, 0);
    assert_int_equal(rota_buffer_append(&f.b, ROTA_SLICE("hello ")), 0);
    assert_int_equal(rota_buffer_append(&f.b, ROTA_SLICE("world")), 0);
    assert_holds(&f.b, "hello world");
    rota_buffer_consume(&f.b, 6);
    assert_holds(&f.b, "world");
    rota_buffer_consume(&f.b, 5);
    assert_holds(&f.b, "");
    assert_int_equal(rota_buffer_append(&f.b, ROTA_SLICE("again")), 0);
    rota_buffer_clear(&f.b);
    assert_holds(&f.b, "");
    assert_int_equal(f.a.allocs, 1);
    fixture_fini(&f);
}

static void reserved_room_counts_once_committed(void **state)
{
    struct fixture f;
    uint8_t *room;

    (void)state;
    fixture_init(&f, 0);
    assert_non_null(rota_buffer_reserve(&f.b, 0));
    room = rota_buffer_reserve(&f.b, 1000);
    memcpy(room, "abcdef", 6);
    assert_holds(&f.b, "");
    rota_buffer_commit(&f.b, 3);
    assert_holds(&f.b, "abc");
    fixture_fini(&f);
}

static const struct limit_case {
    const char *rule;
    size_t limit_bytes, held, consumed, add;
    rota_err want;
} limits[] = {
    {"the limit itself is allowed", 10, 0, 0, 10, 0},
    {"one more is not", 10, 0, 0, 11, ROTA_ELIMIT},
    {"what is held counts", 10, 6, 0, 5, ROTA_ELIMIT},
    {"what was consumed does not", 10, 6, 1, 5, 0},
    {"nothing fits a full buffer", 10, 10, 0, 1, ROTA_ELIMIT},
    {"0 is no limit", 0, 10, 0, 100000, 0},
    {"without a limit memory is one", 0, 10, 0, SIZE_MAX, ROTA_ENOMEM},
};

static void limits_hold(void **state)
{
    static uint8_t bytes[100000];

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const struct limit_case *c = &limits[i];
        struct fixture f;
        print_message("  %s\n", c->rule);
        fixture_init(&f, c->limit_bytes);
        assert_int_equal(rota_buffer_append(&f.b, rota_slice(bytes, c->held)), 0);
        rota_buffer_consume(&f.b, c->consumed);
        assert_int_equal(rota_buffer_reserve(&f.b, c->add) != NULL, c->want == 0);
        assert_int_equal(rota_buffer_append(&f.b, rota_slice(bytes, c->add)), c->want);
        assert_int_equal(rota_buffer_peek(&f.b).size, c->held - c->consumed + (c->want == 0 ? c->add : 0));
        fixture_fini(&f);
    }
}

static void printf_appends(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 300);
    assert_int_equal(rota_buffer_printf(&f.b, "%s=%d", "a", 1), 0);
    assert_int_equal(rota_buffer_printf(&f.b, "%s", ""), 0);
    assert_int_equal(rota_buffer_printf(&f.b, ";"), 0);
    assert_holds(&f.b, "a=1;");
    assert_int_equal(rota_buffer_printf(&f.b, "%297d", 7), ROTA_ELIMIT);
    assert_holds(&f.b, "a=1;");
    assert_int_equal(rota_buffer_printf(&f.b, "%296d", 7), 0); /* the terminator is not counted */
    assert_int_equal(rota_buffer_peek(&f.b).size, 300);
    assert_int_equal(rota_buffer_peek(&f.b).data[299], '7');
    assert_int_equal(rota_buffer_printf(&f.b, "%lc", (wint_t)0xE9), ROTA_EINVAL); /* no such character in the C locale */
    assert_int_equal(rota_buffer_peek(&f.b).size, 300);
    fixture_fini(&f);
}

static void a_move_is_paid_for_by_what_was_consumed(void **state)
{
    static const uint8_t bytes[256];
    struct fixture f;

    (void)state;
    fixture_init(&f, 0);
    assert_int_equal(rota_buffer_append(&f.b, rota_slice(bytes, 256)), 0);
    assert_int_equal(f.b.cap, 256);
    rota_buffer_consume(&f.b, 128);
    assert_int_equal(rota_buffer_append(&f.b, rota_slice(bytes, 128)), 0);
    assert_int_equal(f.b.cap, 256); /* 128 bytes moved after 128 consumed */
    rota_buffer_consume(&f.b, 1);
    assert_int_equal(rota_buffer_append(&f.b, rota_slice(bytes, 1)), 0);
    assert_int_equal(f.b.cap, 512); /* rather than 255 moved for one */
    fixture_fini(&f);
}

/* A number per byte goes in, the same numbers must come out, over many sizes of both steps. */
static void random_traffic_keeps_order(void **state)
{
    struct rota_rng rng;
    struct fixture f;
    uint64_t in = 0, out = 0;

    (void)state;
    fixture_init(&f, 5000);
    rota_rng_init(&rng, 42);
    for (int step = 0; step < 20000; step++) {
        uint8_t bytes[700];
        struct rota_slice held;
        uint32_t size = rota_rng_below(&rng, sizeof(bytes));
        for (uint32_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)((in + i) * 31 % 251);
        if (rota_buffer_append(&f.b, rota_slice(bytes, size)) == 0)
            in += size;
        held = rota_buffer_peek(&f.b);
        assert_int_equal(held.size, in - out);
        size = rota_rng_below(&rng, (uint32_t)held.size + 1);
        for (uint32_t i = 0; i < size; i++)
            assert_int_equal(held.data[i], (out + i) * 31 % 251);
        rota_buffer_consume(&f.b, size);
        out += size;
    }
    assert_true(f.b.cap <= 2 * 5000 + 700);
    assert_true(f.a.allocs < 10);
    fixture_fini(&f);
}

static rota_err append_and_print(const struct rota_alloc *alloc, void *ctx)
{
    static uint8_t bytes[300];
    struct rota_buffer b;
    size_t held = 0;
    rota_err err;

    (void)ctx;
    rota_buffer_init(&b, alloc, 0);
    if ((err = rota_buffer_append(&b, ROTA_SLICE("first"))) == 0)
        held += 5;
    if (err == 0 && (err = rota_buffer_append(&b, rota_slice(bytes, sizeof(bytes)))) == 0)
        held += sizeof(bytes);
    if (err == 0 && (err = rota_buffer_printf(&b, "%1000d", 1)) == 0)
        held += 1000;
    assert_int_equal(rota_buffer_peek(&b).size, held); /* what failed has added nothing */
    rota_buffer_fini(&b);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    struct rota_buffer zeroed = {0};

    (void)state;
    assert_int_equal(rota_alloc_sweep(append_and_print, NULL), 3);
    rota_buffer_fini(&zeroed);
    rota_buffer_fini(NULL);
}

static void consume_too_much(void *ctx)
{
    rota_buffer_consume(ctx, 1);
}

static void commit_too_much(void *ctx)
{
    rota_buffer_commit(ctx, 1);
}

static void too_much_is_a_bug(void **state)
{
    struct rota_buffer b;

    (void)state;
    rota_buffer_init(&b, NULL, 0);
    rota_assert_aborts(consume_too_much, &b, "size <= b->tail - b->head");
    rota_assert_aborts(commit_too_much, &b, "size <= b->cap - b->tail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_queue),
        cmocka_unit_test(reserved_room_counts_once_committed),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(printf_appends),
        cmocka_unit_test(a_move_is_paid_for_by_what_was_consumed),
        cmocka_unit_test(random_traffic_keeps_order),
        cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(too_much_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
