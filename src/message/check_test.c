/* check_test.c - which bytes may be unpacked; the type is a hand-made tree: Node { Node child = 1; string text = 2; int64 n = 3; }. */
#include "base/alloc.h"
#include "base/assert.h"
#include "message/check.h"
#include <rota/message.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct node {
    ProtobufCMessage base;
    struct node *child;
    char *text;
    int64_t n;
};

static const ProtobufCMessageDescriptor node_type;

static const ProtobufCFieldDescriptor fields[] = {
    {"child", 1, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_MESSAGE, 0, offsetof(struct node, child), &node_type, NULL, 0, 0, NULL, NULL},
    {"text", 2, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_STRING, 0, offsetof(struct node, text), NULL, NULL, 0, 0, NULL, NULL},
    {"n", 3, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_INT64, 0, offsetof(struct node, n), NULL, NULL, 0, 0, NULL, NULL},
};
static const unsigned by_name[] = {0, 2, 1};
static const ProtobufCIntRange ranges[] = {{1, 0}, {0, 3}};
static const ProtobufCMessageDescriptor node_type = {
    PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC, "test.Node", "Node", "Node", "test", sizeof(struct node), 3, fields, by_name, 1, ranges, NULL, NULL, NULL, NULL};

static const struct check_case {
    const char *rule;
    struct rota_slice bytes;
    bool good;
} cases[] = {
    {"nothing is a message", {0}, true},
    {"a string of UTF-8", ROTA_SLICE("\x12\x02\xc3\xa9"), true},
    {"a string with an overlong form", ROTA_SLICE("\x12\x02\xc0\x80"), false},
    {"a string with a surrogate", ROTA_SLICE("\x12\x03\xed\xa0\x80"), false},
    {"a string that ends inside a character", ROTA_SLICE("\x12\x01\xc3"), false},
    {"a bad string in a child", ROTA_SLICE("\x0a\x03\x12\x01\xff"), false},
    {"a bad string in an unknown field is bytes", ROTA_SLICE("\x3a\x01\xff"), true},
    {"a length beyond the end", ROTA_SLICE("\x12\x05hi"), false},
    {"a length of 2^63", ROTA_SLICE("\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), false},
    {"a varint that never ends", ROTA_SLICE("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), false},
    {"field number 0", ROTA_SLICE("\x02\x01x"), false},
    {"a group", ROTA_SLICE("\x0b\x0c"), false},
    {"a fixed64 cut off", ROTA_SLICE("\x09\x01\x02"), false},
};

static void check_follows_the_rules(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_errinfo info = {{0}};
        print_message("  %s\n", cases[i].rule);
        assert_int_equal(rota_message_check(&node_type, cases[i].bytes, SIZE_MAX, &info), cases[i].good ? 0 : ROTA_EPARSE);
        assert_int_equal(info.text[0] == '\0', cases[i].good);
    }
}

/* Wraps what is at the end of the array in `levels` fields of number 1. */
static struct rota_slice nest(uint8_t *bytes, size_t cap, int levels)
{
    size_t at = cap;

    for (int i = 0; i < levels; i++) {
        size_t size = cap - at;
        uint8_t varint[10];
        size_t n = 0;

        do {
            varint[n++] = (uint8_t)((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
            size >>= 7;
        } while (size > 0);
        at -= n;
        memcpy(bytes + at, varint, n);
        bytes[--at] = 0x0a;
    }
    return rota_slice(bytes + at, cap - at);
}

static void nesting_is_bounded_as_in_protobuf(void **unused)
{
    static uint8_t bytes[1 << 20];
    void *message = NULL;
    struct rota_errinfo info;

    (void)unused;
    assert_int_equal(rota_message_check(&node_type, nest(bytes, sizeof(bytes), 99), SIZE_MAX, &info), 0);
    assert_int_equal(rota_message_check(&node_type, nest(bytes, sizeof(bytes), 100), SIZE_MAX, &info), ROTA_EPARSE);
    assert_int_equal(rota_codec_protobuf_c.unpack(&node_type, nest(bytes, sizeof(bytes), 200000), NULL, &message, &info), ROTA_EPARSE);
    assert_null(message);
    assert_non_null(strstr(info.text, "test.Node.child"));
}

static void bytes_codec_copies(void **unused)
{
    struct rota_slice in = ROTA_SLICE("abc"), *out;
    void *message;

    (void)unused;
    assert_int_equal(rota_codec_bytes.unpack(NULL, in, NULL, &message, NULL), 0);
    out = message;
    assert_true(rota_slice_equal(in, *out));
    assert_ptr_not_equal(in.data, out->data);
    rota_codec_bytes.free(NULL, message, NULL);
}

static void fields_are_counted(void **unused)
{
    static const struct {
        const char *rule;
        struct rota_slice bytes;
        size_t enough_bytes;
    } counts[] = {
        {"a known one", ROTA_SLICE("\x18\x01"), 40},
        {"an unknown one", ROTA_SLICE("\x20\x01"), 96},
        {"one in a child", ROTA_SLICE("\x0a\x02\x18\x01"), 80},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(counts); i++) {
        print_message("  %s\n", counts[i].rule);
        assert_int_equal(rota_message_check(&node_type, counts[i].bytes, counts[i].enough_bytes, NULL), 0);
        assert_int_equal(rota_message_check(&node_type, counts[i].bytes, counts[i].enough_bytes - 1, NULL), ROTA_ELIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_follows_the_rules),
        cmocka_unit_test(nesting_is_bounded_as_in_protobuf),
        cmocka_unit_test(bytes_codec_copies),
        cmocka_unit_test(fields_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
