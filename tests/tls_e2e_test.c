/* tls_e2e_test.c - TLS over real sockets: who is let in, what a call hears when nobody is. Files that change: tls_swap_e2e_test.c. */
#include "base/assert.h"
#include "tests/tls_fixture.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void calls_go_through(void **unused)
{
    struct tls_ends e;
    char text[256];

    (void)unused;
    tls_ends_init(&e);
    tls_ends_open(&e);
    assert_int_equal(tls_call(&e, 0, text).code, ROTA_OK);
    assert_string_equal(text, "nobody");
    assert_int_equal(tls_call(&e, 3000000, text).code, ROTA_OK);
    for (int i = 0; i < 100; i++)
        tls_call_ok(&e);
    assert_int_equal(rota_server_stats(e.server).connections_accepted, 1);
    tls_ends_fini(&e);
}

static void each_channel_makes_its_handshake(void **unused)
{
    struct tls_ends e;

    (void)unused;
    tls_ends_init(&e);
    tls_ends_open(&e);
    for (int i = 0; i < 3; i++) {
        tls_ends_new_channel(&e);
        tls_call_ok(&e);
    }
    assert_int_equal(rota_server_stats(e.server).connections_accepted, 3);
    tls_ends_fini(&e);
}

struct caller {
    struct tls_ends ends; /* a copy, with a channel of its own */
    pthread_t thread;
    int n_good;
};

/* Channels on threads of their own, so that handshakes and records of several threads meet in OpenSSL. */
static void *call_elsewhere(void *arg)
{
    struct caller *c = arg;
    struct rota_errinfo info;
    char text[256];

    c->ends.channel_options.loop = NULL;
    for (int i = 0; i < 5; i++) {
        if (rota_channel_open(c->ends.target, &c->ends.channel_options, &c->ends.channel, &info) < 0)
            break;
        for (int j = 0; j < 20; j++)
            c->n_good += tls_call(&c->ends, 100000, text).code == ROTA_OK;
        rota_channel_free(c->ends.channel);
    }
    return NULL;
}

static void *stop_when_done(void *arg)
{
    struct caller *callers = arg;

    for (int i = 0; i < 3; i++)
        pthread_join(callers[i].thread, NULL);
    rota_loop_stop(callers[0].ends.loop);
    return NULL;
}

static void threads_of_their_own(void **unused)
{
    static struct caller callers[3];
    struct tls_ends e;
    pthread_t waiter;

    (void)unused;
    tls_ends_init(&e);
    tls_ends_open(&e);
    for (int i = 0; i < 3; i++) {
        callers[i] = (struct caller){.ends = e};
        callers[i].ends.channel_options.tls = &callers[i].ends.client_tls;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_elsewhere, &callers[i]), 0);
    }
    assert_int_equal(pthread_create(&waiter, NULL, stop_when_done, callers), 0);
    assert_int_equal(rota_loop_run(e.loop), 0);
    pthread_join(waiter, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(callers[i].n_good, 5 * 20);
    tls_ends_fini(&e);
}

static void handlers_know_the_client(void **unused)
{
    struct tls_ends e;
    char text[256];

    (void)unused;
    tls_ends_init(&e);
    e.server_tls.ca_file = certs_path(certs_dir, "ca.pem");
    e.server_tls.require_client_cert = true;
    e.client_tls.cert_file = certs_path(certs_dir, "client.pem");
    e.client_tls.key_file = certs_path(certs_dir, "client.key");
    tls_ends_open(&e);
    assert_int_equal(tls_call(&e, 5, text).code, ROTA_OK);
    assert_string_equal(text, "CN=Zoë,O=Example|DNS:client.example.test|URI:spiffe://example.test/zoe|email:zoe@example.test|IP:10.0.0.7");
    tls_ends_fini(&e);
}

