/* grpc_request_test.c - request headers written, read back, and every way to be no request. */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "wire/grpc.h"
#include "wire/headers_fixture.h"
#include <stdio.h>

static void print_lines(const struct rota_header *headers, size_t count, char *out, size_t cap)
{
    size_t size = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(out + size, cap - size, "%s%.*s: %.*s", i == 0 ? "" : "\n", (int)headers[i].name.size, (const char *)headers[i].name.data,
            (int)headers[i].value.size, (const char *)headers[i].value.data);
}

/* --- Writing --- */

#define FIXED ":method: POST\n:scheme: http\n:authority: a:80\n:path: /s/m\nte: trailers\ncontent-type: application/grpc"
#define WRITTEN FIXED "\ngrpc-accept-encoding: identity,deflate,gzip"

static const struct write_case {
    const char *rule;
    struct rota_request_head head;
    const char *key, *value, *want;
} writes[] = {
    {"the least", {.timeout_ns = INT64_MAX}, NULL, NULL, WRITTEN},
    {"over TLS", {.timeout_ns = INT64_MAX, .secure = true}, NULL, NULL,
     ":method: POST\n:scheme: https\n:authority: a:80\n:path: /s/m\nte: trailers\ncontent-type: application/grpc\ngrpc-accept-encoding: identity,deflate,gzip"},
    {"gzip is announced when it may be used", {.timeout_ns = INT64_MAX, .gzip = true}, NULL, NULL, WRITTEN "\ngrpc-encoding: gzip"},
    {"everything", {.gzip = true, .user_agent = ROTA_SLICE("me/1"), .timeout_ns = 1500000000, .previous_attempts = 2}, "k-bin", "foo",
     WRITTEN "\ngrpc-encoding: gzip\nuser-agent: me/1\ngrpc-timeout: 1500000u\ngrpc-previous-rpc-attempts: 2\nk-bin: Zm9v"},
    {"a deadline that has passed", {.timeout_ns = -1}, "k", "v", WRITTEN "\ngrpc-timeout: 1n\nk: v"},
};

static rota_err write_one(const struct rota_alloc *alloc, void *ctx)
{
    const struct write_case *c = ctx;
    struct rota_request_head head = c->head;
    struct rota_metadata *metadata = NULL;
    struct rota_header *headers;
    struct rota_arena arena;
    char lines[512];
    size_t count;
    rota_err err = 0;

    rota_arena_init(&arena, alloc, 64);
    head.path = ROTA_SLICE("/s/m");
    head.authority = ROTA_SLICE("a:80");
    if (c->key != NULL) {
        err = rota_metadata_new(alloc, &metadata);
        if (err == 0)
            err = rota_metadata_add_text(metadata, c->key, c->value);
        head.metadata = metadata;
    }
    if (err == 0)
        err = rota_request_headers(&head, &arena, &headers, &count);
    if (err == 0) {
        print_lines(headers, count, lines, sizeof(lines));
        assert_string_equal(lines, c->want);
    }
    rota_metadata_free(metadata);
    rota_arena_fini(&arena);
    return err;
}

static void constant_fields_come_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(writes); i++) {
        struct write_case row = writes[i];

        print_message("  %s\n", row.rule);
        assert_true(rota_alloc_sweep(write_one, &row) >= 1);
    }
}

/* --- Reading --- */

#define LIST_BYTES ((size_t)16 << 10)
#define MAX_BYTES 497 /* FIXED and a k-bin of six empty parts */

