/* lookup_test.c - names to addresses: without the network, and from a name server that this test is. */
#include "net/lookup.h"
#include "base/assert.h"
#include "net/net_fixture.h"
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct result {
    bool done;
    rota_err err;
    char detail[512];
    char addresses[512]; /* texts with a space behind each */
    size_t count;
};

static void note(void *arg, rota_err err, const char *detail, const struct rota_address *addresses, size_t count)
{
    struct result *result = arg;

    assert_false(result->done);
    result->done = true;
    result->err = err;
    result->count = count;
    snprintf(result->detail, sizeof(result->detail), "%s", detail);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(result->addresses);
        assert_int_equal(addresses[i].port, 80);
        snprintf(result->addresses + size, sizeof(result->addresses) - size, "%s ", addresses[i].text);
    }
}

/* --- A name server --- */

enum reply { SILENT, TWO_A_ONE_AAAA, NO_SUCH_NAME, ADDRESSLESS, ONLY_AAAA, RECORDS, SILENT_ON_AAAA, SILENT_ON_A, LOSES_ONE_AAAA, LATE_AAAA };

struct name_server {
    int fd;
    uv_poll_t poll;
    enum reply reply;
    char address[32];
    size_t n_asked, n_aaaa; /* questions; for AAAA */
    uint8_t late[512];      /* LATE_AAAA: the first answer, given behind that to the second question for A; the other is never given */
    size_t late_size;
};

