/* compression_test.c - which replies are compressed for whom, and what becomes of compressed requests: one row per rule. */
#include "server/server_fixture.h"
#include "testing/cmocka.h"
#include <string.h>

#define ZEROS 300 /* a reply that gets shorter */
#define LETTERS 200
#define LIMIT 1000

static const char zeros[ZEROS + 1] = {0};

/* What the handler does before it sends ZEROS zeros: n, g, d set none, gzip, default; h sends the headers; r sends. */
static const struct reply_row {
    const char *rule;
    enum rota_compression server;
    const char *accept, *does, *encoding, *flags; /* of the replies, 'c' or 'p' each; of sets that fail, 'X' */
} reply_rows[] = {
    {"nothing asked for", ROTA_COMPRESSION_DEFAULT, "gzip", "r", NULL, "p"},
    {"the server's option", ROTA_COMPRESSION_GZIP, "identity,gzip", "rr", "gzip", "cc"},
    {"the server's option, none", ROTA_COMPRESSION_NONE, "gzip", "r", NULL, "p"},
    {"the call's wish", ROTA_COMPRESSION_DEFAULT, "gzip", "gr", "gzip", "c"},
    {"the call's wish against the server's", ROTA_COMPRESSION_GZIP, "gzip", "nr", "gzip", "p"},
    {"default is the server's", ROTA_COMPRESSION_GZIP, "gzip", "ndr", "gzip", "c"},
    {"default is the server's, none", ROTA_COMPRESSION_DEFAULT, "gzip", "gdr", "gzip", "p"},
    {"a stream that mixes", ROTA_COMPRESSION_DEFAULT, "gzip", "grnrgr", "gzip", "cpc"},
    {"announced, begun without", ROTA_COMPRESSION_DEFAULT, "gzip", "gnrgr", "gzip", "pc"},
    {"announced with the headers alone", ROTA_COMPRESSION_DEFAULT, "gzip", "ghr", "gzip", "c"},
    {"not announced in time", ROTA_COMPRESSION_DEFAULT, "gzip", "hgr", NULL, "Xp"},
    {"not announced in time, none is fine", ROTA_COMPRESSION_DEFAULT, "gzip", "hndr", NULL, "p"},
    {"a client that takes something else", ROTA_COMPRESSION_GZIP, "identity,deflate", "r", NULL, "p"},
    {"a client that says nothing", ROTA_COMPRESSION_GZIP, NULL, "gr", NULL, "p"},
    {"such a client, and too late", ROTA_COMPRESSION_DEFAULT, NULL, "hgr", NULL, "p"},
};

static void act(struct rota_server_call *call, const char *does, char *flags)
{
    const struct rota_slice reply = rota_slice(zeros, ZEROS);
    rota_err err = 0;

    for (; *does != '\0'; does++) {
        switch (*does) {
        case 'n': err = rota_server_call_set_compression(call, ROTA_COMPRESSION_NONE); break;
        case 'g': err = rota_server_call_set_compression(call, ROTA_COMPRESSION_GZIP); break;
        case 'd': err = rota_server_call_set_compression(call, ROTA_COMPRESSION_DEFAULT); break;
        case 'h': err = rota_server_call_send_initial_metadata(call); break;
        default: err = rota_server_call_send(call, &reply);
        }
        if (err == ROTA_ESTATE)
            strcat(flags, "X");
        else
            assert_int_equal(err, 0);
    }
}

/* Adds 'c' or 'p' for each message sent, and sees that it is the zeros. */
static void read_replies(const struct rota_fake_ask *ask, char *flags)
{
    struct rota_slice data = rota_buffer_peek(&ask->data);
    struct rota_frame_decoder decoder;
    struct rota_frame frame;
    struct rota_zip zip;

    rota_frame_decoder_init(&decoder, NULL, LIMIT);
    rota_zip_init(&zip, NULL);
    while (rota_frame_decode(&decoder, &data, &frame, NULL) > 0) {
        struct rota_chunk *plain = NULL;
        if (frame.compressed) {
            assert_true(frame.message.size < ZEROS / 2);
            assert_int_equal(rota_zip_open(&zip, ROTA_ENCODING_GZIP, frame.message, LIMIT, &plain, NULL), 0);
            frame.message = rota_chunk_slice(plain);
        }
        assert_int_equal(frame.message.size, ZEROS);
        assert_memory_equal(frame.message.data, zeros, ZEROS);
        strcat(flags, frame.compressed ? "c" : "p");
        rota_chunk_unref(plain);
    }
    assert_true(rota_frame_decoder_clean(&decoder));
    rota_zip_fini(&zip);
    rota_frame_decoder_fini(&decoder);
}

