/* common.h - what the two programs share: log lines, flags, and the registry's URI. */
#ifndef HELLO_COMMON_H
#define HELLO_COMMON_H

#include <rota/rota.h>
#include <stdio.h>

/* "2026-01-31 12:00:00.000000 I | text" on standard output; level is one letter. */
void say(char level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The library's messages in the same format; pass its address in a loop's options. */
extern const struct rota_log hello_log;

/* A flag "--name=value" in arg: its value, or NULL when arg is another. */
const char *flag(const char *arg, const char *name);

/* The whole number in text, between low and high; otherwise says what is wrong with the flag and exits with 2. */
long long number(const char *name, const char *text, long long low, long long high);

struct security {
    struct rota_tls_options tls;
    bool wanted; /* else plaintext, to and from anywhere: this is a demonstration */
};
#define SECURITY_INIT {.tls = ROTA_TLS_OPTIONS_INIT}

/* Takes --tls, --cert=FILE, --key=FILE, --ca=FILE, --server-name=NAME or --require-client-cert; false when arg is another. */
bool security_flag(const char *arg, struct security *security);
const struct rota_tls_options *security_options(const struct security *security);

/* "etcd://127.0.0.1:2379/service" from a registry given as "etcd://host:port", "http://host:port", "host:port" (several with commas, with
 * ?parameters or not). Writes at most size bytes; exits with 2 when it does not fit. */
void registry_uri(const char *registry, const char *service, char *out, size_t size);

#endif
