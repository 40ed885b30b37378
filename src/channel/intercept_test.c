/* intercept_test.c - two interceptors around a call, A outside and B inside: who is told what, in which order, and once. */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include <rota/interceptor.h>
#include <stdio.h>

#define A "1.1.1.1:1"

/* What one of the two does other than letting everything pass. */
static const struct deed {
    char who, hook; /* the hook's letter; 0: nobody does anything */
    enum rota_intercept verdict;
    enum rota_code code; /* of the end, or what on_done makes of the status */
} nothing = {0};

static struct {
    char trace[400];
    struct deed deed;
    unsigned starts[2], ends[2];
    struct rota_call *held;
    bool cancel_in_headers;
} at;

struct state {
    uint32_t canary;
    struct rota_call *call;
};

static void note(char who, const char *what)
{
    size_t used = strlen(at.trace);

    snprintf(at.trace + used, sizeof(at.trace) - used, "%s%c%s", used == 0 ? "" : " ", who, what);
}

static enum rota_intercept act(char who, char hook, struct rota_status *status)
{
    if (at.deed.who != who || at.deed.hook != hook)
        return ROTA_INTERCEPT_PASS;
    if (at.deed.verdict == ROTA_INTERCEPT_END)
        rota_status_set(status, at.deed.code, "%c does not like it", who);
    return at.deed.verdict;
}

static char name_of(void *arg)
{
    return *(const char *)arg;
}

static enum rota_intercept on_start(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    struct state *s = state;

    assert_int_equal(s->canary, 0);
    *s = (struct state){.canary = 4711, .call = call};
    note(name_of(arg), "s");
    at.starts[name_of(arg) - 'A']++;
    at.held = call;
    return act(name_of(arg), 's', ret_status);
}

static void check_state(void *state, struct rota_call *call)
{
    assert_int_equal(((struct state *)state)->canary, 4711);
    assert_ptr_equal(((struct state *)state)->call, call);
}

static enum rota_intercept on_send(void *state, void *arg, struct rota_call *call, const void *message, struct rota_status *ret_status)
{
    check_state(state, call);
    assert_true(rota_slice_equal(*(const struct rota_slice *)message, ROTA_SLICE("hello")));
    note(name_of(arg), "w");
    return act(name_of(arg), 'w', ret_status);
}

static void on_headers(void *state, void *arg, struct rota_call *call)
{
    struct rota_slice value;

    check_state(state, call);
    assert_true(rota_metadata_get(rota_call_initial_metadata(call), "x-initial", &value));
    note(name_of(arg), "h");
    if (at.cancel_in_headers)
        rota_call_cancel(call);
}

static enum rota_intercept on_message(void *state, void *arg, struct rota_call *call, const void *message, struct rota_status *ret_status)
{
    check_state(state, call);
    assert_true(rota_slice_equal(*(const struct rota_slice *)message, ROTA_SLICE("world")));
    note(name_of(arg), "m");
    return act(name_of(arg), 'm', ret_status);
}

static void on_done(void *state, void *arg, struct rota_call *call, struct rota_status *status)
{
    check_state(state, call);
    note(name_of(arg), "d");
    at.ends[name_of(arg) - 'A']++;
    at.held = NULL;
    if (at.deed.who == name_of(arg) && at.deed.hook == 'd')
        rota_status_set(status, at.deed.code, "%c replaced it", at.deed.who);
}

static const struct rota_client_interceptor_class probe = {
    .name = "probe", .state_size = sizeof(struct state), .on_start = on_start, .on_send = on_send, .on_headers = on_headers,
    .on_message = on_message, .on_done = on_done,
};
static const struct rota_client_interceptor_class idle = {.name = "idle"}; /* every hook may be NULL */
static char outer[] = "A", inner[] = "B";
static const struct rota_client_interceptor two[] = {{&probe, outer}, {&idle, NULL}, {&probe, inner}, {NULL, NULL}};

static struct rota_channel_options with(const struct rota_client_interceptor *interceptors)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    options.interceptors = interceptors;
    return options;
}

static void begin(const struct deed *deed)
{
    memset(&at, 0, sizeof(at));
    at.deed = *deed;
}

static void assert_pairs(void)
{
    assert_int_equal(at.starts[0], at.ends[0]);
    assert_int_equal(at.starts[1], at.ends[1]);
}

/* --- Order, and exactly once --- */

static const struct rota_status refusal = {.code = ROTA_PERMISSION_DENIED, .message = "not you"};