static void replies_are_compressed_for_those_who_take_it(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(reply_rows); i++) {
        const struct reply_row *row = &reply_rows[i];
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct server_fixture f;
        struct rota_fake_ask *ask;
        char flags[20] = "";
        const char *encoding;
        print_message("  %s\n", row->rule);
        options.compression = row->server;
        server_fixture_init(&f, &options);
        ask = rota_fake_ask(f.asker, "/t.S/Quiet", row->accept == NULL ? NULL : "grpc-accept-encoding", row->accept);
        act(f.call, row->does, flags);
        read_replies(ask, flags);
        assert_string_equal(flags, row->flags);
        encoding = rota_fake_answer_header(ask, "grpc-encoding");
        assert_int_equal(encoding == NULL, row->encoding == NULL);
        if (encoding != NULL)
            assert_string_equal(encoding, row->encoding);
        rota_server_call_finish(f.call, NULL);
        server_fixture_run(&f);
        server_fixture_fini(&f);
    }
}

/* --- Requests --- */

enum body { PLAIN, GZIPPED, DEFLATED, CUT, LONG, EMPTY, BOMB };

static const struct request_row {
    const char *rule, *encoding;
    enum body body;
    const char *status, *says, *accept; /* accept: grpc-accept-encoding in the answer */
} request_rows[] = {
    {"gzip", "gzip", GZIPPED, "OK", NULL, NULL},
    {"deflate", "deflate", DEFLATED, "OK", NULL, NULL},
    {"announced and not used", "gzip", PLAIN, "OK", NULL, NULL},
    {"the flag without an encoding", NULL, GZIPPED, "INTERNAL", "no grpc-encoding was announced", NULL},
    {"the flag with identity", "identity", GZIPPED, "INTERNAL", "no grpc-encoding was announced", NULL},
    {"an unknown encoding is answered with those known", "zstd", GZIPPED, "UNIMPLEMENTED", "zstd", "identity,deflate,gzip"},
    {"an unknown encoding, not used", "zstd", PLAIN, "UNIMPLEMENTED", "zstd", "identity,deflate,gzip"},
    {"another encoding than announced", "deflate", GZIPPED, "INTERNAL", "deflate data is corrupt", NULL},
    {"cut off", "gzip", CUT, "INTERNAL", "cut off", NULL},
    {"no bytes with the flag", "gzip", EMPTY, "INTERNAL", "cut off", NULL},
    {"longer than the limit once decompressed", "gzip", LONG, "RESOURCE_EXHAUSTED", "more than 1000 bytes", NULL},
};

/* "AAA..." as the row has it, framed. */
static size_t make_request(enum body body, uint8_t *out, size_t cap)
{
    /* From another implementation: zlib.compress(b"A" * 200, 9) of Python. */
    static const uint8_t deflated[] = {0x78, 0xDA, 0x73, 0x74, 0x1C, 0x1E, 0x00, 0x00, 0xF1, 0x69, 0x32, 0xC9};
    size_t size = body == BOMB ? (size_t)5 << 20 : body == LONG ? LIMIT + 1 : LETTERS;
    struct rota_chunk *chunk = rota_chunk_new(NULL, ROTA_FRAME_PREFIX + size);
    struct rota_zip zip;

    rota_zip_init(&zip, NULL);
    memset(chunk->data + ROTA_FRAME_PREFIX, 'A', size);
    chunk->size = ROTA_FRAME_PREFIX + size;
    rota_frame_put_prefix(chunk->data, false, (uint32_t)size);
    if (body != PLAIN)
        assert_int_equal(rota_zip_frame(&zip, &chunk), 0);
    if (body == DEFLATED)
        memcpy(chunk->data + ROTA_FRAME_PREFIX, deflated, sizeof(deflated));
    size = body == DEFLATED ? sizeof(deflated) : body == EMPTY ? 0 : chunk->size - ROTA_FRAME_PREFIX - (body == CUT ? 3 : 0);
    rota_frame_put_prefix(chunk->data, body != PLAIN, (uint32_t)size);
    assert_true(ROTA_FRAME_PREFIX + size <= cap);
    memcpy(out, chunk->data, ROTA_FRAME_PREFIX + size);
    rota_chunk_unref(chunk);
    rota_zip_fini(&zip);
    return ROTA_FRAME_PREFIX + size;
}

