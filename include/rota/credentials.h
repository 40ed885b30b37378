/* rota/credentials.h - call credentials: metadata that says who is calling, made anew for each call.
 *
 * Given by `credentials` in the options of a channel, of a call, or of both (then a call carries both, the channel's first). They
 * go over TLS, and to targets of unix: and unix-abstract: (as gRPC's local credentials have it); elsewhere the call ends
 * UNAUTHENTICATED before `get` is asked, unless allow_insecure is set. One `get` serves all attempts of its call.
 * Threading: `get` and `cancel` run on the loop's thread, `get` inside the function that starts the call, and must not block. A token
 * that another thread fetches comes back by rota_loop_post.
 * Ownership: struct and arg must outlive the channel, or the call. The library logs none of the metadata.
 * Size 0, or no `get`: ROTA_EINVAL from what they are given to (rota_unary: INTERNAL).
 * Source: gRPC's authentication guide; a failing `get` as gRFC A54 has it.
 */
#ifndef ROTA_CREDENTIALS_H
#define ROTA_CREDENTIALS_H

#include <rota/call.h>

ROTA_BEGIN_DECLS

/* One call that asks for its metadata; valid until it is done or cancelled. */
struct rota_credentials_request;

struct rota_call_credentials {
    size_t size; /* set by ROTA_CALL_CREDENTIALS_INIT */
    /* Adds what the call is to carry to rota_credentials_metadata, then says rota_credentials_done: at once, or later. */
    void (*get)(void *arg, struct rota_credentials_request *request);
    /* The call has ended first: done must not follow. NULL: `get` is always done at once. */
    void (*cancel)(void *arg, struct rota_credentials_request *request);
    void *arg;
    bool allow_insecure; /* also where anybody on the way can read them */
};
#define ROTA_CALL_CREDENTIALS_INIT ROTA_SIZED(struct rota_call_credentials)

/* Once for each request, on the loop's thread; not from a hook of the same call, but from the `get` of its other credentials it may be. status NULL or OK: the call goes on. Else it ends with "call credentials: " and the
 * message; codes that only servers may use (INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED,
 * OUT_OF_RANGE, DATA_LOSS) become INTERNAL. */
ROTA_API void rota_credentials_done(struct rota_credentials_request *request, const struct rota_status *status);

ROTA_API struct rota_metadata *rota_credentials_metadata(struct rota_credentials_request *request); /* NULL: out of memory */
/* What a token may be bound to: "https://host/package.Service", with the host of :authority and its port unless that is 443. */
ROTA_API const char *rota_credentials_service_url(const struct rota_credentials_request *request);
ROTA_API const char *rota_credentials_method(const struct rota_credentials_request *request); /* "Method" */
ROTA_API struct rota_loop *rota_credentials_loop(const struct rota_credentials_request *request);

ROTA_END_DECLS
#endif
