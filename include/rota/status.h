/* rota/status.h - how a call ended: gRPC's status code and message.
 *
 * A struct rota_status is plain data: copy it, compare it, put it on the stack; nothing to free.
 * Source: gRPC's status code definitions (doc/statuscodes.md in grpc/grpc).
 */
#ifndef ROTA_STATUS_H
#define ROTA_STATUS_H

#include <rota/api.h>
#include <stdbool.h>

ROTA_BEGIN_DECLS

#define ROTA_CODE_MAP(X) \
    X(OK, 0) \
    X(CANCELLED, 1) \
    X(UNKNOWN, 2) \
    X(INVALID_ARGUMENT, 3) \
    X(DEADLINE_EXCEEDED, 4) \
    X(NOT_FOUND, 5) \
    X(ALREADY_EXISTS, 6) \
    X(PERMISSION_DENIED, 7) \
    X(RESOURCE_EXHAUSTED, 8) \
    X(FAILED_PRECONDITION, 9) \
    X(ABORTED, 10) \
    X(OUT_OF_RANGE, 11) \
    X(UNIMPLEMENTED, 12) \
    X(INTERNAL, 13) \
    X(UNAVAILABLE, 14) \
    X(DATA_LOSS, 15) \
    X(UNAUTHENTICATED, 16)

enum rota_code {
#define ROTA_CODE_ENUM(name, number) ROTA_##name = (number),
    ROTA_CODE_MAP(ROTA_CODE_ENUM)
#undef ROTA_CODE_ENUM
};

#define ROTA_STATUS_MESSAGE_SIZE 500

struct rota_status {
    enum rota_code code;
    /* UTF-8, zero-terminated; a longer message is cut at a character. The whole of it: rota_call_message, or ret_message
     * in the options of a blocking unary call. */
    char message[ROTA_STATUS_MESSAGE_SIZE];
};

static inline bool rota_status_ok(const struct rota_status *status)
{
    return status->code == ROTA_OK;
}

/* "UNAVAILABLE" for the code; "CODE_99" style names do not exist: unknown numbers are "UNKNOWN". Never NULL. */
ROTA_API const char *rota_code_name(enum rota_code code);

/* The code of that name, any case, or -1. */
ROTA_API int rota_code_parse(const char *name);

/* Sets the code and a printf-formatted message, cut to fit at a character; bytes that are no UTF-8 become '?'. */
ROTA_API void rota_status_set(struct rota_status *status, enum rota_code code, const char *format, ...) ROTA_PRINTF(3, 4);

ROTA_END_DECLS
#endif