static size_t put_address(uint8_t *out, bool v6, uint8_t last)
{
    /* Name by pointer to the question, class IN, a minute. */
    static const uint8_t head[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
    size_t size = sizeof(head);

    memcpy(out, head, size);
    if (v6) {
        out[3] = 28;
        out[11] = 16;
        memset(out + size, 0, 16);
        memcpy(out + size, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
        out[size + 15] = last;
        return size + 16;
    }
    memcpy(out + size, (const uint8_t[]){192, 0, 2, last}, 4);
    return size + 4;
}

/* Two TXT records, the first of two strings, one of them 200 bytes long. */
static size_t put_records(uint8_t *out)
{
    static const uint8_t head[] = {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0};
    size_t size = 0;

    memcpy(out, head, sizeof(head));
    size = sizeof(head);
    out[size++] = 201 + 4;
    out[size++] = 200;
    memset(out + size, 'x', 200);
    size += 200;
    memcpy(out + size, "\003end", 4);
    size += 4;
    memcpy(out + size, head, sizeof(head));
    size += sizeof(head);
    memcpy(out + size, "\007\006second", 8);
    return size + 8;
}

static bool is_silent(const struct name_server *server, bool v6)
{
    switch (server->reply) {
    case SILENT: return true;
    case SILENT_ON_AAAA: return v6;
    case SILENT_ON_A: return !v6;
    case LOSES_ONE_AAAA: return v6 && server->n_aaaa == 1;
    case LATE_AAAA: return v6 && server->n_aaaa > 1;
    default: return false;
    }
}

/* 0: none. */
static size_t answer(struct name_server *server, uint8_t *packet, size_t size)
{
    size_t question_end = 12;

    while (packet[question_end] != 0)
        question_end += (size_t)packet[question_end] + 1;
    bool v6 = packet[question_end + 2] == 28;
    question_end += 5;
    assert_true(question_end <= size);
    server->n_aaaa += v6;
    if (is_silent(server, v6))
        return 0;
    packet[2] = 0x81; /* a response, recursion desired and available, no error */
    packet[3] = (uint8_t)(0x80 | (server->reply == NO_SUCH_NAME ? 3 : 0));
    memset(packet + 6, 0, 6);
    size = question_end;
    if (server->reply == TWO_A_ONE_AAAA || server->reply >= SILENT_ON_AAAA || (server->reply == ONLY_AAAA && v6)) {
        packet[7] = v6 ? 1 : 2;
        size += put_address(packet + size, v6, 1);
        if (!v6)
            size += put_address(packet + size, false, 2);
    }
    if (server->reply == RECORDS) {
        packet[7] = 2;
        size += put_records(packet + size);
    }
    if (server->reply == LATE_AAAA && v6) {
        memcpy(server->late, packet, size);
        server->late_size = size;
        return 0;
    }
    return size;
}

static void asked(uv_poll_t *handle, int status, int events)
{
    struct name_server *server = handle->data;
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    uint8_t packet[1024];

    (void)events;
    assert_int_equal(status, 0);
    ssize_t size = recvfrom(server->fd, packet, sizeof(packet) / 2, 0, (struct sockaddr *)&from, &from_size);
    if (size < 12)
        return;
    server->n_asked++;
    size = (ssize_t)answer(server, packet, (size_t)size);
    if (size > 0)
        sendto(server->fd, packet, (size_t)size, 0, (struct sockaddr *)&from, from_size);
    if (size > 0 && server->n_asked > 2 && server->late_size > 0)
        sendto(server->fd, server->late, server->late_size, 0, (struct sockaddr *)&from, from_size);
}

static void serve_names(struct name_server *server, struct net_fixture *f, enum reply reply)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    *server = (struct name_server){.reply = reply};
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    uv_poll_init(rota_loop_uv(f->loop), &server->poll, server->fd);
    server->poll.data = server;
    uv_poll_start(&server->poll, UV_READABLE, asked);
}

static void serve_no_more(struct name_server *server)
{
    uv_close((uv_handle_t *)&server->poll, NULL);
    close(server->fd);
}

static const struct lookup_case {
    const char *rule, *host;
    enum reply reply;
    rota_err want;
    size_t n_asked;            /* 0: answered without the network */
    const char *first, *other; /* parts of the addresses, or of the detail */
} lookup_cases[] = {
    {"an IPv4 literal", "192.0.2.7", SILENT, 0, 0, "192.0.2.7:80 ", ""},
    {"an IPv6 literal", "2001:db8::7", SILENT, 0, 0, "[2001:db8::7]:80 ", ""},
    {"an IPv6 literal with a scope", "fe80::1%2", SILENT, 0, 0, "[fe80::1%2]:80 ", ""},
    {"localhost", "localhost", SILENT, 0, 0, "127.0.0.1:80 ", "[::1]:80 "},
    {"below localhost, any case", "a.LocalHost.", SILENT, 0, 0, "127.0.0.1:80 ", "[::1]:80 "},
    {"both families", "name.test", TWO_A_ONE_AAAA, 0, 2, "192.0.2.1:80 ", "[2001:db8::1]:80 "},
    {"one family", "name.test", ONLY_AAAA, 0, 2, "[2001:db8::1]:80 ", ""},
    {"one family, and nothing said of IPv6", "name.test", SILENT_ON_AAAA, 0, 3, "192.0.2.1:80 ", "192.0.2.2:80 "},
    {"one family, and nothing said of IPv4", "name.test", SILENT_ON_A, 0, 3, "[2001:db8::1]:80 ", ""},
    {"both families, after one lost packet", "name.test", LOSES_ONE_AAAA, 0, 4, "192.0.2.2:80 ", "[2001:db8::1]:80 "},
    {"both families, one of them late", "name.test", LATE_AAAA, 0, 3, "192.0.2.2:80 ", "[2001:db8::1]:80 "},
    {"no such name", "name.test", NO_SUCH_NAME, ROTA_ENOTFOUND, 1, "name.test: no such host", ""},
    {"a name without addresses", "name.test", ADDRESSLESS, ROTA_ENOTFOUND, 1, "name.test: the host has no address", ""},
    {"no name", "a..b", TWO_A_ONE_AAAA, ROTA_ENOTFOUND, 0, "a..b: not a host name", ""},
};

static void names_become_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(lookup_cases); i++) {
        const struct lookup_case *c = &lookup_cases[i];
        struct result result = {.done = false};
        struct rota_lookup *lookup;
        struct name_server server;
        struct net_fixture f;
        int64_t begun_ns;

        print_message("%s\n", c->rule);
        net_fixture_init(&f);
        serve_names(&server, &f, c->reply);
        begun_ns = rota_loop_now_ns(f.loop);
        assert_int_equal(rota_lookup_start_at(f.loop, server.address, rota_slice_str(c->host), 80, note, &result, &lookup), 0);
        assert_false(result.done);
        turn_until(&f, &result.done);
        assert_in_range(rota_loop_now_ns(f.loop) - begun_ns, 0, INT64_C(5000000000));
        const char *got = c->want < 0 ? result.detail : result.addresses;
        if (result.err != c->want || strstr(got, c->first) == NULL || strstr(got, c->other) == NULL)
            fail_msg("%d \"%s\"", result.err, got);
        assert_true(c->n_asked == 0 ? server.n_asked == 0 : server.n_asked >= c->n_asked);
        serve_no_more(&server);
        net_fixture_fini(&f);
    }
}

/* --- TXT records --- */

static void note_txt(void *arg, rota_err err, const char *detail, const struct rota_slice *values, size_t count)
{
    struct result *result = arg;
    size_t size = 0;

    assert_false(result->done);
    result->done = true;
    result->err = err;
    result->count = count;
    snprintf(result->detail, sizeof(result->detail), "%s", detail);
    for (size_t i = 0; i < count; i++) {
        assert_true(size + values[i].size + 2 < sizeof(result->addresses));
        memcpy(result->addresses + size, values[i].data, values[i].size);
        size += values[i].size;
        result->addresses[size++] = '|';
    }
}

