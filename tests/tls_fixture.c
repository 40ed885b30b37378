/* tls_fixture.c - see tls_fixture.h. */
#include "tests/tls_fixture.h"

#include <stdio.h>
#include <stdlib.h>

const struct rota_method tls_say = {
    .path = "/test.Tls/Say", .request = {.codec = &rota_codec_bytes}, .reply = {.codec = &rota_codec_bytes}};

static void on_message(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    const struct rota_slice *request = message;
    const struct rota_peer_identity *who = rota_server_call_peer_identity(call);
    size_t cap = 256 + request->size, size;
    char *reply = calloc(1, cap);
    struct rota_slice bytes;

    (void)handlers;
    (void)user;
    assert_non_null(reply);
    size = (size_t)snprintf(reply, cap, "%s", who == NULL ? "nobody" : who->subject);
    for (size_t i = 0; who != NULL && i < who->n_names; i++)
        size += (size_t)snprintf(reply + size, cap - size, "|%s", who->names[i]);
    bytes = rota_slice(reply, size + request->size);
    rota_server_call_reply(call, &bytes);
    free(reply);
}

static const struct rota_handler handlers[] = {{.method = &tls_say, .on_message = on_message}};
static const struct rota_service service = {.name = "test.Tls", .handlers = handlers, .n_handlers = 1};

static void on_log(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct tls_ends *e = ctx;

    (void)level;
    (void)area;
    e->n_reloads += strstr(text, "is used for new connections") != NULL;
    if (strstr(text, ": TLS handshake: ") != NULL) {
        e->n_failures++;
        snprintf(e->failure, sizeof(e->failure), "%s", text);
    }
}

void tls_ends_init(struct tls_ends *e)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;

    memset(e, 0, sizeof(*e));
    rota_leak_alloc_init(&e->memory);
    e->sink = (struct rota_log){.write = on_log, .ctx = e};
    options.alloc = &e->memory.alloc;
    options.log = &e->sink;
    assert_int_equal(rota_loop_new(&options, &e->loop), 0);
    e->server_options = (struct rota_server_options)ROTA_SERVER_OPTIONS_INIT;
    e->channel_options = (struct rota_channel_options)ROTA_CHANNEL_OPTIONS_INIT;
    e->server_tls = e->client_tls = (struct rota_tls_options)ROTA_TLS_OPTIONS_INIT;
    e->server_options.loop = e->channel_options.loop = e->loop;
    e->server_options.tls = &e->server_tls;
    e->channel_options.tls = &e->client_tls;
    e->server_tls.cert_file = certs_path(certs_dir, "server.pem");
    e->server_tls.key_file = certs_path(certs_dir, "server.key");
    e->client_tls.ca_file = certs_path(certs_dir, "ca.pem");
    e->listen = "127.0.0.1:0";
}

rota_err tls_ends_serve(struct tls_ends *e, struct rota_errinfo *info)
{
    rota_err err = rota_server_new(&e->server_options, &e->server, info);

    if (err == 0)
        err = rota_server_add(e->server, &service, NULL, NULL);
    if (err == 0)
        err = rota_server_listen(e->server, e->listen, e->bound, info);
    if (err == 0)
        snprintf(e->target, sizeof(e->target), "%s%s", strncmp(e->bound, "unix:", 5) == 0 ? "" : "ipv4:", e->bound);
    return err;
}

void tls_ends_open(struct tls_ends *e)
{
    struct rota_errinfo info = {{0}};

    if (tls_ends_serve(e, &info) < 0)
        fail_msg("%s", info.text);
    tls_ends_new_channel(e);
}

void tls_ends_new_channel(struct tls_ends *e)
{
    struct rota_errinfo info = {{0}};

    rota_channel_free(e->channel);
    if (rota_channel_open(e->target, &e->channel_options, &e->channel, &info) < 0)
        fail_msg("%s", info.text);
}

void tls_ends_fini(struct tls_ends *e)
{
    rota_channel_free(e->channel);
    rota_server_free(e->server);
    rota_loop_free(e->loop);
    rota_leak_alloc_fini(&e->memory);
}

struct rota_status tls_call(struct tls_ends *e, size_t size, char text[256])
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_status status;
    uint8_t *bytes = calloc(1, size + 1);
    struct rota_slice request = rota_slice(bytes, size), *reply = NULL;

    assert_non_null(bytes);
    options.timeout_ms = 20000;
    status = rota_unary(e->channel, &tls_say, &options, &request, (void **)&reply);
    free(bytes);
    if (status.code != ROTA_OK)
        return status;
    assert_true(reply->size >= size && reply->size - size < 256);
    snprintf(text, 256, "%.*s", (int)(reply->size - size), (const char *)reply->data);
    rota_codec_bytes.free(NULL, reply, NULL);
    return status;
}

void tls_call_ok(struct tls_ends *e)
{
    char text[256];
    struct rota_status status = tls_call(e, 10, text);

    if (status.code != ROTA_OK)
        fail_msg("%s: %s", rota_code_name(status.code), status.message);
}

void tls_call_fails(struct tls_ends *e, const char *says)
{
    char text[256];
    struct rota_status status = tls_call(e, 10, text);

    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    if (strstr(status.message, says) == NULL || strstr(status.message, e->bound) == NULL)
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", status.message, says, e->bound);
}
