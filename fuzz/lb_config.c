/* lb_config.c - a loadBalancingConfig list from anywhere: chosen and read, or refused with a sentence. */
#include "base/assert.h"
#include "testing/lb_policies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rota_lb_env env = {.classes = rota_test_policies};
    struct rota_lb_config *config;
    struct rota_errinfo info = {""};
    rota_err err = rota_lb_config_parse(&env, rota_slice(data, size), &config, &info);

    if (err == 0) {
        ROTA_ASSERT(rota_lb_config_name(config) != NULL);
        rota_lb_config_free(config);
    } else {
        ROTA_ASSERT(err == ROTA_EPARSE && info.text[0] != '\0');
    }
    return 0;
}