static const struct order_case {
    const char *rule;
    struct deed deed;
    const char *script; /* u unary or s stream starts; w write, e end; R the server replies, F it fails; G go on, X not; C cancel; T 20 s pass; Z close */
    const char *want_trace;
    enum rota_code want_code;
    const char *want_words;
} order_cases[] = {
    {"out in the order given, in reversed", {0}, "uR", "As Bs Aw Bw Bh Ah Bm Am Bd Ad", ROTA_OK, ""},
    {"a stream is seen message by message", {0}, "swwR", "As Bs Aw Bw Aw Bw Bh Ah Bm Am Bd Ad", ROTA_OK, ""},
    {"a failure of the server's has no headers and no message", {0}, "uF", "As Bs Aw Bw Bd Ad", ROTA_NOT_FOUND, "none"},
    {"the outer ends it: the inner never hears of it", {'A', 's', ROTA_INTERCEPT_END, ROTA_ABORTED}, "u", "As Ad", ROTA_ABORTED, "A does not"},
    {"the inner ends it: both are told", {'B', 's', ROTA_INTERCEPT_END, ROTA_ABORTED}, "s", "As Bs Bd Ad", ROTA_ABORTED, "B does not"},
    {"nobody ends a call with OK", {'B', 's', ROTA_INTERCEPT_END, ROTA_OK}, "s", "As Bs Bd Ad", ROTA_INTERNAL, "without a failure"},
    {"held, and let go", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "uGR", "As Bs Aw Bw Bh Ah Bm Am Bd Ad", ROTA_OK, ""},
    {"a stream takes messages while it is held", {'B', 's', ROTA_INTERCEPT_HOLD, 0}, "swGR", "As Bs Aw Bw Bh Ah Bm Am Bd Ad", ROTA_OK, ""},
    {"held, and then refused", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "uX", "As Bs Aw Bw Bd Ad", ROTA_PERMISSION_DENIED, "not you"},
    {"held for too long", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "uT", "As Bs Aw Bw Bd Ad", ROTA_DEADLINE_EXCEEDED, "an interceptor held"},
    {"cancelled while held", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "uC", "As Bs Aw Bw Bd Ad", ROTA_CANCELLED, ""},
    {"closed while held", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "sZ", "As Bs Bd Ad", ROTA_CANCELLED, "closed"},
    {"a message refused ends the call, unary", {'A', 'w', ROTA_INTERCEPT_END, ROTA_DATA_LOSS}, "u", "As Bs Aw Bd Ad", ROTA_DATA_LOSS, "A does not"},
    {"a message refused ends the call, stream", {'B', 'w', ROTA_INTERCEPT_END, ROTA_DATA_LOSS}, "sw", "As Bs Aw Bw Bd Ad", ROTA_DATA_LOSS, "B does not"},
    {"a reply refused by the inner is not shown on", {'B', 'm', ROTA_INTERCEPT_END, ROTA_DATA_LOSS}, "uR", "As Bs Aw Bw Bh Ah Bm Bd Ad", ROTA_DATA_LOSS, ""},
    {"a reply refused by the outer", {'A', 'm', ROTA_INTERCEPT_END, ROTA_DATA_LOSS}, "swR", "As Bs Aw Bw Bh Ah Bm Am Bd Ad", ROTA_DATA_LOSS, ""},
    {"the status replaced", {'B', 'd', 0, ROTA_ABORTED}, "uR", "As Bs Aw Bw Bh Ah Bm Am Bd Ad", ROTA_ABORTED, "B replaced"},
    {"a failure of a stream made OK", {'A', 'd', 0, ROTA_OK}, "swF", "As Bs Aw Bw Bd Ad", ROTA_OK, "A replaced"},
    {"OK needs a reply", {'A', 'd', 0, ROTA_OK}, "uF", "As Bs Aw Bw Bd Ad", ROTA_INTERNAL, "no reply"},
    {"cancelled by the application", {0}, "uC", "As Bs Aw Bw Bd Ad", ROTA_CANCELLED, ""},
    {"the deadline", {0}, "swT", "As Bs Aw Bw Bd Ad", ROTA_DEADLINE_EXCEEDED, "waiting for the reply"},
    {"the channel is closed", {0}, "uZ", "As Bs Aw Bw Bd Ad", ROTA_CANCELLED, "closed"},
};

static void end_hold(struct rota_channel_fixture *f, const struct rota_status *status)
{
    size_t n_before = rota_fixture_conn(f, A)->n_streams;

    assert_int_equal(n_before, 0); /* nothing went out meanwhile */
    rota_call_continue(at.held, status);
    rota_virtual_host_run(&f->v);
}

