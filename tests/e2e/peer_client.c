/* peer_client.c - tries a server of the Peer service (tests/peers/peer.proto), and servers that misbehave.
 *
 *     peer_client HOST:PORT [CHECK ...]     prints ok or FAIL per check, then the totals; exit code 1 when one failed
 *     peer_client say HOST:PORT ...         one call of HelloService.Say to each, all at once: "HOST:PORT CODE text" a line
 */
#include "peer_client.h"
#include "hello.rota.h"
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY_MS 2000

static char failure[1000];

bool expect(bool ok, const char *format, ...)
{
    va_list args;

    if (ok || failure[0] != '\0')
        return ok;
    va_start(args, format);
    vsnprintf(failure, sizeof(failure), format, args);
    va_end(args);
    return false;
}

bool expect_status(const struct rota_status *got, enum rota_code code, const char *message)
{
    return expect(got->code == code && (message == NULL || strcmp(got->message, message) == 0), "status is %s \"%.200s\", want %s \"%s\"",
                  rota_code_name(got->code), got->message, rota_code_name(code), message == NULL ? "" : message);
}

static bool is_filled(ProtobufCBinaryData body, char fill)
{
    for (size_t i = 0; i < body.len; i++)
        if (body.data[i] != (uint8_t)fill)
            return false;
    return true;
}

bool expect_msg(const Peer__Msg *got, size_t size, char fill, int32_t count)
{
    return expect(got->body.len == size && is_filled(got->body, fill) && got->count == count,
                  "body has %zu bytes, count is %d; want %zu times '%c' and %d", got->body.len, (int)got->count, size, fill, (int)count);
}

Peer__Msg message_of(size_t size, char fill)
{
    static uint8_t body[5 << 20];
    Peer__Msg msg = PEER__MSG__INIT;

    memset(body, fill, size);
    msg.body = (ProtobufCBinaryData){size, body};
    return msg;
}

struct rota_call_options options_of(int64_t timeout_ms)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;

    options.timeout_ms = timeout_ms;
    return options;
}

int64_t now_ms(const struct peer *peer)
{
    return rota_loop_now_ns(peer->loop) / 1000000;
}

rota_err turn(struct rota_loop *loop)
{
    struct pollfd pollfd = {.fd = rota_loop_fd(loop), .events = POLLIN};

    poll(&pollfd, 1, rota_loop_timeout_ms(loop));
    return rota_loop_turn(loop);
}

/* --- Metadata --- */

static const struct {
    const char *key, *value;
    size_t size;
} pairs[] = {
    {"x-echo-a", "one", 3},   {"x-echo-a", "two", 3},       {"x-echo-b-bin", "\0\xff\n", 3}, {"x-trail-c", "three", 5},
    {"x-trail-d-bin", "\1", 1}, {"x-trail-d-bin", "\2\3", 2}, {"x-other", "four", 4},
};

struct rota_metadata *metadata_to_echo(void)
{
    struct rota_metadata *metadata;

    if (rota_metadata_new(NULL, &metadata) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct rota_slice value = {(const uint8_t *)pairs[i].value, pairs[i].size};
        if (!expect(rota_metadata_add(metadata, rota_slice_str(pairs[i].key), value, NULL) == 0, "%s is not taken", pairs[i].key))
            break;
    }
    return metadata;
}

/* All values of the key, joined by ", " (as node sends them anyway). */
static bool expect_values(const struct rota_metadata *metadata, const char *key, const char *want, size_t want_size)
{
    char got[100];
    size_t size = 0;

    for (size_t i = 0; i < rota_metadata_count(metadata); i++) {
        struct rota_metadatum pair = rota_metadata_at(metadata, i);
        if (!rota_slice_equal(pair.key, rota_slice_str(key)) || size + pair.value.size + 2 > sizeof(got))
            continue;
        if (size > 0) {
            memcpy(got + size, ", ", 2);
            size += 2;
        }
        memcpy(got + size, pair.value.data, pair.value.size);
        size += pair.value.size;
    }
    return expect(size == want_size && memcmp(got, want, size) == 0, "%s has the values \"%.*s\"", key, (int)size, got);
}