static const struct refusal {
    const char *rule, *server_stem, *server_name, *client_ca, *client_stem;
    bool require;
    const char *says, *log;
} refusals[] = {
    {"expired", "expired", NULL, "ca.pem", NULL, false, ": certificate has expired (CN=expired, it was valid until ", "our certificate has expired"},
    {"not yet valid", "early", NULL, "ca.pem", NULL, false, ": certificate is not yet valid (CN=early", "the client does not accept our certificate"},
    {"wrong host", "server", "elsewhere.test", "ca.pem", NULL, false,
     ": certificate is not for \"elsewhere.test\" (it names localhost, *.example.test, 127.0.0.1, ::1)",
     "the client does not accept our certificate"},
    {"the target's host by default", "other", NULL, "ca.pem", NULL, false, ": certificate is not for \"127.0.0.1\" (it names other.test)",
     "the client does not accept our certificate"},
    {"untrusted", "rogue", NULL, "ca.pem", NULL, false, ": certificate has an issuer that is not trusted (CN=rogue, issued by CN=Rogue CA",
     "the client does not trust the issuer of our certificate"},
    {"missing client certificate", "server", NULL, "ca.pem", NULL, true, ": the server wants a client certificate, and none was shown",
     "the client shows no certificate"},
    {"untrusted client certificate", "server", NULL, "ca.pem", "rogue", true, ": the server does not trust the issuer of our certificate",
     "client certificate has an issuer that is not trusted (CN=rogue"},
    {"expired client certificate", "server", NULL, "ca.pem", "expired", true, ": the server says that our certificate has expired",
     "client certificate has expired (CN=expired"},
};

static void a_refused_call_hears_why(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(refusals); i++) {
        const struct refusal *row = &refusals[i];
        struct tls_ends e;
        char file[64];
        print_message("  %s\n", row->rule);
        tls_ends_init(&e);
        snprintf(file, sizeof(file), "%s.pem", row->server_stem);
        e.server_tls.cert_file = certs_path(certs_dir, file);
        snprintf(file, sizeof(file), "%s.key", row->server_stem);
        e.server_tls.key_file = certs_path(certs_dir, file);
        e.server_tls.ca_file = row->require ? certs_path(certs_dir, "ca.pem") : NULL;
        e.server_tls.require_client_cert = row->require;
        e.client_tls.ca_file = certs_path(certs_dir, row->client_ca);
        e.client_tls.server_name = row->server_name;
        if (row->client_stem != NULL) {
            snprintf(file, sizeof(file), "%s.pem", row->client_stem);
            e.client_tls.cert_file = certs_path(certs_dir, file);
            snprintf(file, sizeof(file), "%s.key", row->client_stem);
            e.client_tls.key_file = certs_path(certs_dir, file);
        }
        tls_ends_open(&e);
        tls_call_fails(&e, row->says);
        while (e.n_failures == 0)
            (void)rota_loop_turn(e.loop);
        if (strstr(e.failure, row->log) == NULL)
            fail_msg("the server's log says \"%s\", which lacks \"%s\"", e.failure, row->log);
        tls_ends_fini(&e);
    }
}

static void failures_do_not_flood_the_log(void **unused)
{
    struct tls_ends e;

    (void)unused;
    tls_ends_init(&e);
    e.client_tls.server_name = "elsewhere.test";
    tls_ends_open(&e);
    for (int i = 0; i < 50; i++) {
        tls_ends_new_channel(&e);
        tls_call_fails(&e, "elsewhere.test");
    }
    assert_in_range(e.n_failures, 1, 10); /* once a second, on however slow a machine */
    tls_ends_fini(&e);
}

/* Everything of a server, a channel and a call, with one allocation failing. */
static rota_err connect_and_call(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_errinfo info;
    struct tls_ends e;
    rota_err err;

    (void)ctx;
    tls_ends_init(&e);
    rota_loop_free(e.loop);
    rota_leak_alloc_fini(&e.memory);
    loop_options.alloc = alloc;
    e.loop = NULL;
    err = rota_loop_new(&loop_options, &e.loop);
    e.server_options.loop = e.channel_options.loop = e.loop;
    e.channel_options.backoff_initial_ms = e.channel_options.backoff_max_ms = 1;
    if (err == 0)
        err = tls_ends_serve(&e, &info);
    if (err == 0)
        err = rota_channel_open(e.target, &e.channel_options, &e.channel, &info);
    if (err == 0) {
        char text[256];
        enum rota_code code = tls_call(&e, 10, text).code;
        err = code == ROTA_OK ? 0 : ROTA_ENOMEM;
    }
    rota_channel_free(e.channel);
    rota_server_free(e.server);
    rota_loop_free(e.loop);
    return err;
}

