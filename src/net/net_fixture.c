/* net_fixture.c - see net_fixture.h. */
#include "net/net_fixture.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_NS INT64_C(30000000000)

static void note_line(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct net_fixture *f = ctx;

    (void)level;
    snprintf(f->log, sizeof(f->log), "%s: %s", area, text);
    f->n_logged++;
}

void net_fixture_init(struct net_fixture *f)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;

    *f = (struct net_fixture){.listen = NULL};
    rota_leak_alloc_init(&f->memory);
    f->sink = (struct rota_log){.write = note_line, .ctx = f};
    options.alloc = &f->memory.alloc;
    options.log = &f->sink;
    assert_int_equal(rota_loop_new(&options, &f->loop), 0);
}

void net_fixture_fini(struct net_fixture *f)
{
    if (f->listen != NULL) {
        rota_listen_close(f->listen);
        turn_until(f, &f->listen_closed);
    }
    for (size_t i = 0; i < f->n_accepted; i++) {
        struct peer *peer = &f->accepted[i];
        if (!peer->closed)
            rota_socket_abort(peer->socket);
        turn_until(f, &peer->closed);
        peer_fini(peer);
    }
    rota_loop_free(f->loop);
    rota_leak_alloc_fini(&f->memory);
}

static void ip_address_of(const char *input, char *text, struct rota_address *address)
{
    char host[64];
    const char *colon = strrchr(input, ':');

    address->port = (uint16_t)atoi(colon + 1);
    snprintf(host, sizeof(host), "%.*s", (int)(colon - input), input);
    if (host[0] == '[') {
        host[strlen(host) - 1] = '\0';
        address->kind = ROTA_ADDRESS_IPV6;
        assert_int_equal(inet_pton(AF_INET6, host + 1, address->ip), 1);
    } else if (inet_pton(AF_INET, host, address->ip) == 1) {
        address->kind = ROTA_ADDRESS_IPV4;
    } else {
        address->kind = ROTA_ADDRESS_NAME;
    }
    address->text = text;
}

struct rota_address address_of(const char *input, char *text)
{
    struct rota_address address = {.text = text};

    snprintf(text, ROTA_ADDRESS_TEXT_SIZE, "%s", input);
    if (strncmp(input, "unix:", 5) == 0)
        address.kind = ROTA_ADDRESS_UNIX;
    else if (strncmp(input, "unix-abstract:", 14) == 0)
        address.kind = ROTA_ADDRESS_UNIX_ABSTRACT;
    else
        ip_address_of(input, text, &address);
    return address;
}

bool lacks_ipv6_for(const char *address)
{
    struct sockaddr_in6 system = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool lacks;
    int fd;

    if (strstr(address, "[::1]") == NULL)
        return false;
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    lacks = fd < 0 || bind(fd, (struct sockaddr *)&system, sizeof(system)) < 0;
    if (fd >= 0)
        close(fd);
    if (lacks)
        print_message("skipped: there is no IPv6 here\n");
    return lacks;
}

/* --- Peers --- */

static void on_connected(void *owner)
{
    struct peer *peer = owner;

    assert_true(rota_loop_host(peer->f->loop)->in_turn);
    assert_false(peer->connected);
    peer->connected = true;
}

static void on_read(void *owner, struct rota_slice bytes)
{
    struct peer *peer = owner;

    assert_true(rota_loop_host(peer->f->loop)->in_turn);
    assert_false(peer->closed);
    assert_true(bytes.size > 0);
    peer->got_bytes += bytes.size;
    if (!peer->counts_only)
        assert_int_equal(rota_buffer_append(&peer->got, bytes), 0);
    if (peer->echoes)
        assert_int_equal(rota_socket_write(peer->socket, bytes), 0);
    if (peer->close_on_read)
        rota_socket_close(peer->socket);
    if (peer->abort_on_read)
        rota_socket_abort(peer->socket);
    assert_false(peer->closed);
}

static void on_drained(void *owner)
{
    struct peer *peer = owner;

    assert_int_equal(rota_socket_pending(peer->socket), 0);
    peer->drained = true;
}

static void on_closed(void *owner, rota_err err, const char *detail)
{
    struct peer *peer = owner;

    assert_true(rota_loop_host(peer->f->loop)->in_turn);
    assert_false(peer->closed);
    peer->closed = true;
    peer->err = err;
    snprintf(peer->detail, sizeof(peer->detail), "%s", detail);
    peer->socket = NULL;
}

static const struct rota_socket_events peer_events = {.on_connected = on_connected, .on_read = on_read, .on_drained = on_drained, .on_closed = on_closed};

static void peer_init(struct peer *peer, struct net_fixture *f)
{
    peer->f = f;
    rota_buffer_init(&peer->got, &f->memory.alloc, 0);
}

void peer_fini(struct peer *peer)
{
    assert_true(peer->closed);
    rota_buffer_fini(&peer->got);
}

static void *on_accept(void *owner, struct rota_socket *socket, const struct rota_socket_events **ret_events)
{
    struct net_fixture *f = owner;

    assert_true(rota_loop_host(f->loop)->in_turn);
    if (f->refuse)
        return NULL;
    assert_true(f->n_accepted < PEERS_MAX);
    struct peer *peer = &f->accepted[f->n_accepted++];
    *peer = f->model;
    peer_init(peer, f);
    peer->socket = socket;
    *ret_events = &peer_events;
    return peer;
}

static void on_listen_closed(void *owner)
{
    struct net_fixture *f = owner;

    assert_false(f->listen_closed);
    f->listen_closed = true;
    f->listen = NULL;
}

void listen_on(struct net_fixture *f, const char *input)
{
    static const struct rota_listen_events events = {on_accept, on_listen_closed};
    struct rota_errinfo info = {.text = ""};
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address = address_of(input, text);
    rota_err err = rota_listen_open(f->loop, &address, &f->rules, &events, f, f->bound, &f->listen, &info);

    assert_string_equal(info.text, "");
    assert_int_equal(err, 0);
}

rota_err dial(struct net_fixture *f, const char *input, struct peer *ret_peer)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address = address_of(input, text);
    rota_err err;

    peer_init(ret_peer, f);
    err = rota_socket_dial(f->loop, &address, &f->rules, &peer_events, ret_peer, &ret_peer->socket);
    assert_false(ret_peer->connected || ret_peer->closed);
    return err;
}

void connect_to(struct net_fixture *f, const char *input, struct peer *ret_peer)
{
    size_t before = f->n_accepted;

    assert_int_equal(dial(f, input, ret_peer), 0);
    turn_until(f, &ret_peer->connected);
    turn_until_count(f, &f->n_accepted, before + 1);
}

/* --- Waiting --- */

static void out_of_patience(void *arg)
{
    *(bool *)arg = true;
}

static void turn_until_either(struct net_fixture *f, const bool *flag, const size_t *count, size_t want)
{
    struct rota_timer *timer;
    bool late = false;

    assert_int_equal(rota_timer_new(f->loop, out_of_patience, &late, &timer), 0);
    assert_int_equal(rota_timer_set(timer, rota_loop_now_ns(f->loop) + PATIENCE_NS), 0);
    while (!(flag != NULL ? *flag : *count >= want) && !late)
        assert_int_equal(rota_loop_wait_turn(f->loop), 0);
    rota_timer_free(timer);
    assert_false(late);
}

void turn_until(struct net_fixture *f, const bool *flag)
{
    turn_until_either(f, flag, NULL, 0);
}

void turn_until_count(struct net_fixture *f, const size_t *count, size_t want)
{
    turn_until_either(f, NULL, count, want);
}