static void step(struct rota_channel_fixture *f, char what, struct rota_seen_call *seen)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    rota_err err;

    options.timeout_ms = 10000;
    switch (what) {
    case 'u':
        rota_fixture_unary_start(f, "hello", &options, seen);
        break;
    case 's':
        rota_fixture_stream_start(f, &options, seen);
        break;
    case 'w':
        err = rota_fixture_write(seen, "hello");
        assert_int_equal(err, at.deed.hook == 'w' ? ROTA_ECLOSED : 0);
        assert_int_equal(seen->dones, 0); /* not from inside the write */
        rota_virtual_host_run(&f->v);
        break;
    case 'R':
        rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(f, A), 0), "world");
        break;
    case 'F':
        rota_fake_trailers_only(rota_fake_stream_at(rota_fixture_conn(f, A), 0), ROTA_NOT_FOUND, "none");
        break;
    case 'G':
        end_hold(f, NULL);
        break;
    case 'X':
        end_hold(f, &refusal);
        break;
    case 'C':
        rota_call_cancel(seen->call);
        rota_virtual_host_run(&f->v);
        break;
    case 'T':
        rota_virtual_host_advance(&f->v, 20 * ROTA_S);
        break;
    default:
        rota_channel_fixture_close(f);
    }
}

static void hooks_run_in_order_and_once(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(order_cases); i++) {
        const struct order_case *c = &order_cases[i];
        struct rota_channel_options options = with(two);
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        bool closed = strchr(c->script, 'Z') != NULL;

        print_message("  %s\n", c->rule);
        begin(&c->deed);
        rota_channel_fixture_init(&f, &options);
        rota_fixture_ready(&f, A);
        for (const char *s = c->script; *s != '\0'; s++)
            step(&f, *s, &seen);
        assert_string_equal(at.trace, c->want_trace);
        rota_assert_ended(&seen, c->want_code, c->want_words);
        assert_pairs();
        if (closed)
            rota_leak_alloc_fini(&f.leaks);
        else
            rota_channel_fixture_fini(&f);
    }
}

static void cancelling_from_a_hook_waits_for_its_end(void **unused)
{
    struct rota_channel_options options = with(two);
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    begin(&nothing);
    at.cancel_in_headers = true;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_ready(&f, A);
    rota_fixture_stream_start(&f, NULL, &seen);
    rota_fake_headers(rota_fake_stream_at(rota_fixture_conn(&f, A), 0));
    assert_string_equal(at.trace, "As Bs Bh Bd Ad");
    assert_int_equal(seen.headers, 0);
    rota_assert_ended(&seen, ROTA_CANCELLED, "");
    rota_channel_fixture_fini(&f);
}

/* --- What on_start may do --- */

static enum rota_intercept dress(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    (void)state;
    (void)arg;
    (void)ret_status;
    assert_string_equal(rota_call_method(call)->path, "/test.Echo/Say");
    assert_true(rota_call_waits_for_ready(call));
    assert_int_equal(rota_call_deadline_ns(call), rota_call_now_ns(call) + 10 * ROTA_S);
    rota_call_shorten_deadline(call, rota_call_now_ns(call) + 60 * ROTA_S); /* is none */
    rota_call_shorten_deadline(call, rota_call_now_ns(call) + 2 * ROTA_S);
    assert_int_equal(rota_metadata_add_text(rota_call_metadata(call), "x-added", "yes"), 0);
    rota_call_choose_compression(call, ROTA_COMPRESSION_GZIP);
    return ROTA_INTERCEPT_PASS;
}

static uint64_t counted[2];

static void count(void *state, void *arg, struct rota_call *call, struct rota_status *status)
{
    (void)state;
    (void)arg;
    (void)status;
    counted[0] = rota_call_sent_bytes(call);
    counted[1] = rota_call_received_bytes(call);
}

static void on_start_dresses_the_call(void **unused)
{
    static const struct rota_client_interceptor_class class = {.name = "dress", .on_start = dress, .on_done = count};
    static const struct rota_client_interceptor one[] = {{&class, NULL}, {NULL, NULL}};
    struct rota_channel_options channel_options = with(one);
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_fake_stream *stream;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.timeout_ms = 10000;
    options.wait_for_ready = ROTA_WAIT_FOR_READY;
    rota_channel_fixture_init(&f, &channel_options);
    rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, "hello", &options, &seen);
    stream = rota_fake_stream_at(rota_fixture_conn(&f, A), 0);
    assert_string_equal(rota_fake_header(stream, "x-added"), "yes");
    assert_string_equal(rota_fake_header(stream, "grpc-timeout"), "2000000u");
    assert_string_equal(rota_fake_header(stream, "grpc-encoding"), "gzip");
    rota_fake_reply(stream, "reply");
    assert_int_equal(counted[0], 5);
    assert_int_equal(counted[1], 5);
    rota_fixture_unary_start(&f, "hello", &options, &seen);
    rota_virtual_host_advance(&f.v, 2 * ROTA_S);
    rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "deadline of 2000 ms");
    rota_channel_fixture_fini(&f);
}

