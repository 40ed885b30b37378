/* dns_test.c - a channel whose name server is this test: addresses, and the service config beside them (gRFC A2), over real sockets. */
#include "assembly/assembly_fixture.h"
#include "net/lookup.h"
#include "resolver/dns.h"
#include "loop/loop.h"
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define TYPE_A 1
#define TYPE_TXT 16
#define STRING_BYTES 100 /* a TXT record's value comes in strings of this size */

static struct name_server {
    int fd;
    uv_poll_t poll;
    char address[32];
    const char *record; /* the TXT record's value; NULL: there is none; "": no answer */
    unsigned n_txt;
} names;

static size_t put_head(uint8_t *out, uint8_t type, size_t data_size)
{
    const uint8_t head[] = {0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, (uint8_t)(data_size >> 8), (uint8_t)data_size};

    memcpy(out, head, sizeof(head));
    return sizeof(head);
}

static size_t put_record(uint8_t *out, const char *text)
{
    size_t left = strlen(text), size = put_head(out, TYPE_TXT, left + (left + STRING_BYTES - 1) / STRING_BYTES);

    while (left > 0) {
        size_t n = left < STRING_BYTES ? left : STRING_BYTES;

        out[size++] = (uint8_t)n;
        memcpy(out + size, text, n);
        size += n;
        text += n;
        left -= n;
    }
    return size;
}

/* Turns the question into its answer; 0: there is to be none. */
static size_t answer(uint8_t *packet)
{
    size_t end = 12;
    uint8_t type;

    while (packet[end] != 0)
        end += (size_t)packet[end] + 1;
    type = packet[end + 2];
    end += 5;
    packet[2] = 0x81;
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    if (type == TYPE_A) {
        packet[7] = 1;
        end += put_head(packet + end, TYPE_A, 4);
        memcpy(packet + end, (const uint8_t[]){127, 0, 0, 1}, 4);
        return end + 4;
    }
    if (type != TYPE_TXT)
        return end;
    names.n_txt++;
    if (names.record == NULL)
        return end;
    if (names.record[0] == '\0')
        return 0;
    packet[7] = 1;
    return end + put_record(packet + end, names.record);
}

static void asked(uv_poll_t *handle, int status, int events)
{
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    uint8_t packet[2048];
    ssize_t size = recvfrom(names.fd, packet, 512, 0, (struct sockaddr *)&from, &from_size);

    (void)handle, (void)status, (void)events;
    if (size >= 12 && (size = (ssize_t)answer(packet)) > 0)
        sendto(names.fd, packet, (size_t)size, 0, (struct sockaddr *)&from, from_size);
}

static void serve_names(struct rota_loop *loop, const char *record)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    names = (struct name_server){.record = record};
    names.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(names.fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(names.fd, (struct sockaddr *)&address, &size), 0);
    snprintf(names.address, sizeof(names.address), "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    uv_poll_init(rota_loop_uv(loop), &names.poll, names.fd);
    uv_poll_start(&names.poll, UV_READABLE, asked);
}

static void serve_no_more(void)
{
    uv_close((uv_handle_t *)&names.poll, NULL);
    close(names.fd);
}

/* --- The resolver, with that name server for the system's --- */

static rota_err start_lookup(struct rota_loop *loop, struct rota_slice host, uint16_t port, rota_dns_done done, void *arg, void **ret_lookup)
{
    return rota_lookup_start_at(loop, names.address, host, port, done, arg, (struct rota_lookup **)ret_lookup);
}

static rota_err start_txt(struct rota_loop *loop, const char *name, rota_dns_txt_done done, void *arg, void **ret_lookup)
{
    assert_string_equal(name, "_grpc_config.name.test");
    return rota_lookup_txt_start_at(loop, names.address, name, done, arg, (struct rota_lookup **)ret_lookup);
}

static void cancel(void *lookup)
{
    rota_lookup_cancel(lookup);
}

static rota_err start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    static const struct rota_dns_lookup_class lookups = {.start = start_lookup, .start_txt = start_txt, .cancel = cancel};

    return rota_dns_start(state, target, loop, sink, &lookups, ROTA_DNS_MIN_INTERVAL_NS);
}

static const struct rota_resolver_class own_dns = {
    .scheme = "dns", .state_size = sizeof(struct rota_dns), .check = rota_dns_check, .start = start, .refresh = rota_dns_refresh, .stop = rota_dns_stop};

#define IMPATIENT "\"serviceConfig\":{\"methodConfig\":[{\"name\":[{}],\"timeout\":\"0.05s\"}]}}"
#define FILLER "{\"clientHostname\":[\"a-host-with-a-name-that-is-as-long-as-it-needs-to-be-for-several-strings-of-one-record\"],\"serviceConfig\":{}}"

static const struct config_case {
    const char *rule, *record;
    enum rota_config_lookup lookup;
    bool asks;
    enum rota_code want; /* of the first call: DEADLINE_EXCEEDED when the config counts */
    const char *own;     /* the program's config; NULL: none */
} config_cases[] = {
    {"a record counts from the first call on", "grpc_config=[{" IMPATIENT "]", ROTA_CONFIG_LOOKUP_ON, true, ROTA_DEADLINE_EXCEEDED, NULL},
    {"several strings are one value, the first choice that fits is taken", "grpc_config=[" FILLER ",{\"clientLanguage\":[\"c\"]," IMPATIENT "]", ROTA_CONFIG_LOOKUP_ON,
        true, ROTA_DEADLINE_EXCEEDED, NULL},
    {"not for us", "grpc_config=[{\"clientLanguage\":[\"java\"]," IMPATIENT "]", ROTA_CONFIG_LOOKUP_ON, true, ROTA_OK, NULL},
    {"a bad record and no other config: calls fail", "grpc_config=[{", ROTA_CONFIG_LOOKUP_ON, true, ROTA_UNAVAILABLE, NULL},
    {"a bad record: the program's own counts", "grpc_config=[{", ROTA_CONFIG_LOOKUP_ON, true, ROTA_OK, "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"},
    {"no record", NULL, ROTA_CONFIG_LOOKUP_ON, true, ROTA_OK, NULL},
    {"off by default", "grpc_config=[{" IMPATIENT "]", ROTA_CONFIG_LOOKUP_DEFAULT, false, ROTA_OK, NULL},
    {"off", "grpc_config=[{" IMPATIENT "]", ROTA_CONFIG_LOOKUP_OFF, false, ROTA_OK, NULL},
};

static void check_case(const struct config_case *c)
{
    static const struct rota_resolver_class *const resolvers[] = {&own_dns, NULL};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *channel;
    struct test_server server;
    struct rota_status status;
    struct rota_loop *loop;
    char target[100];

    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&server, loop, "127.0.0.1:0", NULL);
    serve_names(loop, c->record);
    snprintf(target, sizeof(target), "dns:///name.test%s", strrchr(server.bound, ':'));
    options.loop = loop;
    options.resolvers = resolvers;
    options.no_proxy = true;
    options.service_config = c->own;
    options.service_config_lookup = c->lookup;
    assert_int_equal(rota_channel_open(target, &options, &channel, NULL), 0);
    status = test_unary(channel, &test_delay, 5000, "200");
    assert_int_equal(status.code, c->want);
    assert_int_equal(names.n_txt > 0, c->asks);
    rota_channel_free(channel);
    test_server_close(&server);
    serve_no_more();
    rota_loop_free(loop);
}

static void configs_come_with_the_addresses(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(config_cases); i++) {
        print_message("  %s\n", config_cases[i].rule);
        check_case(&config_cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(configs_come_with_the_addresses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