static const struct txt_case {
    const char *rule, *name;
    enum reply reply;
    rota_err want;
    const char *says;
    size_t n_asked;
} txt_cases[] = {
    {"strings of one record are joined, records are not", "_grpc_config.name.test", RECORDS, 0, "xxend|second|", 1},
    {"no such name", "_grpc_config.name.test", NO_SUCH_NAME, ROTA_ENOTFOUND, "no such host", 1},
    {"a name without records", "_grpc_config.name.test", ADDRESSLESS, ROTA_ENOTFOUND, "there is no such record", 1},
    {"records of another kind", "_grpc_config.name.test", TWO_A_ONE_AAAA, ROTA_ENOTFOUND, "there is no such record", 1},
    {"below localhost nobody is asked", "_grpc_config.localhost", RECORDS, ROTA_ENOTFOUND, "there is no such record", 0},
    {"no name", "a..b", RECORDS, ROTA_ENOTFOUND, "a..b: not a host name", 0},
};

static void names_have_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(txt_cases); i++) {
        const struct txt_case *c = &txt_cases[i];
        struct result result = {.done = false};
        struct rota_lookup *lookup;
        struct name_server server;
        struct net_fixture f;

        print_message("%s\n", c->rule);
        net_fixture_init(&f);
        serve_names(&server, &f, c->reply);
        assert_int_equal(rota_lookup_txt_start_at(f.loop, server.address, c->name, note_txt, &result, &lookup), 0);
        assert_false(result.done);
        turn_until(&f, &result.done);
        const char *got = c->want < 0 ? result.detail : result.addresses;
        if (result.err != c->want || strstr(got, c->says) == NULL)
            fail_msg("%d \"%s\"", result.err, got);
        if (c->want == 0)
            assert_int_equal(strlen(result.addresses), 203 + 1 + strlen("second|"));
        assert_int_equal(server.n_asked, c->n_asked);
        serve_no_more(&server);
        net_fixture_fini(&f);
    }
}

static void lookup_may_be_cancelled_while_asking(void **state)
{
    struct result result = {.done = false};
    struct rota_lookup *lookup;
    struct name_server server;
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    serve_names(&server, &f, SILENT);
    assert_int_equal(rota_lookup_start_at(f.loop, server.address, ROTA_SLICE("name.test"), 80, note, &result, &lookup), 0);
    turn_until_count(&f, &server.n_asked, 2);
    rota_lookup_cancel(lookup);
    assert_int_equal(rota_loop_turn(f.loop), 0);
    assert_int_equal(rota_lookup_start(f.loop, ROTA_SLICE("localhost"), 80, note, &result, &lookup), 0);
    rota_lookup_cancel(lookup);
    assert_int_equal(rota_loop_turn(f.loop), 0);
    assert_false(result.done);
    serve_no_more(&server);
    net_fixture_fini(&f);
}

static void cancel_it(void *arg, rota_err err, const char *detail, const struct rota_address *addresses, size_t count)
{
    (void)err;
    (void)detail;
    (void)addresses;
    (void)count;
    rota_lookup_cancel(*(struct rota_lookup **)arg);
    *(struct rota_lookup **)arg = NULL;
}

static void lookup_may_be_cancelled_by_its_answer(void **state)
{
    struct rota_lookup *lookup;
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    assert_int_equal(rota_lookup_start(f.loop, ROTA_SLICE("localhost"), 80, cancel_it, &lookup, &lookup), 0);
    assert_int_equal(rota_loop_turn(f.loop), 0);
    assert_null(lookup);
    net_fixture_fini(&f);
}

/* Not the name servers are to blame. */
static void a_shortage_of_descriptors_is_named(void **state)
{
    struct result addresses = {.done = false}, records = {.done = false};
    struct rota_lookup *lookup;
    struct rlimit before, none;
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(rota_lookup_start_at(f.loop, "127.0.0.1:1", ROTA_SLICE("name.test"), 80, note, &addresses, &lookup), 0);
    assert_int_equal(rota_lookup_txt_start_at(f.loop, "127.0.0.1:1", "name.test", note_txt, &records, &lookup), 0);
    turn_until(&f, &addresses.done);
    turn_until(&f, &records.done);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(addresses.err < 0 && records.err < 0);
    assert_string_equal(addresses.detail, "name.test: too many open files");
    assert_string_equal(records.detail, "name.test: too many open files");
    net_fixture_fini(&f);
}

static void bad_arguments_are_refused(void **state)
{
    struct rota_lookup *lookup;
    struct net_fixture f;
    char long_name[300];

    (void)state;
    memset(long_name, 'a', sizeof(long_name));
    net_fixture_init(&f);
    assert_int_equal(rota_lookup_start(f.loop, ROTA_SLICE(""), 80, note, NULL, &lookup), ROTA_EINVAL);
    assert_int_equal(rota_lookup_start(f.loop, ROTA_SLICE("a\0b"), 80, note, NULL, &lookup), ROTA_EINVAL);
    assert_int_equal(rota_lookup_start(f.loop, rota_slice(long_name, 256), 80, note, NULL, &lookup), ROTA_EINVAL);
    net_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_addresses),
        cmocka_unit_test(names_have_records),
        cmocka_unit_test(lookup_may_be_cancelled_while_asking),
        cmocka_unit_test(lookup_may_be_cancelled_by_its_answer),
        cmocka_unit_test(a_shortage_of_descriptors_is_named),
        cmocka_unit_test(bad_arguments_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