static void no_memory_is_an_error(void **unused)
{
    (void)unused;
    assert_in_range(rota_alloc_sweep_absorbing(connect_and_call, NULL), 50, 2000);
}

static void the_address_may_be_what_is_checked(void **unused)
{
    struct tls_ends e;

    (void)unused;
    tls_ends_init(&e);
    e.channel_options.authority = "orders";
    tls_ends_open(&e);
    tls_call_fails(&e, ": certificate is not for \"orders\"");
    e.client_tls.check_address = true;
    tls_ends_new_channel(&e);
    tls_call_ok(&e);
    e.client_tls.server_name = "orders";
    tls_ends_new_channel(&e);
    tls_call_fails(&e, ": certificate is not for \"orders\"");
    tls_ends_fini(&e);
}

static void one_side_without_tls_is_told_apart(void **unused)
{
    struct tls_ends e;

    (void)unused;
    tls_ends_init(&e);
    e.server_options.tls = NULL;
    tls_ends_open(&e);
    tls_call_fails(&e, ": the server does not speak TLS");
    tls_ends_fini(&e);

    tls_ends_init(&e);
    e.channel_options.tls = NULL;
    tls_ends_open(&e);
    tls_call_fails(&e, " before it spoke HTTP/2 (does it expect TLS?)");
    tls_ends_fini(&e);
}

static void unix_listeners_stay_plain(void **unused)
{
    struct tls_ends e;
    char address[64];

    (void)unused;
    snprintf(address, sizeof(address), "unix:/tmp/rota-tls-%ld", (long)getpid());
    tls_ends_init(&e);
    e.listen = address;
    tls_ends_open(&e);
    tls_call_fails(&e, ": the server does not speak TLS");
    e.channel_options.tls = NULL;
    tls_ends_new_channel(&e);
    tls_call_ok(&e);
    tls_ends_fini(&e);
}

static int listen_and_be_silent(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void a_silent_server_is_given_up(void **unused)
{
    struct tls_ends e;
    uint16_t port;
    int fd = listen_and_be_silent(&port);

    (void)unused;
    tls_ends_init(&e);
    e.channel_options.connect_timeout_ms = e.channel_options.backoff_initial_ms = 100;
    tls_ends_open(&e);
    snprintf(e.bound, sizeof(e.bound), "127.0.0.1:%u", port);
    snprintf(e.target, sizeof(e.target), "ipv4:%s", e.bound);
    tls_ends_new_channel(&e);
    tls_call_fails(&e, ": timed out in the TLS handshake");
    close(fd);
    tls_ends_fini(&e);
}

static void a_silent_client_is_dropped(void **unused)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct tls_ends e;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)unused;
    tls_ends_init(&e);
    e.server_options.handshake_timeout_ms = 50;
    tls_ends_open(&e);
    address.sin_port = htons((uint16_t)atoi(strrchr(e.bound, ':') + 1));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    while (rota_server_stats(e.server).connections_accepted == 0)
        tls_call_ok(&e);
    for (int i = 0; i < 100000 && rota_server_stats(e.server).connections_open > 1; i++)
        tls_call_ok(&e);
    assert_int_equal(rota_server_stats(e.server).connections_open, 1);
    close(fd);
    tls_ends_fini(&e);
}

static void set_done(void *arg)
{
    *(bool *)arg = true;
}

static void draining_ends_in_order(void **unused)
{
    struct tls_ends e;
    bool done = false;

    (void)unused;
    tls_ends_init(&e);
    tls_ends_open(&e);
    tls_call_ok(&e);
    rota_server_drain(e.server, 5000, set_done, &done);
    while (!done)
        (void)rota_loop_turn(e.loop);
    assert_int_equal(rota_server_stats(e.server).connections_open, 0);
    tls_ends_fini(&e);
}

