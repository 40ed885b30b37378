/* registry_e2e_test.c - the embedded registry inside a program, client and registry on one loop: opening, failing to open, closing, the
 * order on a watch stream, and every allocation of the registry failing once while clients use it.
 */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <etcd.rota.h>
#include <rota/registry.h>
#include <rota/rota.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 5000

struct app {
    struct rota_loop *loop;
    struct rota_registry *registry;
    struct rota_channel *channel;
    bool closed;
};

static const struct rota_call_options call_options = {.size = sizeof(struct rota_call_options), .timeout_ms = TIMEOUT_MS};

static ProtobufCBinaryData data(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

/* --- Life --- */

static rota_err app_open(struct app *app, const struct rota_alloc *alloc, struct rota_errinfo *info)
{
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    rota_err err;

    *app = (struct app){0};
    assert_int_equal(rota_loop_new(NULL, &app->loop), 0);
    options.loop = app->loop;
    options.listen = "127.0.0.1:0";
    options.alloc = alloc;
    err = rota_registry_open(&options, &app->registry, info);
    if (err < 0) {
        rota_loop_free(app->loop);
        app->loop = NULL;
    }
    return err;
}

static void app_connect(struct app *app)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    char target[ROTA_ADDRESS_TEXT_SIZE + 8];

    options.loop = app->loop;
    snprintf(target, sizeof(target), "ipv4:%s", rota_registry_address(app->registry));
    assert_int_equal(rota_channel_open(target, &options, &app->channel, NULL), 0);
}

static void on_closed(void *arg)
{
    struct app *app = arg;

    app->closed = true;
    rota_loop_stop(app->loop);
}

static void app_close(struct app *app)
{
    if (app->loop == NULL)
        return;
    rota_channel_free(app->channel);
    rota_registry_close(app->registry, 1000, on_closed, app);
    while (!app->closed)
        assert_int_equal(rota_loop_run(app->loop), 0);
    rota_loop_free(app->loop);
}

static void an_address_in_use_is_named(void **unused)
{
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    struct rota_registry *second = NULL;
    struct rota_errinfo info = {{0}};
    struct app app;

    (void)unused;
    assert_int_equal(app_open(&app, NULL, NULL), 0);
    options.loop = app.loop;
    options.listen = rota_registry_address(app.registry);
    assert_int_equal(rota_registry_open(&options, &second, &info), ROTA_EADDRINUSE);
    assert_non_null(strstr(info.text, options.listen));
    options.listen = "nonsense";
    assert_int_equal(rota_registry_open(&options, &second, &info), ROTA_EPARSE);
    assert_non_null(strstr(info.text, "nonsense"));
    assert_null(second);
    app_close(&app);
}

/* Opens it in a turn of the loop, first where it cannot be. */
struct opening {
    struct rota_loop *loop;
    struct rota_registry *registry;
    const char *taken, *dir;
    bool done;
};

static void open_in_a_turn(void *arg)
{
    struct opening *o = arg;
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    struct rota_errinfo info;

    options.loop = o->loop;
    options.data_dir = o->dir;
    options.listen = o->taken;
    assert_int_equal(rota_registry_open(&options, &o->registry, &info), ROTA_EADDRINUSE);
    options.listen = "127.0.0.1:0";
    if (rota_registry_open(&options, &o->registry, &info) < 0)
        fail_msg("%s", info.text);
    o->done = true;
}

