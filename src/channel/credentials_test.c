/* credentials_test.c - call credentials: where they go, what a failure becomes, and tokens that take their time. */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include <rota/credentials.h>
#include <rota/interceptor.h>
#include <stdio.h>

#define A "1.1.1.1:1"

/* A source of tokens of the test's. */
struct source {
    struct rota_call_credentials credentials;
    const char *key;
    bool later;            /* done does not come from get */
    struct source *also;   /* asked earlier for the same call: answered first, from get; NULL: none */
    struct rota_status answer;
    struct rota_credentials_request *asked; /* and not answered */
    unsigned gets, cancels;
    char url[64], method[16];
};

static void answer(struct source *source)
{
    struct rota_credentials_request *request = source->asked;

    source->asked = NULL;
    if (source->answer.code == ROTA_OK && source->key != NULL)
        assert_int_equal(rota_metadata_add_text(rota_credentials_metadata(request), source->key, "Bearer secret"), 0);
    rota_credentials_done(request, source->answer.code == ROTA_OK ? NULL : &source->answer);
}

static void get(void *arg, struct rota_credentials_request *request)
{
    struct source *source = arg;

    source->gets++;
    source->asked = request;
    assert_null(rota_credentials_loop(request)); /* the fixture has none */
    snprintf(source->url, sizeof(source->url), "%s", rota_credentials_service_url(request));
    snprintf(source->method, sizeof(source->method), "%s", rota_credentials_method(request));
    if (source->also != NULL)
        answer(source->also);
    if (!source->later)
        answer(source);
}

static void cancel(void *arg, struct rota_credentials_request *request)
{
    struct source *source = arg;

    assert_ptr_equal(source->asked, request);
    source->asked = NULL;
    source->cancels++;
}

static void source_init(struct source *source, const char *key)
{
    *source = (struct source){.credentials = ROTA_CALL_CREDENTIALS_INIT, .key = key};
    source->credentials.get = get;
    source->credentials.cancel = cancel;
    source->credentials.arg = source;
    source->credentials.allow_insecure = true;
}

static struct rota_channel_options with(const struct source *source)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    options.credentials = &source->credentials;
    return options;
}

static struct rota_fake_stream *first_stream(struct rota_channel_fixture *f)
{
    return rota_fake_stream_at(rota_fixture_conn(f, A), 0);
}

static const struct end_case {
    const char *rule;
    bool later;
    bool allow_insecure;
    struct rota_status answer;
    enum rota_code want_code;
    const char *want_words;
} end_cases[] = {
    {"a token at once", false, true, {.code = ROTA_OK}, ROTA_OK, ""},
    {"a token later", true, true, {.code = ROTA_OK}, ROTA_OK, ""},
    {"not in the clear", false, false, {.code = ROTA_OK}, ROTA_UNAUTHENTICATED, "need TLS"},
    {"a failure is the call's", false, true, {.code = ROTA_UNAVAILABLE, .message = "no token"}, ROTA_UNAVAILABLE, "call credentials: no token"},
    {"later too", true, true, {.code = ROTA_PERMISSION_DENIED, .message = "no token"}, ROTA_PERMISSION_DENIED, "call credentials: no token"},
    {"a server's code becomes INTERNAL", false, true, {.code = ROTA_NOT_FOUND, .message = "no token"}, ROTA_INTERNAL, "call credentials: no token"},
    {"later too, INTERNAL", true, true, {.code = ROTA_DATA_LOSS, .message = "no token"}, ROTA_INTERNAL, "call credentials: no token"},
};

static void calls_carry_them_or_fail(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(end_cases); i++) {
        const struct end_case *c = &end_cases[i];
        struct rota_channel_options options;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct source source;

        print_message("  %s\n", c->rule);
        source_init(&source, "authorization");
        source.later = c->later;
        source.answer = c->answer;
        source.credentials.allow_insecure = c->allow_insecure;
        options = with(&source);
        rota_channel_fixture_init(&f, &options);
        rota_fixture_ready(&f, A);
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        if (c->later) {
            assert_int_equal(rota_fixture_conn(&f, A)->n_streams, 0);
            answer(&source);
            rota_virtual_host_run(&f.v);
        }
        assert_int_equal(source.gets, c->allow_insecure);
        if (c->want_code == ROTA_OK) {
            assert_string_equal(rota_fake_header(first_stream(&f), "authorization"), "Bearer secret");
            rota_fake_reply(first_stream(&f), "world");
        }
        rota_assert_ended(&seen, c->want_code, c->want_words);
        assert_int_equal(source.cancels, 0);
        rota_channel_fixture_fini(&f);
    }
}

