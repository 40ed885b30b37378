/* options.c - defaults and ranges of struct rota_channel_options (rota/channel.h states them). */
#include "channel/options.h"
#include "base/errinfo.h"
#include "base/options.h"
#include "channel/tries.h"

#define NS_PER_MS INT64_C(1000000)
#define DEFAULT_MAX_REPLY_BYTES ((size_t)4 * 1024 * 1024)
#define DEFAULT_SEND_QUEUE_BYTES ((size_t)64 * 1024)
#define DEFAULT_CONNECT_TIMEOUT_MS 20000
#define DEFAULT_BACKOFF_INITIAL_MS 1000
#define DEFAULT_BACKOFF_MAX_MS 120000
#define DEFAULT_IDLE_TIMEOUT_MS ((int64_t)30 * 60 * 1000)
#define DEFAULT_KEEPALIVE_TIMEOUT_MS 20000
#define MIN_KEEPALIVE_TIME_MS 10000 /* gRFC A8's */
#define MIN_FREQUENT_KEEPALIVE_TIME_MS 1000
#define DEFAULT_MAX_ATTEMPTS 5
#define DEFAULT_RETRY_RATIO_PERCENT 10
#define DEFAULT_RETRY_FLOOR_PER_S 10
#define DEFAULT_CONNECTIONS 10
#define DEFAULT_RETRY_BUFFER_BYTES ((size_t)256 * 1024)
#define DEFAULT_RETRY_BUFFERS_BYTES ((size_t)16 * 1024 * 1024)

rota_err rota_channel_options_read(const struct rota_channel_options *given, struct rota_channel_options *ret_options, struct rota_errinfo *info)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    rota_err err = rota_options_take(&options, sizeof(options), given, "ROTA_CHANNEL_OPTIONS_INIT", info);

    if (err < 0)
        return err;
    if (options.max_attempts == 0)
        options.max_attempts = DEFAULT_MAX_ATTEMPTS;
    if (options.retry_ratio_percent == 0)
        options.retry_ratio_percent = DEFAULT_RETRY_RATIO_PERCENT;
    if (options.retry_floor_per_s == 0)
        options.retry_floor_per_s = DEFAULT_RETRY_FLOOR_PER_S;
    if (options.max_connections_per_subchannel == 0)
        options.max_connections_per_subchannel = DEFAULT_CONNECTIONS;
    *ret_options = options;
    return 0;
}

static int64_t ms_or(int64_t given_ms, int64_t default_ms)
{
    int64_t ms = given_ms == 0 ? default_ms : given_ms;

    return ms > INT64_MAX / NS_PER_MS ? INT64_MAX : ms * NS_PER_MS;
}

static rota_err check_numbers(const struct rota_channel_options *options, struct rota_errinfo *info)
{
    const struct {
        const char *name;
        int32_t value, least, most;
    } numbers[] = {
        {"max_attempts", options->max_attempts, 1, ROTA_TRIES_MAX},
        {"retry_ratio_percent", options->retry_ratio_percent, -1, 1000},
        {"retry_floor_per_s", options->retry_floor_per_s, -1, 1000000},
        {"max_connections_per_subchannel", options->max_connections_per_subchannel, 1, 100},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i].value < numbers[i].least || numbers[i].value > numbers[i].most)
            return rota_errinfo_set(info, ROTA_EINVAL, "channel option %s is %d; expected %d to %d", numbers[i].name, numbers[i].value,
                numbers[i].least, numbers[i].most);
    return 0;
}

rota_err rota_channel_limits_read(const struct rota_channel_options *options, struct rota_channel_limits *ret_limits, struct rota_errinfo *info)
{
    const struct {
        const char *name;
        int64_t ms, least_ms;
    } times[] = {
        {"connect_timeout_ms", options->connect_timeout_ms, 0},
        {"backoff_initial_ms", options->backoff_initial_ms, 0},
        {"backoff_max_ms", options->backoff_max_ms, 0},
        {"idle_timeout_ms", options->idle_timeout_ms, -1},
        {"keepalive_time_ms", options->keepalive_time_ms, 0},
        {"keepalive_timeout_ms", options->keepalive_timeout_ms, 0},
    };
    const int64_t least_keepalive_ms = options->frequent_keepalive ? MIN_FREQUENT_KEEPALIVE_TIME_MS : MIN_KEEPALIVE_TIME_MS;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (times[i].ms < times[i].least_ms)
            return rota_errinfo_set(info, ROTA_EINVAL, "channel option %s is %lld; expected at least %lld", times[i].name, (long long)times[i].ms,
                (long long)times[i].least_ms);
    if (options->keepalive_time_ms > 0 && options->keepalive_time_ms < least_keepalive_ms)
        return rota_errinfo_set(info, ROTA_EINVAL, "channel option keepalive_time_ms is %lld; expected at least %d, or %d with frequent_keepalive",
            (long long)options->keepalive_time_ms, MIN_KEEPALIVE_TIME_MS, MIN_FREQUENT_KEEPALIVE_TIME_MS);
    if ((unsigned)options->service_config_lookup > ROTA_CONFIG_LOOKUP_OFF)
        return rota_errinfo_set(info, ROTA_EINVAL, "channel option service_config_lookup is %d; expected one of enum rota_config_lookup",
            (int)options->service_config_lookup);
    *ret_limits = (struct rota_channel_limits){
        .max_reply_bytes = options->max_reply_bytes == 0 ? DEFAULT_MAX_REPLY_BYTES : options->max_reply_bytes,
        .max_request_bytes = options->max_request_bytes == 0 ? SIZE_MAX : options->max_request_bytes,
        .send_queue_bytes = options->send_queue_bytes == 0 ? DEFAULT_SEND_QUEUE_BYTES : options->send_queue_bytes,
        .connect_timeout_ns = ms_or(options->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS),
        .backoff_initial_ns = ms_or(options->backoff_initial_ms, DEFAULT_BACKOFF_INITIAL_MS),
        .backoff_max_ns = ms_or(options->backoff_max_ms, DEFAULT_BACKOFF_MAX_MS),
        .idle_timeout_ns = options->idle_timeout_ms == -1 ? INT64_MAX : ms_or(options->idle_timeout_ms, DEFAULT_IDLE_TIMEOUT_MS),
        .keepalive_time_ns = options->keepalive_time_ms == 0 ? INT64_MAX : ms_or(options->keepalive_time_ms, 0),
        .keepalive_timeout_ns = ms_or(options->keepalive_timeout_ms, DEFAULT_KEEPALIVE_TIMEOUT_MS),
        .keepalive_without_calls = options->keepalive_without_calls,
        .no_health_checks = options->no_health_checks,
        .config_lookup = options->service_config_lookup,
        .gzip = options->compression == ROTA_COMPRESSION_GZIP,
        .max_attempts = (uint32_t)options->max_attempts,
        .max_connections = (uint32_t)options->max_connections_per_subchannel,
        .retry_buffer_bytes = options->retry_buffer_bytes == 0 ? DEFAULT_RETRY_BUFFER_BYTES : options->retry_buffer_bytes,
        .retry_buffers_bytes = options->retry_buffers_bytes == 0 ? DEFAULT_RETRY_BUFFERS_BYTES : options->retry_buffers_bytes,
    };
    return check_numbers(options, info);
}