static void it_may_fail_to_open_in_a_turn(void **unused)
{
    char dir[] = "/tmp/rota-registry-XXXXXX", file[64];
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_leak_alloc leak;
    struct opening o = {0};
    struct rota_timer *timer;
    struct app app, second = {0};

    (void)unused;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(app_open(&app, NULL, NULL), 0);
    rota_leak_alloc_init(&leak);
    options.alloc = &leak.alloc;
    assert_int_equal(rota_loop_new(&options, &o.loop), 0);
    o.taken = rota_registry_address(app.registry);
    o.dir = dir;
    assert_int_equal(rota_timer_new(o.loop, open_in_a_turn, &o, &timer), 0);
    assert_int_equal(rota_timer_set(timer, 0), 0);
    while (!o.done)
        assert_int_equal(rota_loop_turn(o.loop), 0);
    rota_timer_free(timer);
    second.loop = o.loop;
    second.registry = o.registry;
    app_close(&second);
    rota_leak_alloc_fini(&leak);
    app_close(&app);
    snprintf(file, sizeof(file), "%s/data.mdb", dir);
    assert_int_equal(unlink(file), 0);
    snprintf(file, sizeof(file), "%s/registry.lock", dir);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void its_memory_is_the_loops_by_default(void **unused)
{
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_leak_alloc loop_leak, own_leak;
    uint64_t of_loop[2];

    (void)unused;
    for (int own = 0; own < 2; own++) {
        struct app app = {0};
        rota_leak_alloc_init(&loop_leak);
        rota_leak_alloc_init(&own_leak);
        loop_options.alloc = &loop_leak.alloc;
        assert_int_equal(rota_loop_new(&loop_options, &app.loop), 0);
        options.loop = app.loop;
        options.listen = "127.0.0.1:0";
        options.alloc = own ? &own_leak.alloc : NULL;
        of_loop[own] = loop_leak.allocs;
        assert_int_equal(rota_registry_open(&options, &app.registry, NULL), 0);
        of_loop[own] = loop_leak.allocs - of_loop[own];
        if (own) /* all but handles and timers, which are the loop's in any case */
            assert_int_equal(of_loop[0], of_loop[1] + own_leak.allocs);
        app_close(&app);
        rota_leak_alloc_fini(&loop_leak);
        if (!own)
            assert_int_equal(own_leak.allocs, 0);
        else
            assert_true(own_leak.allocs > 5);
        rota_leak_alloc_fini(&own_leak);
    }
}

/* --- Clients; each gives the status' code --- */

static enum rota_code put(struct app *app, const char *key, const char *value)
{
    Etcdserverpb__PutRequest request = ETCDSERVERPB__PUT_REQUEST__INIT;

    request.key = data(key);
    request.value = data(value);
    return etcdserverpb_kv_put(app->channel, &call_options, &request, NULL).code;
}

static enum rota_code put_and_get(struct app *app)
{
    Etcdserverpb__PutRequest put_request = ETCDSERVERPB__PUT_REQUEST__INIT;
    Etcdserverpb__RangeRequest range = ETCDSERVERPB__RANGE_REQUEST__INIT;
    Etcdserverpb__RequestOp ops[2] = {ETCDSERVERPB__REQUEST_OP__INIT, ETCDSERVERPB__REQUEST_OP__INIT}, *pointers[2] = {&ops[0], &ops[1]};
    Etcdserverpb__TxnRequest request = ETCDSERVERPB__TXN_REQUEST__INIT;

    put_request.key = range.key = data("t");
    put_request.prev_kv = true;
    ops[0].request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
    ops[0].request_put = &put_request;
    ops[1].request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
    ops[1].request_range = &range;
    request.success = pointers;
    request.n_success = 2;
    return etcdserverpb_kv_txn(app->channel, &call_options, &request, NULL).code;
}

static enum rota_code lease(struct app *app)
{
    Etcdserverpb__LeaseGrantRequest request = ETCDSERVERPB__LEASE_GRANT_REQUEST__INIT;
    Etcdserverpb__LeaseTimeToLiveRequest look = ETCDSERVERPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
    Etcdserverpb__LeaseLeasesRequest list = ETCDSERVERPB__LEASE_LEASES_REQUEST__INIT;
    Etcdserverpb__LeaseKeepAliveRequest ask = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
    Etcdserverpb__LeaseKeepAliveResponse *answer = NULL;
    struct rota_call *call = NULL;

    request.ttl = 60;
    request.id = look.id = ask.id = 7;
    look.keys = true;
    (void)etcdserverpb_lease_lease_grant(app->channel, &call_options, &request, NULL);
    (void)etcdserverpb_lease_lease_time_to_live(app->channel, &call_options, &look, NULL);
    (void)etcdserverpb_lease_lease_leases(app->channel, &call_options, &list, NULL);
    assert_int_equal(etcdserverpb_lease_lease_keep_alive_open(app->channel, &call_options, &call), 0);
    (void)!etcdserverpb_lease_lease_keep_alive_send(call, &ask);
    if (etcdserverpb_lease_lease_keep_alive_recv(call, &answer))
        etcdserverpb__lease_keep_alive_response__free_unpacked(answer, NULL);
    (void)rota_call_send_end(call);
    while (etcdserverpb_lease_lease_keep_alive_recv(call, &answer))
        etcdserverpb__lease_keep_alive_response__free_unpacked(answer, NULL);
    return rota_call_finish(call).code;
}

/* --- A watch stream --- */

static struct rota_call *watch_open(struct app *app)
{
    struct rota_call *call = NULL;

    assert_int_equal(etcdserverpb_watch_watch_open(app->channel, &call_options, &call), 0);
    return call;
}

static rota_err watch_create(struct rota_call *call, const char *key, int64_t start_revision)
{
    Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;

    create.key = data(key);
    create.start_revision = start_revision;
    request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
    request.create_request = &create;
    return etcdserverpb_watch_watch_send(call, &request);
}

static rota_err watch_progress(struct rota_call *call)
{
    Etcdserverpb__WatchProgressRequest progress = ETCDSERVERPB__WATCH_PROGRESS_REQUEST__INIT;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;

    request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST;
    request.progress_request = &progress;
    return etcdserverpb_watch_watch_send(call, &request);
}

/* "c0" created, "e0:2" two events for watch 0, "p5" progress at revision 5; "" at the end of the stream. */
static const char *watch_next(struct rota_call *call)
{
    static char text[32];
    Etcdserverpb__WatchResponse *reply = NULL;

    text[0] = '\0';
    if (!etcdserverpb_watch_watch_recv(call, &reply))
        return text;
    if (reply->created)
        snprintf(text, sizeof(text), "c%d", (int)reply->watch_id);
    else if (reply->watch_id == -1)
        snprintf(text, sizeof(text), "p%d", (int)reply->header->revision);
    else
        snprintf(text, sizeof(text), "e%d:%d", (int)reply->watch_id, (int)reply->n_events);
    etcdserverpb__watch_response__free_unpacked(reply, NULL);
    return text;
}

static void answers_and_events_come_in_order(void **unused)
{
    struct rota_call *call;
    struct app app;

    (void)unused;
    assert_int_equal(app_open(&app, NULL, NULL), 0);
    app_connect(&app);
    assert_int_equal(put(&app, "a", "1"), ROTA_OK);
    assert_int_equal(put(&app, "a", "2"), ROTA_OK);
    call = watch_open(&app);
    /* All at once: created, what happened before, and only then the progress. */
    assert_int_equal(watch_create(call, "a", 2), 0);
    assert_int_equal(watch_progress(call), 0);
    assert_int_equal(watch_create(call, "b", 0), 0);
    assert_string_equal(watch_next(call), "c0");
    assert_string_equal(watch_next(call), "e0:2");
    assert_string_equal(watch_next(call), "p3");
    assert_string_equal(watch_next(call), "c1");
    assert_int_equal(put(&app, "b", "1"), ROTA_OK);
    assert_int_equal(watch_progress(call), 0);
    assert_string_equal(watch_next(call), "e1:1");
    assert_string_equal(watch_next(call), "p4");
    rota_call_cancel(call);
    assert_int_equal(rota_call_finish(call).code, ROTA_CANCELLED);
    app_close(&app);
}

static void closing_ends_the_streams(void **unused)
{
    struct rota_call *call;
    struct rota_status status;
    struct app app;

    (void)unused;
    assert_int_equal(app_open(&app, NULL, NULL), 0);
    app_connect(&app);
    call = watch_open(&app);
    assert_int_equal(watch_create(call, "a", 0), 0);
    assert_string_equal(watch_next(call), "c0");
    rota_registry_close(app.registry, 1000, on_closed, &app);
    assert_string_equal(watch_next(call), "");
    status = rota_call_finish(call);
    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    assert_string_equal(status.message, "the registry is closing");
    rota_channel_free(app.channel);
    while (!app.closed)
        assert_int_equal(rota_loop_run(app.loop), 0);
    rota_loop_free(app.loop);
}

static struct rota_call *keep_alive_open(struct app *app)
{
    Etcdserverpb__LeaseKeepAliveRequest ask = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
    struct rota_call *call = NULL;

    assert_int_equal(etcdserverpb_lease_lease_keep_alive_open(app->channel, &call_options, &call), 0);
    assert_int_equal(etcdserverpb_lease_lease_keep_alive_send(call, &ask), 0);
    return call;
}

static struct rota_call *watch_open_and_create(struct app *app)
{
    struct rota_call *call = watch_open(app);

    assert_int_equal(watch_create(call, "a", 0), 0);
    return call;
}

static const struct {
    const char *rule;
    struct rota_call *(*open)(struct app *app);
} late_streams[] = {
    {"a watch stream", watch_open_and_create},
    {"a keepalive stream", keep_alive_open},
};

/* The client has not read yet that it is going. */
static void a_stream_that_comes_as_it_closes_is_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(late_streams); i++) {
        struct timespec before, after;
        struct rota_status status;
        struct rota_call *call;
        struct app app;
        print_message("  %s\n", late_streams[i].rule);
        assert_int_equal(app_open(&app, NULL, NULL), 0);
        app_connect(&app);
        assert_int_equal(put(&app, "a", "1"), ROTA_OK);
        clock_gettime(CLOCK_MONOTONIC, &before);
        rota_registry_close(app.registry, 60000, on_closed, &app);
        call = late_streams[i].open(&app);
        while (!app.closed)
            assert_int_equal(rota_loop_run(app.loop), 0);
        clock_gettime(CLOCK_MONOTONIC, &after);
        status = rota_call_finish(call);
        assert_int_equal(status.code, ROTA_UNAVAILABLE);
        assert_string_equal(status.message, "the registry is closing");
        assert_in_range(after.tv_sec - before.tv_sec, 0, TIMEOUT_MS / 2000);
        rota_channel_free(app.channel);
        rota_loop_free(app.loop);
    }
}

