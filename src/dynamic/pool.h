/* pool.h - messages, enums and services as serialised descriptors tell of them, learnt at run time.
 *
 * Files may come in any order and from anybody: what is malformed is refused, and nothing may be looked up before
 * rota_pool_link has found every type that is referred to. From then on names are full and without a leading dot.
 * Ownership: the pool owns all that it hands out.
 * Source: google/protobuf/descriptor.proto's field numbers; protobuf's "Field Presence", "JSON Mapping" and "Feature Settings for
 * Editions" documents.
 */
#ifndef ROTA_DYNAMIC_POOL_H
#define ROTA_DYNAMIC_POOL_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include <rota/err.h>

#define ROTA_DYN_NAME_BYTES 1024 /* of a full name, at most */

/* FieldDescriptorProto.Type. */
enum rota_dyn_type {
    ROTA_DYN_DOUBLE = 1,
    ROTA_DYN_FLOAT,
    ROTA_DYN_INT64,
    ROTA_DYN_UINT64,
    ROTA_DYN_INT32,
    ROTA_DYN_FIXED64,
    ROTA_DYN_FIXED32,
    ROTA_DYN_BOOL,
    ROTA_DYN_STRING,
    ROTA_DYN_GROUP,
    ROTA_DYN_MESSAGE,
    ROTA_DYN_BYTES,
    ROTA_DYN_UINT32,
    ROTA_DYN_ENUM,
    ROTA_DYN_SFIXED32,
    ROTA_DYN_SFIXED64,
    ROTA_DYN_SINT32,
    ROTA_DYN_SINT64,
};

/* Messages of google.protobuf that JSON writes in a way of their own; one that does not look as it should is plain. */
enum rota_dyn_special {
    ROTA_DYN_PLAIN,
    ROTA_DYN_ANY,
    ROTA_DYN_TIMESTAMP,
    ROTA_DYN_DURATION,
    ROTA_DYN_FIELD_MASK,
    ROTA_DYN_STRUCT,
    ROTA_DYN_VALUE,
    ROTA_DYN_LIST,
    ROTA_DYN_WRAPPER,
};

struct rota_dyn_enum_value {
    const char *name;
    int32_t number;
};

struct rota_dyn_enum {
    const char *name;
    struct rota_dyn_enum_value *values;
    size_t n_values;
    bool is_null; /* google.protobuf.NullValue */
};

struct rota_dyn_message;

struct rota_dyn_field {
    const char *name, *json_name;
    uint32_t number, index; /* index: in the message's fields */
    enum rota_dyn_type type;
    bool repeated, packed;
    bool presence;  /* zero and absent differ */
    bool required;
    int32_t oneof;  /* -1: none, or that of an `optional` */
    bool by_name, delimited; /* until linking: the type is that of what has the name; messages are groups */
    const char *type_name;                     /* of a message or enum */
    const struct rota_dyn_message *message;    /* set by linking */
    const struct rota_dyn_enum *enumeration;
};

struct rota_dyn_message {
    struct rota_link link; /* of those to be linked */
    const char *name;
    struct rota_dyn_field *fields;            /* as declared */
    const struct rota_dyn_field **by_number;  /* ascending */
    size_t n_fields, n_oneofs;
    size_t n_extensions;
    bool map_entry; /* has key = 1 and value = 2 */
    enum rota_dyn_special special;
};

/* A field that is declared outside of its message; the JSON name is "[full.name]", the index behind the message's own. */
struct rota_dyn_extension {
    struct rota_link link;
    const char *name, *extendee_name;
    const struct rota_dyn_message *extendee;
    struct rota_dyn_field field;
};

struct rota_dyn_method {
    const char *name, *input_name, *output_name;
    bool client_streaming, server_streaming;
    const struct rota_dyn_message *input, *output;
};

struct rota_dyn_service {
    struct rota_link link;
    const char *name;
    struct rota_dyn_method *methods;
    size_t n_methods;
};

struct rota_pool {
    struct rota_arena arena;
    struct rota_map files;    /* name to name */
    struct rota_map messages; /* name to struct rota_dyn_message */
    struct rota_map enums, services;
    struct rota_map extensions; /* name to struct rota_dyn_extension */
    struct rota_map numbers;    /* message and number to the field of a linked extension */
    struct rota_map imports; /* names of files that others need */
    struct rota_link new_messages, new_services, new_extensions;
    uint64_t looked_bytes; /* of all names that types were looked for by */
};

/* The pool must stay where it is. */
void rota_pool_init(struct rota_pool *pool, const struct rota_alloc *alloc);
void rota_pool_fini(struct rota_pool *pool);

/* Takes a FileDescriptorProto; a file of a name that is there already is passed over. ROTA_EPARSE: info says what is wrong;
 * ROTA_EEXIST: another file declares one of the names; ROTA_ENOMEM. Afterwards the pool is of no use. */
rota_err rota_pool_add(struct rota_pool *pool, struct rota_slice file, struct rota_errinfo *info);
/* The same for all files of a FileDescriptorSet. */
rota_err rota_pool_add_set(struct rota_pool *pool, struct rota_slice set, struct rota_errinfo *info);

/* The name of a file that another imports and that is not there, or NULL. */
const char *rota_pool_missing(const struct rota_pool *pool);

/* ROTA_ENOTFOUND: info names the type that no file declares. ROTA_EPARSE. Extensions that refer to such types are passed over.
 * ROTA_ELIMIT: types were looked for in so many scopes that the files are made for it. ROTA_ENOMEM. */
rota_err rota_pool_link(struct rota_pool *pool, struct rota_errinfo *info);

/* NULL: there is none. */
const struct rota_dyn_message *rota_pool_message(const struct rota_pool *pool, struct rota_slice name);
/* What an Any of that type URL holds. The well-known types are known also when no file declares them. */
const struct rota_dyn_message *rota_pool_any_type(const struct rota_pool *pool, struct rota_slice url);
const struct rota_dyn_service *rota_pool_service(const struct rota_pool *pool, struct rota_slice name);
const struct rota_dyn_method *rota_dyn_service_method(const struct rota_dyn_service *service, struct rota_slice name);
const struct rota_dyn_field *rota_dyn_field_numbered(const struct rota_dyn_message *message, uint32_t number);
/* The same among the message's extensions too; name is the extension's. */
const struct rota_dyn_field *rota_pool_field(const struct rota_pool *pool, const struct rota_dyn_message *message, uint32_t number);
const struct rota_dyn_field *rota_pool_extension(const struct rota_pool *pool, const struct rota_dyn_message *message, struct rota_slice name);

#endif
