/* tls_swap_e2e_test.c - certificates, keys and authorities of either side change under load, and no call fails.
 *
 * The load: CALLS calls in flight on each of CHANNELS channels all the time, over connections that the server ends after AGE_MS, so that
 * handshakes meet every state of the files. A certificate is changed before its key, and handshakes are made in between. The calls wait for
 * ready: on a busy machine a connection may be over before it was used. A handshake that fails is told by the server's log instead.
 */
#include "base/assert.h"
#include "tests/tls_fixture.h"
#include <stdio.h>

enum { CHANNELS = 4, CALLS = 4, ROUNDS = 5, AGE_MS = 300 };

static const struct swap {
    const char *rule;
    const char *live, *files[2], *last; /* what is read, what it is in turn, what it is when the load is over; without ".pem" */
    bool has_key, at_client;
    const char *seen; /* how the client is called once the second is in use, or NULL */
    const char *says; /* a call that needs a new connection, in the end */
} swaps[] = {
    {"the server's certificate", "live-server", {"server", "next"}, "rogue", true, false, NULL, ": certificate has an issuer that is not trusted (CN=rogue"},
    {"the client's certificate", "live-client", {"client", "next"}, "rogue", true, true, "CN=next", ": the server does not trust the issuer of our certificate"},
    {"whom the server trusts", "live-clients-ca", {"ca", "both-ca"}, "rogue-ca", false, false, NULL,
     ": the server does not trust the issuer of our certificate"},
    {"whom the client trusts", "live-servers-ca", {"ca", "both-ca"}, "rogue-ca", false, true, NULL,
     ": issuer's certificate has an issuer that is not trusted (CN=Test CA"},
};

struct load {
    struct tls_ends ends; /* whose channel is the last */
    struct rota_channel *channels[CHANNELS];
    uint64_t n_done, n_failed;
    size_t n_open;
    bool stopping, seen;
    const char *look_for;
    char failure[512]; /* of the first */
};

struct lane {
    struct load *load;
    struct rota_channel *channel;
};

static void start(struct lane *lane);

static void on_done(void *arg, const struct rota_status *status, const void *reply)
{
    struct lane *lane = arg;
    struct load *load = lane->load;
    const struct rota_slice *who = reply;

    load->n_open--;
    load->n_done++;
    if (status->code != ROTA_OK && load->n_failed++ == 0)
        snprintf(load->failure, sizeof(load->failure), "%s: %s", rota_code_name(status->code), status->message);
    if (status->code == ROTA_OK && load->look_for != NULL)
        load->seen |= who->size >= strlen(load->look_for) && memcmp(who->data, load->look_for, strlen(load->look_for)) == 0;
    if (!load->stopping && load->n_failed == 0)
        start(lane);
}

static void start(struct lane *lane)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice request = ROTA_SLICE("some bytes");

    options.timeout_ms = 20000;
    options.wait_for_ready = ROTA_WAIT_FOR_READY;
    assert_int_equal(rota_unary_start(lane->channel, &tls_say, &options, &request, on_done, lane, NULL), 0);
    lane->load->n_open++;
}

static void put(const char *live, const char *file, const char *end)
{
    char from[64], to[64];

    snprintf(from, sizeof(from), "%s%s", file, end);
    snprintf(to, sizeof(to), "%s%s", live, end);
    certs_copy(certs_dir, from, to);
}

/* ca.pem and rogue-ca.pem in one file */
static void write_both(void)
{
    static const char *const parts[] = {"ca.pem", "rogue-ca.pem"};
    FILE *out = fopen(certs_path(certs_dir, "both-ca.pem"), "w");
    char bytes[8192];

    assert_non_null(out);
    for (size_t i = 0; i < ROTA_COUNT(parts); i++) {
        FILE *in = fopen(certs_path(certs_dir, parts[i]), "r");
        size_t size;
        assert_non_null(in);
        size = fread(bytes, 1, sizeof(bytes), in);
        assert_int_equal(fwrite(bytes, 1, size, out), size);
        fclose(in);
    }
    fclose(out);
}

