/* server_fixture.c - see server_fixture.h. */
#include "server/server_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(struct server_fixture *f, const char *text)
{
    size_t size = strlen(f->trace);

    snprintf(f->trace + size, sizeof(f->trace) - size, "%s", text);
}

static void note_message(struct server_fixture *f, struct rota_server_call *call, const struct rota_slice *text)
{
    char line[300];

    f->call = call;
    snprintf(line, sizeof(line), "m:%.*s ", (int)text->size, (const char *)text->data);
    note(f, line);
    if (f->hold_next)
        rota_server_call_hold(call);
    f->hold_next = false;
    if (f->finish_next)
        rota_server_call_finish(call, NULL);
    f->finish_next = false;
}

static void done(struct server_fixture *f, struct rota_server_call *call)
{
    if (f->call == call)
        f->call = NULL;
}

static void on_start(struct rota_server_call *call, const void *handlers, void *user)
{
    struct server_fixture *f = user;

    (void)handlers;
    f->call = call;
    note(f, "S");
}

static void on_cancel(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)handlers;
    note(user, "C");
    assert_true(rota_server_call_cancelled(call));
    done(user, call);
    rota_server_call_finish(call, NULL);
}

static void echo(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    (void)handlers;
    note_message(user, call, message);
    done(user, call);
    rota_server_call_reply(call, message);
}

/* The call's data is how many are left. */
static void count_on(struct rota_server_call *call, const void *handlers, void *user)
{
    intptr_t left = (intptr_t)rota_server_call_data(call);
    struct rota_slice reply = ROTA_SLICE("n");
    rota_err err = 0;

    (void)handlers;
    while (left > 0 && (err = rota_server_call_send(call, &reply)) == 0)
        left--;
    rota_server_call_set_data(call, (void *)left);
    if (err == ROTA_EAGAIN)
        return;
    assert_true(err == 0 || err == ROTA_ECLOSED);
    done(user, call);
    rota_server_call_finish(call, NULL);
}

static void count_writable(struct rota_server_call *call, const void *handlers, void *user)
{
    note(user, "W");
    count_on(call, handlers, user);
}

static void count(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    const struct rota_slice *text = message;
    char number[12];

    note_message(user, call, text);
    snprintf(number, sizeof(number), "%.*s", (int)text->size, (const char *)text->data);
    rota_server_call_set_data(call, (void *)(intptr_t)strtol(number, NULL, 10));
    count_on(call, handlers, user);
}

static void join(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    (void)handlers;
    note_message(user, call, message);
    ((struct server_fixture *)user)->joined += ((const struct rota_slice *)message)->size;
}

static void join_end(struct rota_server_call *call, const void *handlers, void *user)
{
    struct server_fixture *f = user;
    char number[24];
    struct rota_slice reply;

    (void)handlers;
    note(f, "E");
    done(f, call);
    snprintf(number, sizeof(number), "%zu", f->joined);
    reply = rota_slice_str(number);
    rota_server_call_reply(call, &reply);
}

static void chat(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    (void)handlers;
    note_message(user, call, message);
    assert_int_equal(rota_server_call_send(call, message), 0);
}

static void chat_end(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)handlers;
    note(user, "E");
    done(user, call);
    rota_server_call_finish(call, NULL);
}

static void later(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    (void)handlers;
    note_message(user, call, message);
}

static void note_end(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)call;
    (void)handlers;
    note(user, "E");
}

static void note_writable(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)call;
    (void)handlers;
    note(user, "W");
}

#define METHOD(name, path_text, in, out) \
    static const struct rota_method name = { \
        .path = path_text, .client_streaming = in, .server_streaming = out, \
        .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}}
METHOD(echo_method, "/t.S/Echo", false, false);
METHOD(join_method, "/t.S/Join", true, false);
METHOD(count_method, "/t.S/Count", false, true);
METHOD(chat_method, "/t.S/Chat", true, true);
METHOD(later_method, "/t.S/Later", false, false);
METHOD(quiet_method, "/t.S/Quiet", true, true);

static const struct rota_handler handlers[] = {
    {.method = &echo_method, .on_message = echo},
    {.method = &join_method, .on_start = on_start, .on_message = join, .on_end = join_end, .on_cancel = on_cancel},
    {.method = &count_method, .on_message = count, .on_writable = count_writable, .on_cancel = on_cancel},
    {.method = &chat_method, .on_start = on_start, .on_message = chat, .on_end = chat_end, .on_cancel = on_cancel},
    {.method = &later_method, .on_message = later},
    {.method = &quiet_method, .on_start = on_start, .on_message = later, .on_end = note_end, .on_writable = note_writable},
};
const struct rota_service server_fixture_service = {.name = "t.S", .handlers = handlers, .n_handlers = ROTA_COUNT(handlers)};

void server_fixture_init(struct server_fixture *f, const struct rota_server_options *options)
{
    struct rota_server_options defaults = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts = {.host = &f->v.host, .acceptor = &f->acceptor.acceptor};
    struct rota_errinfo info;

    memset(f, 0, sizeof(*f));
    rota_leak_alloc_init(&f->alloc);
    rota_virtual_host_init(&f->v, &f->alloc.alloc, 1);
    rota_fake_acceptor_init(&f->acceptor, &f->v, NULL);
    assert_int_equal(rota_server_make(options == NULL ? &defaults : options, &parts, &f->server, &info), 0);
    assert_int_equal(rota_server_add(f->server, &server_fixture_service, NULL, f), 0);
    assert_int_equal(rota_server_listen(f->server, "127.0.0.1:1", NULL, &info), 0);
    f->asker = rota_fake_connect(&f->acceptor);
}

static void on_closed(void *arg)
{
    struct server_fixture *f = arg;

    f->closed++;
    f->server = NULL;
}

void server_fixture_on_drained(void *arg)
{
    ((struct server_fixture *)arg)->drained++;
}

void server_fixture_run(struct server_fixture *f)
{
    rota_virtual_host_run(&f->v);
}

void server_fixture_close(struct server_fixture *f)
{
    rota_server_shut(f->server, on_closed, f);
    assert_non_null(f->server);
    server_fixture_run(f);
}

void server_fixture_fini(struct server_fixture *f)
{
    if (f->server != NULL)
        server_fixture_close(f);
    assert_null(f->server);
    assert_int_equal(f->closed, 1);
    rota_virtual_host_assert_idle(&f->v);
    rota_virtual_host_fini(&f->v);
    rota_fake_acceptor_fini(&f->acceptor);
    rota_leak_alloc_fini(&f->alloc);
}

void server_fixture_reply(struct server_fixture *f, const char *text)
{
    struct rota_slice reply = rota_slice_str(text);
    struct rota_server_call *call = f->call;

    f->call = NULL;
    rota_server_call_reply(call, &reply);
    server_fixture_run(f);
}
