/* rota/err.h - how library functions fail.
 *
 * A function that can fail returns rota_err: 0, or one of the negative codes below. Details that a person
 * needs (which value, which place) go to an optional struct rota_errinfo. The result of a remote call is
 * not an error of this kind: it is a struct rota_status (rota/status.h).
 * Threading: everything here may be used from any thread.
 */
#ifndef ROTA_ERR_H
#define ROTA_ERR_H

#include <rota/api.h>

ROTA_BEGIN_DECLS

#define ROTA_ERR_MAP(X) \
    X(ENOMEM, -1, "out of memory") \
    X(EINVAL, -2, "invalid argument") \
    X(EPARSE, -3, "malformed input") \
    X(ELIMIT, -4, "a configured limit was reached") \
    X(EAGAIN, -5, "not now; an event tells when to try again") \
    X(ECLOSED, -6, "already closed or shut down") \
    X(ENOTFOUND, -7, "not found") \
    X(EEXIST, -8, "already exists") \
    X(EADDRINUSE, -9, "address already in use") \
    X(ECONN, -10, "connection failed") \
    X(EPROTO, -11, "the peer broke the protocol") \
    X(ETIMEDOUT, -12, "timed out") \
    X(ECANCELED, -13, "canceled") \
    X(EUNSUPPORTED, -14, "not supported") \
    X(EIO, -15, "input/output error") \
    X(ESTATE, -16, "not possible in the present state")

typedef int rota_err;

enum {
    ROTA_SUCCESS = 0,
#define ROTA_ERR_ENUM(name, code, text) ROTA_##name = (code),
    ROTA_ERR_MAP(ROTA_ERR_ENUM)
#undef ROTA_ERR_ENUM
};

#define ROTA_ERRINFO_SIZE 512

/* Filled in by the failing function: one sentence that names the culprit and what was expected. Left alone on success. */
struct rota_errinfo {
    char text[ROTA_ERRINFO_SIZE];
};

/* "ROTA_EINVAL" for the code, "ROTA_EUNKNOWN" for a number that is no code. Never NULL. */
ROTA_API const char *rota_err_name(rota_err err);

/* The sentence of the table above; never NULL. */
ROTA_API const char *rota_err_text(rota_err err);

ROTA_END_DECLS
#endif
