/* scenario_test.c - reading scenarios: what statements mean, and the sentence for each mistake. */
#include "sim/scenario.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

#define REST "servers 4\nload poisson 100/s\npolicy round_robin\n"

static const struct mistake {
    const char *text, *sentence;
} mistakes[] = {
    {"", "x: no `servers` statement"},
    {"servers 3\n", "x: no `load` statement"},
    {"servers 3\nload poisson 1/s\n", "x: no `policy` statement"},
    {"serves 3\n", "x:1: \"serves\" is no statement"},
    {"\n\n  # a comment\nservers\n", "x:4: the number of servers is missing"},
    {"servers 0\n", "x:1: the number of servers is \"0\"; expected a whole number from 1 to 10000"},
    {"servers 1.5\n", "x:1: the number of servers is \"1.5\"; expected a whole number from 1 to 10000"},
    {"servers 3 4\n", "x:1: \"4\" is not expected here"},
    {"servers 3\nservers 3\n", "x:2: the number of servers was given before"},
    {"slots 3\n", "x:1: the statement `servers NUMBER` has to come before"},
    {"server 0 slow 3\n", "x:1: the statement `servers NUMBER` has to come before"},
    {"duration 3 s\n", "x:1: the duration is \"3\"; expected a time like 20us, 1.5ms, 3s or 2m, at most 60m"},
    {"duration 61m\n", "x:1: the duration is \"61m\"; expected a time like 20us, 1.5ms, 3s or 2m, at most 60m"},
    {"duration 1us\n", "x:1: the duration is too short"},
    {"deadline 1.5ms\n", "x:1: the deadline has to be whole milliseconds"},
    {"warmup 10s\n" REST, "x:1: the warmup is as long as the duration, so nothing would be measured"},
    {"load poisson 5\n", "x:1: the rate is \"5\"; expected calls a second like 3000/s, or a part of the capacity like 60%"},
    {"load poison 5/s\n", "x:1: expected one of: load poisson RATE, load constant RATE, load bursty RATE on TIME off TIME, load closed CALLS"},
    {"load bursty 5/s on 1s\n", "x:1: bursty needs \"off TIME\" after the time on"},
    {"servers 3\nload poisson 60%\npolicy a\n", "x:2: a load in percent needs servers with slots and a service time above 0"},
    {"servers 3\nservice gaussian 3ms\n",
     "x:2: the service time: expected constant TIME, exponential MEAN, lognormal MEDIAN SIGMA, bimodal TIME SHARE TIME or quantiles SHARE TIME ..."},
    {"servers 3\nservice quantiles 50% 2ms 40% 3ms\n", "x:2: the service time: quantiles and their times have to grow"},
    {"servers 3\nserver 3 slow 2\n", "x:2: there is no server 3: they are numbered from 0 to 2"},
    {"servers 3\nserver 2-1 slow 2\n", "x:2: server is \"2-1\"; expected a number like 3, a range like 0-4, or all"},
    {"servers 3\nserver 2 slow\n", "x:2: how many times slower is missing"},
    {"servers 3\nserver 2 fat 2\n", "x:2: \"fat\" is nothing that a server can be"},
    {"servers 3\nserver 2 fail 101%\n", "x:2: the share of calls that fail is \"101%\"; expected a percentage up to 100%"},
    {"servers 3\nserver 2 fail 1% OK\n", "x:2: \"OK\" is no status code of an error; expected a name like UNAVAILABLE"},
    {"servers 3\nat 3s server 2 explode\n", "x:2: \"explode\" is nothing that can happen to a server"},
    {"servers 3\nat 3s client 0 kill\n", "x:2: \"kill\" is nothing that can happen to a client"},
    {"servers 3\nat 3s client 0 pause\n", "x:2: a client's pause needs an end: pause for TIME"},
    {"servers 3\nat 3s server 2 flap up 3s\n", "x:2: flap needs \"down TIME up TIME\""},
    {"servers 3\nat 3s wait\n", "x:2: expected at TIME [each TIME] followed by server, client or load"},
    {"servers 3\nat 3s server 0 leave for 3s\n", "x:2: \"for\" is not expected here"},
    {"policy a\npolicy a\n", "x:2: there is a policy \"a\" already"},
    {"policy a/b\n", "x:1: a policy's label has letters, digits and _ - + . in it, 40 at most"},
    {"policy a b c\n", "x:1: the policy's parameters: expected a JSON object"},
    {"method 3\n", "x:1: method: expected a JSON object"},
    {"method {\"name\":[{}],\"retryPolicy\":{\"maxAttempts\":1}}\n", "x:1: method: methodConfig[0].retryPolicy.maxAttempts: expected a number greater than 1"},
    {"servers 3\nthrottle {\"maxTokens\":0}\n", "x:2: throttle: retryThrottling.maxTokens: expected a number greater than 0 and at most 1000"},
    {"duration 5s\n\nwarmup 5s\n" REST, "x:3: the warmup is as long as the duration, so nothing would be measured"},
    {"policy a {\n   \"b\": 3\n\nseed 1.5\n", "x:1: the policy's parameters: expected a JSON object"},
};

static void mistakes_are_told(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(mistakes); i++) {
        struct rota_sim_scenario *scenario;
        struct rota_errinfo info = {""};
        struct rota_leak_alloc leaks;

        rota_leak_alloc_init(&leaks);
        print_message("  %s\n", mistakes[i].sentence);
        assert_int_equal(rota_sim_scenario_parse("x", rota_slice_str(mistakes[i].text), &leaks.alloc, &scenario, &info), ROTA_EPARSE);
        assert_string_equal(info.text, mistakes[i].sentence);
        rota_leak_alloc_fini(&leaks);
    }
}

