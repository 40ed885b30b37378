/* stubs_test.c - generated code at work: golden/kinds.proto over a scripted runtime, which this file defines in place of librota.
 *
 * Messages are real (protobuf-c's, from malloc as the real runtime's are), so a reply that is not freed shows with
 * AddressSanitizer.
 */
#include "base/assert.h"
#include "kinds.rota.h"
#include "optional.pb-c.h"
#include "testing/cmocka.h"
#include <stdio.h>

#define CHANNEL ((struct rota_channel *)&fake.n_sent)
#define CALL ((struct rota_call *)&fake)
#define SERVER_CALL ((struct rota_server_call *)&fake)

/* What the runtime does, and what it was told. */
static struct {
    enum rota_code code;         /* how calls end */
    int n_replies;               /* messages still to be received */
    rota_err send_err;           /* of send and write */
    int n_sent, n_ends, n_finished, n_cancelled, n_default_cancels;
    bool gone;                   /* the client of the server's call */
    const struct rota_method *method;
    const void *reply;           /* as the server sent it */
    enum rota_code fail_code;
    char fail_text[200];
    const char *event;           /* the handler called last */
    const struct rota_service *service;
} fake;

static int reset(void **unused)
{
    (void)unused;
    memset(&fake, 0, sizeof(fake));
    return 0;
}

static struct rota_status end(void)
{
    struct rota_status status = {.code = fake.code};
    return status;
}

static void *make_reply(void)
{
    void *reply = NULL;

    assert_int_equal(rota_codec_protobuf_c.unpack(fake.method->reply.type, ROTA_SLICE("\x08\x07"), NULL, &reply, NULL), 0);
    return reply;
}

struct rota_status rota_unary(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                              const void *request, void **ret_reply)
{
    assert_ptr_equal(channel, CHANNEL);
    assert_null(options);
    assert_non_null(request);
    fake.method = method;
    if (fake.code == ROTA_OK)
        *ret_reply = make_reply();
    return end();
}

rota_err rota_unary_start_typed(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                const void *request, rota_unary_thunk thunk, void (*done)(void), void *arg, struct rota_call **ret_call)
{
    struct rota_status status = end();
    void *reply;

    (void)channel, (void)options, (void)request, (void)ret_call;
    fake.method = method;
    reply = make_reply();
    thunk(done, arg, &status, reply);
    rota_codec_protobuf_c.free(method->reply.type, reply, NULL);
    return 0;
}

rota_err rota_call_open(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                        struct rota_call **ret_call)
{
    (void)channel, (void)options;
    fake.method = method;
    *ret_call = CALL;
    return 0;
}

rota_err rota_call_start(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                         const struct rota_call_events *events, void *arg, struct rota_call **ret_call)
{
    (void)events, (void)arg;
    return rota_call_open(channel, method, options, ret_call);
}

rota_err rota_call_send(struct rota_call *call, const void *message)
{
    assert_ptr_equal(call, CALL);
    assert_non_null(message);
    fake.n_sent += fake.send_err == 0;
    return fake.send_err;
}

rota_err rota_call_write(struct rota_call *call, const void *message)
{
    return rota_call_send(call, message);
}

rota_err rota_call_send_end(struct rota_call *call)
{
    (void)call;
    fake.n_ends++;
    return 0;
}

rota_err rota_call_write_end(struct rota_call *call)
{
    return rota_call_send_end(call);
}

bool rota_call_recv(struct rota_call *call, void **ret_message)
{
    (void)call;
    if (fake.n_replies == 0)
        return false;
    fake.n_replies--;
    *ret_message = make_reply();
    return true;
}

struct rota_status rota_call_finish(struct rota_call *call)
{
    (void)call;
    fake.n_finished++;
    return end();
}

void rota_call_cancel(struct rota_call *call)
{
    (void)call;
    fake.n_cancelled++;
}

rota_err rota_server_add(struct rota_server *server, const struct rota_service *service, const void *handlers, void *user)
{
    (void)server, (void)handlers, (void)user;
    fake.service = service;
    return 0;
}

rota_err rota_server_call_send(struct rota_server_call *call, const void *message)
{
    (void)call;
    fake.reply = message;
    return fake.send_err;
}

void rota_server_call_reply(struct rota_server_call *call, const void *message)
{
    (void)call;
    fake.reply = message;
}