/* The first one, or the first good one. */
static void a_service_config_that_comes_during_a_hold_counts(void **unused)
{
    static const struct deed hold = {'A', 's', ROTA_INTERCEPT_HOLD, 0};

    (void)unused;
    for (int after_bad = 0; after_bad <= 1; after_bad++) {
        struct rota_channel_options options = with(two);
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        begin(&hold);
        rota_channel_fixture_init(&f, &options);
        rota_channel_connect(f.channel);
        rota_virtual_host_run(&f.v);
        if (after_bad)
            rota_fixture_update(&f, "{bad", A);
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        rota_fixture_update(&f, "{\"methodConfig\":[{\"name\":[{}],\"timeout\":\"3s\"}]}", A);
        rota_fake_up(rota_fixture_conn(&f, A));
        end_hold(&f, NULL);
        assert_string_equal(rota_fake_header(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "grpc-timeout"), "3000000u");
        rota_channel_fixture_fini(&f);
        assert_pairs();
    }
}

static uint32_t n_attempts;

static void count_attempts(void *state, void *arg, struct rota_call *call, struct rota_status *status)
{
    (void)state;
    (void)arg;
    (void)status;
    n_attempts = rota_call_attempts(call);
}

static void a_retry_shows_nothing(void **unused)
{
    static const struct rota_client_interceptor_class counting = {.name = "counting", .on_done = count_attempts};
    static const struct rota_client_interceptor three[] = {{&probe, outer}, {&counting, NULL}, {&probe, inner}, {NULL, NULL}};
    struct rota_channel_options options = with(three);
    struct rota_fake_conn *conn;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    begin(&nothing);
    options.service_config = "{\"methodConfig\":[{\"name\":[{}],\"retryPolicy\":{\"maxAttempts\":3,\"initialBackoff\":\"1s\",\"maxBackoff\":\"1s\","
                             "\"backoffMultiplier\":1,\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]}";
    rota_channel_fixture_init(&f, &options);
    conn = rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, "hello", NULL, &seen);
    rota_fake_trailers_only(rota_fake_stream_at(conn, 0), ROTA_UNAVAILABLE, "again");
    rota_virtual_host_advance(&f.v, 2 * ROTA_S);
    assert_string_equal(rota_fake_request(rota_fake_stream_at(conn, 1)), "hello");
    rota_fake_reply(rota_fake_stream_at(conn, 1), "world");
    rota_assert_ended(&seen, ROTA_OK, "");
    assert_string_equal(at.trace, "As Bs Aw Bw Bh Ah Bm Am Bd Ad");
    assert_int_equal(n_attempts, 2);
    rota_channel_fixture_fini(&f);
}

/* --- A failure made OK, of a method that has one reply --- */

static rota_err read_nothing(const void *type, struct rota_slice bytes, const struct rota_alloc *alloc, void **ret_message, struct rota_errinfo *info)
{
    (void)type;
    (void)bytes;
    (void)alloc;
    (void)ret_message;
    (void)info;
    return ROTA_EPARSE;
}

static enum rota_intercept refuse_message(void *state, void *arg, struct rota_call *call, const void *message, struct rota_status *ret_status)
{
    (void)state;
    (void)call;
    (void)message;
    rota_status_set(ret_status, ROTA_ABORTED, "not this one");
    return *(const bool *)arg ? ROTA_INTERCEPT_END : ROTA_INTERCEPT_PASS;
}

static void make_ok(void *state, void *arg, struct rota_call *call, struct rota_status *status)
{
    (void)state;
    (void)arg;
    (void)call;
    assert_int_not_equal(status->code, ROTA_OK);
    *status = (struct rota_status){.code = ROTA_OK};
}

