/* intercept_test.c - two interceptors before a handler, A outside and B inside: who is told what, in which order, and once. */
#include "server/server_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>

/* What one of the two does other than letting everything pass. */
struct deed {
    char who, hook; /* the hook's letter; 0: nobody does anything */
    enum rota_intercept verdict;
    enum rota_code code; /* of the end, or what on_finish makes of the status */
};

static struct {
    char trace[400];
    struct deed deed;
    unsigned starts[2], ends[2];
    struct rota_server_call *held;
    enum rota_code finished; /* as A saw it */
} at;

struct state {
    uint32_t canary;
    struct rota_server_call *call;
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

static enum rota_intercept on_start(void *state, void *arg, struct rota_server_call *call, struct rota_status *ret_status)
{
    struct state *s = state;

    assert_int_equal(s->canary, 0);
    *s = (struct state){.canary = 4711, .call = call};
    assert_non_null(rota_server_call_path(call));
    assert_string_equal(rota_server_call_peer(call), "192.0.2.1:5000");
    note(name_of(arg), "s");
    at.starts[name_of(arg) - 'A']++;
    at.held = call;
    return act(name_of(arg), 's', ret_status);
}

static void check_state(void *state, struct rota_server_call *call)
{
    assert_int_equal(((struct state *)state)->canary, 4711);
    assert_ptr_equal(((struct state *)state)->call, call);
}

static enum rota_intercept on_message(void *state, void *arg, struct rota_server_call *call, const void *message, struct rota_status *ret_status)
{
    check_state(state, call);
    assert_true(rota_slice_equal(*(const struct rota_slice *)message, ROTA_SLICE("hello")));
    note(name_of(arg), "m");
    return act(name_of(arg), 'm', ret_status);
}

static enum rota_intercept on_send(void *state, void *arg, struct rota_server_call *call, const void *message, struct rota_status *ret_status)
{
    check_state(state, call);
    assert_int_equal(((const struct rota_slice *)message)->data[0], rota_server_call_path(call)[5] == 'J' ? '5' : 'h');
    note(name_of(arg), "w");
    return act(name_of(arg), 'w', ret_status);
}

static void on_finish(void *state, void *arg, struct rota_server_call *call, struct rota_status *status)
{
    char key[] = "x-by-a";

    check_state(state, call);
    note(name_of(arg), "f");
    at.ends[name_of(arg) - 'A']++;
    at.held = NULL;
    at.finished = status->code;
    key[5] = (char)(name_of(arg) - 'A' + 'a');
    if (rota_server_call_trailing_metadata(call) != NULL)
        (void)!rota_metadata_add_text(rota_server_call_trailing_metadata(call), key, "yes");
    if (at.deed.who == name_of(arg) && at.deed.hook == 'f')
        rota_status_set(status, at.deed.code, "%c replaced it", at.deed.who);
}

static const struct rota_server_interceptor_class probe = {
    .name = "probe", .state_size = sizeof(struct state), .on_start = on_start, .on_message = on_message, .on_send = on_send, .on_finish = on_finish};
static const struct rota_server_interceptor_class idle = {.name = "idle"}; /* every hook may be NULL */
static char outer[] = "A", inner[] = "B";
static const struct rota_server_interceptor two[] = {{&probe, outer}, {&idle, NULL}, {&probe, inner}, {NULL, NULL}};

static void begin(struct server_fixture *f, const struct deed *deed)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;

    memset(&at, 0, sizeof(at));
    at.deed = *deed;
    options.interceptors = two;
    server_fixture_init(f, &options);
}

static void assert_pairs(void)
{
    assert_int_equal(at.starts[0], at.ends[0]);
    assert_int_equal(at.starts[1], at.ends[1]);
}

/* --- Order, and exactly once --- */

static const struct rota_status refusal = {.code = ROTA_UNAUTHENTICATED, .message = "who are you"};

