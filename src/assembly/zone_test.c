/* zone_test.c - where a channel's policies learn that the program runs: the option, else the environment. */
#include "testing/cmocka.h"
#include "base/assert.h"
#include <rota/channel.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static char told[16];

/* A policy that is never run: that it hears of the zone is enough. */
static rota_err parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    (void)json, (void)info;
    strcpy(told, env->zone == NULL ? "none" : env->zone);
    *ret_config = NULL;
    return 0;
}

static void free_config(const struct rota_lb_env *env, void *config)
{
    (void)env, (void)config;
}

static const struct rota_lb_class listener = {.name = "listener", .parse = parse, .free_config = free_config};
static const struct rota_lb_class *const policies[] = {&listener, NULL};

static const struct row {
    const char *rule, *option, *variable, *want;
    size_t size; /* of the options; 0: as it is now */
} rows[] = {
    {"the option", "a", NULL, "a", 0},
    {"the option goes before the environment", "a", "b", "a", 0},
    {"else the environment", NULL, "b", "b", 0},
    {"an empty option is nowhere, whatever the environment says", "", "b", "none", 0},
    {"an empty variable is none", NULL, "", "none", 0},
    {"neither", NULL, NULL, "none", 0},
    {"the environment serves programs from before the option too", NULL, "b", "b", offsetof(struct rota_channel_options, zone)},
};

static void is_told(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel *channel;
        struct rota_errinfo info = {""};
        if (rows[i].variable != NULL)
            setenv("ROTA_ZONE", rows[i].variable, 1);
        else
            unsetenv("ROTA_ZONE");
        if (rows[i].size > 0)
            options.size = rows[i].size;
        options.zone = rows[i].option;
        options.policies = policies;
        options.service_config = "{\"loadBalancingConfig\":[{\"listener\":{}}]}";
        assert_int_equal(rota_loop_new(NULL, &options.loop), 0);
        if (rota_channel_open("ipv4:127.0.0.1:1", &options, &channel, &info) < 0)
            fail_msg("%s: %s", rows[i].rule, info.text);
        if (strcmp(told, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].rule, told);
        rota_channel_free(channel);
        rota_loop_free(options.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_told)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
