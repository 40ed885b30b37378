/* start.c - the functions that start calls: unary in one go, streaming, and streaming with messages already packed; what may be started. */
#include "channel/call.h"

static inline bool fits(const struct rota_method *method, enum rota_call_kind kind)
{
    if (method == NULL || method->path == NULL || method->path[0] != '/')
        return false;
    return kind != ROTA_CALL_UNARY || !method->server_streaming; /* it has room for one reply */
}

/* What a blocking unary call is asked to write: others would leave it as it was. */
static inline bool wants_written(const struct rota_call_options *options)
{
    return options->ret_initial_metadata != NULL || options->ret_trailing_metadata != NULL || options->ret_message != NULL;
}

const struct rota_call_options *rota_call_read(const struct rota_method *method, const struct rota_call_options *given, enum rota_call_kind kind,
                                               struct rota_call_options *room)
{
    const struct rota_call_options *options = given;

    if (!fits(method, kind) || (given != NULL && given->size == 0)) /* begun without ROTA_CALL_OPTIONS_INIT */
        return NULL;
    if (given == NULL || given->size < sizeof(*room)) {
        *room = (struct rota_call_options)ROTA_CALL_OPTIONS_INIT;
        if (given != NULL)
            memcpy(room, given, given->size);
        options = room;
    }
    return wants_written(options) ? NULL : options;
}

/* Sends the one request there is. */
static rota_err go_unary(struct rota_call *call, const void *request, struct rota_call **ret_call)
{
    struct rota_chunk *chunk;
    rota_err err = call->state == ROTA_CALL_RUNNING ? rota_call_pack(call, request, &chunk) : ROTA_ELIMIT;

    if (err == 0)
        err = rota_call_send_chunk(call, chunk);
    if (err == 0) {
        call->half_closed = true;
        rota_call_go(call);
    } else if (err != ROTA_ELIMIT) { /* the call is over and has its result */
        rota_call_unmake(call);
        return err;
    }
    call->inside = false;
    if (ret_call != NULL)
        *ret_call = call;
    return 0;
}

rota_err rota_unary_start(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options, const void *request,
                          rota_unary_done done, void *arg, struct rota_call **ret_call)
{
    struct rota_call *call;
    rota_err err = done == NULL ? ROTA_EINVAL : rota_call_make(channel, method, options, ROTA_CALL_UNARY, &call);

    if (err < 0)
        return err;
    call->done = done;
    call->arg = arg;
    return go_unary(call, request, ret_call);
}

rota_err rota_unary_start_typed(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                const void *request, rota_unary_thunk thunk, void (*done)(void), void *arg, struct rota_call **ret_call)
{
    struct rota_call *call;
    rota_err err = thunk == NULL || done == NULL ? ROTA_EINVAL : rota_call_make(channel, method, options, ROTA_CALL_UNARY, &call);

    if (err < 0)
        return err;
    call->thunk = thunk;
    call->typed_done = done;
    call->arg = arg;
    return go_unary(call, request, ret_call);
}

static rota_err start(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options, enum rota_call_kind kind,
                      const struct rota_call_events *events, void *arg, struct rota_call **ret_call)
{
    struct rota_call *call;
    rota_err err;

    if (events == NULL || events->on_message == NULL || events->on_done == NULL || ret_call == NULL)
        return ROTA_EINVAL;
    err = rota_call_make(channel, method, options, kind, &call);
    if (err < 0)
        return err;
    call->events = events;
    call->arg = arg;
    rota_call_go(call);
    *ret_call = call;
    return 0;
}

rota_err rota_call_start(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                         const struct rota_call_events *events, void *arg, struct rota_call **ret_call)
{
    return start(channel, method, options, ROTA_CALL_TYPED, events, arg, ret_call);
}

rota_err rota_call_start_packed(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                const struct rota_call_events *events, void *arg, struct rota_call **ret_call)
{
    return start(channel, method, options, ROTA_CALL_PACKED, events, arg, ret_call);
}
