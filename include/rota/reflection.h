/* rota/reflection.h - lets clients ask a server what it serves: grpc.reflection.v1.ServerReflection, and v1alpha for older ones.
 *
 * Answers come from the descriptors that generated code has in struct rota_service; of a service without them only the name is told.
 * Threading: on the loop of the server. Ownership: what it keeps goes with the server.
 * Source: gRPC's server reflection protocol (doc/server-reflection.md in grpc/grpc).
 */
#ifndef ROTA_REFLECTION_H
#define ROTA_REFLECTION_H

#include <rota/server.h>

ROTA_BEGIN_DECLS

/* Tells of all services of the server, also of those that are added later.
 * A client may ask for a file by its name, so there is one of each name: services whose files, or what these import, have one name and other
 * content cannot be told of together. The log names the file; ROTA_EEXIST from here, or from rota_server_add of the later service, which then
 * is not added. Of protobuf's own (google/protobuf/), as their releases differ, and of those that librota brings under their names in gRPC and xDS
 * (health, reflection, ORCA) the first counts, and the log warns. ROTA_EEXIST also when there is reflection already. ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_reflection_add(struct rota_server *server);

ROTA_END_DECLS
#endif
