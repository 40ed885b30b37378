/* tls.c - any bytes to a TLS engine. The first byte says how much is fed at a time and what the engine is: a server, a client that has sent
 * its first message, or a server after a whole handshake. Nothing may come out as plaintext. Certificates are made once. */
#include "base/alloc.h"
#include "base/assert.h"
#include "net/certs_fixture.h"
#include "net/tls.h"

static struct rota_tls_config *configs[2]; /* client, server */

static void set_up(void)
{
    struct rota_tls_options client = ROTA_TLS_OPTIONS_INIT, server = ROTA_TLS_OPTIONS_INIT;
    static const struct rota_alloc *alloc;
    struct rota_errinfo info;
    char dir[64];

    alloc = rota_alloc_or_default(NULL);
    certs_dir_make(dir);
    certs_write_usual(dir);
    client.ca_file = server.ca_file = certs_path(dir, "ca.pem");
    client.reload_ms = server.reload_ms = -1;
    server.cert_file = certs_path(dir, "server.pem");
    server.key_file = certs_path(dir, "server.key");
    ROTA_ASSERT(rota_tls_config_new(&client, false, alloc, NULL, &configs[0], &info) == 0);
    ROTA_ASSERT(rota_tls_config_new(&server, true, alloc, NULL, &configs[1], &info) == 0);
    certs_dir_remove(dir);
}

struct end {
    struct rota_tls *tls;
    struct rota_buffer out;
};

static void open_end(struct end *end, bool server)
{
    rota_buffer_init(&end->out, NULL, 0);
    ROTA_ASSERT(rota_tls_new(configs[server], rota_slice_str(server ? NULL : "localhost"), server ? NULL : "peer", &end->out, 0, &end->tls) == 0);
}

static void close_end(struct end *end)
{
    rota_tls_close(end->tls);
    rota_tls_free(end->tls);
    rota_buffer_fini(&end->out);
}

/* Feeds what is there and reads until nothing more comes. */
static bool feed(struct end *end, struct rota_slice bytes)
{
    uint8_t plain[64];
    size_t size;
    rota_err err;

    rota_tls_feed(end->tls, bytes);
    err = rota_tls_read(end->tls, plain, sizeof(plain), &size, NULL);
    ROTA_ASSERT(size == 0);
    return err == 0;
}

static void shake(struct end *client, struct end *server)
{
    while (!rota_tls_ready(client->tls) || !rota_tls_ready(server->tls)) {
        ROTA_ASSERT(feed(client, rota_buffer_peek(&server->out)));
        rota_buffer_clear(&server->out);
        ROTA_ASSERT(feed(server, rota_buffer_peek(&client->out)));
        rota_buffer_clear(&client->out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut;
    struct end end, other;
    int kind;

    if (configs[0] == NULL)
        set_up();
    if (size == 0)
        return 0;
    kind = data[0] % 3;
    cut = data[0] / 3 == 0 ? SIZE_MAX : (size_t)(data[0] / 3);
    open_end(&end, kind != 1);
    if (kind == 1)
        ROTA_ASSERT(feed(&end, rota_slice(NULL, 0)));
    if (kind == 2) {
        open_end(&other, false);
        shake(&other, &end);
        close_end(&other);
    }
    for (size_t at = 1; at < size;) {
        size_t part = size - at < cut ? size - at : cut;
        if (!feed(&end, rota_slice(data + at, part)))
            break;
        at += part;
    }
    close_end(&end);
    return 0;
}
