/* service_config.c - the service config, checked as a whole before anything of it is used.
 *
 * All of a config but its method map lies in one arena. Methods are found under "service/method", a service's own
 * config under "service/". Elsewhere: how JSON members are read (json_read.c), which policy is chosen (src/lb).
 */
#include "wire/service_config.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/errinfo.h"
#include "base/map.h"
#include "wire/json_read.h"
#include <rota/status.h>

#define THROTTLE_TOKENS_MAX 1000

struct rota_service_config_methods {
    struct rota_arena arena;
    struct rota_map by_name; /* values: const struct rota_method_config * */
    const struct rota_method_config *fallback;
};

/* A parse under way. */
struct reading {
    struct rota_json_reader json;
    struct rota_service_config *config;
};

static rota_err no_memory(struct reading *r)
{
    return rota_errinfo_set(r->json.info, ROTA_ENOMEM, "out of memory for the service config");
}

static rota_err keep_text(struct reading *r, const char *text, char **ret_copy)
{
    char *copy = rota_arena_text(&r->config->methods->arena, rota_slice_str(text));

    if (copy == NULL)
        return no_memory(r);
    *ret_copy = copy;
    return 0;
}

/* --- Policies --- */

/* What the entries are to be is for those to say who know the policies. */
static rota_err read_lb_config(struct reading *r, const json_t *top)
{
    const json_t *list = NULL;
    size_t mark, size;
    rota_err err = rota_json_array(&r->json, top, "loadBalancingConfig", &list);

    if (err < 0 || list == NULL)
        return err;
    mark = rota_json_enter(&r->json, "loadBalancingConfig");
    if (json_array_size(list) == 0)
        return rota_json_bad(&r->json, "the list is empty, expected at least one policy");
    rota_json_leave(&r->json, mark);
    size = json_dumpb(list, NULL, 0, JSON_COMPACT);
    if (size == 0)
        return no_memory(r);
    r->config->lb_config = rota_arena_zero(&r->config->methods->arena, 1, size + 1);
    if (r->config->lb_config == NULL || json_dumpb(list, r->config->lb_config, size, JSON_COMPACT) != size)
        return no_memory(r);
    return 0;
}

static rota_err read_lb_policy(struct reading *r, const json_t *top)
{
    const char *text = NULL;
    rota_err err = rota_json_text(&r->json, top, "loadBalancingPolicy", &text);

    if (err < 0 || text == NULL || text[0] == '\0')
        return err;
    err = keep_text(r, text, &r->config->lb_policy);
    if (err < 0)
        return err;
    for (char *at = r->config->lb_policy; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at | 0x20);
    return 0;
}

/* --- Retry, hedging, throttling (gRFC A6) --- */

static rota_err read_attempts(struct reading *r, const json_t *policy, uint32_t *ret_attempts)
{
    uint64_t attempts = 0;
    bool seen = false;
    rota_err err = rota_json_uint(&r->json, policy, "maxAttempts", UINT32_MAX, &attempts, &seen);

    if (err < 0)
        return err;
    if (!seen || attempts < 2)
        return rota_json_bad_member(&r->json, "maxAttempts", "expected a number greater than 1");
    *ret_attempts = (uint32_t)attempts; /* the channel has a cap of its own */
    return 0;
}

static int code_of(const json_t *json)
{
    double number = json_number_value(json);

    if (json_is_string(json))
        return rota_code_parse(json_string_value(json));
    return json_is_number(json) && number >= 0 && number <= ROTA_UNAUTHENTICATED && number == (int)number ? (int)number : -1;
}

static rota_err read_codes(struct reading *r, const json_t *policy, const char *key, uint32_t *ret_codes)
{
    const json_t *list = NULL;
    uint32_t codes = 0;
    size_t mark;
    rota_err err = rota_json_array(&r->json, policy, key, &list);

    if (err < 0 || list == NULL)
        return err;
    mark = rota_json_enter(&r->json, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        int code = code_of(json_array_get(list, i));

        if (code <= ROTA_OK) {
            rota_json_enter_index(&r->json, i);
            return rota_json_bad(&r->json, "expected a status code other than OK, a number or a name");
        }
        codes |= UINT32_C(1) << code;
    }
    rota_json_leave(&r->json, mark);
    *ret_codes = codes;
    return 0;
}

static rota_err read_backoff(struct reading *r, const json_t *policy, const char *key, int64_t *ret_ns)
{
    int64_t ns = 0;
    bool seen = false;
    rota_err err = rota_json_duration(&r->json, policy, key, &ns, &seen);

    if (err < 0)
        return err;
    if (ns <= 0)
        return rota_json_bad_member(&r->json, key, "expected a duration greater than 0");
    *ret_ns = ns;
    return 0;
}

