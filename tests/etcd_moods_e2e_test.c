/* etcd_moods_e2e_test.c - registries that are well, each in a way that a client may take for trouble: for half a minute it must follow them in
 * peace. They are played here, since none of them is at hand everywhere; all at once, to wait but once.
 */
#include "base/assert.h"
#include "testing/cmocka.h"
#include <etcd.rota.h>
#include <poll.h>
#include <rota/resolver.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define LASTS_NS (36 * SECOND_NS)
#define SERVER_KEY "/grpclb/s/1.1.1.1:1"

static const struct mood {
    const char *rule;
    bool mute;          /* answers no progress request; else those from the revision on that the watch begins at */
    bool nameless;      /* confirms watches without naming the cluster */
    bool busy;          /* other keys change all the time */
    bool denies;        /* cancels each watch for want of a permission */
    int64_t list_ns;    /* lists take so long */
    const char *login;  /* in the target */
    unsigned max_streams, max_lists, max_logins, max_errors;
} moods[] = {
    {"an etcd of today in which nothing happens", .max_streams = 1, .max_lists = 1},
    {"the same, with a login", .login = "zoe:secret@", .max_streams = 1, .max_lists = 1, .max_logins = 1},
    {"an etcd of today beside whose keys others change", .busy = true, .max_streams = 1, .max_lists = 2},
    {"etcd's proxy in which nothing happens", .mute = true, .nameless = true, .max_streams = 1, .max_lists = 1},
    {"etcd's proxy beside whose keys others change", .mute = true, .nameless = true, .busy = true, .max_streams = 1, .max_lists = 3},
    {"one whose lists take seven seconds", .list_ns = 7 * SECOND_NS, .max_streams = 1, .max_lists = 2, .max_errors = 1},
    {"the same as a proxy beside whose keys others change", .mute = true, .nameless = true, .busy = true, .list_ns = 7 * SECOND_NS, .max_streams = 1,
     .max_lists = 3, .max_errors = 1},
    {"one that denies watches", .denies = true, .login = "zoe:secret@", .max_streams = 80, .max_lists = 80, .max_logins = 3, .max_errors = 1},
};

struct scene {
    const struct mood *mood;
    struct rota_loop *loop;
    struct rota_server *server;
    struct rota_watch *watch;
    int64_t revision, first_revision;
    unsigned n_streams, n_lists, n_logins, n_errors, n_late;
    bool listed, stale, closed;
};

struct late {
    struct scene *scene;
    struct rota_server_call *call;
    struct rota_timer *timer;
    bool is_list;
};

static void tell(struct late *late)
{
    Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    Etcdserverpb__RangeResponse reply = ETCDSERVERPB__RANGE_RESPONSE__INIT;
    Mvccpb__KeyValue kv = MVCCPB__KEY_VALUE__INIT, *kvs[] = {&kv};
    static char key[] = SERVER_KEY, value[] = "1.1.1.1:1";
    struct scene *scene = late->scene;

    scene->revision += scene->mood->busy;
    kv.key = (ProtobufCBinaryData){strlen(key), (uint8_t *)key};
    kv.value = (ProtobufCBinaryData){strlen(value), (uint8_t *)value};
    kv.create_revision = kv.mod_revision = 2;
    kv.version = 1;
    header.cluster_id = 7;
    header.revision = scene->revision;
    reply.header = &header;
    reply.kvs = kvs;
    reply.n_kvs = reply.count = late->is_list;
    etcdserverpb_kv_range_reply(late->call, &reply);
}

static void tell_late(void *arg)
{
    struct late *late = arg;

    tell(late);
    late->scene->n_late--;
    rota_timer_free(late->timer);
    free(late);
}

static void range(struct rota_server_call *call, const Etcdserverpb__RangeRequest *request, void *user)
{
    struct scene *scene = user;
    struct late late = {.scene = scene, .call = call, .is_list = request->range_end.len > 0}, *kept;

    scene->n_lists += late.is_list;
    if (scene->mood->list_ns == 0 || !late.is_list) {
        tell(&late);
        return;
    }
    kept = malloc(sizeof(*kept));
    assert_non_null(kept);
    *kept = late;
    scene->n_late++;
    assert_int_equal(rota_timer_new(scene->loop, tell_late, kept, &kept->timer), 0);
    assert_int_equal(rota_timer_set(kept->timer, rota_loop_now_ns(scene->loop) + scene->mood->list_ns), 0);
}

static const struct etcdserverpb_kv_handlers kv_handlers = {.range = range};

static void authenticate(struct rota_server_call *call, const Etcdserverpb__AuthenticateRequest *request, void *user)
{
    Etcdserverpb__AuthenticateResponse reply = ETCDSERVERPB__AUTHENTICATE_RESPONSE__INIT;
    char token[] = "token";

    (void)request;
    ((struct scene *)user)->n_logins++;
    reply.token = token;
    etcdserverpb_auth_authenticate_reply(call, &reply);
}

