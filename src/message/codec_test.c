/* codec_test.c - both codecs there and back, and what they say when there is no memory. The type: Pair { string text = 1; Pair next = 2; }. */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <protobuf-c/protobuf-c.h>
#include <rota/message.h>

struct pair {
    ProtobufCMessage base;
    char *text;
    struct pair *next;
};

static const ProtobufCMessageDescriptor pair_type;
static const ProtobufCFieldDescriptor fields[] = {
    {"text", 1, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_STRING, 0, offsetof(struct pair, text), NULL, &protobuf_c_empty_string, 0, 0, NULL, NULL},
    {"next", 2, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_MESSAGE, 0, offsetof(struct pair, next), &pair_type, NULL, 0, 0, NULL, NULL},
};
static const unsigned by_name[] = {1, 0};
static const ProtobufCIntRange ranges[] = {{1, 0}, {0, 2}};
static const ProtobufCMessageDescriptor pair_type = {
    PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC, "test.Pair", "Pair", "Pair", "test", sizeof(struct pair), 2, fields, by_name, 1, ranges, NULL, NULL, NULL, NULL};

static rota_err there_and_back(const struct rota_alloc *alloc, void *ctx)
{
    struct pair inner = {PROTOBUF_C_MESSAGE_INIT(&pair_type), (char *)"inner", NULL};
    struct pair outer = {PROTOBUF_C_MESSAGE_INIT(&pair_type), (char *)"outer", &inner};
    struct rota_errinfo info = {{0}};
    struct pair *back;
    uint8_t bytes[100];
    size_t size = rota_codec_protobuf_c.packed_size(&pair_type, &outer);
    void *message;
    rota_err err;

    (void)ctx;
    assert_in_range(size, 1, sizeof(bytes));
    rota_codec_protobuf_c.pack(&pair_type, &outer, bytes);
    err = rota_codec_protobuf_c.unpack(&pair_type, rota_slice(bytes, size), alloc, &message, &info);
    if (err < 0) {
        assert_non_null(strstr(info.text, "test.Pair: out of memory"));
        return err;
    }
    back = message;
    assert_string_equal(back->text, "outer");
    assert_string_equal(back->next->text, "inner");
    rota_codec_protobuf_c.free(&pair_type, message, alloc);
    return 0;
}

static void protobuf_there_and_back(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep(there_and_back, NULL) >= 4);
}

static rota_err bytes_there_and_back(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_slice in = *(struct rota_slice *)ctx;
    uint8_t bytes[10];
    void *message;
    rota_err err;

    assert_int_equal(rota_codec_bytes.packed_size(NULL, &in), in.size);
    rota_codec_bytes.pack(NULL, &in, bytes);
    err = rota_codec_bytes.unpack(NULL, rota_slice(bytes, in.size), alloc, &message, NULL);
    if (err < 0)
        return err;
    assert_true(rota_slice_equal(*(struct rota_slice *)message, in));
    rota_codec_bytes.free(NULL, message, alloc);
    return 0;
}

static void bytes_of_any_number(void **unused)
{
    struct rota_slice some = ROTA_SLICE("a\0b"), none = {0};

    (void)unused;
    assert_true(rota_alloc_sweep(bytes_there_and_back, &some) == 1);
    assert_true(rota_alloc_sweep(bytes_there_and_back, &none) == 1);
}

/* Each row's bytes over and over. What is refused leaves nothing behind, which the allocator checks. */
static void unpacking_has_a_budget(void **unused)
{
    static const struct {
        const char *rule;
        struct rota_slice bytes;
        size_t size;
        rota_err want;
    } cases[] = {
        {"a megabyte of two-byte fields nobody knows", ROTA_SLICE("\x18\x01"), 1 << 20, ROTA_ELIMIT},
        {"a few thousand of them are fine", ROTA_SLICE("\x18\x01"), 1 << 16, 0},
        {"a megabyte of empty messages", ROTA_SLICE("\x12\x00"), 1 << 20, ROTA_ELIMIT},
        {"a megabyte of strings is fine", ROTA_SLICE("\x0a\x3etwo and sixty letters of a text that any client may have meant"), 1 << 20, 0},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_errinfo info = {{0}};
        struct rota_leak_alloc alloc;
        size_t step = cases[i].bytes.size, size = cases[i].size / step * step;
        uint8_t *bytes = test_malloc(size);
        void *message;

        print_message("  %s\n", cases[i].rule);
        for (size_t at = 0; at < size; at += step)
            memcpy(bytes + at, cases[i].bytes.data, step);
        rota_leak_alloc_init(&alloc);
        assert_int_equal(rota_codec_protobuf_c.unpack(&pair_type, rota_slice(bytes, size), &alloc.alloc, &message, &info), cases[i].want);
        if (cases[i].want == 0)
            rota_codec_protobuf_c.free(&pair_type, message, &alloc.alloc);
        else
            assert_non_null(strstr(info.text, "test.Pair"));
        rota_leak_alloc_fini(&alloc);
        test_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protobuf_there_and_back),
        cmocka_unit_test(bytes_of_any_number),
        cmocka_unit_test(unpacking_has_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