static void a_failure_made_ok_needs_a_reply(void **unused)
{
    static const struct ok_case {
        const char *rule;
        bool unary, unreadable, refused;
        enum rota_code want;
    } rows[] = {
        {"a reply that came before the failure is given", true, false, false, ROTA_OK},
        {"one that cannot be read is none", true, true, false, ROTA_INTERNAL},
        {"nor is one that an interceptor keeps", true, false, true, ROTA_INTERNAL},
        {"a client's stream: the same", false, false, false, ROTA_OK},
        {"a client's stream: unreadable", false, true, false, ROTA_INTERNAL},
        {"a client's stream: kept", false, false, true, ROTA_INTERNAL},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        static const struct rota_client_interceptor_class healing = {.name = "healing", .on_done = make_ok};
        static const struct rota_client_interceptor_class refusing = {.name = "refusing", .on_message = refuse_message};
        bool refused = rows[i].refused;
        const struct rota_client_interceptor three[] = {{&healing, NULL}, {&refusing, &refused}, {NULL, NULL}};
        struct rota_channel_options options = with(three);
        struct rota_codec codec = rota_codec_bytes;
        struct rota_method method = rota_fixture_unary;
        struct rota_slice hello = ROTA_SLICE("hello");
        struct rota_channel_fixture f;
        struct rota_fake_stream *stream;
        struct rota_seen_call seen = {0};

        print_message("  %s\n", rows[i].rule);
        if (rows[i].unreadable)
            codec.unpack = read_nothing;
        method.reply.codec = &codec;
        method.client_streaming = !rows[i].unary;
        rota_channel_fixture_init(&f, &options);
        rota_fixture_ready(&f, A);
        if (rows[i].unary)
            assert_int_equal(rota_unary_start(f.channel, &method, NULL, &hello, rota_fixture_unary_done, &seen, NULL), 0);
        else
            assert_int_equal(rota_call_start(f.channel, &method, NULL, &rota_fixture_events, &seen, &seen.call), 0);
        stream = rota_fake_stream_at(rota_fixture_conn(&f, A), 0);
        rota_fake_headers(stream);
        rota_fake_message(stream, "world");
        rota_fake_trailers(stream, ROTA_DATA_LOSS, "half of it");
        rota_assert_ended(&seen, rows[i].want, rows[i].want == ROTA_OK ? "" : "no reply");
        assert_int_equal(seen.n_messages, rows[i].want == ROTA_OK ? 1 : 0);
        rota_channel_fixture_fini(&f);
    }
}

/* --- Memory --- */

static rota_err call_all_kinds(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_channel_options options = with(two);
    struct rota_slice hello = ROTA_SLICE("hello");
    struct rota_channel_fixture f = {0};
    struct rota_seen_call unary = {0}, stream = {0};
    rota_err err, err2 = 0;

    (void)ctx;
    begin(&nothing);
    err = rota_channel_fixture_open(&f, alloc, &options);
    if (err == 0) {
        err = rota_unary_start(f.channel, &rota_fixture_unary, NULL, &hello, rota_fixture_unary_done, &unary, &unary.call);
        err2 = rota_call_start(f.channel, &rota_fixture_stream, NULL, &rota_fixture_events, &stream, &stream.call);
        if (err2 == 0)
            err2 = rota_call_write(stream.call, &hello);
        rota_virtual_host_run(&f.v);
    }
    rota_channel_fixture_close(&f);
    if (err == 0)
        err = err2;
    assert_pairs();
    if (err == 0)
        assert_true(unary.dones == 1 && stream.dones == 1);
    return err == ROTA_ECLOSED ? ROTA_ENOMEM : err;
}

static void pairs_are_complete_without_memory(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(call_all_kinds, NULL) > 10);
}

static void a_warm_channel_allocates_nothing(void **unused)
{
    struct rota_channel_options options = with(two);
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    uint64_t before = 0;

    (void)unused;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_ready(&f, A);
    for (size_t i = 0; i < 10; i++) {
        begin(&nothing);
        if (i == 5)
            before = f.leaks.allocs;
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), i), "world");
        rota_assert_ended(&seen, ROTA_OK, "");
        assert_pairs();
    }
    assert_int_equal(f.leaks.allocs, before);
    rota_channel_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hooks_run_in_order_and_once),
        cmocka_unit_test(cancelling_from_a_hook_waits_for_its_end),
        cmocka_unit_test(on_start_dresses_the_call),
        cmocka_unit_test(a_service_config_that_comes_during_a_hold_counts),
        cmocka_unit_test(a_retry_shows_nothing),
        cmocka_unit_test(a_failure_made_ok_needs_a_reply),
        cmocka_unit_test(pairs_are_complete_without_memory),
        cmocka_unit_test(a_warm_channel_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
