/* model.h - what generated code is about: a file's services and methods under their names in C.
 *
 * Ownership: a model and all its text lie in the arena it was read into.
 */
#ifndef ROTA_CODEGEN_MODEL_H
#define ROTA_CODEGEN_MODEL_H

#include "files.h"
#include <rota/err.h>
#include <rota/slice.h>

struct rota_model_message {
    const char *type;       /* "Proto__HelloRequest" */
    const char *descriptor; /* "proto__hello_request__descriptor" */
};

struct rota_model_method {
    const char *name;   /* "Say" */
    const char *path;   /* "/proto.HelloService/Say" */
    const char *prefix; /* of its functions: "proto_hello_service_say" */
    const char *member; /* of the handler table: "say" */
    struct rota_slice comment;
    bool client_streaming, server_streaming;
    struct rota_model_message request, reply;
};

struct rota_model_service {
    const char *name;   /* "proto.HelloService" */
    const char *prefix; /* "proto_hello_service" */
    struct rota_slice comment;
    struct rota_model_method *methods;
    size_t n_methods;
};

struct rota_model {
    const char *path; /* "dir/hello.proto" */
    const char *stem; /* "dir/hello" */
    const char *name; /* the path as part of an identifier */
    bool skipped;     /* protobuf-c's option no_generate: nothing is written for this file */
    struct rota_model_service *services;
    size_t n_services;
    const struct rota_model_file **files; /* itself last, what it imports before it */
    size_t n_files;
};

/* Reads the file called `path` out of the request, whose other files say where its types come from; `files` are the request's.
 * ROTA_EPARSE: the request contradicts itself or holds names that are none (info says which); ROTA_EINVAL: a service's functions would
 * have the library's names; ROTA_ENOMEM. */
rota_err rota_model_read(struct rota_arena *arena, const Plugin__Request *request, const struct rota_model_file *files, const char *path,
                         struct rota_model *ret_model, struct rota_errinfo *info);

#endif
