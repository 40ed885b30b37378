/* compression_test.c - which requests are compressed, and what becomes of compressed replies: one row per rule. */
#include "base/assert.h"
#include "channel/channel_fixture.h"
#include "wire/frame.h"
#include "wire/zip.h"

#define A "1.1.1.1:1"
#define SIZE 200 /* of a message that gets shorter */
#define LIMIT 1000

static char request_text[SIZE + 1];

static const char *long_text(void)
{
    memset(request_text, 'q', SIZE);
    return request_text;
}

/* 'c' or 'p' for each message sent; all are the long text. */
static const char *flags_of(const struct rota_fake_stream *stream)
{
    static char flags[20];
    struct rota_slice data = rota_buffer_peek(&stream->data);
    struct rota_frame_decoder decoder;
    struct rota_frame frame;
    struct rota_zip zip;
    size_t n = 0;

    rota_frame_decoder_init(&decoder, NULL, LIMIT);
    rota_zip_init(&zip, NULL);
    while (rota_frame_decode(&decoder, &data, &frame, NULL) > 0) {
        struct rota_chunk *plain = NULL;
        if (frame.compressed) {
            assert_true(frame.message.size < SIZE / 2);
            assert_int_equal(rota_zip_open(&zip, ROTA_ENCODING_GZIP, frame.message, LIMIT, &plain, NULL), 0);
            frame.message = rota_chunk_slice(plain);
        }
        assert_true(rota_slice_equal(frame.message, rota_slice_str(long_text())));
        flags[n++] = frame.compressed ? 'c' : 'p';
        rota_chunk_unref(plain);
    }
    flags[n] = '\0';
    rota_zip_fini(&zip);
    rota_frame_decoder_fini(&decoder);
    return flags;
}

/* does: n, g, d set none, gzip, default ('X' among the flags: that failed); w writes. */
static const struct request_row {
    const char *rule;
    enum rota_compression channel, call;
    const char *does, *encoding, *flags;
} request_rows[] = {
    {"nothing asked for", ROTA_COMPRESSION_DEFAULT, ROTA_COMPRESSION_DEFAULT, "w", NULL, "p"},
    {"the channel's option", ROTA_COMPRESSION_GZIP, ROTA_COMPRESSION_DEFAULT, "ww", "gzip", "cc"},
    {"the call's option", ROTA_COMPRESSION_NONE, ROTA_COMPRESSION_GZIP, "w", "gzip", "c"},
    {"the call's option against the channel's", ROTA_COMPRESSION_GZIP, ROTA_COMPRESSION_NONE, "w", NULL, "p"},
    {"a stream that mixes", ROTA_COMPRESSION_DEFAULT, ROTA_COMPRESSION_GZIP, "wnwgwnwdw", "gzip", "cpcpc"},
    {"a call not begun with gzip", ROTA_COMPRESSION_DEFAULT, ROTA_COMPRESSION_DEFAULT, "gw", NULL, "Xp"},
    {"none and default change nothing there", ROTA_COMPRESSION_DEFAULT, ROTA_COMPRESSION_DEFAULT, "nwdw", NULL, "pp"},
};

static void requests_are_compressed_as_asked(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(request_rows); i++) {
        const struct request_row *row = &request_rows[i];
        static const char letters[] = "dng";
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_stream *stream;
        struct rota_fake_conn *conn;
        const char *encoding;
        char flags[20] = "";
        print_message("  %s\n", row->rule);
        options.compression = row->channel;
        call_options.compression = row->call;
        rota_channel_fixture_init(&f, &options);
        conn = rota_fixture_ready(&f, A);
        rota_fixture_stream_start(&f, &call_options, &seen);
        stream = rota_fake_stream_at(conn, 0);
        for (const char *c = row->does; *c != '\0'; c++) {
            if (*c == 'w')
                assert_int_equal(rota_fixture_write(&seen, long_text()), 0);
            else if (rota_call_compress(seen.call, (enum rota_compression)(strchr(letters, *c) - letters)) == ROTA_ESTATE)
                strcat(flags, "X");
        }
        strcat(flags, flags_of(stream));
        assert_string_equal(flags, row->flags);
        assert_string_equal(rota_fake_header(stream, "grpc-accept-encoding"), ROTA_ENCODINGS);
        encoding = rota_fake_header(stream, "grpc-encoding");
        assert_int_equal(encoding == NULL, row->encoding == NULL);
        if (encoding != NULL)
            assert_string_equal(encoding, row->encoding);
        rota_channel_fixture_fini(&f);
    }
}

