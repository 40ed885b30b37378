/* ring_hash_test.c - ring_hash's states and picks: a rule a row. Source: gRFC A42, A61, A76. The ring itself: ring_test.c. */
#include "lb/ring_hash.h"
#include "base/assert.h"
#include "lb/ring_hash.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"

#define EMPTY "no addresses: name resolution gave an empty list"
#define CHANCE "[{\"ring_hash\":{}}]"
#define HEADER "[{\"ring_hash\":{\"requestHashHeader\":\"key\"}}]"

/* Of a, b and c the key 1 belongs to b, 2 to a, 10 to c. */
static const struct lb_row rows[] = {
    {"nothing is connected to before a call wants it, and then what it wants", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1", "get:b connect:b CONNECTING pick:WAIT"}, {"pick=2", "get:a connect:a CONNECTING pick:WAIT"}, {"pick=9", "pick:WAIT"}}},
    {"a READY endpoint gets its keys", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 pick=2", "get:b connect:b CONNECTING pick:WAIT get:a connect:a CONNECTING pick:WAIT"}, {"a=R b=R", "READY READY"},
            {"pick=1 pick=2 pick=9 pick=11", "pick:b pick:a pick:b pick:a"}}},
    {"an IDLE one is connected to, and the call waits though others are READY", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 b=R", "get:b connect:b CONNECTING pick:WAIT READY"}, {"pick=10 pick=1", "get:c connect:c READY pick:WAIT pick:b"}}},
    {"a failed one's calls go to the next of the ring", HEADER,
        {{"list=a,b", "IDLE"}, {"pick=1", "get:b connect:b CONNECTING pick:WAIT"}, {"b=F", "connect:b get:a connect:a CONNECTING reresolve"},
            {"a=R pick=1", "READY pick:a"}, {"b=R pick=1", "READY pick:b"}}},
    {"one failed of several is CONNECTING, and another one is connected to without calls", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1", "get:b connect:b CONNECTING pick:WAIT"}, {"b=F", "connect:b get:a connect:a CONNECTING reresolve"}, {"pick=1", "pick:WAIT"}}},
    {"two failed are TF, and yet another one is connected to", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 b=F", "get:b connect:b CONNECTING pick:WAIT connect:b get:a connect:a CONNECTING reresolve"},
            {"a=F", "connect:a get:c connect:c TF(a refused) reresolve"}, {"pick=1", "pick:WAIT"}, {"c=R pick=1", "READY pick:c"},
            {"c=I", "connect:c TF(a refused) reresolve"}}},
    {"all failed: each call fails with its first endpoint's error", HEADER,
        {{"list=a,b", "IDLE"}, {"pick=1 b=F", "get:b connect:b CONNECTING pick:WAIT connect:b get:a connect:a CONNECTING reresolve"},
            {"a=F", "connect:a TF(a refused) reresolve"}, {"pick=1 pick=2", "pick:FAIL(b refused) pick:FAIL(a refused)"}}},
    {"the only endpoint failed is TF", HEADER,
        {{"list=a", "IDLE"}, {"pick=1 a=F pick=1", "get:a connect:a CONNECTING pick:WAIT connect:a TF(a refused) reresolve pick:FAIL(a refused)"}, {"a=I", "connect:a"}, {"a=R pick=1", "READY pick:a"}}},
    {"READY ones that went leave IDLE, which stays so until a call", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 b=R", "get:b connect:b CONNECTING pick:WAIT READY"}, {"b=I", "IDLE reresolve"}, {"+60000", ""}, {"pick=1", "connect:b CONNECTING pick:WAIT"}}},
    {"the application's wish to connect is for one", HEADER, {{"list=a,b,c", "IDLE"}, {"exit", "get:a connect:a CONNECTING"}, {"exit", ""}}},
    {"an endpoint that leaves is dropped at once, its keys move on", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 b=R", "get:b connect:b CONNECTING pick:WAIT READY"}, {"list=a,c", "put:b IDLE"}, {"pick=1", "get:a connect:a CONNECTING pick:WAIT"}}},
    {"endpoints that stay keep their connections", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 b=R", "get:b connect:b CONNECTING pick:WAIT READY"}, {"list=d,b!,a", "READY"}}},
    {"the attribute hash_key takes the address's place", HEADER,
        {{"list=a@hash_key:b,c", "IDLE"}, {"pick=1 pick=10", "get:a connect:a CONNECTING pick:WAIT get:c connect:c CONNECTING pick:WAIT"}}},
    {"a header's values are joined by commas", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 pick=2 pick=10", "get:b connect:b CONNECTING pick:WAIT get:a connect:a CONNECTING pick:WAIT get:c connect:c CONNECTING pick:WAIT"},
            {"a=R b=R c=R", "READY READY READY"}, {"pick=1|2 pick=1,2 pick=1|2|2 pick=1,2,2", "pick:a pick:a pick:c pick:c"}}},
    {"no header: a hash by chance; at most one is connected to", CHANCE,
        {{"list=a,b,c", "IDLE"}, {"pick", "get:a connect:a CONNECTING pick:WAIT"}, {"pick=1 pick", "pick:WAIT pick:WAIT"}}},
    {"no header: the next READY one, and an IDLE one on the way is connected to", CHANCE,
        {{"list=a,b,c", "IDLE"}, {"pick", "get:a connect:a CONNECTING pick:WAIT"}, {"a=F", "connect:a get:b connect:b CONNECTING reresolve"}, {"b=R pick pick=1", "READY get:c connect:c READY pick:b pick:b"}}},
    {"no header: all failed is a failure", CHANCE,
        {{"list=a", "IDLE"}, {"pick a=F pick", "get:a connect:a CONNECTING pick:WAIT connect:a TF(a refused) reresolve pick:FAIL(a refused)"}}},
    {"a header is asked for, a call has none: by chance", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 b=R", "get:b connect:b CONNECTING pick:WAIT READY"}, {"pick", "get:a connect:a READY pick:b"}}},
    {"a header without a value: by chance", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 b=R", "get:b connect:b CONNECTING pick:WAIT READY"}, {"pick=", "get:a connect:a READY pick:b"}}},
    {"two values without bytes are a comma", HEADER,
        {{"list=a,b,c", "IDLE"}, {"pick=1 b=R", "get:b connect:b CONNECTING pick:WAIT READY"}, {"pick=, pick=|", "get:c connect:c READY pick:WAIT pick:WAIT"}}},
    {"an empty list", CHANCE, {{"pick", "pick:WAIT"}, {"list=", "TF(" EMPTY ") reresolve ROTA_EINVAL"}, {"pick", "pick:FAIL(" EMPTY ")"}, {"list=a", "IDLE"}}},
    {"the resolver failed", CHANCE, {{"error=dns pick", "TF(dns) pick:FAIL(dns)"}, {"list=a", "IDLE"}}},
};

static const struct lb_config_row configs[] = {
    {"no parameters", CHANCE, NULL},
    {"gRPC's name for it is understood", "[{\"ring_hash_experimental\":{\"minRingSize\":10,\"maxRingSize\":20}}]", NULL},
    {"no size at all", "[{\"ring_hash\":{\"minRingSize\":0}}]", "\"minRingSize\" must be from 1 to 8388608"},
    {"a size of 8388608", "[{\"ring_hash\":{\"maxRingSize\":8388608}}]", NULL},
    {"and no larger", "[{\"ring_hash\":{\"maxRingSize\":8388609}}]", "\"maxRingSize\" must be from 1 to 8388608"},
    {"the least must not exceed the greatest", "[{\"ring_hash\":{\"minRingSize\":20,\"maxRingSize\":10}}]", "must not exceed"},
    {"nor the default of the greatest", "[{\"ring_hash\":{\"minRingSize\":5000}}]", "must not exceed"},
    {"a header", HEADER, NULL},
    {"no header", "[{\"ring_hash\":{\"requestHashHeader\":\"\"}}]", NULL},
    {"a header is lower-case", "[{\"ring_hash\":{\"requestHashHeader\":\"Key\"}}]", "must be a lower-case name"},
    {"and not binary", "[{\"ring_hash\":{\"requestHashHeader\":\"key-bin\"}}]", "does not end in -bin"},
    {"entries by weight", "[{\"ring_hash\":{\"entriesPerWeight\":100}}]", NULL},
    {"a whole number of them", "[{\"ring_hash\":{\"entriesPerWeight\":0.5}}]", "must be a whole number"},
    {"and text", "[{\"ring_hash\":{\"requestHashHeader\":1}}]", "must be text"},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_config_rows_check(configs, ROTA_COUNT(configs));
    lb_rows_check(rows, ROTA_COUNT(rows));
}

static const struct {
    const char *rule, *json;
    uint32_t min, max, entries;
} sizes[] = {
    {"1024 to 4096 by default", "{}", 1024, 4096, 0},
    {"as given", "{\"minRingSize\":10,\"maxRingSize\":20,\"entriesPerWeight\":7}", 10, 20, 7},
    {"no ring above 4096", "{\"minRingSize\":5000,\"maxRingSize\":8388608}", 4096, 4096, 0},
};

static void rings_have_sizes(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(sizes); i++) {
        struct rota_lb_env env = {.classes = rota_test_policies};
        struct rota_ring_hash_config *c;
        void *config;
        print_message("  %s\n", sizes[i].rule);
        assert_int_equal(rota_ring_hash_parse(&env, rota_slice_str(sizes[i].json), &config, NULL), 0);
        c = config;
        assert_int_equal(c->min_size, sizes[i].min);
        assert_int_equal(c->max_size, sizes[i].max);
        assert_int_equal(c->entries_per_weight, sizes[i].entries);
        rota_ring_hash_free_config(&env, config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_rules), cmocka_unit_test(rings_have_sizes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
