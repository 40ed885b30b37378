/* net_fixture.h - a loop over the leak-checking allocator, an echo server, and a client that writes down what happens. */
#ifndef ROTA_NET_NET_FIXTURE_H
#define ROTA_NET_NET_FIXTURE_H

#include "base/buffer.h"
#include "loop/loop.h"
#include "net/net.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <rota/endpoint.h>

struct peer {
    struct net_fixture *f;
    struct rota_socket *socket; /* NULL once closed */
    struct rota_buffer got;
    size_t got_bytes; /* also when nothing is kept */
    bool connected, drained, closed;
    bool echoes, counts_only;
    bool close_on_read, abort_on_read;
    rota_err err;
    char detail[1024];
};

enum { PEERS_MAX = 8 };

struct net_fixture {
    struct rota_leak_alloc memory;
    struct rota_loop *loop;
    struct rota_listen *listen;
    struct peer model; /* what an accepted peer is made like */
    struct peer accepted[PEERS_MAX];
    size_t n_accepted;
    struct rota_socket_rules rules; /* of both sides */
    bool refuse; /* on_accept returns NULL */
    bool listen_closed;
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    char log[512]; /* the last line */
    size_t n_logged;
    struct rota_log sink;
};

void net_fixture_init(struct net_fixture *f);
void net_fixture_fini(struct net_fixture *f); /* closes the listener, waits for all of it, fails on a leak */

/* "127.0.0.1:0", "[::1]:0", "unix:/path", "unix-abstract:name", "localhost:80". text as in rota_address_parse. */
struct rota_address address_of(const char *input, char *text);

/* Whether this machine lacks the IPv6 that a row with such an address needs; says so. */
bool lacks_ipv6_for(const char *address);

void listen_on(struct net_fixture *f, const char *address);
rota_err dial(struct net_fixture *f, const char *address, struct peer *ret_peer);
/* dial and wait until connected, on both sides. */
void connect_to(struct net_fixture *f, const char *address, struct peer *ret_peer);
void peer_fini(struct peer *peer);

/* Turns the loop until *flag, or until *count >= want; fails the test when patience ends. */
void turn_until(struct net_fixture *f, const bool *flag);
void turn_until_count(struct net_fixture *f, const size_t *count, size_t want);

#endif