static const struct read_case {
    const char *rule, *lines;
    int want_http;
    enum rota_code want_code;
    int64_t want_timeout_ns;
    size_t want_pairs;
    const char *says;
} reads[] = {
    {"the least", FIXED, 0, ROTA_OK, INT64_MAX, 0, NULL},
    {"a timeout", FIXED "\ngrpc-timeout: 3m", 0, ROTA_OK, 3000000, 0, NULL},
    {"metadata, the user-agent among it", FIXED "\nuser-agent: me\na: b\nc-bin: Zg,Zg", 0, ROTA_OK, INT64_MAX, 4, NULL},
    {"attempts before are metadata", FIXED "\ngrpc-previous-rpc-attempts: 1", 0, ROTA_OK, INT64_MAX, 1, NULL},
    {"a subtype", ":method: POST\n:path: /s/m\ncontent-type: application/grpc+proto", 0, ROTA_OK, INT64_MAX, 0, NULL},
    {"a parameter", ":method: POST\n:path: /s/m\ncontent-type: application/grpc;x=y", 0, ROTA_OK, INT64_MAX, 0, NULL},
    {"types have no case", ":method: POST\n:path: /s/m\ncontent-type: Application/gRPC", 0, ROTA_OK, INT64_MAX, 0, NULL},
    {"identity is an encoding", FIXED "\ngrpc-encoding: identity\ngrpc-accept-encoding: gzip", 0, ROTA_OK, INT64_MAX, 0, NULL},
    {"GET", ":method: GET\n:path: /\ncontent-type: application/grpc", 405, ROTA_UNIMPLEMENTED, INT64_MAX, 0, NULL},
    {"no content-type", ":method: POST\n:path: /s/m", 415, ROTA_OK, INT64_MAX, 0, NULL},
    {"a longer word", ":method: POST\n:path: /s/m\ncontent-type: application/grpc-web", 415, ROTA_OK, INT64_MAX, 0, NULL},
    {"a shorter one", ":method: POST\n:path: /s/m\ncontent-type: application/grp", 415, ROTA_OK, INT64_MAX, 0, NULL},
    {"a te that is not trailers", ":method: POST\n:path: /s/m\nte: gzip\ncontent-type: application/grpc", 400, ROTA_OK, INT64_MAX, 0, NULL},
    {"no path", ":method: POST\ncontent-type: application/grpc", 400, ROTA_UNIMPLEMENTED, INT64_MAX, 0, NULL},
    {"a path without a method", ":method: POST\n:path: /service\ncontent-type: application/grpc", 0, ROTA_UNIMPLEMENTED, INT64_MAX, 0, "\"/service\" is not"},
    {"an empty method", ":method: POST\n:path: /service/\ncontent-type: application/grpc", 0, ROTA_UNIMPLEMENTED, INT64_MAX, 0, "not /service/method"},
    {"an empty service", ":method: POST\n:path: //m1\ncontent-type: application/grpc", 0, ROTA_UNIMPLEMENTED, INT64_MAX, 0, "not /service/method"},
    {"a timeout that is none", FIXED "\ngrpc-timeout: 3x", 0, ROTA_INTERNAL, INT64_MAX, 0, "\"3x\""},
    {"an empty timeout", FIXED "\ngrpc-timeout: ", 0, ROTA_INTERNAL, INT64_MAX, 0, "\"\" is not"},
    {"gzip is an encoding", FIXED "\ngrpc-encoding: gzip", 0, ROTA_OK, INT64_MAX, 0, NULL},
    {"deflate is an encoding", FIXED "\ngrpc-encoding: deflate", 0, ROTA_OK, INT64_MAX, 0, NULL},
    {"any other is none", FIXED "\ngrpc-encoding: snappy", 0, ROTA_UNIMPLEMENTED, INT64_MAX, 0, "\"snappy\" is not supported"},
    {"bytes that are no UTF-8 are not repeated, of an encoding", FIXED "\ngrpc-encoding: \xff\xfe", 0, ROTA_UNIMPLEMENTED, INT64_MAX, 0, "\"?\?\" is not supported"},
    {"of a path", ":method: POST\n:path: /\xff\ncontent-type: application/grpc", 0, ROTA_UNIMPLEMENTED, INT64_MAX, 0, "\"/?\" is not"},
    {"of a timeout", FIXED "\ngrpc-timeout: \xff", 0, ROTA_INTERNAL, INT64_MAX, 0, "\"?\" is not"},
    {"parts of -bin are fields, up to the limit", FIXED "\nk-bin: ,,,,,", 0, ROTA_OK, INT64_MAX, 6, NULL},
    {"and beyond it", FIXED "\nk-bin: ,,,,,,", 0, ROTA_RESOURCE_EXHAUSTED, INT64_MAX, 7, "larger than 497 bytes"},
    {"in several fields too", FIXED "\nk-bin: ,,\nl-bin: ,,,", 0, ROTA_RESOURCE_EXHAUSTED, INT64_MAX, 7, "larger than 497 bytes"},
    {"parts that are too many alone are not kept", FIXED "\nk-bin: ,,,,,,,,,,,,,,", 0, ROTA_RESOURCE_EXHAUSTED, INT64_MAX, 0, "larger than 497 bytes"},
    {"-bin that is no base64", FIXED "\nk-bin: !", 0, ROTA_INTERNAL, INT64_MAX, 0, "\"k-bin\" is not base64"},
};

