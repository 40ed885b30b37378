/* etcd_config_test.c - a registry that cannot say at first what the service config is, and what the first list of servers waits for. */
#include "assembly/assembly_fixture.h"
#include <etcd.rota.h>
#include <rota/resolver.h>
#include <stdio.h>
#include <string.h>

#define CONFIG "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"
#define CONFIG_KEY "/rota/config/grpclb/greeter"
#define SERVER_KEY "/grpclb/greeter/1.1.1.1:1"

/* One key each for servers and config, for ever at revision 1. */
struct registry {
    enum rota_code says;
    unsigned n_failures; /* of reading the config; those left to come */
};

static void range(struct rota_server_call *call, const Etcdserverpb__RangeRequest *request, void *user)
{
    Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    Etcdserverpb__RangeResponse reply = ETCDSERVERPB__RANGE_RESPONSE__INIT;
    Mvccpb__KeyValue kv = MVCCPB__KEY_VALUE__INIT, *kvs[] = {&kv};
    struct registry *registry = user;
    bool config = request->key.len == strlen(CONFIG_KEY) && memcmp(request->key.data, CONFIG_KEY, request->key.len) == 0;
    static char config_key[] = CONFIG_KEY, server_key[] = SERVER_KEY, config_value[] = CONFIG, server_value[] = "1.1.1.1:1";
    char *key = config ? config_key : server_key, *value = config ? config_value : server_value;

    if (config && registry->n_failures > 0) {
        registry->n_failures--;
        rota_server_call_fail(call, registry->says, "not now");
        return;
    }
    kv.key = (ProtobufCBinaryData){strlen(key), (uint8_t *)key};
    kv.value = (ProtobufCBinaryData){strlen(value), (uint8_t *)value};
    header.revision = kv.create_revision = kv.mod_revision = kv.version = 1;
    reply.header = &header;
    reply.kvs = kvs;
    reply.n_kvs = reply.count = 1;
    etcdserverpb_kv_range_reply(call, &reply);
}

static const struct etcdserverpb_kv_handlers kv_handlers = {.range = range};

static void watch(struct rota_server_call *call, const Etcdserverpb__WatchRequest *request, void *user)
{
    Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    Etcdserverpb__WatchResponse reply = ETCDSERVERPB__WATCH_RESPONSE__INIT;

    (void)user;
    header.revision = 1;
    reply.header = &header;
    reply.created = request->request_union_case == ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
    assert_int_equal(etcdserverpb_watch_watch_send_reply(call, &reply), 0);
}

static void no_more(struct rota_server_call *call, void *user)
{
    static const struct rota_status ok = {.code = ROTA_OK};

    (void)user;
    rota_server_call_finish(call, &ok);
}

static const struct etcdserverpb_watch_handlers watch_handlers = {.watch = {.message = watch, .end = no_more}};

struct heard {
    char order[64];
    bool closed;
};

static void on_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    (void)endpoints;
    (void)source;
    assert_int_equal(count, 1);
    strcat(((struct heard *)arg)->order, " servers");
}

static void on_service_config(void *arg, struct rota_slice json, const char *origin, const char *problem)
{
    (void)origin;
    assert_null(problem);
    assert_true(rota_slice_equal(json, ROTA_SLICE(CONFIG)));
    strcat(((struct heard *)arg)->order, " config");
}

static void set(void *arg)
{
    *(bool *)arg = true;
}

static const struct start_case {
    const char *rule;
    enum rota_code says;
    unsigned n_failures;
    const char *want;
} cases[] = {
    {"the config is known before the servers", ROTA_OK, 0, " config servers"},
    {"also where its first reading fails", ROTA_UNAVAILABLE, 1, " config servers"},
    {"for whatever reason", ROTA_RESOURCE_EXHAUSTED, 2, " config servers"},
    {"what may not be read counts as none", ROTA_PERMISSION_DENIED, UINT32_MAX, " servers"},
    {"but is read once it may be", ROTA_PERMISSION_DENIED, 2, " servers config"},
};

static void the_first_list_comes_with_its_config(void **unused)
{
    static const struct rota_watch_events events = {.on_endpoints = on_endpoints, .on_service_config = on_service_config};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct registry registry = {cases[i].says, cases[i].n_failures};
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 32];
        struct heard heard = {.order = ""};
        struct rota_server *server;
        struct rota_watch *following;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(rota_loop_new(NULL, &options.loop), 0);
        assert_int_equal(rota_server_new(&options, &server, NULL), 0);
        assert_int_equal(etcdserverpb_kv_add(server, &kv_handlers, &registry), 0);
        assert_int_equal(etcdserverpb_watch_add(server, &watch_handlers, &registry), 0);
        assert_int_equal(rota_server_listen(server, "127.0.0.1:0", bound, NULL), 0);
        snprintf(target, sizeof(target), "etcd://%s/greeter", bound);
        assert_int_equal(rota_watch_open(options.loop, target, NULL, &events, &heard, &following, NULL), 0);
        while (strlen(heard.order) < strlen(cases[i].want))
            assert_int_equal(rota_loop_turn(options.loop), 0);
        assert_string_equal(heard.order, cases[i].want);
        rota_watch_close(following, set, &heard.closed);
        while (!heard.closed)
            assert_int_equal(rota_loop_turn(options.loop), 0);
        rota_server_free(server);
        rota_loop_free(options.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_list_comes_with_its_config),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