bool expect_metadata(const struct rota_metadata *initial, const struct rota_metadata *trailing)
{
    return expect_values(initial, "x-echo-a", "one, two", 8) && expect_values(initial, "x-echo-b-bin", "\0\xff\n", 3) &&
           expect_values(trailing, "x-trail-c", "three", 5) && expect_values(trailing, "x-trail-d-bin", "\1, \2\3", 5) &&
           expect_values(initial, "x-other", "", 0) && expect_values(trailing, "x-other", "", 0);
}

/* --- Trying one server --- */

bool echo(const struct peer *peer, size_t size)
{
    struct rota_call_options options = options_of(LONG_MS);
    Peer__Msg msg = message_of(size, 'x'), *reply = NULL;
    struct rota_status status;
    bool ok;

    msg.text = (char *)"hi";
    status = peer_peer_unary(peer->channel, &options, &msg, &reply);
    ok = expect_status(&status, ROTA_OK, NULL) && expect_msg(reply, size, 'x', 1) && expect(strcmp(reply->text, "hi") == 0, "text is \"%s\"", reply->text);
    if (reply != NULL)
        peer__msg__free_unpacked(reply, NULL);
    return ok;
}

static bool is_wanted(const char *name, int n_names, char **names)
{
    for (int i = 0; i < n_names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return n_names == 0;
}

static void run_checks(const struct check *checks, const struct peer *peer, int n_names, char **names, int *counts)
{
    for (; checks->name != NULL; checks++) {
        bool ok;
        if (!is_wanted(checks->name, n_names, names))
            continue;
        failure[0] = '\0';
        ok = checks->run(peer);
        counts[ok]++;
        printf("%s %s%s%s\n", ok ? "ok" : "FAIL", checks->name, ok ? "" : ": ", ok ? "" : failure);
    }
}

static struct rota_channel *open_channel(struct rota_loop *loop, const char *address)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_errinfo info = {{0}};
    struct rota_channel *channel;
    char target[300];

    options.loop = loop;
    options.tls = &rota_tls_insecure;
    snprintf(target, sizeof(target), "%s%s", strncmp(address, "unix", 4) == 0 ? "" : "dns:///", address);
    if (rota_channel_open(target, &options, &channel, &info) < 0) {
        fprintf(stderr, "peer_client: %s\n", info.text);
        exit(2);
    }
    return channel;
}

static int try_server(struct rota_loop *loop, int n_words, char **words)
{
    struct peer peer = {loop, open_channel(loop, words[0])};
    int counts[2] = {0};

    run_checks(unary_checks, &peer, n_words - 1, words + 1, counts);
    run_checks(stream_checks, &peer, n_words - 1, words + 1, counts);
    printf("%d passed, %d failed\n", counts[true], counts[false]);
    rota_channel_free(peer.channel);
    return counts[true] > 0 && counts[false] == 0 ? 0 : 1;
}

/* --- One call to each of many --- */

struct saying {
    const char *address;
    struct rota_channel *channel;
    bool done;
};

static void on_said(void *arg, const struct rota_status *status, const Proto__HelloReply *reply)
{
    struct saying *s = arg;

    s->done = true;
    printf("%s %s %s\n", s->address, rota_code_name(status->code), reply == NULL ? status->message : reply->value);
}

static int say_to_all(struct rota_loop *loop, int n_addresses, char **addresses)
{
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    struct rota_call_options options = options_of(SAY_MS);
    struct saying *all = calloc((size_t)n_addresses, sizeof(*all));
    int code = all == NULL;

    request.name = (char *)"mischief";
    for (int i = 0; code == 0 && i < n_addresses; i++) {
        all[i] = (struct saying){addresses[i], open_channel(loop, addresses[i]), false};
        if (proto_hello_service_say_start(all[i].channel, &options, &request, on_said, &all[i], NULL) < 0)
            code = 1;
    }
    for (int i = 0; code == 0 && i < n_addresses; i++) {
        while (!all[i].done)
            if (turn(loop) < 0)
                code = 1;
        rota_channel_free(all[i].channel);
    }
    free(all);
    return code;
}

int main(int argc, char **argv)
{
    struct rota_loop *loop;
    int code = 2;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || rota_loop_new(NULL, &loop) < 0)
        return code;
    if (strcmp(argv[1], "say") != 0)
        code = try_server(loop, argc - 1, argv + 1);
    else
        code = say_to_all(loop, argc - 2, argv + 2);
    rota_loop_free(loop);
    return code;
}