void rota_server_call_fail(struct rota_server_call *call, enum rota_code code, const char *format, ...)
{
    va_list args;

    (void)call;
    va_start(args, format);
    vsnprintf(fake.fail_text, sizeof(fake.fail_text), format, args);
    va_end(args);
    fake.fail_code = code;
}

void rota_server_call_cancel_default(struct rota_server_call *call)
{
    (void)call;
    fake.n_default_cancels++;
}

bool rota_server_call_cancelled(const struct rota_server_call *call)
{
    (void)call;
    return fake.gone;
}

static const Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;

static void unary_gives_the_reply_only_with_ok(void **unused)
{
    Golden__V1__Answer untouched, *reply = &untouched;

    (void)unused;
    assert_int_equal(golden_v1_counter_unary(CHANNEL, NULL, &ask, &reply).code, ROTA_OK);
    assert_int_equal(reply->number, 7);
    golden__v1__answer__free_unpacked(reply, NULL);
    assert_int_equal(golden_v1_counter_unary(CHANNEL, NULL, &ask, NULL).code, ROTA_OK);
    fake.code = ROTA_UNAVAILABLE;
    reply = &untouched;
    assert_int_equal(golden_v1_counter_unary(CHANNEL, NULL, &ask, &reply).code, ROTA_UNAVAILABLE);
    assert_ptr_equal(reply, &untouched);
    assert_string_equal(fake.method->path, "/golden.v1.Counter/Unary");
}

static void on_unary(void *arg, const struct rota_status *status, const Golden__V1__Answer *reply)
{
    assert_true(rota_status_ok(status));
    *(int64_t *)arg = reply->number;
}

static void asynchronous_unary_hands_on_its_own_types(void **unused)
{
    int64_t number = 0;

    (void)unused;
    assert_int_equal(golden_v1_counter_unary_start(CHANNEL, NULL, &ask, on_unary, &number, NULL), 0);
    assert_int_equal(number, 7);
}

static const struct finish_case {
    const char *rule;
    int n_replies;
    enum rota_code ended, want;
} finishes[] = {
    {"one reply and OK", 1, ROTA_OK, ROTA_OK},
    {"OK without a reply is the server's fault", 0, ROTA_OK, ROTA_INTERNAL},
    {"two replies are too", 2, ROTA_OK, ROTA_INTERNAL},
    {"a failure stays what it is", 0, ROTA_NOT_FOUND, ROTA_NOT_FOUND},
    {"a reply does not hide a failure", 1, ROTA_ABORTED, ROTA_ABORTED},
};

static void finishing_wants_exactly_one_reply(void **state)
{
    for (size_t i = 0; i < 2 * ROTA_COUNT(finishes); i++) {
        const struct finish_case *c = &finishes[i / 2];
        Golden__V1__Answer *reply = NULL;
        bool wanted = i % 2 == 0;
        struct rota_call *call;

        print_message("  %s%s\n", c->rule, wanted ? "" : ", not wanted");
        reset(state);
        assert_int_equal(golden_v1_counter_up_open(CHANNEL, NULL, &call), 0);
        assert_int_equal(golden_v1_counter_up_send(call, &ask), 0);
        fake.n_replies = c->n_replies;
        fake.code = c->ended;
        assert_int_equal(golden_v1_counter_up_finish(call, wanted ? &reply : NULL).code, c->want);
        assert_int_equal(reply != NULL, wanted && c->want == ROTA_OK);
        assert_int_equal(fake.n_ends, 1);
        assert_int_equal(fake.n_finished, 1);
        if (reply != NULL)
            golden__v1__answer__free_unpacked(reply, NULL);
    }
}

static const struct open_case {
    const char *rule;
    rota_err send_err, want;
    int n_ends, n_finished;
} opens[] = {
    {"the request is all that is sent", 0, 0, 1, 0},
    {"a call that has ended is left to finish", ROTA_ECLOSED, 0, 0, 0},
    {"a request that cannot be sent undoes the call", ROTA_ENOMEM, ROTA_ENOMEM, 0, 1},
};

static void opening_sends_the_one_request(void **state)
{
    for (size_t i = 0; i < ROTA_COUNT(opens); i++) {
        struct rota_call *call = NULL;

        print_message("  %s\n", opens[i].rule);
        reset(state);
        fake.send_err = opens[i].send_err;
        assert_int_equal(golden_v1_counter_down_open(CHANNEL, NULL, &ask, &call), opens[i].want);
        assert_int_equal(call != NULL, opens[i].want == 0);
        assert_int_equal(fake.n_ends, opens[i].n_ends);
        assert_int_equal(fake.n_finished, opens[i].n_finished);
    }
}

