/* service.h - grpc.testing.TestService, as gRPC's description of its interop servers has it. */
#ifndef INTEROP_SERVICE_H
#define INTEROP_SERVICE_H

#include "common.h"

/* Adds the service; orca is the server's. ROTA_EEXIST, ROTA_ENOMEM. */
ROTA_MUST_USE rota_err interop_service_add(struct rota_server *server, struct rota_orca *orca);

#endif
