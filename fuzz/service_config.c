/* service_config.c - service configs: what is taken keeps its bounds, what is not has a sentence; taking is repeatable. */
#include "wire/service_config.h"
#include "base/assert.h"

static void check_method(const struct rota_method_config *method)
{
    if (method == NULL)
        return;
    ROTA_ASSERT(method->timeout_ns >= 0);
    ROTA_ASSERT(method->retry.max_attempts != 1 && method->hedging.max_attempts != 1); /* the channel bounds them from above */
    ROTA_ASSERT(method->hedging.max_attempts == 0 || method->retry.max_attempts == 0);
    ROTA_ASSERT(method->retry.max_attempts == 0 || (method->retry.initial_backoff_ns > 0 && method->retry.backoff_multiplier > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_service_config *config, *again;
    struct rota_errinfo info = {""};

    if (rota_service_config_parse(rota_slice(data, size_bytes), NULL, &config, &info) < 0) {
        ROTA_ASSERT(info.text[0] != '\0');
        return 0;
    }
    check_method(rota_service_config_method(config, "/s/m"));
    check_method(rota_service_config_method(config, "/unknown/x"));
    ROTA_ASSERT(config->throttle_max_tokens_milli <= 1000000);
    ROTA_ASSERT(rota_service_config_parse(rota_slice(data, size_bytes), NULL, &again, NULL) == 0);
    ROTA_ASSERT((config->lb_config == NULL) == (again->lb_config == NULL));
    rota_service_config_free(NULL, config);
    rota_service_config_free(NULL, again);
    return 0;
}