static void receiving_ends_with_false(void **unused)
{
    Golden__V1__Answer *reply = NULL;
    struct rota_call *call;

    (void)unused;
    assert_int_equal(golden_v1_counter_both_open(CHANNEL, NULL, &call), 0);
    assert_true(fake.method->client_streaming && fake.method->server_streaming);
    fake.n_replies = 1;
    assert_true(golden_v1_counter_both_recv(call, &reply));
    assert_int_equal(reply->number, 7);
    golden__v1__answer__free_unpacked(reply, NULL);
    reply = NULL;
    assert_false(golden_v1_counter_both_recv(call, &reply));
    assert_null(reply);
}

static void a_started_call_that_cannot_send_is_cancelled(void **unused)
{
    static const struct rota_call_events events;
    struct rota_call *call = NULL;

    (void)unused;
    assert_int_equal(golden_v1_counter_down_start(CHANNEL, NULL, &ask, &events, NULL, &call), 0);
    assert_int_equal(fake.n_sent, 1);
    assert_int_equal(fake.n_ends, 1);
    fake.send_err = ROTA_ENOMEM;
    assert_int_equal(golden_v1_counter_down_start(CHANNEL, NULL, &ask, &events, NULL, NULL), 0);
    assert_int_equal(fake.n_cancelled, 1);
    assert_ptr_equal(call, CALL);
}

static void on_request(struct rota_server_call *call, const Golden__V1__Ask *request, void *user)
{
    assert_ptr_equal(call, SERVER_CALL);
    assert_ptr_equal(request, &ask);
    fake.event = user;
}

static void on_start(struct rota_server_call *call, void *user)
{
    (void)call, (void)user;
    fake.event = "start";
}

static void on_end(struct rota_server_call *call, void *user)
{
    (void)call, (void)user;
    fake.event = "end";
}

static void on_writable(struct rota_server_call *call, void *user)
{
    (void)call, (void)user;
    fake.event = "writable";
}

static void on_cancel(struct rota_server_call *call, void *user)
{
    (void)call, (void)user;
    fake.event = "cancel";
}

static const struct golden_v1_counter_handlers none, all = {
    .unary = on_request,
    .down = {on_request, on_writable, on_cancel},
    .up = {on_start, on_request, on_end, on_writable, on_cancel},
    .both = {on_start, on_request, on_end, on_writable, on_cancel},
};

static const struct rota_handler *handler_of(const char *path)
{
    assert_int_equal(golden_v1_counter_add(NULL, &none, NULL), 0);
    for (size_t i = 0; i < fake.service->n_handlers; i++)
        if (strcmp(fake.service->handlers[i].method->path, path) == 0)
            return &fake.service->handlers[i];
    fail_msg("no handler of %s", path);
    return NULL;
}

static void a_missing_handler_answers_unimplemented(void **state)
{
    static const char *const paths[] = {"/golden.v1.Counter/Unary", "/golden.v1.Counter/Down", "/golden.v1.Counter/Up", "/golden.v1.Counter/Both"};

    for (size_t i = 0; i < ROTA_COUNT(paths); i++) {
        const struct rota_handler *handler;

        reset(state);
        handler = handler_of(paths[i]);
        if (handler->on_start != NULL)
            handler->on_start(SERVER_CALL, &none, NULL);
        else
            handler->on_message(SERVER_CALL, &ask, &none, NULL);
        assert_int_equal(fake.fail_code, ROTA_UNIMPLEMENTED);
        assert_non_null(strstr(fake.fail_text, strrchr(paths[i], '/') + 1));
        assert_non_null(strstr(fake.fail_text, "golden.v1.Counter"));
    }
}

static void expect_event(const char *event)
{
    assert_non_null(fake.event);
    assert_string_equal(fake.event, event);
    fake.event = NULL;
}

