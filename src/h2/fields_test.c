/* fields_test.c - one row a rule on header fields, each asked twice: as text, and again by the note that the first look left. */
#include "base/assert.h"
#include "h2/session.h"
#include "testing/cmocka.h"

#define REQUEST ":method=POST|:scheme=http|:path=/a/b"
#define RESPONSE ":status=200"

enum { Q = ROTA_H2_BLOCK_REQUEST, R = ROTA_H2_BLOCK_RESPONSE, T = ROTA_H2_BLOCK_TRAILERS };

/* want: a letter a field, Keep Drop Refuse; then '.' if the block is complete, '!' if not. Nothing follows a refusal. */
static const struct {
    const char *rule;
    int kind;
    bool end;
    const char *fields, *want;
} cases[] = {
    {"a request has a method, a scheme and a path", Q, false, REQUEST, "KKK."},
    {"no method", Q, false, ":scheme=http|:path=/a/b", "KK!"},
    {"no scheme", Q, false, ":method=POST|:path=/a/b", "KK!"},
    {"no path", Q, false, ":method=POST|:scheme=http", "KK!"},
    {"an authority may be there", Q, false, REQUEST "|:authority=x", "KKKK."},
    {"and may be empty", Q, false, REQUEST "|:authority=", "KKKK."},
    {"no path may be empty", Q, false, ":path=", "R"},
    {"no method may be empty", Q, false, ":method=", "R"},
    {"a pseudo field comes once", Q, false, REQUEST "|:path=/a/b", "KKKR"},
    {"pseudo fields come first", Q, false, ":method=POST|x=y|:scheme=http", "KKR"},
    {"a request has no status", Q, false, ":status=200", "R"},
    {"CONNECT asks for a host and nothing else", Q, true, ":method=CONNECT|:authority=x:1", "KK."},
    {"CONNECT without a host", Q, true, ":method=CONNECT", "K!"},
    {"CONNECT for a path", Q, true, ":method=CONNECT|:authority=x:1|:path=/a/b", "KKK!"},
    {"CONNECT with a scheme", Q, true, ":method=CONNECT|:authority=x:1|:scheme=http", "KKK!"},
    {"CONNECT as a second method", Q, true, ":method=POST|:method=CONNECT", "KR"},
    {"an unknown pseudo field", Q, false, ":protocol=websocket", "R"},
    {"a pseudo field with a control character", Q, false, ":path=/a\x01", "R"},
    {"a response has a status", R, false, RESPONSE "|x=y", "KK."},
    {"no status", R, false, "x=y", "K!"},
    {"a status has three digits", R, false, ":status=20", "R"},
    {"all of them digits", R, false, ":status=2x0", "R"},
    {"no switching of protocols", R, false, ":status=101", "R"},
    {"an early hint", R, false, ":status=103", "K."},
    {"a response has no path", R, false, RESPONSE "|:path=/", "KR"},
    {"two of a status", R, false, RESPONSE "|" RESPONSE, "KR"},
    {"trailers have no pseudo fields", T, true, ":status=200", "R"},
    {"nor a method", T, true, ":method=POST", "R"},
    {"trailers may be none", T, true, "", "."},
    {"trailers", T, true, "grpc-status=0|grpc-message=", "KK."},
    {"a capital in a name", T, true, "Grpc-status=0", "R"},
    {"a blank in a name", T, true, "grpc status=0", "R"},
    {"a byte above ASCII in a name", T, true, "\xc3\xa4=0", "R"},
    {"all that a name may have but a bar", T, true, "!#$%&'*+-.^_`~09az=0", "K."},
    {"what it may not", T, true, "a(=0", "R"},
    {"nor this", T, true, "a@=0", "R"},
    {"nor this", T, true, "a[=0", "R"},
    {"nor this", T, true, "a{=0", "R"},
    {"nor this", T, true, "a\x7f=0", "R"},
    {"a tab in a value", T, true, "x=a\tb", "K."},
    {"bytes above ASCII in a value", T, true, "x=\xc3\xa4", "K."},
    {"a control character in a value leaves the field out", T, true, "x=a\x01" "b|y=z", "DK."},
    {"DEL, too", T, true, "x=a\x7f", "D."},
    {"a line feed in a value", T, true, "x=a\nb", "R"},
    {"a carriage return", T, true, "x=a\rb", "R"},
    {"what is left out still ends the pseudo fields", R, false, "x=\x01|:status=200", "DR"},
    {"connection", Q, false, REQUEST "|connection=close", "KKKR"},
    {"keep-alive", Q, false, REQUEST "|keep-alive=1", "KKKR"},
    {"proxy-connection", Q, false, REQUEST "|proxy-connection=1", "KKKR"},
    {"transfer-encoding", Q, false, REQUEST "|transfer-encoding=chunked", "KKKR"},
    {"upgrade", Q, false, REQUEST "|upgrade=h2c", "KKKR"},
    {"te: trailers", Q, false, REQUEST "|te=trailers", "KKKK."},
    {"te: else", Q, false, REQUEST "|te=gzip", "KKKR"},
    {"a length with a body to come", Q, false, REQUEST "|content-length=5", "KKKK."},
    {"a length with none", Q, true, REQUEST "|content-length=5", "KKKK!"},
    {"no length with none", Q, true, REQUEST "|content-length=0", "KKKK."},
    {"two lengths", Q, false, REQUEST "|content-length=5|content-length=5", "KKKKR"},
    {"an empty length", Q, false, REQUEST "|content-length=", "KKKR"},
    {"a length that is none", Q, false, REQUEST "|content-length=5x", "KKKR"},
    {"a negative length", Q, false, REQUEST "|content-length=-1", "KKKR"},
    {"a length of nineteen digits", Q, false, REQUEST "|content-length=1000000000000000000", "KKKR"},
    {"a response's length with none", R, true, RESPONSE "|content-length=5", "KK!"},
};

