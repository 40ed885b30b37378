/* health_test.c - what becomes of a watch whose answer cannot be sent, in virtual time; the rest is in tests/health_e2e_test.c. */
#include <rota/health.h>

#include "base/assert.h"
#include "server/server.h"
#include "testing/cmocka.h"
#include "testing/fake_acceptor.h"
#include "testing/leak_alloc.h"

#define WATCH "/grpc.health.v1.Health/Watch"
#define TOO_LARGE "RESOURCE_EXHAUSTED reply not sent: its header fields are larger than the client takes, or it is larger than max_reply_bytes"
#define LATER (1000 * ROTA_MS)

struct fixture {
    struct rota_leak_alloc alloc;
    struct rota_virtual_host v;
    struct rota_fake_acceptor acceptor;
    struct rota_server *server;
    struct rota_health *health;
    struct rota_fake_asker *asker;
};

static void init(struct fixture *f)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts = {.host = &f->v.host, .acceptor = &f->acceptor.acceptor};
    struct rota_errinfo info;

    memset(f, 0, sizeof(*f));
    rota_leak_alloc_init(&f->alloc);
    rota_virtual_host_init(&f->v, &f->alloc.alloc, 1);
    rota_fake_acceptor_init(&f->acceptor, &f->v, NULL);
    assert_int_equal(rota_server_make(&options, &parts, &f->server, &info), 0);
    assert_int_equal(rota_health_add(f->server, NULL, &f->health), 0);
    assert_int_equal(rota_server_listen(f->server, "127.0.0.1:1", NULL, &info), 0);
    f->asker = rota_fake_connect(&f->acceptor);
}

static void fini(struct fixture *f)
{
    rota_server_shut(f->server, NULL, NULL);
    rota_virtual_host_run(&f->v);
    rota_fake_acceptor_fini(&f->acceptor);
    rota_virtual_host_fini(&f->v);
    rota_leak_alloc_fini(&f->alloc);
}

/* Of the whole server. */
static struct rota_fake_ask *watch(struct fixture *f)
{
    static const uint8_t request[5] = {0};
    struct rota_fake_ask *ask = rota_fake_ask(f->asker, WATCH, NULL, NULL);

    rota_fake_ask_data(ask, rota_slice(request, sizeof(request)));
    rota_fake_ask_end(ask);
    return ask;
}

static void set(struct fixture *f, enum rota_health_status status)
{
    assert_int_equal(rota_health_set(f->health, "", status), 0);
}

static void assert_over(struct fixture *f)
{
    (void)rota_fake_connect(&f->acceptor); /* an event, after which the streams that were answered close */
    assert_int_equal(rota_server_stats(f->server).calls_open, 0);
    assert_true(rota_host_next_ns(&f->v.host) == INT64_MAX);
}

static const struct {
    const char *rule;
    size_t max_fields, max_reply_bytes; /* 0: whatever comes */
    const char *status;
} limits[] = {
    {"header fields larger than the client takes: nor does it take a status", 1, 0, "reset 2"},
    {"a reply larger than the server may send", 0, 1, TOO_LARGE},
};

static void a_first_answer_that_is_too_large_ends_the_watch(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(limits); i++) {
        struct rota_fake_ask *ask;
        struct fixture f;
        print_message("  %s\n", limits[i].rule);
        init(&f);
        f.acceptor.max_fields = limits[i].max_fields;
        if (limits[i].max_reply_bytes > 0)
            f.server->options.max_reply_bytes = limits[i].max_reply_bytes;
        ask = watch(&f);
        rota_virtual_host_advance(&f.v, LATER);
        assert_string_equal(rota_fake_answer_status(ask), limits[i].status);
        assert_over(&f);
        set(&f, ROTA_HEALTH_NOT_SERVING);
        fini(&f);
    }
}

/* Each of them while the others are being told. */
static void a_change_that_is_too_large_ends_all_watches(void **unused)
{
    struct rota_fake_ask *asks[3];
    struct fixture f;

    (void)unused;
    init(&f);
    for (size_t i = 0; i < ROTA_COUNT(asks); i++) {
        asks[i] = watch(&f);
        assert_int_equal(asks[i]->n_sends, 1);
    }
    asks[1]->queued = 10;
    f.server->options.max_reply_bytes = 1;
    set(&f, ROTA_HEALTH_NOT_SERVING);
    assert_string_equal(rota_fake_answer_status(asks[0]), TOO_LARGE);
    assert_string_equal(rota_fake_answer_status(asks[1]), "open"); /* behind */
    assert_string_equal(rota_fake_answer_status(asks[2]), TOO_LARGE);
    rota_fake_ask_writable(asks[1]);
    rota_virtual_host_advance(&f.v, LATER);
    assert_string_equal(rota_fake_answer_status(asks[1]), TOO_LARGE);
    assert_over(&f);
    fini(&f);
}

static void for_want_of_memory_it_is_told_later(void **unused)
{
    struct rota_fake_ask *ask;
    struct fixture f;

    (void)unused;
    init(&f);
    f.acceptor.send_err = ROTA_ENOMEM;
    ask = watch(&f);
    assert_string_equal(rota_fake_answer_status(ask), "open");
    f.acceptor.send_err = 0;
    rota_virtual_host_advance(&f.v, LATER);
    assert_int_equal(ask->n_sends, 1);
    rota_fake_ask_cancel(ask);
    assert_over(&f);
    fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_answer_that_is_too_large_ends_the_watch),
        cmocka_unit_test(a_change_that_is_too_large_ends_all_watches),
        cmocka_unit_test(for_want_of_memory_it_is_told_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