static void a_unary_request_is_compressed(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream;
    struct rota_fake_conn *conn;

    (void)unused;
    options.compression = ROTA_COMPRESSION_GZIP;
    rota_channel_fixture_init(&f, NULL);
    conn = rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, long_text(), &options, &seen);
    stream = rota_fake_stream_at(conn, 0);
    assert_string_equal(flags_of(stream), "c");
    assert_string_equal(rota_fake_header(stream, "grpc-encoding"), "gzip");
    rota_fake_reply(stream, "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void a_second_attempt_announces_and_sends_the_same(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream;
    struct rota_fake_conn *conn;

    (void)unused;
    options.compression = ROTA_COMPRESSION_GZIP;
    rota_channel_fixture_init(&f, NULL);
    conn = rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, long_text(), &options, &seen);
    rota_fake_close(rota_fake_stream_at(conn, 0), ROTA_STREAM_UNPROCESSED, 7, false);
    stream = rota_fake_stream_at(conn, 1);
    assert_string_equal(flags_of(stream), "c");
    assert_string_equal(rota_fake_header(stream, "grpc-encoding"), "gzip");
    rota_fake_reply(stream, "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

/* --- Replies --- */

/* Python's gzip and zlib.compress of b"hello hello hello hello hello hello", and gzip of 1001 letters. */
#define TEXT "hello hello hello hello hello hello"
#define GZIP_TEXT "\001\000\000\000\035\037\213\010\000\000\000\000\000\002\003\313\110\315\311\311\127\310\300\107\002\000\127\067\142\205\043\000\000\000"
#define DEFLATE_TEXT "\001\000\000\000\021\170\234\313\110\315\311\311\127\310\300\107\002\000\353\125\015\031"
#define GZIP_LONG "\001\000\000\000\035\037\213\010\000\000\000\000\000\002\003\253\250\030\005\243\140\024\014\173\000\000\007\020\216\305\351\003\000\000"

static const struct reply_row {
    const char *rule, *encoding;
    struct rota_slice frame;
    enum rota_code want;
    const char *says;
    bool compressed;
} reply_rows[] = {
    {"gzip", "gzip", ROTA_SLICE(GZIP_TEXT), ROTA_OK, "", true},
    {"deflate", "deflate", ROTA_SLICE(DEFLATE_TEXT), ROTA_OK, "", true},
    {"announced and not used", "gzip", ROTA_SLICE("\0\0\0\0\43" TEXT), ROTA_OK, "", false},
    {"an encoding nobody knows, not used", "zstd", ROTA_SLICE("\0\0\0\0\43" TEXT), ROTA_OK, "", false},
    {"the flag without an encoding is INTERNAL", NULL, ROTA_SLICE(GZIP_TEXT), ROTA_INTERNAL, "no grpc-encoding was announced", false},
    {"the flag with identity is INTERNAL", "identity", ROTA_SLICE(GZIP_TEXT), ROTA_INTERNAL, "no grpc-encoding was announced", false},
    {"an encoding nobody knows is INTERNAL", "zstd", ROTA_SLICE(GZIP_TEXT), ROTA_INTERNAL, "\"zstd\" is not supported", false},
    {"one that is no UTF-8 is not repeated", "\xff\xfe", ROTA_SLICE(GZIP_TEXT), ROTA_INTERNAL, "\"?\?\" is not supported", false},
    {"another encoding than announced is INTERNAL", "deflate", ROTA_SLICE(GZIP_TEXT), ROTA_INTERNAL, "corrupt", false},
    {"no bytes with the flag are INTERNAL", "gzip", ROTA_SLICE("\1\0\0\0\0"), ROTA_INTERNAL, "cut off", false},
    {"longer than the limit is RESOURCE_EXHAUSTED", "gzip", ROTA_SLICE(GZIP_LONG), ROTA_RESOURCE_EXHAUSTED, "more than 1000 bytes", false},
};

static void answer(struct rota_fake_stream *stream, const struct reply_row *row)
{
    const struct rota_header headers[] = {
        {ROTA_SLICE(":status"), ROTA_SLICE("200")},
        {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")},
        {ROTA_SLICE("x-initial"), ROTA_SLICE("i")},
        {ROTA_SLICE("grpc-encoding"), rota_slice_str(row->encoding == NULL ? "" : row->encoding)},
    };

    rota_fake_raw_headers(stream, headers, row->encoding == NULL ? 3 : 4, false);
    for (size_t at = 0; at < row->frame.size && !stream->dead; at += 7)
        rota_fake_data(stream, rota_slice(row->frame.data + at, row->frame.size - at < 7 ? row->frame.size - at : 7));
}

static void compressed_replies_are_read_or_end_the_call(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(reply_rows); i++) {
        const struct reply_row *row = &reply_rows[i];
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct rota_fake_stream *stream;
        struct rota_fake_conn *conn;
        print_message("  %s\n", row->rule);
        options.max_reply_bytes = LIMIT;
        rota_channel_fixture_init(&f, &options);
        conn = rota_fixture_ready(&f, A);
        rota_fixture_stream_start(&f, NULL, &seen);
        assert_int_equal(rota_call_write_end(seen.call), 0);
        stream = rota_fake_stream_at(conn, 0);
        answer(stream, row);
        if (row->want == ROTA_OK) {
            assert_string_equal(seen.messages, TEXT "|");
            assert_int_equal(rota_call_came_compressed(seen.call), row->compressed);
            assert_int_equal(stream->consumed, row->frame.size);
            rota_fake_trailers(stream, ROTA_OK, "");
        }
        rota_assert_ended(&seen, row->want, row->says);
        rota_channel_fixture_fini(&f);
    }
}

static void a_unary_reply_is_decompressed(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_stream *stream;
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    conn = rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, "q", NULL, &seen);
    stream = rota_fake_stream_at(conn, 0);
    answer(stream, &reply_rows[0]);
    rota_fake_trailers(stream, ROTA_OK, "");
    rota_assert_ended(&seen, ROTA_OK, "");
    assert_string_equal(seen.messages, TEXT "|");
    rota_channel_fixture_fini(&f);
}