static const struct etcdserverpb_auth_handlers auth_handlers = {.authenticate = authenticate};

static void watch(struct rota_server_call *call, const Etcdserverpb__WatchRequest *request, void *user)
{
    Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    Etcdserverpb__WatchResponse reply = ETCDSERVERPB__WATCH_RESPONSE__INIT;
    char reason[] = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    struct scene *scene = user;
    bool creates = request->request_union_case == ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;

    if (creates) {
        scene->n_streams++;
        scene->first_revision = request->create_request->start_revision;
    } else if (scene->mood->mute || scene->revision < scene->first_revision) {
        return;
    }
    header.cluster_id = scene->mood->nameless ? 0 : 7;
    header.revision = creates && scene->mood->nameless ? scene->first_revision : scene->revision;
    reply.header = &header;
    reply.created = creates;
    reply.watch_id = creates ? 0 : -1;
    reply.canceled = scene->mood->denies;
    if (reply.canceled)
        reply.cancel_reason = reason;
    assert_int_equal(etcdserverpb_watch_watch_send_reply(call, &reply), 0);
}

static void no_more(struct rota_server_call *call, void *user)
{
    (void)user;
    rota_server_call_finish(call, NULL);
}

static const struct etcdserverpb_watch_handlers watch_handlers = {.watch = {.message = watch, .end = no_more}};

static void on_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    struct scene *scene = arg;

    (void)endpoints;
    assert_int_equal(count, 1);
    scene->listed = true;
    scene->stale = source->stale;
}

static void on_error(void *arg, const struct rota_status *why)
{
    struct scene *scene = arg;

    print_message("# %s: %s\n", scene->mood->rule, why->message);
    scene->n_errors++;
}

static const struct rota_watch_events events = {.on_endpoints = on_endpoints, .on_error = on_error};

static void open_scene(struct scene *scene, const struct mood *mood, struct rota_loop *loop)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 64];

    *scene = (struct scene){.mood = mood, .loop = loop, .revision = 5};
    options.loop = loop;
    assert_int_equal(rota_server_new(&options, &scene->server, NULL), 0);
    assert_int_equal(etcdserverpb_kv_add(scene->server, &kv_handlers, scene), 0);
    assert_int_equal(etcdserverpb_watch_add(scene->server, &watch_handlers, scene), 0);
    assert_int_equal(etcdserverpb_auth_add(scene->server, &auth_handlers, scene), 0);
    assert_int_equal(rota_server_listen(scene->server, "127.0.0.1:0", bound, NULL), 0);
    snprintf(target, sizeof(target), "etcd://%s%s/s", mood->login == NULL ? "" : mood->login, bound);
    assert_int_equal(rota_watch_open(loop, target, NULL, &events, scene, &scene->watch, NULL), 0);
}

static void turn(struct rota_loop *loop)
{
    struct pollfd pfd = {.fd = rota_loop_fd(loop), .events = POLLIN};
    int timeout_ms = rota_loop_timeout_ms(loop);

    (void)poll(&pfd, 1, timeout_ms < 0 || timeout_ms > 100 ? 100 : timeout_ms);
    assert_int_equal(rota_loop_turn(loop), 0);
}

static void set(void *arg)
{
    *(bool *)arg = true;
}

static void check_scene(const struct scene *scene)
{
    const struct mood *mood = scene->mood;

    print_message("  %s: %u streams, %u lists, %u logins, %u errors\n", mood->rule, scene->n_streams, scene->n_lists, scene->n_logins, scene->n_errors);
    assert_true(scene->listed);
    assert_true(mood->denies || !scene->stale);
    assert_in_range(scene->n_streams, 1, mood->max_streams);
    assert_in_range(scene->n_lists, 1, mood->max_lists);
    assert_in_range(scene->n_logins, mood->login != NULL, mood->max_logins);
    assert_in_range(scene->n_errors, 0, mood->max_errors);
}

static void clients_follow_in_peace(void **state)
{
    struct scene scenes[ROTA_COUNT(moods)];
    struct rota_loop *loop;
    int64_t end_ns;

    (void)state;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    for (size_t i = 0; i < ROTA_COUNT(moods); i++)
        open_scene(&scenes[i], &moods[i], loop);
    end_ns = rota_loop_now_ns(loop) + LASTS_NS;
    while (rota_loop_now_ns(loop) < end_ns)
        turn(loop);
    for (size_t i = 0; i < ROTA_COUNT(moods); i++)
        check_scene(&scenes[i]);
    for (size_t i = 0; i < ROTA_COUNT(moods); i++) {
        rota_watch_close(scenes[i].watch, set, &scenes[i].closed);
        while (!scenes[i].closed || scenes[i].n_late > 0)
            turn(loop);
        rota_server_free(scenes[i].server);
    }
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clients_follow_in_peace)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