static void load_init(struct load *load, struct lane lanes[CHANNELS * CALLS])
{
    struct tls_ends *e = &load->ends;
    struct rota_errinfo info;

    for (size_t i = 0; i < ROTA_COUNT(swaps); i++) {
        put(swaps[i].live, swaps[i].files[0], ".pem");
        if (swaps[i].has_key)
            put(swaps[i].live, swaps[i].files[0], ".key");
    }
    tls_ends_init(e);
    e->server_options.max_connection_age_ms = AGE_MS;
    e->server_tls.require_client_cert = true;
    e->server_tls.cert_file = certs_path(certs_dir, "live-server.pem");
    e->server_tls.key_file = certs_path(certs_dir, "live-server.key");
    e->server_tls.ca_file = certs_path(certs_dir, "live-clients-ca.pem");
    e->client_tls.cert_file = certs_path(certs_dir, "live-client.pem");
    e->client_tls.key_file = certs_path(certs_dir, "live-client.key");
    e->client_tls.ca_file = certs_path(certs_dir, "live-servers-ca.pem");
    e->server_tls.reload_ms = e->client_tls.reload_ms = 1;
    tls_ends_open(e);
    load->channels[0] = e->channel;
    for (int i = 1; i < CHANNELS; i++)
        assert_int_equal(rota_channel_open(e->target, &e->channel_options, &load->channels[i], &info), 0);
    for (int i = 0; i < CHANNELS * CALLS; i++) {
        lanes[i] = (struct lane){load, load->channels[i % CHANNELS]};
        start(&lanes[i]);
    }
}

static uint64_t n_accepted(const struct load *load)
{
    return rota_server_stats(load->ends.server).connections_accepted;
}

static void turn(struct load *load)
{
    if (load->n_failed > 0)
        fail_msg("%u of %u calls failed, the first: %s", (unsigned)load->n_failed, (unsigned)load->n_done, load->failure);
    if (load->ends.n_failures > 0)
        fail_msg("a handshake failed: %s", load->ends.failure);
    (void)rota_loop_turn(load->ends.loop);
}

/* So many new connections, and calls that began after the last of them. */
static void go_on(struct load *load, unsigned n_connections)
{
    uint64_t accepted = n_accepted(load) + n_connections, done;

    while (n_accepted(load) < accepted)
        turn(load);
    done = load->n_done + CHANNELS * CALLS * 2;
    while (load->n_done < done)
        turn(load);
}

/* Returns when everybody has taken notice. */
static void change(struct load *load, const struct swap *row, const char *file)
{
    size_t n_reloads = load->ends.n_reloads + (row->at_client ? CHANNELS : 1);

    put(row->live, file, ".pem");
    if (row->has_key) {
        go_on(load, CHANNELS); /* the key is not the certificate's now */
        put(row->live, file, ".key");
    }
    while (load->ends.n_reloads < n_reloads)
        turn(load);
    go_on(load, CHANNELS);
}

static void check_that_it_is_looked_at(struct load *load, const struct swap *row)
{
    struct rota_status status = {.code = ROTA_OK};
    char text[256];

    put(row->live, row->last, ".pem");
    if (row->has_key)
        put(row->live, row->last, ".key");
    for (int i = 0; i < 100000 && status.code == ROTA_OK; i++) /* until a new connection is made */
        status = tls_call(&load->ends, 10, text);
    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    if (strstr(status.message, row->says) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", status.message, row->says);
}

static void no_call_fails_when_files_change(void **unused)
{
    const struct cert_spec next = {.stem = "next", .issuer = "ca", .common_name = "next", .names = "IP:127.0.0.1"};

    (void)unused;
    certs_write(certs_dir, &next);
    write_both();
    for (size_t i = 0; i < ROTA_COUNT(swaps); i++) {
        struct lane lanes[CHANNELS * CALLS];
        struct load load = {.look_for = swaps[i].seen};
        print_message("  %s\n", swaps[i].rule);
        load_init(&load, lanes);
        go_on(&load, CHANNELS);
        assert_false(load.seen);
        for (int round = 1; round <= ROUNDS; round++)
            change(&load, &swaps[i], swaps[i].files[round % 2]);
        load.stopping = true;
        while (load.n_open > 0)
            turn(&load);
        assert_int_equal(load.seen, swaps[i].seen != NULL);
        check_that_it_is_looked_at(&load, &swaps[i]);
        for (int channel = 1; channel < CHANNELS; channel++)
            rota_channel_free(load.channels[channel]);
        tls_ends_fini(&load.ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_call_fails_when_files_change)};

    return cmocka_run_group_tests_name("tls_swap_e2e", tests, certs_setup, certs_teardown);
}