static rota_err read_retry(struct reading *r, const json_t *policy, struct rota_retry_policy *ret_retry)
{
    struct rota_retry_policy retry = {0};
    bool seen = false;
    rota_err err = read_attempts(r, policy, &retry.max_attempts);

    if (err == 0)
        err = read_backoff(r, policy, "initialBackoff", &retry.initial_backoff_ns);
    if (err == 0)
        err = read_backoff(r, policy, "maxBackoff", &retry.max_backoff_ns);
    if (err == 0)
        err = rota_json_double(&r->json, policy, "backoffMultiplier", &retry.backoff_multiplier, &seen);
    if (err == 0 && !(retry.backoff_multiplier > 0))
        err = rota_json_bad_member(&r->json, "backoffMultiplier", "expected a number greater than 0");
    if (err == 0)
        err = read_codes(r, policy, "retryableStatusCodes", &retry.retryable_codes);
    if (err == 0 && retry.retryable_codes == 0)
        err = rota_json_bad_member(&r->json, "retryableStatusCodes", "expected at least one status code");
    if (err == 0)
        *ret_retry = retry;
    return err;
}

static rota_err read_hedging(struct reading *r, const json_t *policy, struct rota_hedging_policy *ret_hedging)
{
    struct rota_hedging_policy hedging = {0};
    bool seen = false;
    rota_err err = read_attempts(r, policy, &hedging.max_attempts);

    if (err == 0)
        err = rota_json_duration(&r->json, policy, "hedgingDelay", &hedging.hedging_delay_ns, &seen);
    if (err == 0)
        err = read_codes(r, policy, "nonFatalStatusCodes", &hedging.non_fatal_codes);
    if (err == 0)
        *ret_hedging = hedging;
    return err;
}

static rota_err read_attempt_policies(struct reading *r, const json_t *method, struct rota_method_config *ret_config)
{
    const json_t *retry = NULL, *hedging = NULL;
    rota_err err = rota_json_object(&r->json, method, "retryPolicy", &retry);
    size_t mark;

    if (err == 0)
        err = rota_json_object(&r->json, method, "hedgingPolicy", &hedging);
    if (err < 0)
        return err;
    if (retry != NULL && hedging != NULL)
        return rota_json_bad(&r->json, "retryPolicy and hedgingPolicy exclude each other");
    if (retry != NULL) {
        mark = rota_json_enter(&r->json, "retryPolicy");
        err = read_retry(r, retry, &ret_config->retry);
    } else if (hedging != NULL) {
        mark = rota_json_enter(&r->json, "hedgingPolicy");
        err = read_hedging(r, hedging, &ret_config->hedging);
    } else {
        return 0;
    }
    rota_json_leave(&r->json, mark);
    return err;
}

static rota_err read_throttling(struct reading *r, const json_t *top)
{
    const json_t *throttling = NULL;
    double tokens = 0, ratio = 0;
    bool seen = false;
    size_t mark;
    rota_err err = rota_json_object(&r->json, top, "retryThrottling", &throttling);

    if (err < 0 || throttling == NULL)
        return err;
    mark = rota_json_enter(&r->json, "retryThrottling");
    err = rota_json_double(&r->json, throttling, "maxTokens", &tokens, &seen);
    if (err == 0)
        err = rota_json_double(&r->json, throttling, "tokenRatio", &ratio, &seen);
    if (err < 0)
        return err;
    if (!(tokens >= 0.001 && tokens <= THROTTLE_TOKENS_MAX))
        return rota_json_bad_member(&r->json, "maxTokens", "expected a number greater than 0 and at most 1000");
    if (!(ratio >= 0.001))
        return rota_json_bad_member(&r->json, "tokenRatio", "expected a number greater than 0, with three decimals at most");
    rota_json_leave(&r->json, mark);
    if (ratio > THROTTLE_TOKENS_MAX)
        ratio = THROTTLE_TOKENS_MAX; /* one success fills the bucket either way */
    /* Further decimals are cut off; half a millionth makes up for what binary fractions lose. */
    r->config->throttle_max_tokens_milli = (uint32_t)(tokens * 1000 + 0.0005);
    r->config->throttle_ratio_milli = (uint32_t)(ratio * 1000 + 0.0005);
    return 0;
}

/* --- Methods --- */

