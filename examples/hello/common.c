/* common.c - see common.h. */
#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

void say(char level, const char *format, ...)
{
    struct timeval now;
    struct tm tm;
    char stamp[32];
    va_list args;

    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
    printf("%s.%06ld %c | ", stamp, (long)now.tv_usec, level);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void write_log(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    (void)ctx;
    say(level == ROTA_LOG_ERROR ? 'E' : level == ROTA_LOG_WARN ? 'W' : 'D', "%s: %s", area, text);
}

const struct rota_log hello_log = {.write = write_log, .level = ROTA_LOG_WARN};

const char *flag(const char *arg, const char *name)
{
    size_t n = strlen(name);

    return strncmp(arg, "--", 2) == 0 && strncmp(arg + 2, name, n) == 0 && arg[2 + n] == '=' ? arg + 2 + n + 1 : NULL;
}

long long number(const char *name, const char *text, long long low, long long high)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < low || value > high) {
        fprintf(stderr, "--%s=%s: expected a whole number from %lld to %lld\n", name, text, low, high);
        exit(2);
    }
    return value;
}

bool security_flag(const char *arg, struct security *security)
{
    const struct {
        const char *name, **value;
    } files[] = {{"cert", &security->tls.cert_file}, {"key", &security->tls.key_file}, {"ca", &security->tls.ca_file}, {"server-name", &security->tls.server_name}};
    bool demand = strcmp(arg, "--require-client-cert") == 0;

    if (demand || strcmp(arg, "--tls") == 0) {
        security->tls.require_client_cert |= demand;
        return security->wanted = true;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *value = flag(arg, files[i].name);
        if (value == NULL)
            continue;
        *files[i].value = value;
        return security->wanted = true;
    }
    return false;
}

const struct rota_tls_options *security_options(const struct security *security)
{
    return security->wanted ? &security->tls : &rota_tls_insecure;
}

void registry_uri(const char *registry, const char *service, char *out, size_t size)
{
    static const char *const schemes[] = {"etcd://", "http://"};
    const char *params;
    int members, length;

    for (size_t i = 0; i < 2; i++)
        if (strncmp(registry, schemes[i], strlen(schemes[i])) == 0)
            registry += strlen(schemes[i]);
    if (strstr(registry, "://") != NULL) {
        const char *at = strrchr(registry, '@'); /* a password may stand before it */
        fprintf(stderr, "--registry=%s: expected etcd://host:port (several with commas), http://host:port or host:port\n", at == NULL ? registry : at + 1);
        exit(2);
    }
    params = strchr(registry, '?');
    members = (int)strcspn(registry, "/?");
    length = snprintf(out, size, "etcd://%.*s/%s%s", members, registry, service, params == NULL ? "" : params);
    if (length < 0 || (size_t)length >= size) {
        fputs("--registry: too long\n", stderr);
        exit(2);
    }
}
