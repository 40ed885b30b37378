/* grpc_response_test.c - responses read into one status, however they go wrong; responses written; codes of HTTP. */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "wire/grpc.h"
#include "wire/headers_fixture.h"

#define GRPC ":status: 200\ncontent-type: application/grpc"

#define COMMAS_16 ",,,,,,,,,,,,,,,,"
#define COMMAS_64 COMMAS_16 COMMAS_16 COMMAS_16 COMMAS_16
#define COMMAS_256 COMMAS_64 COMMAS_64 COMMAS_64 COMMAS_64
#define TOO_LARGE "the reply's header list is larger than 8192 bytes, each part of a -bin value counted as a field"

static const struct read_case {
    const char *rule, *headers, *trailers; /* trailers NULL: the headers end the stream */
    bool headers_seen, rejected;
    enum rota_code code;
    const char *message;
} reads[] = {
    {"the least", GRPC, "grpc-status: 0", true, false, ROTA_OK, ""},
    {"a status with a message", GRPC, "grpc-status: 5\ngrpc-message: not%20%C3%A9 here", true, false, ROTA_NOT_FOUND, "not \xC3\xA9 here"},
    {"a subtype", ":status: 200\ncontent-type: application/grpc+proto", "grpc-status: 0", true, false, ROTA_OK, ""},
    {"trailers-only", GRPC "\ngrpc-status: 14\ngrpc-message: x", NULL, false, false, ROTA_UNAVAILABLE, "x"},
    {"trailers-only and OK", GRPC "\ngrpc-status: 0", NULL, false, false, ROTA_OK, ""},
    {"a grpc-status counts more than HTTP's", ":status: 503\ngrpc-status: 7", NULL, false, false, ROTA_PERMISSION_DENIED, ""},
    {"also before a body", ":status: 503\ncontent-type: application/grpc\ngrpc-status: 7", "", false, true, ROTA_PERMISSION_DENIED, ""},
    {"but not when it says OK, before a body", ":status: 200\ncontent-type: text/html\ngrpc-status: 0", "", false, true, ROTA_UNKNOWN,
     "no gRPC response: HTTP status 200, content-type \"text/html\", expected 200 and application/grpc"},
    {"nor at the end", ":status: 503\ngrpc-status: 0", NULL, false, true, ROTA_UNAVAILABLE, "no gRPC response: HTTP status 503 without a content-type"},
    {"trailers without a status", GRPC, "x: y", true, false, ROTA_UNKNOWN, "the server ended the call without a grpc-status"},
    {"no trailers", GRPC, "", true, false, ROTA_INTERNAL, "the server ended the call without trailers"},
    {"headers end it without a status", GRPC, NULL, false, false, ROTA_UNKNOWN, "the server ended the call without a grpc-status"},
    {"a web page", ":status: 404\ncontent-type: text/html", "", false, true, ROTA_UNIMPLEMENTED,
     "no gRPC response: HTTP status 404, content-type \"text/html\", expected 200 and application/grpc"},
    {"a web page that ends at once", ":status: 503\ncontent-type: text/html", NULL, false, true, ROTA_UNAVAILABLE,
     "no gRPC response: HTTP status 503, content-type \"text/html\", expected 200 and application/grpc"},
    {"a proxy without a type", ":status: 502", "grpc-status: 0", false, true, ROTA_UNAVAILABLE,
     "no gRPC response: HTTP status 502 without a content-type"},
    {"200 of another type", ":status: 200\ncontent-type: text/plain", "grpc-status: 0", false, true, ROTA_UNKNOWN,
     "no gRPC response: HTTP status 200, content-type \"text/plain\", expected 200 and application/grpc"},
    {"no HTTP status", "content-type: application/grpc", "grpc-status: 0", false, true, ROTA_INTERNAL,
     "no gRPC response: HTTP status 0, content-type \"application/grpc\", expected 200 and application/grpc"},
    {"a status that is no number", GRPC, "grpc-status: OK\ngrpc-message: m", true, false, ROTA_UNKNOWN,
     "the server's grpc-status \"OK\" is no number; its message: m"},
    {"an empty status", GRPC, "grpc-status: ", true, false, ROTA_UNKNOWN, "the server's grpc-status \" \" is no number; its message: "},
    {"a negative status", GRPC, "grpc-status: -1", true, false, ROTA_UNKNOWN, "the server's grpc-status \"-1\" is no number; its message: "},
    {"a status beyond the last", GRPC, "grpc-status: 17\ngrpc-message: m", true, false, ROTA_UNKNOWN,
     "the server's grpc-status 17 is no status code; its message: m"},
    {"a number beyond numbers", GRPC, "grpc-status: 99999999999", true, false, ROTA_UNKNOWN,
     "the server's grpc-status \"99999999999\" is no number; its message: "},
    {"a message that is no UTF-8", GRPC, "grpc-status: 2\ngrpc-message: a%FFb%00c", true, false, ROTA_UNKNOWN, "a?b?c"},
    {"-bin in headers that is no base64", GRPC "\nk-bin: !", "grpc-status: 0", false, true, ROTA_INTERNAL, "the value of metadata \"k-bin\" is not base64"},
    {"-bin in headers of more parts than fit", GRPC "\nk-bin: " COMMAS_256, "grpc-status: 0", false, true, ROTA_RESOURCE_EXHAUSTED, TOO_LARGE},
    {"-bin in trailers of more parts than fit", GRPC, "k-bin: " COMMAS_256 "\ngrpc-status: 0", true, false, ROTA_RESOURCE_EXHAUSTED, TOO_LARGE},
    {"-bin in trailers-only of more parts than fit", GRPC "\ngrpc-status: 0\nk-bin: " COMMAS_256, NULL, false, false, ROTA_RESOURCE_EXHAUSTED, TOO_LARGE},
    {"-bin of many parts that fit", GRPC, "k-bin: " COMMAS_64 COMMAS_64 COMMAS_64 "\ngrpc-status: 0", true, false, ROTA_OK, ""},
    {"-bin in trailers that is no base64 costs the pair", GRPC, "k-bin: !\ngrpc-status: 3", true, false, ROTA_INVALID_ARGUMENT, ""},
};