static rota_err read_size(struct reading *r, const json_t *method, const char *key, size_t *ret_size)
{
    uint64_t size;
    bool seen = false;
    rota_err err = rota_json_uint(&r->json, method, key, UINT32_MAX, &size, &seen);

    if (err == 0 && seen)
        *ret_size = (size_t)size;
    return err;
}

static rota_err read_method_config(struct reading *r, const json_t *method, struct rota_method_config *ret_config)
{
    bool wait = false, seen = false;
    rota_err err;

    *ret_config = (struct rota_method_config){
        .timeout_ns = INT64_MAX, .wait_for_ready = -1, .max_request_bytes = SIZE_MAX, .max_reply_bytes = SIZE_MAX};
    err = rota_json_bool(&r->json, method, "waitForReady", &wait, &seen);
    if (err == 0 && seen)
        ret_config->wait_for_ready = wait;
    if (err == 0)
        err = rota_json_duration(&r->json, method, "timeout", &ret_config->timeout_ns, &seen);
    if (err == 0)
        err = read_size(r, method, "maxRequestMessageBytes", &ret_config->max_request_bytes);
    if (err == 0)
        err = read_size(r, method, "maxResponseMessageBytes", &ret_config->max_reply_bytes);
    return err < 0 ? err : read_attempt_policies(r, method, ret_config);
}

static rota_err add_named(struct reading *r, const char *service, const char *method, struct rota_method_config *config)
{
    struct rota_service_config_methods *methods = r->config->methods;
    size_t service_size = strlen(service), method_size = strlen(method), size = service_size + 1 + method_size;
    struct rota_slice key;
    char *text;

    if (service_size == 0) {
        if (methods->fallback != NULL)
            return rota_json_bad(&r->json, "a second default: there may be one name without a service");
        methods->fallback = config;
        return 0;
    }
    text = rota_arena_get(&methods->arena, size);
    if (text == NULL)
        return no_memory(r);
    memcpy(text, service, service_size);
    text[service_size] = '/';
    memcpy(text + service_size + 1, method, method_size);
    key = rota_slice(text, size);
    if (rota_map_get(&methods->by_name, key) != NULL)
        return rota_json_bad(&r->json, "\"%.*s\" is named a second time", (int)(size < 200 ? size : 200), text);
    return rota_map_set(&methods->by_name, key, config) < 0 ? no_memory(r) : 0;
}

static rota_err read_name(struct reading *r, const json_t *name, struct rota_method_config *config)
{
    const char *service = "", *method = "";
    rota_err err;

    if (!json_is_object(name))
        return rota_json_bad(&r->json, "expected an object with service and method");
    err = rota_json_text(&r->json, name, "service", &service);
    if (err == 0)
        err = rota_json_text(&r->json, name, "method", &method);
    if (err < 0)
        return err;
    if (service[0] == '\0' && method[0] != '\0')
        return rota_json_bad(&r->json, "the method \"%.100s\" is named without its service", method);
    if (strchr(service, '/') != NULL || strchr(method, '/') != NULL)
        return rota_json_bad(&r->json, "a name contains \"/\"; write service and method apart");
    return add_named(r, service, method, config);
}

static rota_err read_names(struct reading *r, const json_t *method, struct rota_method_config *config)
{
    const json_t *names = NULL;
    size_t mark;
    rota_err err = rota_json_array(&r->json, method, "name", &names);

    if (err < 0 || names == NULL)
        return err;
    mark = rota_json_enter(&r->json, "name");
    for (size_t i = 0; i < json_array_size(names); i++) {
        size_t inner = rota_json_enter_index(&r->json, i);

        err = read_name(r, json_array_get(names, i), config);
        if (err < 0)
            return err;
        rota_json_leave(&r->json, inner);
    }
    rota_json_leave(&r->json, mark);
    return 0;
}

static rota_err read_methods(struct reading *r, const json_t *top)
{
    const json_t *list = NULL;
    size_t mark;
    rota_err err = rota_json_array(&r->json, top, "methodConfig", &list);

    if (err < 0 || list == NULL)
        return err;
    mark = rota_json_enter(&r->json, "methodConfig");
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct rota_method_config *config = rota_arena_zero(&r->config->methods->arena, 1, sizeof(*config));
        const json_t *method = json_array_get(list, i);
        size_t inner = rota_json_enter_index(&r->json, i);

        if (config == NULL)
            return no_memory(r);
        if (!json_is_object(method))
            return rota_json_bad(&r->json, "expected an object");
        err = read_method_config(r, method, config);
        if (err == 0)
            err = read_names(r, method, config);
        r->config->has_methods = true;
        if (err < 0)
            return err;
        rota_json_leave(&r->json, inner);
    }
    rota_json_leave(&r->json, mark);
    return 0;
}