static struct rota_sim_scenario *parse(const char *text)
{
    struct rota_sim_scenario *scenario = NULL;
    struct rota_errinfo info = {""};

    if (rota_sim_scenario_parse("x", rota_slice_str(text), NULL, &scenario, &info) < 0)
        fail_msg("%s", info.text);
    return scenario;
}

static void statements_are_read(void **unused)
{
    struct rota_sim_scenario *s = parse("title  Some thing # not this\nseed 7\nduration 1m\nwarmup 1.5s\nclients 3\nservers 5\n"
                                        "service bimodal 1ms 10% 20ms\nclient-zones 2\nserver 1-3 zone 7\nserver 3 zone none\nserver 1-3 service exponential 2ms\nserver 4 slots 8\nserver 4 cold 5 3s\n"
                                        "load bursty 90/s on 1s off 2s\ndeadline 20ms\n"
                                        "at 3s each 2s server 1-2 fail 5% INTERNAL for 4s\nat 9s load 2.5 for 1s\n"
                                        "policy a\npolicy b round_robin\npolicy lr least_request\n  {\"choiceCount\":\n  3}\n");

    (void)unused;
    assert_string_equal(s->title, "Some thing");
    assert_int_equal(s->seed, 7);
    assert_int_equal(s->duration_ns, 60000000000);
    assert_int_equal(s->warmup_ns, 1500000000);
    assert_int_equal(s->deadline_ns, 20000000);
    assert_int_equal(s->servers[0].service.shape, ROTA_SIM_BIMODAL);
    assert_int_equal(s->servers[0].service.b_ns, 20000000);
    assert_int_equal(s->servers[1].service.shape, ROTA_SIM_EXPONENTIAL);
    assert_int_equal(s->servers[3].service.a_ns, 2000000);
    assert_int_equal(s->n_client_zones, 2);
    assert_int_equal(s->servers[2].zone, 8);
    assert_int_equal(s->servers[0].zone + s->servers[3].zone, 0);
    assert_int_equal(s->servers[4].slots, 8);
    assert_int_equal(s->servers[3].slots, 0);
    assert_int_equal(s->servers[4].cold.ns, 3000000000);
    assert_int_equal(s->load, ROTA_SIM_BURSTY);
    assert_int_equal(s->burst_ns, 3000000000);
    assert_int_equal(s->n_actions, 2);
    assert_int_equal(s->actions[0].verb, ROTA_SIM_FAIL);
    assert_int_equal(s->actions[0].code, ROTA_INTERNAL);
    assert_int_equal(s->actions[0].last, 2);
    assert_int_equal(s->actions[0].each_ns, 2000000000);
    assert_int_equal(s->actions[1].verb, ROTA_SIM_LOAD);
    assert_int_equal(s->n_policies, 3);
    assert_string_equal(s->policies[0].service_config, "{\"loadBalancingConfig\":[{\"a\":{}}]}");
    assert_string_equal(s->policies[2].service_config, "{\"loadBalancingConfig\":[{\"least_request\":{\"choiceCount\":\n  3}}]}");
    rota_sim_scenario_free(s);
}

static void a_share_of_the_capacity_is_a_rate(void **unused)
{
    struct rota_sim_scenario *s = parse("servers 10\nservice constant 1ms\nslots 1\nserver 3 slow 10\nload poisson 60%\npolicy a\n");

    (void)unused;
    assert_true(s->rate_per_s > 5459.9 && s->rate_per_s < 5460.1);
    rota_sim_scenario_free(s);
}

static void policies_can_be_chosen(void **unused)
{
    struct rota_sim_scenario *s = parse("servers 1\nload closed 2\npolicy lr least_request {\"choiceCount\":3}\npolicy b\n");
    struct rota_errinfo info = {""};

    (void)unused;
    assert_int_equal(rota_sim_scenario_choose(s, "random,lr", &info), 0);
    assert_int_equal(s->n_policies, 2);
    assert_string_equal(s->policies[0].service_config, "{\"loadBalancingConfig\":[{\"random\":{}}]}");
    assert_string_equal(s->policies[1].service_config, "{\"loadBalancingConfig\":[{\"least_request\":{\"choiceCount\":3}}]}");
    assert_int_equal(rota_sim_scenario_choose(s, "a,,b", &info), ROTA_EPARSE);
    rota_sim_scenario_free(s);
}

static rota_err parse_and_free(const struct rota_alloc *alloc, void *text)
{
    struct rota_sim_scenario *scenario = NULL;
    struct rota_errinfo info = {""};
    rota_err err = rota_sim_scenario_parse("x", rota_slice_str(text), alloc, &scenario, &info);

    if (err == 0)
        rota_sim_scenario_free(scenario);
    else
        assert_string_equal(info.text, "x: out of memory");
    return err;
}

static void no_memory_is_an_error(void **unused)
{
    char text[] = "title a\nmethod {}\n" REST "server 1 slow 3\n";

    (void)unused;
    assert_true(rota_alloc_sweep(parse_and_free, text) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told),      cmocka_unit_test(statements_are_read),   cmocka_unit_test(a_share_of_the_capacity_is_a_rate),
        cmocka_unit_test(policies_can_be_chosen), cmocka_unit_test(no_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
