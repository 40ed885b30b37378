/* service.h - grpc.testing.TestService, as gRPC's description of its interop servers has it. */
#ifndef INTEROP_SERVICE_H
#define INTEROP_SERVICE_H

#include "common.h"

#include <limits.h>

struct replies;

/* What the calls of one server share. */
struct interop_service {
    struct rota_orca *orca;
    struct replies *owner;   /* the FullDuplexCall that says what is reported out of band */
    struct replies *waiting; /* those that want to, in order */
    char hostname[HOST_NAME_MAX + 1], server_id[HOST_NAME_MAX + 16];
};

/* Adds the service, and fills in what its calls share, which must outlive the server; orca is the server's. ROTA_EEXIST, ROTA_ENOMEM. */
ROTA_MUST_USE rota_err interop_service_add(struct rota_server *server, struct rota_orca *orca, struct interop_service *service);

#endif