/* --- Memory --- */

static rota_err compress_and_decompress(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    const struct rota_slice request = rota_slice_str(long_text());
    struct rota_channel_fixture f;
    struct rota_seen_call seen = {0};
    struct rota_fake_conn *conn;
    rota_err err;

    (void)ctx;
    options.compression = ROTA_COMPRESSION_GZIP;
    err = rota_channel_fixture_open(&f, alloc, NULL);
    if (err < 0)
        return err;
    rota_channel_connect(f.channel);
    rota_virtual_host_run(&f.v);
    rota_fixture_publish(&f, A, NULL, NULL);
    conn = rota_fake_conn_to(&f.transport, A);
    if (conn != NULL)
        rota_fake_up(conn);
    err = rota_unary_start(f.channel, &rota_fixture_unary, &options, &request, rota_fixture_unary_done, &seen, &seen.call);
    if (err == 0 && conn != NULL && conn->n_streams > 0 && seen.dones == 0)
        answer(rota_fake_stream_at(conn, 0), &reply_rows[0]);
    if (err == 0 && conn != NULL && conn->n_streams > 0 && seen.dones == 0)
        rota_fake_trailers(rota_fake_stream_at(conn, 0), ROTA_OK, "");
    rota_channel_fixture_close(&f);
    if (err == 0) {
        assert_int_equal(seen.dones, 1);
        if (seen.status.code == ROTA_OK)
            assert_string_equal(seen.messages, TEXT "|");
        else
            assert_true(seen.status.code == ROTA_RESOURCE_EXHAUSTED || seen.status.code == ROTA_CANCELLED || seen.status.code == ROTA_UNAVAILABLE);
    }
    return err;
}

static void running_out_of_memory_ends_no_more_than_the_call(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(compress_and_decompress, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_compressed_as_asked),
        cmocka_unit_test(a_unary_request_is_compressed),
        cmocka_unit_test(a_second_attempt_announces_and_sends_the_same),
        cmocka_unit_test(compressed_replies_are_read_or_end_the_call),
        cmocka_unit_test(a_unary_reply_is_decompressed),
        cmocka_unit_test(running_out_of_memory_ends_no_more_than_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