static void compressed_requests_are_read_or_answered_with_the_reason(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(request_rows); i++) {
        const struct request_row *row = &request_rows[i];
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct server_fixture f;
        struct rota_fake_ask *ask;
        uint8_t request[600];
        size_t size = make_request(row->body, request, sizeof(request));
        const char *accept;
        print_message("  %s\n", row->rule);
        options.max_request_bytes = LIMIT;
        server_fixture_init(&f, &options);
        ask = rota_fake_ask(f.asker, "/t.S/Later", row->encoding == NULL ? NULL : "grpc-encoding", row->encoding);
        for (size_t at = 0; at < size; at += 3)
            rota_fake_ask_data(ask, rota_slice(request + at, size - at < 3 ? size - at : 3));
        rota_fake_ask_end(ask);
        if (strcmp(row->status, "OK") == 0) {
            assert_int_equal(strspn(f.trace + 2, "A"), LETTERS); /* "m:AAA" */
            assert_int_equal(rota_server_call_was_compressed(f.call), row->body != PLAIN);
            server_fixture_reply(&f, "r");
        } else {
            assert_null(f.call);
        }
        if (strncmp(rota_fake_answer_status(ask), row->status, strlen(row->status)) != 0)
            fail_msg("%s, want %s", rota_fake_answer_status(ask), row->status);
        if (row->says != NULL)
            assert_non_null(strstr(rota_fake_answer_status(ask), row->says));
        accept = rota_fake_answer_header(ask, "grpc-accept-encoding");
        assert_int_equal(accept == NULL, row->accept == NULL);
        if (accept != NULL)
            assert_string_equal(accept, row->accept);
        server_fixture_fini(&f);
    }
}

static void a_stream_of_requests_may_mix(void **unused)
{
    uint8_t request[600];
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = rota_fake_ask(f.asker, "/t.S/Quiet", "grpc-encoding", "gzip");
    for (int i = 0; i < 4; i++) {
        rota_fake_ask_data(ask, rota_slice(request, make_request(i % 2 == 0 ? GZIPPED : PLAIN, request, sizeof(request))));
        assert_int_equal(rota_server_call_was_compressed(f.call), i % 2 == 0);
    }
    rota_server_call_finish(f.call, NULL);
    server_fixture_run(&f);
    assert_string_equal(rota_fake_answer_status(ask), "OK");
    server_fixture_fini(&f);
}

/* A request that waits for its end counts for the bytes that came. */
static void a_request_stays_compressed_until_its_end(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_ask *asks[5];
    struct server_fixture f;
    uint8_t request[600];
    size_t size = make_request(GZIPPED, request, sizeof(request));

    (void)unused;
    assert_true(size < LETTERS / 4);
    options.max_pending_bytes = LETTERS;
    server_fixture_init(&f, &options);
    for (size_t i = 0; i < ROTA_COUNT(asks); i++) {
        asks[i] = rota_fake_ask(f.asker, "/t.S/Echo", "grpc-encoding", "gzip");
        rota_fake_ask_data(asks[i], rota_slice(request, size));
        if (i < 4)
            assert_string_equal(rota_fake_answer_status(asks[i]), "open");
        assert_string_equal(f.trace, "");
    }
    assert_in_range(f.server->held_bytes, 1, LETTERS);
    rota_fake_ask_cancel(asks[1]);
    rota_fake_ask_data(asks[2], rota_slice(request, size));
    assert_string_equal(rota_fake_answer_status(asks[2]), "INTERNAL more than one request message for a method that takes one");
    rota_fake_ask_end(asks[0]);
    assert_string_equal(rota_fake_answer_status(asks[0]), "OK");
    assert_int_equal(strlen(rota_fake_answer_messages(asks[0])), LETTERS + 1);
    rota_fake_hang_up(f.asker);
    assert_int_equal(f.server->held_bytes, 0);
    server_fixture_fini(&f);
}

/* Decompressing takes time, which others who came at the same moment do not wait for. */
static void in_a_turn_there_is_a_bound_to_decompressing(void **unused)
{
    static const char too_long[] = "RESOURCE_EXHAUSTED a message decompressed has more than 4194304 bytes, the limit";
    static uint8_t bomb[16384];
    uint8_t letters[600];
    size_t bomb_size = make_request(BOMB, bomb, sizeof(bomb)), letters_size = make_request(GZIPPED, letters, sizeof(letters));
    struct rota_fake_ask *asks[5];
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    for (size_t i = 0; i < ROTA_COUNT(asks); i++) {
        asks[i] = rota_fake_ask(f.asker, i == 3 ? "/t.S/Chat" : "/t.S/Echo", i == 4 ? NULL : "grpc-encoding", "gzip");
        if (i == 3)
            rota_fake_ask_data(asks[i], rota_slice(letters, letters_size));
        else if (i == 4)
            rota_fake_ask_message(asks[i], "a");
        else
            rota_fake_ask_data(asks[i], rota_slice(bomb, bomb_size));
        rota_fake_ask_end(asks[i]);
    }
    assert_string_equal(rota_fake_answer_status(asks[0]), too_long);
    assert_string_equal(rota_fake_answer_status(asks[1]), "open");
    assert_string_equal(rota_fake_answer_status(asks[3]), "open");
    assert_string_equal(rota_fake_answer_status(asks[4]), "OK");
    rota_fake_ask_cancel(asks[1]);
    rota_virtual_host_advance(&f.v, 1);
    assert_string_equal(rota_fake_answer_status(asks[2]), too_long);
    assert_string_equal(rota_fake_answer_status(asks[3]), "open");
    rota_virtual_host_advance(&f.v, 1);
    assert_string_equal(rota_fake_answer_status(asks[3]), "OK");
    assert_int_equal(strlen(rota_fake_answer_messages(asks[3])), LETTERS + 1);
    rota_fake_hang_up(f.asker);
    assert_int_equal(f.server->held_bytes, 0);
    server_fixture_fini(&f);
}