/* --- Memory --- */

static rota_err open_and_close(const struct rota_alloc *alloc, void *ctx)
{
    struct app app;
    rota_err err = app_open(&app, alloc, NULL);

    (void)ctx;
    if (err == 0)
        app_close(&app);
    return err;
}

static void opening_may_run_out_of_memory(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(open_and_close, NULL) > 20);
}

/* What fails here fails as a status or ends a stream; what counts is that nothing hangs, crashes or leaks. */
static rota_err use(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_call *call;
    struct app app;
    rota_err err = app_open(&app, alloc, NULL);

    (void)ctx;
    if (err < 0)
        return err;
    app_connect(&app);
    call = watch_open(&app);
    (void)!watch_create(call, "a", 0);
    if (strcmp(watch_next(call), "c0") == 0 && put(&app, "a", "1") == ROTA_OK)
        (void)watch_next(call);
    (void)put_and_get(&app);
    (void)lease(&app);
    rota_call_cancel(call);
    assert_int_not_equal(rota_call_finish(call).code, ROTA_DEADLINE_EXCEEDED);
    app_close(&app);
    return 0;
}

/* Nobody else is served meanwhile. */
static void a_stream_with_many_watches_ends_at_once(void **unused)
{
    struct timespec before, after;
    struct rota_call *call;
    struct app app;

    (void)unused;
    assert_int_equal(app_open(&app, NULL, NULL), 0);
    app_connect(&app);
    call = watch_open(&app);
    for (int i = 0; i < 16000; i++) {
        (void)!watch_create(call, "a", 0);
        (void)watch_next(call);
    }
    rota_call_cancel(call);
    (void)rota_call_finish(call);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(put(&app, "b", "1"), ROTA_OK);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000, 0, 1000);
    app_close(&app);
}

static void using_it_may_run_out_of_memory(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(use, NULL) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_in_use_is_named),
        cmocka_unit_test(it_may_fail_to_open_in_a_turn),
        cmocka_unit_test(its_memory_is_the_loops_by_default),
        cmocka_unit_test(answers_and_events_come_in_order),
        cmocka_unit_test(closing_ends_the_streams),
        cmocka_unit_test(a_stream_that_comes_as_it_closes_is_refused),
        cmocka_unit_test(a_stream_with_many_watches_ends_at_once),
        cmocka_unit_test(opening_may_run_out_of_memory),
        cmocka_unit_test(using_it_may_run_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