static const struct order_case {
    const char *rule;
    struct deed deed;
    const char *path;
    const char *script; /* after the headers: m message, e end; G go on, X not; C the client cancels, T 20 s pass, H the client hangs up, F the handler finishes */
    const char *want_trace, *want_handler, *want_status; /* handler: server_fixture.h */
} order_cases[] = {
    {"in with the order given, out reversed", {0}, "/t.S/Echo", "me", "As Bs Am Bm Bw Aw Bf Af", "m:hello ", "OK"},
    {"a stream is seen message by message", {0}, "/t.S/Chat", "mme", "As Bs Am Bm Bw Aw Am Bm Bw Aw Bf Af", "Sm:hello m:hello E", "OK"},
    {"the outer ends it: nobody else hears of it", {'A', 's', ROTA_INTERCEPT_END, ROTA_PERMISSION_DENIED}, "/t.S/Echo", "me", "As Af", "",
     "PERMISSION_DENIED A does not like it"},
    {"the inner ends it: both are told, the handler is not", {'B', 's', ROTA_INTERCEPT_END, ROTA_ABORTED}, "/t.S/Echo", "me", "As Bs Bf Af", "",
     "ABORTED B does not like it"},
    {"nobody ends a call with OK", {'A', 's', ROTA_INTERCEPT_END, ROTA_OK}, "/t.S/Echo", "", "As Af", "",
     "INTERNAL an interceptor ended the call without a failure"},
    {"unknown methods are seen", {0}, "/t.S/None", "me", "As Bs Bf Af", "", "UNIMPLEMENTED unknown method None for service t.S"},
    {"the outer holds: the inner waits too", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Echo", "me", "As", "", "open"},
    {"held, and let go before the message", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Echo", "Gme", "As Bs Am Bm Bw Aw Bf Af", "m:hello ", "OK"},
    {"held, and let go after the message", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Echo", "meG", "As Bs Am Bm Bw Aw Bf Af", "m:hello ", "OK"},
    {"held stream, messages wait", {'B', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Chat", "mGme", "As Bs Am Bm Bw Aw Am Bm Bw Aw Bf Af", "Sm:hello m:hello E",
     "OK"},
    {"held, and then refused", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Chat", "meX", "As Af", "", "UNAUTHENTICATED who are you"},
    {"an unknown method held", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/None", "meG", "As Bs Bf Af", "", "UNIMPLEMENTED unknown method None for service t.S"},
    {"held for too long", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Echo", "meT", "As Af", "", "DEADLINE_EXCEEDED the deadline passed on the server"},
    {"cancelled while held", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Echo", "mC", "As Af", "", NULL},
    {"the client hangs up while held", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Echo", "mH", "As Af", "", NULL},
    {"a message refused, unary", {'B', 'm', ROTA_INTERCEPT_END, ROTA_DATA_LOSS}, "/t.S/Echo", "me", "As Bs Am Bm Bf Af", "", "DATA_LOSS B does not like it"},
    {"a message refused, stream", {'A', 'm', ROTA_INTERCEPT_END, ROTA_DATA_LOSS}, "/t.S/Chat", "m", "As Bs Am Bf Af", "SC", "DATA_LOSS A does not like it"},
    {"a reply refused", {'B', 'w', ROTA_INTERCEPT_END, ROTA_DATA_LOSS}, "/t.S/Echo", "me", "As Bs Am Bm Bw Bf Af", "m:hello ", "DATA_LOSS B does not like it"},
    {"the status replaced", {'B', 'f', 0, ROTA_ABORTED}, "/t.S/Echo", "me", "As Bs Am Bm Bw Aw Bf Af", "m:hello ", "ABORTED B replaced it"},
    {"the deadline", {0}, "/t.S/Join", "mT", "As Bs Am Bm Bf Af", "Sm:hello C", "DEADLINE_EXCEEDED the deadline passed on the server"},
    {"the client cancels", {0}, "/t.S/Join", "mC", "As Bs Am Bm Bf Af", "Sm:hello C", NULL},
    {"the client hangs up before its message", {0}, "/t.S/Chat", "H", "As Bs Bf Af", "SC", NULL},
    {"the server is closed", {0}, "/t.S/Join", "mZ", "As Bs Am Bm Bf Af", "Sm:hello C", NULL},
    {"the server is closed while one holds", {'A', 's', ROTA_INTERCEPT_HOLD, 0}, "/t.S/Later", "meZ", "As Af", "", NULL},
};

static void step(struct server_fixture *f, char what, struct rota_fake_ask *ask)
{
    switch (what) {
    case 'm':
        rota_fake_ask_message(ask, "hello");
        break;
    case 'e':
        rota_fake_ask_end(ask);
        break;
    case 'G':
    case 'X':
        assert_false(ask->headers_sent);
        rota_server_call_continue(at.held, what == 'G' ? NULL : &refusal);
        server_fixture_run(f);
        break;
    case 'C':
        rota_fake_ask_cancel(ask);
        break;
    case 'H':
        rota_fake_hang_up(f->asker);
        break;
    case 'T':
        rota_virtual_host_advance(&f->v, 20 * ROTA_S);
        break;
    default:
        server_fixture_close(f);
    }
}

static void check_answer(const struct order_case *c, const struct rota_fake_ask *ask)
{
    if (c->want_status == NULL) { /* nobody is left */
        assert_int_equal(at.finished, ROTA_CANCELLED);
        return;
    }
    assert_string_equal(rota_fake_answer_status(ask), c->want_status);
    if (at.ends[0] > 0)
        assert_string_equal(rota_fake_answer_header(ask, "x-by-a"), "yes");
}

static void hooks_run_in_order_and_once(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(order_cases); i++) {
        const struct order_case *c = &order_cases[i];
        struct server_fixture f;
        struct rota_fake_ask *ask;

        print_message("  %s\n", c->rule);
        begin(&f, &c->deed);
        ask = rota_fake_ask(f.asker, c->path, "grpc-timeout", "10S");
        for (const char *s = c->script; *s != '\0'; s++)
            step(&f, *s, ask);
        assert_string_equal(at.trace, c->want_trace);
        assert_string_equal(f.trace, c->want_handler);
        check_answer(c, ask);
        server_fixture_fini(&f);
        assert_pairs();
    }
}

/* --- What hooks and handlers see --- */

static struct {
    uint64_t sent_bytes, received_bytes;
    bool known;
    char path[32], token[16];
    int64_t ran_ns;
} saw;

static enum rota_intercept look(void *state, void *arg, struct rota_server_call *call, struct rota_status *ret_status)
{
    struct rota_slice token = {0};

    (void)arg;
    (void)ret_status;
    *(int64_t *)state = rota_server_call_now_ns(call);
    (void)rota_metadata_get(rota_server_call_metadata(call), "authorization", &token);
    snprintf(saw.token, sizeof(saw.token), "%.*s", (int)token.size, (const char *)token.data);
    snprintf(saw.path, sizeof(saw.path), "%s", rota_server_call_path(call));
    saw.known = rota_server_call_method(call) != NULL;
    return ROTA_INTERCEPT_PASS;
}

static void look_back(void *state, void *arg, struct rota_server_call *call, struct rota_status *status)
{
    (void)arg;
    (void)status;
    saw.sent_bytes = rota_server_call_sent_bytes(call);
    saw.received_bytes = rota_server_call_received_bytes(call);
    saw.ran_ns = rota_server_call_now_ns(call) - *(int64_t *)state;
}

static const struct rota_server_interceptor_class looker = {.name = "looker", .state_size = sizeof(int64_t), .on_start = look, .on_finish = look_back};

static void hooks_see_the_call(void **unused)
{
    static const struct rota_server_interceptor one[] = {{&looker, NULL}, {NULL, NULL}};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct server_fixture f;
    struct rota_fake_ask *ask;

    (void)unused;
    options.interceptors = one;
    server_fixture_init(&f, &options);
    ask = rota_fake_ask(f.asker, "/t.S/Later", "authorization", "Bearer x");
    rota_fake_ask_message(ask, "four");
    rota_fake_ask_end(ask);
    assert_string_equal(saw.path, "/t.S/Later");
    assert_string_equal(saw.token, "Bearer x");
    assert_true(saw.known);
    assert_non_null(rota_server_call_state(f.call, &looker));
    assert_null(rota_server_call_state(f.call, &probe));
    rota_virtual_host_advance(&f.v, 3 * ROTA_S);
    server_fixture_reply(&f, "seventy");
    assert_int_equal(saw.received_bytes, 4);
    assert_int_equal(saw.sent_bytes, 7);
    assert_int_equal(saw.ran_ns, 3 * ROTA_S);
    (void)rota_fake_ask(f.asker, "/t.S/None", NULL, NULL);
    assert_string_equal(saw.path, "/t.S/None");
    assert_false(saw.known);
    server_fixture_fini(&f);
}

/* --- Memory --- */

static void pairs_are_complete_without_memory(void **unused)
{
    static const char *const paths[] = {"/t.S/Echo", "/t.S/Join", "/t.S/None"};
    static const struct deed nothing = {0};
    unsigned n_failed = 0;

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(paths); i++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            struct server_fixture f;
            struct rota_fake_ask *ask;

            begin(&f, &nothing);
            rota_leak_alloc_fail_nth(&f.alloc, n);
            ask = rota_fake_ask(f.asker, paths[i], NULL, NULL);
            if (!ask->dead)
                rota_fake_ask_message(ask, "hello");
            if (!ask->dead)
                rota_fake_ask_end(ask);
            failed = f.alloc.failed;
            server_fixture_fini(&f);
            assert_pairs();
            n_failed += failed;
        }
    }
    print_message("  %u failed allocations\n", n_failed);
    assert_true(n_failed > 6);
}

static void making_a_server_needs_memory(void **unused)
{
    (void)unused;
    for (uint64_t n = 1; n <= 2; n++) {
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_fake_acceptor acceptor;
        struct rota_server_parts parts;
        struct rota_virtual_host v;
        struct rota_leak_alloc leaks;
        struct rota_server *server;

        options.interceptors = two;
        rota_leak_alloc_init(&leaks);
        rota_virtual_host_init(&v, &leaks.alloc, 1);
        rota_fake_acceptor_init(&acceptor, &v, NULL);
        parts = (struct rota_server_parts){.host = &v.host, .acceptor = &acceptor.acceptor};
        rota_leak_alloc_fail_nth(&leaks, n);
        assert_int_equal(rota_server_make(&options, &parts, &server, NULL), ROTA_ENOMEM);
        rota_fake_acceptor_fini(&acceptor);
        rota_virtual_host_fini(&v);
        rota_leak_alloc_fini(&leaks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hooks_run_in_order_and_once),
        cmocka_unit_test(hooks_see_the_call),
        cmocka_unit_test(pairs_are_complete_without_memory),
        cmocka_unit_test(making_a_server_needs_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