static struct rota_slice until(const char **at, const char *stops)
{
    size_t size = 1 + strcspn(*at + 1, stops); /* a pseudo field's colon, or anything */
    struct rota_slice text = rota_slice(*at, size);

    *at += size;
    return text;
}

static char *letters(struct rota_h2_block *block, const char *fields, uint8_t *notes, char *out)
{
    enum rota_h2_field verdict = ROTA_H2_FIELD_KEEP;

    rota_h2_fields_begin(block);
    for (const char *at = fields; *at != '\0' && verdict != ROTA_H2_FIELD_REFUSE; at += *at == '|') {
        struct rota_slice name = until(&at, "=|"), value = {0};

        if (*at == '=') {
            size_t size = strcspn(++at, "|");

            value = rota_slice(at, size);
            at += size;
        }
        verdict = rota_h2_field_check(block, name, value, notes == NULL ? NULL : notes++);
        *out++ = "KDR"[verdict];
    }
    if (verdict != ROTA_H2_FIELD_REFUSE)
        *out++ = rota_h2_fields_flaw(block) == NULL ? '.' : '!';
    *out = '\0';
    return out;
}

static void fields_are_what_http2_allows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_h2_block block = {.kind = (enum rota_h2_block_kind)cases[i].kind, .end_stream = cases[i].end};
        uint8_t notes[8] = {0};
        char got[16];

        print_message("  %s\n", cases[i].rule);
        for (int pass = 0; pass < 3; pass++) {
            letters(&block, cases[i].fields, pass == 0 ? NULL : notes, got);
            assert_string_equal(got, cases[i].want);
        }
    }
}

static void empty_names_and_nul_are_refused(void **state)
{
    struct rota_h2_block block = {.kind = ROTA_H2_BLOCK_TRAILERS};

    (void)state;
    rota_h2_fields_begin(&block);
    assert_int_equal(rota_h2_field_check(&block, rota_slice("", 0), ROTA_SLICE("x"), NULL), ROTA_H2_FIELD_REFUSE);
    assert_int_equal(rota_h2_field_check(&block, ROTA_SLICE("x"), rota_slice("a\0b", 3), NULL), ROTA_H2_FIELD_REFUSE);
    assert_int_equal(rota_h2_field_check(&block, rota_slice("a\0b", 3), ROTA_SLICE("x"), NULL), ROTA_H2_FIELD_REFUSE);
}

/* A note that was left by a request is looked at in a response, where the field has no meaning. */
static void a_note_is_of_the_field_and_not_of_the_block(void **state)
{
    struct rota_h2_block request = {.kind = ROTA_H2_BLOCK_REQUEST}, response = {.kind = ROTA_H2_BLOCK_RESPONSE};
    uint8_t note = 0;

    (void)state;
    rota_h2_fields_begin(&request);
    rota_h2_fields_begin(&response);
    assert_int_equal(rota_h2_field_check(&request, ROTA_SLICE(":path"), ROTA_SLICE("/"), &note), ROTA_H2_FIELD_KEEP);
    assert_int_not_equal(note, 0);
    assert_int_equal(rota_h2_field_check(&response, ROTA_SLICE(":path"), ROTA_SLICE("/"), &note), ROTA_H2_FIELD_REFUSE);
    assert_int_equal(rota_h2_field_check(&request, ROTA_SLICE(":path"), ROTA_SLICE("/"), &note), ROTA_H2_FIELD_REFUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_what_http2_allows),
        cmocka_unit_test(empty_names_and_nul_are_refused),
        cmocka_unit_test(a_note_is_of_the_field_and_not_of_the_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
