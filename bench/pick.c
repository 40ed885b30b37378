/* pick.c - what a pick costs, and what a list costs to take over, by policy and number of endpoints.
 *
 * usage: pick [picks] [policy] [endpoints]     one alone, or all
 * Every endpoint is READY; weights go from 1 to 10. Columns: ns a pick and its end; ms for the first list; us for a list in which one endpoint of all has been
 * replaced; bytes an endpoint (child, policies, hold; no connection).
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "lb/tree.h"
#include "base/rng.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, &rota_lb_least_request, &rota_lb_random, &rota_lb_weighted_round_robin, &rota_lb_ring_hash, &rota_lb_peak_ewma, &rota_lb_adaptive, NULL};
static const size_t sizes[] = {3, 10, 1000, 10000};

/* --- An owner whose connections are READY as soon as they are asked for --- */

static struct rota_lb_tree *tree;
static int64_t now_ns = 1000000000;

static rota_err get(void *owner, const struct rota_endpoint *endpoint, size_t address_index, struct rota_lb_subchannel *hold)
{
    (void)endpoint, (void)address_index;
    hold->conn = owner;
    return 0;
}

static void put(void *owner, struct rota_lb_subchannel *hold)
{
    (void)owner, (void)hold;
}

static void connect_now(void *owner, struct rota_lb_subchannel *hold)
{
    (void)owner;
    rota_lb_tree_conn(tree, hold, ROTA_CONN_READY, NULL, now_ns);
}

static void reresolve(void *owner)
{
    (void)owner;
}

static void wake_at(void *owner, int64_t at_ns)
{
    (void)owner, (void)at_ns;
}

static void update(void *owner, enum rota_conn_state conn, const struct rota_status *why)
{
    (void)owner, (void)conn, (void)why;
}

static const struct rota_lb_owner owner_class = {
    .get = get, .put = put, .connect = connect_now, .reresolve = reresolve, .wake_at = wake_at, .update = update,
};

/* --- Memory in use --- */

static size_t bytes_in_use;

static void *counting_resize(void *ctx, void *ptr, size_t size_bytes)
{
    size_t *block = ptr == NULL ? NULL : (size_t *)ptr - 2;

    (void)ctx;
    bytes_in_use -= block == NULL ? 0 : *block;
    if (size_bytes == 0) {
        free(block);
        return NULL;
    }
    block = realloc(block, size_bytes + 2 * sizeof(size_t));
    ROTA_ASSERT(block != NULL);
    *block = size_bytes;
    bytes_in_use += size_bytes;
    return block + 2;
}

static const struct rota_alloc counting = {.resize = counting_resize};

/* --- Measuring --- */

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static const struct rota_endpoint *endpoint_at(size_t i)
{
    char text[32];
    struct rota_address address = {.kind = ROTA_ADDRESS_IPV4, .port = 1, .text = text};
    struct rota_endpoint from = {.addresses = &address, .n_addresses = 1, .weight = 1 + (uint32_t)i % 10};
    const struct rota_endpoint *endpoint;

    snprintf(text, sizeof(text), "10.%zu.%zu.%zu:8001", i / 65536, i / 256 % 256, i % 256);
    ROTA_ASSERT(rota_endpoint_new(NULL, &from, &endpoint) == 0);
    return endpoint;
}

static double pick_ns(long n_picks)
{
    struct rota_call_info call = {.path = "/package.Service/Method", .now_ns = now_ns, .deadline_ns = INT64_MAX};
    struct rota_outcome outcome = {.started_ns = now_ns, .ended_ns = now_ns + 1000000, .sent = true};
    struct rota_pick pick;
    int64_t start_ns = clock_ns();

    for (long i = 0; i < n_picks; i++) {
        ROTA_ASSERT(rota_lb_tree_pick(tree, &call, &pick) == ROTA_PICK_OK);
        rota_lb_tree_done(tree, &pick, &outcome);
    }
    return (double)(clock_ns() - start_ns) / (double)n_picks;
}

/* Lazy policies connect when calls want them to. */
static void warm_up(size_t n_picks)
{
    struct rota_call_info call = {.path = "/package.Service/Method", .now_ns = now_ns, .deadline_ns = INT64_MAX};
    struct rota_outcome outcome = {.started_ns = now_ns, .ended_ns = now_ns + 1000000, .sent = true};
    struct rota_pick pick;

    for (size_t i = 0; i < n_picks; i++)
        if (rota_lb_tree_pick(tree, &call, &pick) == ROTA_PICK_OK)
            rota_lb_tree_done(tree, &pick, &outcome);
}

static double list_ns(const struct rota_endpoint *const *endpoints, size_t count)
{
    int64_t start_ns = clock_ns();

    ROTA_ASSERT(rota_lb_tree_endpoints(tree, endpoints, count, now_ns) == 0);
    return (double)(clock_ns() - start_ns);
}

/* In each round the endpoint in the middle is another one. */
static double change_ns(const struct rota_endpoint **endpoints, size_t count)
{
    enum { ROUNDS = 100 };
    double sum_ns = 0;

    for (size_t i = 0; i < ROUNDS; i++) {
        rota_endpoint_unref(endpoints[count / 2]);
        endpoints[count / 2] = endpoint_at(count + i);
        sum_ns += list_ns(endpoints, count);
    }
    return sum_ns / ROUNDS;
}

static void measure(const struct rota_lb_class *policy, size_t count, long n_picks)
{
    const struct rota_endpoint **endpoints = calloc(count, sizeof(struct rota_endpoint *));
    struct rota_rng rng;
    struct rota_lb_env env = {.alloc = &counting, .rng = &rng, .classes = policies};
    struct rota_lb_config *config;
    double first_ns, each_pick_ns;
    size_t before, after;

    ROTA_ASSERT(endpoints != NULL);
    for (size_t i = 0; i < count; i++)
        endpoints[i] = endpoint_at(i);
    rota_rng_init(&rng, 1);
    ROTA_ASSERT(rota_lb_config_named(&env, policy->name, &config) == 0);
    ROTA_ASSERT(rota_lb_tree_new(&env, config, &owner_class, &env, &tree) == 0);
    before = bytes_in_use;
    first_ns = list_ns(endpoints, count);
    after = bytes_in_use;
    rota_lb_tree_timer(tree, now_ns += INT64_C(1000000000)); /* for policies that compute weights each second */
    warm_up(20 * count);
    each_pick_ns = pick_ns(n_picks);
    printf("%-20s %6zu endpoints %7.1f ns/pick %8.3f ms first %8.2f us change %5zu bytes/endpoint\n", policy->name, count, each_pick_ns,
           first_ns / 1e6, change_ns(endpoints, count) / 1e3, (after - before) / count);
    rota_lb_tree_free(tree);
    rota_lb_config_free(config);
    for (size_t i = 0; i < count; i++)
        rota_endpoint_unref(endpoints[i]);
    free(endpoints);
}

int main(int argc, char **argv)
{
    long n_picks = argc > 1 ? atol(argv[1]) : 10000000;
    const char *only = argc > 2 ? argv[2] : NULL;
    size_t only_size = argc > 3 ? (size_t)atol(argv[3]) : 0;

    for (const struct rota_lb_class *const *policy = policies; *policy != NULL; policy++)
        for (size_t i = 0; i < ROTA_COUNT(sizes); i++)
            if ((only == NULL || strcmp(only, (*policy)->name) == 0) && (only_size == 0 || only_size == sizes[i]))
                measure(*policy, sizes[i], n_picks);
    return 0;
}