static rota_err read_one(const struct rota_alloc *alloc, void *ctx)
{
    const struct read_case *c = ctx;
    struct rota_header headers[16];
    struct rota_request got;
    struct rota_arena arena;
    rota_err err;

    rota_arena_init(&arena, alloc, 64);
    err = rota_request_read(&got, &arena, headers, headers_of_lines(c->lines, headers), MAX_BYTES);
    if (err == 0) {
        assert_int_equal(got.http_status, c->want_http);
        assert_int_equal(got.reject.code, c->want_code);
        assert_true(got.timeout_ns == c->want_timeout_ns);
        assert_int_equal(rota_metadata_count(got.metadata), c->want_pairs);
        if (c->says != NULL)
            assert_non_null(strstr(got.reject.message, c->says));
    }
    rota_arena_fini(&arena);
    return err;
}

static void requests_are_read_or_answered_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(reads); i++) {
        struct read_case row = reads[i];

        print_message("  %s\n", row.rule);
        assert_true(rota_alloc_sweep(read_one, &row) >= 1);
    }
}

static const struct shape_case {
    const char *rule, *name, *value;
    size_t value_bytes; /* so long by repeating its last byte; 0: as it is */
    size_t n_fields;
} shapes[] = {
    {"the shortest fields", "a", "b", 0, LIST_BYTES / 34},
    {"the shortest of -bin", "-bin", "Zg", 0, LIST_BYTES / 38},
    {"one field of all parts that fit", "-bin", ",", LIST_BYTES / 36 - 1, 1},
    {"one of a part more than fits", "-bin", ",", LIST_BYTES / 36, 1},
    {"a comma in each field", "-bin", ",", 0, LIST_BYTES / 73},
    {"what HPACK's table names in a byte each: 16000 commas in four", "-bin", ",", 4000, 4},
    {"a long value", "a", "b", LIST_BYTES - 33, 1},
    {"a long binary one", "-bin", "Z", LIST_BYTES - 36, 1},
};

/* The fewest bytes on the wire may name any list that is no longer than the limit. */
static void what_is_kept_is_bounded_by_the_limit(void **state)
{
    static struct rota_header headers[LIST_BYTES / 33];
    static char value[LIST_BYTES];

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(shapes); i++) {
        const struct shape_case *c = &shapes[i];
        size_t size = c->value_bytes > 0 ? c->value_bytes : strlen(c->value);
        struct rota_request got;
        struct rota_arena arena;

        memset(value, c->value[strlen(c->value) - 1], sizeof(value));
        memcpy(value, c->value, strlen(c->value));
        for (size_t k = 0; k < c->n_fields; k++)
            headers[k] = (struct rota_header){rota_slice_str(c->name), rota_slice(value, size)};
        rota_arena_init(&arena, NULL, 0);
        assert_int_equal(rota_request_read(&got, &arena, headers, c->n_fields, LIST_BYTES), 0);
        print_message("  %s: %zu bytes\n", c->rule, arena.used_bytes);
        assert_true(arena.used_bytes <= 3 * LIST_BYTES);
        rota_arena_fini(&arena);
    }
}

static void what_is_kept_is_a_copy(void **state)
{
    char lines[] = ":method: POST\n:path: /s/m\n:authority: a:1\ncontent-type: application/grpc+x\nkey: value";
    struct rota_header headers[16];
    struct rota_request got;
    struct rota_arena arena;
    struct rota_slice value;
    size_t count = headers_of_lines(lines, headers);

    (void)state;
    rota_arena_init(&arena, NULL, 0);
    assert_int_equal(rota_request_read(&got, &arena, headers, count, MAX_BYTES), 0);
    memset(lines, '.', sizeof(lines) - 1);
    assert_true(rota_slice_equal(got.path, ROTA_SLICE("/s/m")));
    assert_true(rota_slice_equal(got.authority, ROTA_SLICE("a:1")));
    assert_true(rota_slice_equal(got.content_type, ROTA_SLICE("application/grpc+x")));
    assert_true(rota_metadata_get(got.metadata, "key", &value));
    assert_true(rota_slice_equal(value, ROTA_SLICE("value")));
    rota_arena_fini(&arena);
}

static void host_stands_in_for_authority(void **state)
{
    struct rota_header headers[16];
    struct rota_request got;
    struct rota_arena arena;
    size_t count = headers_of_lines(":method: POST\n:path: /s/m\nhost: h\ncontent-type: application/grpc", headers);

    (void)state;
    rota_arena_init(&arena, NULL, 0);
    assert_int_equal(rota_request_read(&got, &arena, headers, count, MAX_BYTES), 0);
    assert_true(rota_slice_equal(got.authority, ROTA_SLICE("h")));
    rota_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_fields_come_first),
        cmocka_unit_test(requests_are_read_or_answered_with_the_reason),
        cmocka_unit_test(what_is_kept_is_bounded_by_the_limit),
        cmocka_unit_test(what_is_kept_is_a_copy),
        cmocka_unit_test(host_stands_in_for_authority),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