/* --- Memory --- */

/* A compressed request and reply, the n-th allocation failing. Returns whether it was asked for. */
static bool fails_softly(uint64_t nth)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    const struct rota_slice reply = rota_slice(zeros, ZEROS);
    struct rota_fake_ask *ask;
    struct server_fixture f;
    uint8_t request[600];
    const char *status;
    bool failed;

    options.compression = ROTA_COMPRESSION_GZIP;
    server_fixture_init(&f, &options);
    ask = rota_fake_ask(f.asker, "/t.S/Quiet", "grpc-encoding", "gzip");
    act(f.call, "", (char[]){0});
    rota_leak_alloc_fail_nth(&f.alloc, nth);
    rota_fake_ask_data(ask, rota_slice(request, make_request(GZIPPED, request, sizeof(request))));
    if (f.call != NULL && !rota_server_call_cancelled(f.call)) {
        rota_err err = rota_server_call_send(f.call, &reply);
        assert_true(err == 0 || err == ROTA_ENOMEM);
    }
    failed = f.alloc.failed;
    f.alloc.fail_at = 0;
    rota_server_call_finish(f.call, NULL);
    server_fixture_run(&f);
    status = rota_fake_answer_status(ask);
    assert_true(strcmp(status, "OK") == 0 || strncmp(status, "RESOURCE_EXHAUSTED", 18) == 0 || (failed && strcmp(status, "reset 2") == 0));
    server_fixture_fini(&f);
    return failed;
}

static void running_out_of_memory_ends_no_more_than_the_call(void **unused)
{
    uint64_t n = 0;

    (void)unused;
    while (fails_softly(n + 1))
        n++;
    assert_in_range(n, 5, 100);
}

/* --- Status messages --- */

static void a_long_status_message_is_sent_whole(void **unused)
{
    static const struct {
        const char *rule;
        size_t size, want;
        size_t max_field_bytes; /* that the client takes */
    } rows[] = {
        {"as long as a status", 499, 499, 0},
        {"one longer", 500, 500, 0},
        {"much longer", 8192, 8192, 0},
        {"cut at 8 KiB", 9000, 8192, 0},
        {"the beginning for a client that takes no more", 5000, 499, 3000},
    };
    static char text[9001];

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_header fields[] = {{ROTA_SLICE("grpc-status"), ROTA_SLICE("10")}, {ROTA_SLICE("grpc-message"), {0}}};
        struct rota_response got = {0};
        struct rota_slice lines;
        struct rota_arena arena;
        struct rota_fake_ask *ask;
        struct server_fixture f;
        const uint8_t *at;
        print_message("  %s\n", rows[i].rule);
        memset(text, '%', rows[i].size);
        text[rows[i].size] = '\0';
        server_fixture_init(&f, NULL);
        f.acceptor.max_field_bytes = rows[i].max_field_bytes;
        ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
        rota_server_call_fail(f.call, ROTA_ABORTED, "%s", text);
        server_fixture_run(&f);
        lines = rota_buffer_peek(&ask->headers);
        at = memmem(lines.data, lines.size, "grpc-message: ", 14);
        assert_non_null(at);
        at += 14;
        fields[1].value = rota_slice(at, (size_t)((const uint8_t *)memchr(at, '\n', lines.size) - at));
        rota_arena_init(&arena, NULL, 0);
        assert_int_equal(rota_response_trailers(&got, &arena, fields, 2), 0);
        assert_int_equal(got.message.size, rows[i].want);
        assert_memory_equal(got.message.data, text, rows[i].want);
        rota_arena_fini(&arena);
        server_fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_compressed_for_those_who_take_it),
        cmocka_unit_test(compressed_requests_are_read_or_answered_with_the_reason),
        cmocka_unit_test(a_stream_of_requests_may_mix),
        cmocka_unit_test(a_request_stays_compressed_until_its_end),
        cmocka_unit_test(in_a_turn_there_is_a_bound_to_decompressing),
        cmocka_unit_test(running_out_of_memory_ends_no_more_than_the_call),
        cmocka_unit_test(a_long_status_message_is_sent_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
