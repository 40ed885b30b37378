/* messages.h - protobuf-c's own plug-in, run as a child process. */
#ifndef ROTA_CODEGEN_MESSAGES_H
#define ROTA_CODEGEN_MESSAGES_H

#include "generate.h"

/* Finds protoc-gen-c by PATH. Otherwise as rota_generate_messages says. */
rota_err rota_messages_run(struct rota_slice request, struct rota_buffer *out, struct rota_errinfo *info);

/* Appends all that the file descriptor yields until its end. */
rota_err rota_messages_read_all(int fd, struct rota_buffer *out, struct rota_errinfo *info);

#endif
