/* proxy.h - which HTTP proxy the environment names for a host, and what is said to it (CONNECT). Pure: the environment is an argument.
 *
 * Variables, the first that is set counts, even if it is empty (no proxy): grpc_proxy, https_proxy, http_proxy; hosts that need none:
 * no_grpc_proxy, no_proxy. Each is looked for in lower case, then in upper (HTTP_PROXY not where REQUEST_METHOD is set: there it may be
 * a request's header). This machine's own names and addresses never need one.
 * Source: gRFC A1, doc/environment_variables.md in grpc/grpc; RFC 9110 9.3.6 and 7617; RFC 9112.
 */
#ifndef ROTA_WIRE_PROXY_H
#define ROTA_WIRE_PROXY_H

#include <rota/endpoint.h>
#include <rota/err.h>
#include <rota/slice.h>

#define ROTA_PROXY_LOGIN_SIZE 700 /* base64 of what a URL may hold */

struct rota_proxy {
    char text[ROTA_ADDRESS_TEXT_SIZE]; /* of address */
    struct rota_address address;
    char login[ROTA_PROXY_LOGIN_SIZE]; /* base64 of user:password, "" none; not for messages */
};

typedef const char *rota_proxy_variable(void *ctx, const char *name); /* NULL: not set */

/* *ret_found: the proxy for a connection to that host ("[v6]" without brackets) and port, or false for none. The target's text in *ret_proxy must
 * not move. ROTA_EINVAL: a variable that names no proxy (info says which, without its value). */
rota_err rota_proxy_find(struct rota_slice host, uint16_t port, rota_proxy_variable *variable, void *ctx, struct rota_proxy *ret_proxy, bool *ret_found,
                         struct rota_errinfo *info);

/* Whether the environment names any. */
bool rota_proxy_wanted(rota_proxy_variable *variable, void *ctx);

/* Whether a list, "example.com, .example.org:8443, 10.0.0.0/8, *", has that host, or one it is below. */
bool rota_proxy_list_has(const char *list, struct rota_slice host, uint16_t port);

#endif