/* --- Call credentials --- */

static void give_token(void *arg, struct rota_credentials_request *request)
{
    assert_int_equal(rota_metadata_add_text(rota_credentials_metadata(request), "authorization", arg), 0);
    rota_credentials_done(request, NULL);
}

/* Certificate and token both say who it is. */
static enum rota_intercept check_both(void *state, void *arg, struct rota_server_call *call, struct rota_status *ret_status)
{
    const struct rota_peer_identity *who = rota_server_call_peer_identity(call);
    struct rota_slice token = {0};

    (void)state;
    (void)rota_metadata_get(rota_server_call_metadata(call), "authorization", &token);
    if (who != NULL && strcmp(who->subject, arg) == 0 && rota_slice_equal(token, ROTA_SLICE("Bearer t")))
        return ROTA_INTERCEPT_PASS;
    rota_status_set(ret_status, ROTA_UNAUTHENTICATED, "certificate or token");
    return ROTA_INTERCEPT_END;
}

static void tokens_go_over_tls_and_certificates_reach_interceptors(void **unused)
{
    static const struct rota_server_interceptor_class class = {.name = "both", .on_start = check_both};
    static char subject[] = "CN=Zoë,O=Example", token[] = "Bearer t";
    struct rota_server_interceptor interceptors[] = {{&class, subject}, {NULL, NULL}};
    struct rota_call_credentials credentials = ROTA_CALL_CREDENTIALS_INIT;
    char text[256];
    struct tls_ends e;

    (void)unused;
    credentials.get = give_token;
    credentials.arg = token;
    tls_ends_init(&e);
    e.server_tls.ca_file = certs_path(certs_dir, "ca.pem");
    e.server_options.interceptors = interceptors;
    e.client_tls.cert_file = certs_path(certs_dir, "client.pem");
    e.client_tls.key_file = certs_path(certs_dir, "client.key");
    tls_ends_open(&e);
    assert_int_equal(tls_call(&e, 1, text).code, ROTA_UNAUTHENTICATED);
    e.channel_options.credentials = &credentials;
    tls_ends_new_channel(&e);
    tls_call_ok(&e);
    tls_ends_fini(&e);
}

static void bad_options_are_named_when_opening(void **unused)
{
    struct rota_errinfo info;
    struct tls_ends e;

    (void)unused;
    tls_ends_init(&e);
    e.server_tls.key_file = certs_path(certs_dir, "client.key");
    assert_int_equal(rota_server_new(&e.server_options, &e.server, &info), ROTA_EINVAL);
    assert_non_null(strstr(info.text, "client.key is not the key of the certificate"));
    e.client_tls.ca_file = "/nowhere/ca.pem";
    assert_int_equal(rota_channel_open("ipv4:127.0.0.1:1", &e.channel_options, &e.channel, &info), ROTA_EINVAL);
    assert_non_null(strstr(info.text, "ipv4:127.0.0.1:1: tls.ca_file: /nowhere/ca.pem"));
    tls_ends_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_go_through),
        cmocka_unit_test(each_channel_makes_its_handshake),
        cmocka_unit_test(threads_of_their_own),
        cmocka_unit_test(handlers_know_the_client),
        cmocka_unit_test(a_refused_call_hears_why),
        cmocka_unit_test(failures_do_not_flood_the_log),
        cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test(the_address_may_be_what_is_checked),
        cmocka_unit_test(one_side_without_tls_is_told_apart),
        cmocka_unit_test(unix_listeners_stay_plain),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(a_silent_client_is_dropped),
        cmocka_unit_test(draining_ends_in_order),
        cmocka_unit_test(tokens_go_over_tls_and_certificates_reach_interceptors),
        cmocka_unit_test(bad_options_are_named_when_opening),
    };

    return cmocka_run_group_tests_name("tls_e2e", tests, certs_setup, certs_teardown);
}
