/* generate.h - the whole plug-in but for its processes and pipes: protoc's request in, the response out. */
#ifndef ROTA_CODEGEN_GENERATE_H
#define ROTA_CODEGEN_GENERATE_H

#include "base/buffer.h"

/* Runs protobuf-c's plug-in on a request and appends its response. ROTA_EUNSUPPORTED: there is no such program;
 * ROTA_EIO, ROTA_ENOMEM. */
typedef rota_err rota_generate_messages(struct rota_slice request, struct rota_buffer *out, struct rota_errinfo *info);

/* Appends a response to `out`, which is an error response where protoc's user is to blame (a parameter, a .proto that
 * protobuf-c refuses, a service that would have the library's names). ROTA_EPARSE: the request is none; ROTA_ENOMEM, ROTA_ELIMIT, and what `messages` returns. */
rota_err rota_generate(const struct rota_alloc *alloc, struct rota_slice request, rota_generate_messages *messages,
                       struct rota_buffer *out, struct rota_errinfo *info);

#endif
