/* rota/health.h - tells clients, load balancers and probes whether a server can take calls: the service grpc.health.v1.Health.
 *
 * The program says how it is with each of its services, by name, and with the server as a whole, whose name is "".
 * Threading: on the loop of the server. Ownership: the health belongs to the server and goes with it.
 * Source: gRPC's health checking protocol (doc/health-checking.md in grpc/grpc).
 */
#ifndef ROTA_HEALTH_H
#define ROTA_HEALTH_H

#include <rota/server.h>

ROTA_BEGIN_DECLS

struct rota_health;

enum rota_health_status {
    ROTA_HEALTH_UNKNOWN = 0,
    ROTA_HEALTH_SERVING = 1,
    ROTA_HEALTH_NOT_SERVING = 2,
};

struct rota_health_options {
    size_t size;          /* set by ROTA_HEALTH_OPTIONS_INIT */
    uint32_t max_watches; /* open at a time, further ones end RESOURCE_EXHAUSTED; default 10000 */
};
#define ROTA_HEALTH_OPTIONS_INIT ROTA_SIZED(struct rota_health_options)

/* Adds the service to the server; "" is SERVING from the start. options NULL: defaults. ret_health may be NULL. ROTA_EEXIST, ROTA_EINVAL (options.size is 0), ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_health_add(struct rota_server *server, const struct rota_health_options *options, struct rota_health **ret_health);

/* service: "package.Service" or "". After rota_health_shutdown it changes nothing. ROTA_EINVAL: a name longer than 200 bytes; ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_health_set(struct rota_health *health, const char *service, enum rota_health_status status);

/* Everything is NOT_SERVING from now on, for good: what a program says before it leaves. rota_server_drain says it too, and
 * ends the watches, which would otherwise keep the server from being drained. */
ROTA_API void rota_health_shutdown(struct rota_health *health);

ROTA_END_DECLS
#endif
