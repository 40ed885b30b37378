/* owner_fixture.h - a sink's owner that writes down what it hears, over a virtual host and a counting allocator. */
#ifndef ROTA_RESOLVER_OWNER_FIXTURE_H
#define ROTA_RESOLVER_OWNER_FIXTURE_H

#include "resolver/sink.h"
#include "testing/leak_alloc.h"
#include "testing/virtual_host.h"

struct owner_fixture {
    struct rota_leak_alloc leak;
    struct rota_virtual_host v;
    struct rota_resolver_sink sink;
    char heard[1024]; /* "list a:1 b:2; error UNAVAILABLE text; config {}; released;" since the last owner_expect */
    const struct rota_endpoint *first; /* of the last list; only to compare with */
    size_t n_last; /* endpoints in the last list */
    struct rota_resolver_source source; /* the last one's */
    bool close_on_list; /* what a watch's callback may do */
};

void owner_init(struct owner_fixture *f);
void owner_fini(struct owner_fixture *f); /* closes the sink when that was not done; fails the test when anything leaked */

/* Runs what is due and fails the test unless exactly this was heard. */
void owner_expect(struct owner_fixture *f, const char *heard);

/* An endpoint of the addresses, separated by spaces. */
const struct rota_endpoint *owner_endpoint(const struct rota_alloc *alloc, const char *addresses, uint32_t weight);

/* Publishes endpoints of one address each ("a:1 b:2"). */
void owner_publish(struct owner_fixture *f, const char *addresses, const struct rota_resolver_source *source);

#endif