static void events_reach_their_handlers(void **unused)
{
    static const char *const streaming[] = {"/golden.v1.Counter/Up", "/golden.v1.Counter/Both"};
    char user[] = "request";

    (void)unused;
    handler_of("/golden.v1.Counter/Unary")->on_message(SERVER_CALL, &ask, &all, user);
    expect_event("request");
    handler_of("/golden.v1.Counter/Down")->on_message(SERVER_CALL, &ask, &all, user);
    expect_event("request");
    handler_of("/golden.v1.Counter/Down")->on_writable(SERVER_CALL, &all, user);
    expect_event("writable");
    handler_of("/golden.v1.Counter/Down")->on_cancel(SERVER_CALL, &all, user);
    expect_event("cancel");
    for (size_t i = 0; i < ROTA_COUNT(streaming); i++) {
        const struct rota_handler *handler = handler_of(streaming[i]);
        handler->on_start(SERVER_CALL, &all, user);
        expect_event("start");
        handler->on_message(SERVER_CALL, &ask, &all, user);
        expect_event("request");
        handler->on_end(SERVER_CALL, &all, user);
        expect_event("end");
        handler->on_writable(SERVER_CALL, &all, user);
        expect_event("writable");
        handler->on_cancel(SERVER_CALL, &all, user);
        expect_event("cancel");
    }
    assert_int_equal(fake.n_default_cancels, 0);
    assert_int_equal(fake.fail_code, ROTA_OK);
}

static void a_table_with_gaps_passes_events_over(void **unused)
{
    static const struct golden_v1_counter_handlers gaps = {.both = {.end = on_end}};
    const struct rota_handler *handler = handler_of("/golden.v1.Counter/Both");

    (void)unused;
    handler->on_start(SERVER_CALL, &gaps, NULL);
    handler->on_message(SERVER_CALL, &ask, &gaps, NULL);
    handler->on_writable(SERVER_CALL, &gaps, NULL);
    assert_null(fake.event);
    assert_int_equal(fake.fail_code, ROTA_OK);
    handler->on_end(SERVER_CALL, &gaps, NULL);
    expect_event("end");
    assert_int_equal(fake.n_default_cancels, 0);
    fake.gone = true;
    handler->on_cancel(SERVER_CALL, &gaps, NULL);
    assert_int_equal(fake.n_default_cancels, 1);
    handler->on_writable(SERVER_CALL, &gaps, NULL); /* as the default tells it: the next in line is to be told */
    assert_int_equal(fake.n_default_cancels, 2);
    handler->on_writable(SERVER_CALL, &all, NULL);
    expect_event("writable");
    assert_int_equal(fake.n_default_cancels, 2);
}

static void replies_are_sent_as_they_are(void **unused)
{
    static const Golden__V1__Answer answer = GOLDEN__V1__ANSWER__INIT;

    (void)unused;
    golden_v1_counter_unary_reply(SERVER_CALL, &answer);
    assert_ptr_equal(fake.reply, &answer);
    fake.reply = NULL;
    fake.send_err = ROTA_EAGAIN;
    assert_int_equal(golden_v1_counter_down_send_reply(SERVER_CALL, &answer), ROTA_EAGAIN);
    assert_ptr_equal(fake.reply, &answer);
}

/* golden/optional.proto: a field that is set to its default is sent, one that is not set is not. */
static void optional_fields_keep_presence(void **unused)
{
    Golden__Choice choice = GOLDEN__CHOICE__INIT, *back;
    uint8_t bytes[16];
    size_t size;

    (void)unused;
    choice._number_case = GOLDEN__CHOICE___NUMBER_NUMBER;
    choice.number = 0;
    choice.plain = 0;
    assert_int_equal(golden__choice__get_packed_size(&choice), 2);
    size = golden__choice__pack(&choice, bytes);
    assert_memory_equal(bytes, "\x08\x00", size);
    back = golden__choice__unpack(NULL, size, bytes);
    assert_non_null(back);
    assert_int_equal(back->_number_case, GOLDEN__CHOICE___NUMBER_NUMBER);
    assert_int_equal(back->_flag_case, GOLDEN__CHOICE___FLAG__NOT_SET);
    golden__choice__free_unpacked(back, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(unary_gives_the_reply_only_with_ok, reset),
        cmocka_unit_test_setup(asynchronous_unary_hands_on_its_own_types, reset),
        cmocka_unit_test_setup(finishing_wants_exactly_one_reply, reset),
        cmocka_unit_test_setup(opening_sends_the_one_request, reset),
        cmocka_unit_test_setup(receiving_ends_with_false, reset),
        cmocka_unit_test_setup(a_started_call_that_cannot_send_is_cancelled, reset),
        cmocka_unit_test_setup(a_missing_handler_answers_unimplemented, reset),
        cmocka_unit_test_setup(events_reach_their_handlers, reset),
        cmocka_unit_test_setup(a_table_with_gaps_passes_events_over, reset),
        cmocka_unit_test_setup(replies_are_sent_as_they_are, reset),
        cmocka_unit_test_setup(optional_fields_keep_presence, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
