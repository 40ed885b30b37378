/* bad_input_e2e_test.c - what the library says to an application that hands it nonsense, and to calls whose messages are too long:
 * the error's kind, and a sentence that names the culprit and what was expected. */
#include "base/assert.h"
#include "hello.rota.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <stdlib.h>

static struct rota_loop *loop;

static int setup(void **unused)
{
    (void)unused;
    return rota_loop_new(NULL, &loop);
}

static int teardown(void **unused)
{
    (void)unused;
    rota_loop_free(loop);
    return 0;
}

static void assert_says(const char *text, const char *culprit, const char *expected)
{
    if (strstr(text, culprit) == NULL || strstr(text, expected) == NULL)
        fail_msg("no \"%s\" or no \"%s\" in: %s", culprit, expected, text);
}

static void channels_that_do_not_open(void **unused)
{
    static const struct {
        const char *target, *config, *culprit, *expected;
        rota_err want;
    } rows[] = {
        {"ftp://x", NULL, "\"ftp\"", "only for dns, ipv4", ROTA_ENOTFOUND},
        {"ipv4:1.2.3:4", NULL, "1.2.3:4", "IPv4 address", ROTA_EINVAL},
        {"ipv4:1.2.3.4:99999", NULL, "99999", "up to 65535", ROTA_EINVAL},
        {"ipv6:[::1:80", NULL, "[::1:80", "[IPV6]:PORT", ROTA_EINVAL},
        {"etcd://h:1/", NULL, "no service", "etcd://members/service", ROTA_EINVAL},
        {"etcd://h:1/s?dialect=x", NULL, "\"x\"", "grpclb", ROTA_EINVAL},
        {"ipv4:1.2.3.4:1", "{", "the service config", "line 1", ROTA_EPARSE},
        {"ipv4:1.2.3.4:1", "[]", "the service config", "expected {", ROTA_EPARSE},
        {"ipv4:1.2.3.4:1", "{\"loadBalancingConfig\":[{\"no_such\":{}}]}", "no_such", "round_robin", ROTA_EPARSE},
        {"ipv4:1.2.3.4:1", "{\"loadBalancingConfig\":[{\"pick_first\":{\"shuffleAddressList\":3}}]}", "shuffleAddressList", "true or false", ROTA_EPARSE},
        {"ipv4:1.2.3.4:1", "{\"methodConfig\":[{\"name\":[{\"service\":\"s\"}],\"timeout\":\"soon\"}]}", "methodConfig[0].timeout", "as in \"1.5s\"", ROTA_EPARSE},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel *channel = NULL;
        struct rota_errinfo info = {{0}};

        print_message("  %s %s\n", rows[i].target, rows[i].config == NULL ? "" : rows[i].config);
        options.loop = loop;
        options.service_config = rows[i].config;
        assert_string_equal(rota_err_name(rota_channel_open(rows[i].target, &options, &channel, &info)), rota_err_name(rows[i].want));
        assert_null(channel);
        assert_says(info.text, rows[i].culprit, rows[i].expected);
    }
}

static void registrars_and_registries_that_do_not_open(void **unused)
{
    static const struct {
        const char *uri, *address, *culprit, *expected;
    } rows[] = {
        {"dns:///x", "1.2.3.4:80", "dns:///x", "etcd://members/service"},
        {"etcd://h:1/s", "nowhere", "nowhere", "HOST:PORT"},
        {"etcd://h:99999/s", "1.2.3.4:80", "99999", "port"},
    };
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    struct rota_registry *registry = NULL;
    struct rota_errinfo info = {{0}};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_registrar_options how = ROTA_REGISTRAR_OPTIONS_INIT;
        struct rota_registrar *registrar = NULL;

        print_message("  %s %s\n", rows[i].uri, rows[i].address);
        how.loop = loop;
        how.address = rows[i].address;
        assert_true(rota_registrar_open(rows[i].uri, &how, &registrar, &info) < 0);
        assert_null(registrar);
        assert_says(info.text, rows[i].culprit, rows[i].expected);
    }
    options.loop = loop;
    options.listen = "127.0.0.1:99999";
    assert_int_equal(rota_registry_open(&options, &registry, &info), ROTA_EPARSE);
    assert_says(info.text, "99999", "65535");
}

/* --- Messages that are too long --- */

/* `size` letters; freed by the caller. */
static char *letters(size_t size)
{
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static void on_say(struct rota_server_call *call, const Proto__HelloRequest *request, void *user)
{
    Proto__HelloReply reply = PROTO__HELLO_REPLY__INIT;

    (void)request;
    reply.value = letters(*(const size_t *)user);
    proto_hello_service_say_reply(call, &reply);
    free(reply.value);
}

static const struct proto_hello_service_handlers handlers = {.say = on_say};

static void messages_over_a_limit(void **unused)
{
    static const struct {
        const char *rule;
        size_t server_request, server_reply, channel_request, channel_reply;
        size_t request, reply;
        enum rota_code want;
        const char *limit;
    } rows[] = {
        {"all within", 1000, 1000, 1000, 1000, 500, 500, ROTA_OK, ""},
        {"a request over the server's limit", 1000, 0, 0, 0, 2000, 1, ROTA_RESOURCE_EXHAUSTED, "1000"},
        {"a request over the channel's limit", 0, 0, 1000, 0, 2000, 1, ROTA_RESOURCE_EXHAUSTED, "1000"},
        {"a reply over the channel's limit", 0, 0, 0, 1000, 1, 2000, ROTA_RESOURCE_EXHAUSTED, "1000"},
        {"a reply over the server's limit", 0, 1000, 0, 0, 1, 2000, ROTA_RESOURCE_EXHAUSTED, "1000"},
        {"a reply over the default of 4 MiB", 0, 0, 0, 0, 1, (size_t)5 << 20, ROTA_RESOURCE_EXHAUSTED, "4194304"},
        {"a request over the default of 4 MiB", 0, 0, 0, 0, (size_t)5 << 20, 1, ROTA_RESOURCE_EXHAUSTED, "4194304"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 8];
        Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
        struct rota_channel *channel;
        struct rota_server *server;
        size_t reply = rows[i].reply;
        struct rota_status status;

        print_message("  %s\n", rows[i].rule);
        server_options.loop = options.loop = loop;
        server_options.max_request_bytes = rows[i].server_request;
        server_options.max_reply_bytes = rows[i].server_reply;
        options.max_request_bytes = rows[i].channel_request;
        options.max_reply_bytes = rows[i].channel_reply;
        assert_int_equal(rota_server_new(&server_options, &server, NULL), 0);
        assert_int_equal(proto_hello_service_add(server, &handlers, &reply), 0);
        assert_int_equal(rota_server_listen(server, "127.0.0.1:0", bound, NULL), 0);
        snprintf(target, sizeof(target), "ipv4:%s", bound);
        assert_int_equal(rota_channel_open(target, &options, &channel, NULL), 0);
        request.name = letters(rows[i].request);
        status = proto_hello_service_say(channel, NULL, &request, NULL);
        assert_string_equal(rota_code_name(status.code), rota_code_name(rows[i].want));
        assert_says(status.message, rows[i].limit, "");
        free(request.name);
        rota_channel_free(channel);
        rota_server_free(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(channels_that_do_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(registrars_and_registries_that_do_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_over_a_limit, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