static rota_err read_one(const struct rota_alloc *alloc, void *ctx)
{
    const struct read_case *c = ctx;
    struct rota_response got = {0};
    struct rota_header headers[16];
    struct rota_arena arena;
    rota_err err;

    rota_arena_init(&arena, alloc, 64);
    err = rota_response_headers(&got, &arena, headers, headers_of_lines(c->headers, headers), c->trailers == NULL);
    if (err == 0 && c->trailers != NULL)
        err = rota_response_trailers(&got, &arena, headers, headers_of_lines(c->trailers, headers));
    if (err == 0) {
        assert_int_equal(got.headers_seen, c->headers_seen);
        assert_int_equal(got.rejected, c->rejected);
        assert_true(got.status_seen);
        assert_int_equal(got.status.code, c->code);
        assert_string_equal(got.status.message, c->message);
        assert_true(rota_slice_equal(got.message, rota_slice_str(c->message)));
    }
    rota_arena_fini(&arena);
    return err;
}

static void responses_are_read_to_one_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(reads); i++) {
        struct read_case row = reads[i];

        print_message("  %s\n", row.rule);
        assert_true(rota_alloc_sweep(read_one, &row) >= 1);
    }
}

static void metadata_is_sorted_by_where_it_came(void **state)
{
    struct rota_response got = {0};
    struct rota_header headers[16];
    struct rota_arena arena;
    struct rota_slice value;

    (void)state;
    rota_arena_init(&arena, NULL, 0);
    assert_int_equal(rota_response_headers(&got, &arena, headers, headers_of_lines(GRPC "\ngrpc-encoding: gzip\na: 1", headers), false), 0);
    assert_false(got.status_seen);
    assert_null(got.trailing);
    assert_int_equal(rota_response_trailers(&got, &arena, headers, headers_of_lines("grpc-status: 0\nb: 2\ngrpc-status-details-bin: CAU", headers)), 0);
    assert_int_equal(rota_metadata_count(got.initial), 1);
    assert_int_equal(rota_metadata_count(got.trailing), 2);
    assert_true(rota_metadata_get(got.initial, "a", &value));
    assert_true(rota_metadata_get(got.trailing, "grpc-status-details-bin", &value));
    assert_true(rota_slice_equal(value, ROTA_SLICE("\x08\x05")));
    assert_true(rota_slice_equal(got.encoding, ROTA_SLICE("gzip")));
    rota_arena_fini(&arena);
}

static const struct pushback_case {
    const char *rule, *trailers;
    bool seen;
    int64_t want_ms;
} pushbacks[] = {
    {"none", "grpc-status: 14", false, 0},
    {"at once", "grpc-status: 14\ngrpc-retry-pushback-ms: 0", true, 0},
    {"later", "grpc-status: 14\ngrpc-retry-pushback-ms: 1500", true, 1500},
    {"never", "grpc-status: 14\ngrpc-retry-pushback-ms: -7", true, -1},
    {"no number is never", "grpc-status: 14\ngrpc-retry-pushback-ms: 1.5", true, -1},
    {"too large is never", "grpc-status: 14\ngrpc-retry-pushback-ms: 12345678901", true, -1},
    {"empty is never", "grpc-status: 14\ngrpc-retry-pushback-ms: ", true, -1},
    {"two of them are never", "grpc-status: 14\ngrpc-retry-pushback-ms: 10\ngrpc-retry-pushback-ms: 10", true, -1},
};

