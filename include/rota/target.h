/* rota/target.h - a parsed target URI, as resolvers get it.
 *
 * scheme:[//[userinfo@]authority/]path[?key=value&...], RFC 3986 with percent-decoding, as gRPC's naming document says:
 * a text without a known scheme is taken as dns:///text. Ownership: all text belongs to the target.
 */
#ifndef ROTA_TARGET_H
#define ROTA_TARGET_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>

ROTA_BEGIN_DECLS

struct rota_target_param {
    const char *key;
    const char *value;
};

struct rota_target {
    const char *text;      /* as given, but for userinfo, so that it may be shown */
    const char *scheme;    /* lower case */
    const char *authority; /* "" when absent */
    const char *path;      /* without the slash that ends the authority */
    const struct rota_target_param *params;
    size_t n_params;
    const char *userinfo;  /* "user:password", still percent-encoded, "" when absent; not for logs or messages */
};

/* The value of the first parameter of that name, or NULL. */
ROTA_API const char *rota_target_param(const struct rota_target *target, const char *key);

ROTA_END_DECLS
#endif