static const struct refused_case {
    const char *rule;
    size_t size;
    void (*get)(void *arg, struct rota_credentials_request *request);
    rota_err want;
    const char *want_words;
} refused_cases[] = {
    {"begun without their initializer", 0, get, ROTA_EINVAL, "begin with ROTA_CALL_CREDENTIALS_INIT"},
    {"without get", sizeof(struct rota_call_credentials), NULL, ROTA_EINVAL, "without `get`"},
    {"as they should be", sizeof(struct rota_call_credentials), get, 0, ""},
};

static void what_is_no_credentials_is_refused(void **unused)
{
    struct rota_slice hello = ROTA_SLICE("hello");

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(refused_cases); i++) {
        const struct refused_case *c = &refused_cases[i];
        struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
        struct rota_errinfo info = {""};
        struct rota_channel_options options;
        struct rota_channel_fixture f;
        struct rota_channel *channel;
        struct rota_seen_call seen = {0};
        struct source source;
        rota_err err;

        print_message("  %s\n", c->rule);
        rota_channel_fixture_init(&f, NULL);
        source_init(&source, NULL);
        source.credentials.size = c->size;
        source.credentials.get = c->get;
        options = with(&source);
        err = rota_channel_make("test:x", &options, rota_channel_parts(f.channel), &channel, &info);
        assert_int_equal(err, c->want);
        assert_non_null(strstr(info.text, c->want_words));
        if (err == 0)
            rota_channel_shut(channel, NULL, NULL);
        rota_virtual_host_run(&f.v);
        call_options.credentials = &source.credentials;
        err = rota_unary_start(f.channel, &rota_fixture_unary, &call_options, &hello, rota_fixture_unary_done, &seen, NULL);
        assert_int_equal(err, c->want);
        assert_int_equal(source.gets, c->want == 0);
        rota_channel_fixture_fini(&f);
    }
}

static const struct url_case {
    const char *rule, *authority, *want;
} url_cases[] = {
    {"the default port is left out", "orders.example:443", "https://orders.example/test.Echo"},
    {"another one is not", "orders.example:8443", "https://orders.example:8443/test.Echo"},
    {"no port", "orders.example", "https://orders.example/test.Echo"},
    {"a port that ends alike", "orders.example:1443", "https://orders.example:1443/test.Echo"},
};

static void the_service_is_named(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(url_cases); i++) {
        struct rota_channel_options options;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct source source;

        print_message("  %s\n", url_cases[i].rule);
        source_init(&source, NULL);
        options = with(&source);
        options.authority = url_cases[i].authority;
        rota_channel_fixture_init(&f, &options);
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        assert_string_equal(source.url, url_cases[i].want);
        assert_string_equal(source.method, "Say");
        rota_channel_fixture_fini(&f);
    }
}

static void a_call_that_ends_first_takes_the_request_back(void **unused)
{
    struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_options options;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct source source;

    (void)unused;
    call_options.timeout_ms = 1000;
    source_init(&source, NULL);
    source.later = true;
    options = with(&source);
    rota_channel_fixture_init(&f, &options);
    rota_fixture_stream_start(&f, NULL, &seen);
    rota_call_cancel(seen.call);
    rota_virtual_host_run(&f.v);
    rota_assert_ended(&seen, ROTA_CANCELLED, "");
    assert_int_equal(source.cancels, 1);
    rota_fixture_stream_start(&f, &call_options, &seen);
    rota_virtual_host_advance(&f.v, ROTA_S);
    rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "");
    assert_int_equal(source.cancels, 2);
    rota_fixture_stream_start(&f, NULL, &seen);
    rota_channel_fixture_fini(&f);
    rota_assert_ended(&seen, ROTA_CANCELLED, "closed");
    assert_int_equal(source.cancels, 3);
}

/* What the outer interceptor finds at its start and at the end. */
static enum rota_intercept see_start(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    (void)state;
    (void)ret_status;
    *(size_t *)arg = rota_metadata_count(rota_call_metadata(call));
    return ROTA_INTERCEPT_PASS;
}

