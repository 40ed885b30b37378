/* lease_service_test.c - a keepalive stream whose client does not read: its answer waits, or the stream ends and says why. In virtual time;
 * this file plays registry.c's part.
 */
#include "registry/service.h"

#include "base/assert.h"
#include "server/server.h"
#include "testing/cmocka.h"
#include "testing/fake_acceptor.h"
#include "testing/leak_alloc.h"

#define KEEP_ALIVE "/etcdserverpb.Lease/LeaseKeepAlive"

struct fixture {
    struct rota_registry registry;
    struct rota_leak_alloc alloc;
    struct rota_virtual_host v;
    struct rota_fake_acceptor acceptor;
    struct rota_fake_ask *ask;
};

int64_t rota_registry_now_ns(const struct rota_registry *registry)
{
    return ROTA_CONTAINER(registry, struct fixture, registry)->v.host.now_ns;
}

void rota_registry_header(const struct rota_registry *registry, Etcdserverpb__ResponseHeader *ret_header)
{
    (void)registry;
    etcdserverpb__response_header__init(ret_header);
}

void rota_registry_refuse(struct rota_server_call *call, const struct rota_status *status)
{
    rota_server_call_finish(call, status);
}

bool rota_registry_refuses_stream(const struct rota_registry *registry, struct rota_server_call *call)
{
    (void)registry, (void)call;
    return false;
}

void rota_registry_changed(struct rota_registry *registry)
{
    (void)registry;
}

/* A stream that has asked for lease 1, and whose client does not read. */
static void init(struct fixture *f)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts = {.host = &f->v.host, .acceptor = &f->acceptor.acceptor};
    struct rota_registry *r = &f->registry;
    int64_t id, ttl_seconds;
    struct rota_status status;

    memset(f, 0, sizeof(*f));
    rota_leak_alloc_init(&f->alloc);
    rota_virtual_host_init(&f->v, &f->alloc.alloc, 1);
    rota_fake_acceptor_init(&f->acceptor, &f->v, NULL);
    r->alloc = &f->alloc.alloc;
    rota_list_init(&r->keepalives);
    assert_int_equal(rota_store_new(r->alloc, &(struct rota_store_limits){.max_bytes = 1 << 20}, 1, &r->store), 0);
    status = rota_store_lease_grant(r->store, 1, 5, f->v.host.now_ns, &id, &ttl_seconds);
    assert_true(rota_status_ok(&status));
    assert_int_equal(rota_server_make(&options, &parts, &r->server, NULL), 0);
    assert_int_equal(etcdserverpb_lease_add(r->server, &rota_registry_lease_handlers, r), 0);
    assert_int_equal(rota_server_listen(r->server, "127.0.0.1:1", NULL, NULL), 0);
    f->ask = rota_fake_ask(rota_fake_connect(&f->acceptor), KEEP_ALIVE, NULL, NULL);
    f->ask->queued = SIZE_MAX;
    rota_fake_ask_message(f->ask, "\x08\x01");
    assert_int_equal(f->ask->n_sends, 0);
}

static void fini(struct fixture *f)
{
    rota_registry_keepalives_end(&f->registry, &(struct rota_status){.code = ROTA_UNAVAILABLE});
    rota_server_shut(f->registry.server, NULL, NULL);
    rota_virtual_host_run(&f->v);
    rota_store_free(f->registry.store);
    rota_fake_acceptor_fini(&f->acceptor);
    rota_virtual_host_fini(&f->v);
    rota_leak_alloc_fini(&f->alloc);
}

static const struct held_case {
    const char *rule;
    bool ended, no_memory; /* the client has asked its last; when it reads again */
    size_t n_answers;
    const char *status;
} cases[] = {
    {"answered when the client reads again", false, false, 1, "open"},
    {"and the stream ends if it has asked its last", true, false, 1, "OK"},
    {"an answer that there is no memory for is no silence", false, true, 0, "RESOURCE_EXHAUSTED registry: out of memory"},
    {"nor an end that is well", true, true, 0, "RESOURCE_EXHAUSTED registry: out of memory"},
};

static void a_held_answer_comes_or_is_said_to_be_lost(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct held_case *c = &cases[i];
        struct fixture f;

        print_message("  %s\n", c->rule);
        init(&f);
        if (c->ended)
            rota_fake_ask_end(f.ask);
        assert_string_equal(rota_fake_answer_status(f.ask), "open");
        if (c->no_memory)
            rota_leak_alloc_fail_nth(&f.alloc, 1);
        rota_fake_ask_writable(f.ask);
        f.alloc.fail_at = 0;
        assert_int_equal(f.ask->n_sends, c->n_answers);
        assert_string_equal(rota_fake_answer_status(f.ask), c->status);
        fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_held_answer_comes_or_is_said_to_be_lost)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
