/* tls_pair_fixture.c - see tls_pair_fixture.h. */
#include "net/tls_pair_fixture.h"

#include <stdio.h>

struct rota_tls_options tls_files(const char *ca, const char *cert, const char *key)
{
    struct rota_tls_options options = ROTA_TLS_OPTIONS_INIT;

    options.ca_file = ca == NULL ? NULL : certs_path(certs_dir, ca);
    options.cert_file = cert == NULL ? NULL : certs_path(certs_dir, cert);
    options.key_file = key == NULL ? NULL : certs_path(certs_dir, key);
    return options;
}

static void on_log(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct tls_pair *p = ctx;

    (void)level;
    (void)area;
    p->n_logged++;
    snprintf(p->log, sizeof(p->log), "%s", text);
}

static void side_init(struct tls_pair *p, struct tls_side *side, const struct rota_tls_options *options, bool server)
{
    struct rota_errinfo info = {{0}};
    rota_err err = rota_tls_config_new(options, server, &p->memory.alloc, &p->sink, &side->config, &info);

    if (err < 0)
        fail_msg("%s", info.text);
    rota_buffer_init(&side->out, &p->memory.alloc, 0);
    rota_buffer_init(&side->got, &p->memory.alloc, 0);
}

static void side_fini(struct tls_side *side)
{
    rota_tls_free(side->tls);
    rota_tls_config_unref(side->config);
    rota_buffer_fini(&side->out);
    rota_buffer_fini(&side->got);
}

void tls_pair_init(struct tls_pair *p, const struct rota_tls_options *client, const struct rota_tls_options *server)
{
    memset(p, 0, sizeof(*p));
    rota_leak_alloc_init(&p->memory);
    rota_rng_init(&p->rng, 1);
    p->sink = (struct rota_log){.write = on_log, .ctx = p};
    side_init(p, &p->client, client, false);
    side_init(p, &p->server, server, true);
}

void tls_pair_fini(struct tls_pair *p)
{
    side_fini(&p->client);
    side_fini(&p->server);
    rota_leak_alloc_fini(&p->memory);
}

static void side_reset(struct tls_side *side)
{
    rota_tls_free(side->tls);
    side->tls = NULL;
    rota_buffer_clear(&side->out);
    rota_buffer_clear(&side->got);
    side->err = 0;
    side->why = (struct rota_errinfo){{0}};
}

void tls_pair_connect(struct tls_pair *p, const char *host, int64_t now_ns)
{
    side_reset(&p->client);
    side_reset(&p->server);
    assert_int_equal(rota_tls_new(p->client.config, rota_slice_str(host), "peer:1", &p->client.out, now_ns, &p->client.tls), 0);
    assert_int_equal(rota_tls_new(p->server.config, rota_slice(NULL, 0), NULL, &p->server.out, now_ns, &p->server.tls), 0);
}

static void side_read(struct tls_side *side)
{
    uint8_t plain[20000];
    struct rota_errinfo info = {{0}};
    rota_err err = 0;
    size_t size = 1;

    while (err == 0 && size > 0) {
        err = rota_tls_read(side->tls, plain, sizeof(plain), &size, &info);
        if (err == 0 && size > 0) {
            assert_true(rota_tls_ready(side->tls));
            assert_int_equal(rota_buffer_append(&side->got, rota_slice(plain, size)), 0);
        }
    }
    if (err < 0 && side->err == 0) {
        assert_true(info.text[0] != '\0');
        side->err = err;
        side->why = info;
    }
}

bool tls_pair_carry(struct tls_pair *p, struct tls_side *from, struct tls_side *to)
{
    struct rota_slice bytes = rota_buffer_peek(&from->out);
    size_t most = p->cut_bytes == 0 ? SIZE_MAX : p->cut_at_random ? 1 + rota_rng_below(&p->rng, (uint32_t)p->cut_bytes) : p->cut_bytes;

    if (bytes.size == 0)
        return false;
    bytes.size = bytes.size < most ? bytes.size : most;
    rota_tls_feed(to->tls, bytes);
    side_read(to);
    rota_buffer_consume(&from->out, bytes.size);
    return true;
}

void tls_pair_pump(struct tls_pair *p)
{
    bool moved = true;

    side_read(&p->client); /* begins the handshake */
    while (moved) {
        moved = tls_pair_carry(p, &p->client, &p->server);
        moved = tls_pair_carry(p, &p->server, &p->client) || moved;
    }
}

void tls_pair_shake(struct tls_pair *p, const char *host)
{
    tls_pair_connect(p, host, 0);
    tls_pair_pump(p);
}

void tls_pair_send(struct tls_side *from, struct rota_slice plain)
{
    struct rota_errinfo info = {{0}};

    if (rota_tls_write(from->tls, plain, &info) < 0)
        fail_msg("%s", info.text);
}
