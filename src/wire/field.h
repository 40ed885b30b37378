/* field.h - the header fields that gRPC itself reads, found by length and then bytes: it is done for each field of each call. */
#ifndef ROTA_WIRE_FIELD_H
#define ROTA_WIRE_FIELD_H

#include <rota/slice.h>

enum rota_field {
    ROTA_FIELD_OTHER, /* metadata */
    ROTA_FIELD_PSEUDO, /* begins with a colon and is none of those below */
    ROTA_FIELD_METHOD,
    ROTA_FIELD_PATH,
    ROTA_FIELD_AUTHORITY,
    ROTA_FIELD_STATUS, /* HTTP's */
    ROTA_FIELD_TE,
    ROTA_FIELD_CONTENT_TYPE,
    ROTA_FIELD_TIMEOUT,
    ROTA_FIELD_ENCODING,
    ROTA_FIELD_ACCEPT_ENCODING,
    ROTA_FIELD_GRPC_STATUS,
    ROTA_FIELD_GRPC_MESSAGE,
    ROTA_FIELD_PUSHBACK,
};

enum rota_field rota_field_of(struct rota_slice name);

/* "application/grpc", alone or before '+' or ';' and anything. */
bool rota_content_type_is_grpc(struct rota_slice content_type);

#endif
