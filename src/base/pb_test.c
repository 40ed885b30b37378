/* pb_test.c - a field at a time, groups among them. */
#include "base/pb.h"

#include "base/assert.h"
#include "testing/cmocka.h"

static const struct take_case {
    const char *rule;
    struct rota_slice in;
    bool plain, grouped; /* whether it is taken, without groups and with them */
    uint32_t number;
    enum rota_pb_wire wire;
    uint64_t value;
    size_t size, left; /* of the bytes; behind it */
} cases[] = {
#define IN(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
    {"a varint", IN("\x08\x96\x01\x00"), true, true, 1, ROTA_PB_VARINT, 150, 0, 1},
    {"8 bytes", IN("\x11\x01\x00\x00\x00\x00\x00\x00\x80"), true, true, 2, ROTA_PB_64, UINT64_C(1) << 63 | 1, 0, 0},
    {"4 bytes", IN("\x15\x01\x00\x00\x80"), true, true, 2, ROTA_PB_32, UINT32_C(1) << 31 | 1, 0, 0},
    {"bytes", IN("\x1a\x02\x08\x01\x00"), true, true, 3, ROTA_PB_BYTES, 0, 2, 1},
    {"a group", IN("\x1b\x08\x01\x1c\x00"), false, true, 3, ROTA_PB_GROUP, 0, 2, 1},
    {"an empty group", IN("\x1b\x1c"), false, true, 3, ROTA_PB_GROUP, 0, 0, 0},
    {"a group in a group of the same number", IN("\x1b\x1b\x1c\x08\x01\x1c"), false, true, 3, ROTA_PB_GROUP, 0, 4, 0},
    {"bytes in a group that look like its end", IN("\x1b\x12\x01\x1c\x1c"), false, true, 3, ROTA_PB_GROUP, 0, 3, 0},
    {"a group without an end", IN("\x1b\x08\x01"), false, false, 0, 0, 0, 0, 0},
    {"a group with another's end", IN("\x1b\x24"), false, false, 0, 0, 0, 0, 0},
    {"groups that cross", IN("\x1b\x23\x1c\x24"), false, false, 0, 0, 0, 0, 0},
    {"a group cut off in a field", IN("\x1b\x08"), false, false, 0, 0, 0, 0, 0},
    {"an end without a group", IN("\x1c"), false, false, 0, 0, 0, 0, 0},
    {"the wire types 6 and 7", IN("\x0e\x00"), false, false, 0, 0, 0, 0, 0},
    {"such a type in a group", IN("\x1b\x0f\x1c"), false, false, 0, 0, 0, 0, 0},
    {"the number 0", IN("\x00\x01"), false, false, 0, 0, 0, 0, 0},
    {"the highest number", IN("\xf8\xff\xff\xff\x0f\x01"), true, true, 0x1fffffff, ROTA_PB_VARINT, 1, 0, 0},
    {"a number above it", IN("\x80\x80\x80\x80\x10\x01"), false, false, 0, 0, 0, 0, 0},
    {"a tag longer than it need be", IN("\x88\x80\x80\x80\x00\x01"), true, true, 1, ROTA_PB_VARINT, 1, 0, 0},
    {"a tag longer than any need be", IN("\x88\x80\x80\x80\x80\x00\x01"), false, false, 0, 0, 0, 0, 0},
    {"a group with such an end", IN("\x1b\x9c\x80\x80\x80\x80\x00"), false, false, 0, 0, 0, 0, 0},
    {"a varint of eleven bytes", IN("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), false, false, 0, 0, 0, 0, 0},
    {"bytes that are cut off", IN("\x0a\x02\x00"), false, false, 0, 0, 0, 0, 0},
#undef IN
};

static void check(const struct take_case *c, bool (*take)(struct rota_slice *in, struct rota_pb *ret_pb), bool want)
{
    struct rota_slice in = c->in;
    struct rota_pb pb = {0};

    assert_int_equal(take(&in, &pb), want);
    if (!want)
        return;
    assert_int_equal(pb.number, c->number);
    assert_int_equal(pb.wire, c->wire);
    assert_int_equal(pb.value, c->value);
    assert_int_equal(pb.bytes.size, c->size);
    assert_int_equal(in.size, c->left);
}

static void fields_are_taken(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        print_message("  %s\n", cases[i].rule);
        check(&cases[i], rota_pb_take, cases[i].plain);
        check(&cases[i], rota_pb_take_grouped, cases[i].grouped);
    }
}

static void groups_are_bounded(void **unused)
{
    (void)unused;
    for (size_t depth = ROTA_PB_GROUP_DEPTH; depth <= ROTA_PB_GROUP_DEPTH + 1; depth++) {
        uint8_t bytes[2 * ROTA_PB_GROUP_DEPTH + 2];
        struct rota_slice in = rota_slice(bytes, 2 * depth);
        struct rota_pb pb;

        memset(bytes, 0x0b, depth);
        memset(bytes + depth, 0x0c, depth);
        assert_int_equal(rota_pb_take_grouped(&in, &pb), depth == ROTA_PB_GROUP_DEPTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_taken),
        cmocka_unit_test(groups_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