static void pushback_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(pushbacks); i++) {
        struct rota_response got = {0};
        struct rota_header headers[16];
        struct rota_arena arena;

        print_message("  %s\n", pushbacks[i].rule);
        rota_arena_init(&arena, NULL, 0);
        assert_int_equal(rota_response_headers(&got, &arena, headers, headers_of_lines(GRPC, headers), false), 0);
        assert_int_equal(rota_response_trailers(&got, &arena, headers, headers_of_lines(pushbacks[i].trailers, headers)), 0);
        assert_int_equal(got.pushback_seen, pushbacks[i].seen);
        assert_int_equal(got.pushback_ms, pushbacks[i].want_ms);
        assert_int_equal(rota_metadata_count(got.trailing), 0);
        rota_arena_fini(&arena);
    }
}

static void a_long_message_is_whole_and_cut(void **state)
{
    struct rota_response got = {0};
    struct rota_header headers[2] = {{ROTA_SLICE("grpc-status"), ROTA_SLICE("2")}};
    struct rota_arena arena;
    char text[3 * ROTA_STATUS_MESSAGE_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    headers[1] = (struct rota_header){ROTA_SLICE("grpc-message"), rota_slice(text, sizeof(text))};
    rota_arena_init(&arena, NULL, 0);
    assert_int_equal(rota_response_trailers(&got, &arena, headers, 2), 0);
    assert_int_equal(got.message.size, sizeof(text));
    assert_int_equal(strlen(got.status.message), (ROTA_STATUS_MESSAGE_SIZE - 1) / 2 * 2);
    rota_arena_fini(&arena);
}

/* --- Writing --- */

static rota_err write_all(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_status status = {.code = ROTA_OK};
    struct rota_header *headers;
    struct rota_arena arena;
    struct rota_metadata *metadata;
    size_t count;
    rota_err err = ROTA_ENOMEM;

    (void)ctx;
    rota_arena_init(&arena, alloc, 64);
    metadata = rota_metadata_in(&arena);
    if (metadata == NULL || rota_metadata_add(metadata, ROTA_SLICE("k-bin"), ROTA_SLICE("f"), NULL) < 0)
        goto out;
    if (rota_response_head(&arena, metadata, false, &headers, &count) < 0)
        goto out;
    assert_int_equal(count, 3);
    assert_true(rota_slice_equal(headers[0].name, ROTA_SLICE(":status")));
    assert_true(rota_slice_equal(headers[1].value, ROTA_SLICE("application/grpc")));
    assert_true(rota_slice_equal(headers[2].value, ROTA_SLICE("Zg")));
    if (rota_response_head(&arena, metadata, true, &headers, &count) < 0)
        goto out;
    assert_int_equal(count, 4);
    assert_true(rota_slice_equal(headers[2].name, ROTA_SLICE("grpc-encoding")));
    assert_true(rota_slice_equal(headers[2].value, ROTA_SLICE("gzip")));
    if (rota_response_tail(&(struct rota_response_end){.status = &status}, &arena, &headers, &count) < 0)
        goto out;
    assert_int_equal(count, 1);
    assert_true(rota_slice_equal(headers[0].value, ROTA_SLICE("0")));
    for (int code = 0; code <= 16; code++) {
        struct rota_response got = {0};

        rota_status_set(&status, (enum rota_code)code, "100 %% \xC3\xA9");
        if (rota_response_tail(&(struct rota_response_end){.status = &status, .trailing = metadata, .only = true}, &arena, &headers, &count) < 0)
            goto out;
        assert_int_equal(count, 5);
        if (rota_response_headers(&got, &arena, headers, count, true) < 0)
            goto out;
        assert_int_equal(got.status.code, code);
        assert_string_equal(got.status.message, "100 % \xC3\xA9");
        assert_int_equal(rota_metadata_count(got.trailing), 1);
    }
    err = 0;
out:
    rota_arena_fini(&arena);
    return err;
}

static void what_a_server_writes_a_client_reads(void **state)
{
    (void)state;
    assert_true(rota_alloc_sweep(write_all, NULL) >= 5);
}

static void a_code_that_is_none_is_written_as_unknown(void **state)
{
    struct rota_status status = {.code = (enum rota_code)99};
    struct rota_header *headers;
    struct rota_arena arena;
    size_t count;

    (void)state;
    rota_arena_init(&arena, NULL, 0);
    assert_int_equal(rota_response_tail(&(struct rota_response_end){.status = &status}, &arena, &headers, &count), 0);
    assert_true(rota_slice_equal(headers[0].value, ROTA_SLICE("2")));
    rota_arena_fini(&arena);
}

static void a_text_longer_than_a_status_goes_whole(void **state)
{
    char text[3 * ROTA_STATUS_MESSAGE_SIZE];
    struct rota_status status = {.code = ROTA_NOT_FOUND};
    const struct rota_response_end end = {.status = &status, .text = rota_slice(text, sizeof(text)), .only = true, .encodings = true};
    struct rota_response got = {0};
    struct rota_header *headers;
    struct rota_arena arena;
    size_t count;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "%\xC3\xA9 \n~"[i % 6];
    rota_arena_init(&arena, NULL, 0);
    assert_int_equal(rota_response_tail(&end, &arena, &headers, &count), 0);
    assert_int_equal(count, 5);
    assert_true(rota_slice_equal(headers[2].name, ROTA_SLICE("grpc-accept-encoding")));
    assert_true(rota_slice_equal(headers[2].value, ROTA_SLICE("identity,deflate,gzip")));
    assert_int_equal(rota_response_headers(&got, &arena, headers, count, true), 0);
    assert_int_equal(got.status.code, ROTA_NOT_FOUND);
    assert_true(rota_slice_equal(got.message, end.text));
    rota_arena_fini(&arena);
}

/* --- Codes --- */

static void codes_of_http_and_http2_are_mapped(void **state)
{
    static const struct {
        int http;
        enum rota_code want;
    } https[] = {{400, ROTA_INTERNAL}, {401, ROTA_UNAUTHENTICATED}, {403, ROTA_PERMISSION_DENIED}, {404, ROTA_UNIMPLEMENTED}, {429, ROTA_UNAVAILABLE},
        {502, ROTA_UNAVAILABLE}, {503, ROTA_UNAVAILABLE}, {504, ROTA_UNAVAILABLE}, {200, ROTA_UNKNOWN}, {500, ROTA_UNKNOWN}, {418, ROTA_UNKNOWN}};
    static const enum rota_code h2s[] = {ROTA_INTERNAL, ROTA_INTERNAL, ROTA_INTERNAL, ROTA_INTERNAL, ROTA_INTERNAL, ROTA_INTERNAL, ROTA_INTERNAL,
        ROTA_UNAVAILABLE, ROTA_CANCELLED, ROTA_INTERNAL, ROTA_INTERNAL, ROTA_RESOURCE_EXHAUSTED, ROTA_PERMISSION_DENIED, ROTA_INTERNAL, ROTA_UNKNOWN};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(https); i++)
        assert_int_equal(rota_code_of_http(https[i].http), https[i].want);
    for (uint32_t code = 0; code < ROTA_COUNT(h2s); code++)
        assert_int_equal(rota_code_of_h2(code), h2s[code]);
    assert_int_equal(rota_code_of_h2(UINT32_MAX), ROTA_UNKNOWN);
}