/* --- The whole --- */

static rota_err read_health(struct reading *r, const json_t *top)
{
    const json_t *health = NULL;
    const char *service = NULL;
    size_t mark;
    rota_err err = rota_json_object(&r->json, top, "healthCheckConfig", &health);

    if (err < 0 || health == NULL)
        return err;
    mark = rota_json_enter(&r->json, "healthCheckConfig");
    err = rota_json_text(&r->json, health, "serviceName", &service);
    rota_json_leave(&r->json, mark);
    if (err < 0 || service == NULL)
        return err;
    return keep_text(r, service, &r->config->health_service);
}

static rota_err read_scaling(struct reading *r, const json_t *top)
{
    const json_t *scaling = NULL;
    uint64_t most = 1;
    bool seen = false;
    size_t mark;
    rota_err err = rota_json_object(&r->json, top, "connectionScaling", &scaling);

    r->config->max_connections = 1;
    if (err < 0 || scaling == NULL)
        return err;
    mark = rota_json_enter(&r->json, "connectionScaling");
    err = rota_json_uint(&r->json, scaling, "maxConnectionsPerSubchannel", UINT32_MAX, &most, &seen);
    if (err < 0)
        return err;
    if (most == 0)
        return rota_json_bad_member(&r->json, "maxConnectionsPerSubchannel", "expected a number greater than 0");
    rota_json_leave(&r->json, mark);
    r->config->max_connections = (uint32_t)most; /* the channel has a cap of its own */
    return 0;
}

static rota_err read_config(struct reading *r, struct rota_slice text, const json_t *top)
{
    rota_err err;

    if (!json_is_object(top))
        return rota_json_bad(&r->json, "the service config is no object, expected {...}");
    r->config->json = rota_arena_text(&r->config->methods->arena, text);
    if (r->config->json == NULL)
        return no_memory(r);
    err = read_lb_config(r, top);
    if (err == 0)
        err = read_lb_policy(r, top);
    if (err == 0)
        err = read_methods(r, top);
    if (err == 0)
        err = read_throttling(r, top);
    if (err == 0)
        err = read_scaling(r, top);
    return err < 0 ? err : read_health(r, top);
}

static struct rota_service_config *config_new(const struct rota_alloc *alloc)
{
    struct rota_service_config *config = rota_alloc_zero(alloc, 1, sizeof(*config));
    struct rota_service_config_methods *methods = rota_alloc_zero(alloc, 1, sizeof(*methods));

    if (config == NULL || methods == NULL) {
        rota_alloc_free(alloc, config);
        rota_alloc_free(alloc, methods);
        return NULL;
    }
    rota_arena_init(&methods->arena, alloc, 0);
    rota_map_init(&methods->by_name, alloc, 0);
    config->methods = methods;
    return config;
}

rota_err rota_service_config_parse(struct rota_slice json, const struct rota_alloc *alloc, struct rota_service_config **ret_config,
    struct rota_errinfo *info)
{
    struct reading r = {.json = {.info = info}};
    json_t *top;
    rota_err err = rota_json_load("the service config", json, &top, info);

    if (err < 0)
        return err;
    r.config = config_new(alloc);
    err = r.config == NULL ? no_memory(&r) : read_config(&r, json, top);
    json_decref(top);
    if (err < 0) {
        rota_service_config_free(alloc, r.config);
        return err;
    }
    *ret_config = r.config;
    return 0;
}

void rota_service_config_free(const struct rota_alloc *alloc, struct rota_service_config *config)
{
    if (config == NULL)
        return;
    rota_map_fini(&config->methods->by_name);
    rota_arena_fini(&config->methods->arena);
    rota_alloc_free(alloc, config->methods);
    rota_alloc_free(alloc, config);
}

const struct rota_method_config *rota_service_config_method(const struct rota_service_config *config, const char *path)
{
    const struct rota_method_config *found;
    const char *slash;

    if (config == NULL || path == NULL || path[0] != '/')
        return NULL;
    slash = strrchr(path + 1, '/');
    if (slash != NULL && config->methods->by_name.count > 0) {
        found = rota_map_get(&config->methods->by_name, rota_slice_str(path + 1));
        if (found == NULL)
            found = rota_map_get(&config->methods->by_name, rota_slice(path + 1, (size_t)(slash - path)));
        if (found != NULL)
            return found;
    }
    return config->methods->fallback;
}
