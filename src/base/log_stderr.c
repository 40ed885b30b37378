/* log_stderr.c - the ready-made sink: local time to the microsecond, level, area, text, in one write per line.
 *
 * It asks for the time of day itself, as the sink of a program would: a sink is outside of what decides.
 */
#include <rota/log.h>
#include <stdio.h>
#include <time.h>

static const char *level_name(enum rota_log_level level)
{
    switch (level) {
    case ROTA_LOG_ERROR:
        return "ERROR";
    case ROTA_LOG_WARN:
        return "WARN";
    case ROTA_LOG_INFO:
        return "INFO";
    default:
        return "DEBUG";
    }
}

static void write_line(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct timespec now = {0};
    struct tm local = {0};
    char stamp[32] = "";

    (void)ctx;
    timespec_get(&now, TIME_UTC);
    if (localtime_r(&now.tv_sec, &local) != NULL)
        strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &local);
    fprintf(stderr, "%s.%06ld %s %s: %s\n", stamp, now.tv_nsec / 1000, level_name(level), area, text);
}

const struct rota_log rota_log_stderr = {.write = write_line};