static void a_compressed_message_names_what_is_missing(void **state)
{
    struct rota_status status;

    (void)state;
    rota_compressed_status(rota_slice(NULL, 0), true, &status);
    assert_int_equal(status.code, ROTA_INTERNAL);
    rota_compressed_status(ROTA_SLICE("identity"), false, &status);
    assert_int_equal(status.code, ROTA_INTERNAL);
    rota_compressed_status(ROTA_SLICE("zstd"), true, &status);
    assert_int_equal(status.code, ROTA_UNIMPLEMENTED);
    rota_compressed_status(ROTA_SLICE("zstd"), false, &status);
    assert_int_equal(status.code, ROTA_INTERNAL);
    assert_string_equal(status.message, "grpc-encoding \"zstd\" is not supported, only identity,deflate,gzip");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_are_read_to_one_status),
        cmocka_unit_test(metadata_is_sorted_by_where_it_came),
        cmocka_unit_test(pushback_is_read),
        cmocka_unit_test(a_long_message_is_whole_and_cut),
        cmocka_unit_test(what_a_server_writes_a_client_reads),
        cmocka_unit_test(a_code_that_is_none_is_written_as_unknown),
        cmocka_unit_test(a_text_longer_than_a_status_goes_whole),
        cmocka_unit_test(codes_of_http_and_http2_are_mapped),
        cmocka_unit_test(a_compressed_message_names_what_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