static void a_call_carries_the_channels_and_its_own(void **unused)
{
    static const struct rota_client_interceptor_class class = {.name = "outer", .on_start = see_start};
    size_t seen_first = 99;
    const struct rota_client_interceptor interceptors[] = {{&class, &seen_first}, {NULL, NULL}};
    struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_options options;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct source channels, own;

    (void)unused;
    source_init(&channels, "authorization");
    source_init(&own, "x-user-token");
    own.later = channels.later = true;
    options = with(&channels);
    options.interceptors = interceptors;
    call_options.credentials = &own.credentials;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, "hello", &call_options, &seen);
    assert_int_equal(seen_first, 0); /* nothing secret yet */
    answer(&own);
    assert_int_equal(rota_fixture_conn(&f, A)->n_streams, 0);
    answer(&channels);
    assert_string_equal(rota_fake_header(first_stream(&f), "authorization"), "Bearer secret");
    assert_string_equal(rota_fake_header(first_stream(&f), "x-user-token"), "Bearer secret");
    rota_fake_reply(first_stream(&f), "world");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

/* As a cache does that has both wait for one thing, which turns out to be there. */
static void one_may_be_done_while_the_other_is_asked(void **unused)
{
    static const struct {
        const char *rule;
        bool later; /* the second one */
        enum rota_code first, want;
        unsigned cancels;
    } rows[] = {
        {"both at once", false, ROTA_OK, ROTA_OK, 0},
        {"the second later", true, ROTA_OK, ROTA_OK, 0},
        {"the first fails", false, ROTA_UNAVAILABLE, ROTA_UNAVAILABLE, 0},
        {"the first fails, and the second has begun", true, ROTA_UNAVAILABLE, ROTA_UNAVAILABLE, 1},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
        struct rota_channel_options options;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        struct source channels, own;

        print_message("  %s\n", rows[i].rule);
        source_init(&channels, "authorization");
        source_init(&own, "x-user-token");
        channels.later = true;
        channels.answer.code = rows[i].first;
        own.later = rows[i].later;
        own.also = &channels;
        options = with(&channels);
        call_options.credentials = &own.credentials;
        rota_channel_fixture_init(&f, &options);
        rota_fixture_ready(&f, A);
        rota_fixture_unary_start(&f, "hello", &call_options, &seen);
        if (rows[i].want == ROTA_OK) {
            assert_int_equal(rota_fixture_conn(&f, A)->n_streams, !rows[i].later);
            if (rows[i].later)
                answer(&own);
            assert_string_equal(rota_fake_header(first_stream(&f), "authorization"), "Bearer secret");
            assert_string_equal(rota_fake_header(first_stream(&f), "x-user-token"), "Bearer secret");
            rota_fake_reply(first_stream(&f), "world");
        }
        rota_assert_ended(&seen, rows[i].want, "");
        assert_int_equal(own.cancels, rows[i].cancels);
        assert_int_equal(channels.cancels, 0);
        rota_channel_fixture_fini(&f);
    }
}

static void without_memory_the_call_ends(void **unused)
{
    struct rota_slice hello = ROTA_SLICE("hello");
    unsigned n_failed = 0;
    bool failed = true;

    (void)unused;
    for (uint64_t n = 1; failed; n++) {
        struct rota_channel_options options;
        struct rota_channel_fixture f;
        struct rota_seen_call seen = {0};
        struct source source;
        rota_err err;

        source_init(&source, NULL);
        source.later = true;
        options = with(&source);
        rota_channel_fixture_init(&f, &options);
        rota_leak_alloc_fail_nth(&f.leaks, n);
        err = rota_unary_start(f.channel, &rota_fixture_unary, NULL, &hello, rota_fixture_unary_done, &seen, &seen.call);
        failed = f.leaks.failed;
        assert_true(err == 0 || err == ROTA_ENOMEM);
        rota_channel_fixture_fini(&f);
        assert_int_equal(seen.dones, err == 0);
        assert_int_equal(source.cancels, source.gets);
        n_failed += failed;
    }
    assert_true(n_failed > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_carry_them_or_fail),
        cmocka_unit_test(what_is_no_credentials_is_refused),
        cmocka_unit_test(the_service_is_named),
        cmocka_unit_test(a_call_that_ends_first_takes_the_request_back),
        cmocka_unit_test(a_call_carries_the_channels_and_its_own),
        cmocka_unit_test(one_may_be_done_while_the_other_is_asked),
        cmocka_unit_test(without_memory_the_call_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
