/* intercept.c - the chain of interceptors between a call and its handler, in the call's arena.
 *
 * The on_starts run one after the other; one that holds keeps the inner ones and the handler waiting, and the client's bytes stay
 * undecoded (`starting`). Invariants: n_started counts the on_starts that ran, and the others' hooks are never called; the on_finishes
 * of those run once (`over`), when the call is answered or nobody is left to answer, whichever comes first.
 */
#include "server/server.h"

#include "base/alloc.h"
#include "base/assert.h"

struct rota_server_chain {
    uint32_t n_started;
    bool running; /* an on_start is on the stack */
    bool over;    /* the on_finishes have run */
    const char *path;
    void *states[];
};

rota_err rota_server_intercept_take(struct rota_server *server, const struct rota_server_interceptor *interceptors)
{
    size_t count = 0;

    while (interceptors != NULL && interceptors[count].hooks != NULL)
        count++;
    if (count == 0)
        return 0;
    server->interceptors = rota_alloc_zero(server->alloc, count, sizeof(*interceptors));
    if (server->interceptors == NULL)
        return ROTA_ENOMEM;
    memcpy(server->interceptors, interceptors, count * sizeof(*interceptors));
    server->n_interceptors = count;
    return 0;
}

/* NULL: out of memory. */
static struct rota_server_chain *make(struct rota_server_call *call)
{
    const struct rota_server *server = call->server;
    struct rota_server_chain *chain = rota_arena_zero(&call->arena, 1, sizeof(*chain) + server->n_interceptors * sizeof(void *));

    if (chain == NULL)
        return NULL;
    for (size_t i = 0; i < server->n_interceptors; i++) {
        size_t size = server->interceptors[i].hooks->state_size;
        chain->states[i] = size == 0 ? NULL : rota_arena_zero(&call->arena, 1, size);
        if (size > 0 && chain->states[i] == NULL)
            return NULL;
    }
    if (call->method != NULL)
        return chain;
    chain->path = rota_arena_text(&call->arena, call->request.path);
    return chain->path == NULL ? NULL : chain;
}

/* What an interceptor must not say. */
static void mend(struct rota_status *status)
{
    if (status->code == ROTA_OK)
        rota_status_set(status, ROTA_INTERNAL, "an interceptor ended the call without a failure");
}

/* From the next on_start on; false: held or refused. */
static bool run(struct rota_server_call *call)
{
    const struct rota_server *server = call->server;
    struct rota_server_chain *chain = call->chain;

    while (chain->n_started < server->n_interceptors) {
        const struct rota_server_interceptor *interceptor = &server->interceptors[chain->n_started];
        struct rota_status status = {.code = ROTA_OK};
        enum rota_intercept verdict = ROTA_INTERCEPT_PASS;
        void *state = chain->states[chain->n_started++];
        chain->running = true;
        if (interceptor->hooks->on_start != NULL)
            verdict = interceptor->hooks->on_start(state, interceptor->arg, call, &status);
        chain->running = false;
        if (verdict == ROTA_INTERCEPT_END) {
            mend(&status);
            rota_server_call_refuse(call, &status);
        }
        if (verdict != ROTA_INTERCEPT_PASS)
            return false;
    }
    call->starting = false;
    return true;
}

bool rota_server_intercept_start(struct rota_server_call *call)
{
    struct rota_server_chain *chain = make(call);

    if (chain == NULL) {
        struct rota_status status;
        rota_status_set(&status, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
        rota_server_call_refuse(call, &status);
        return false;
    }
    call->chain = chain;
    call->starting = true;
    return run(call);
}

void rota_server_call_continue(struct rota_server_call *call, const struct rota_status *status)
{
    ROTA_ASSERT(call->chain != NULL && call->starting && !call->chain->running);
    rota_host_enter(call->server->parts.host);
    rota_server_call_enter(call);
    if (status != NULL && status->code != ROTA_OK) {
        rota_server_call_refuse(call, status);
    } else if (run(call)) {
        rota_server_call_proceed(call);
        rota_host_post(call->server->parts.host, &call->pump);
    }
    rota_server_call_leave(call);
}

bool rota_server_intercept_message(struct rota_server_call *call, const void *message, struct rota_status *ret_status)
{
    struct rota_server_chain *chain = call->chain;

    for (uint32_t i = 0; i < chain->n_started; i++) {
        const struct rota_server_interceptor *interceptor = &call->server->interceptors[i];
        ret_status->code = ROTA_OK;
        ret_status->message[0] = '\0';
        if (interceptor->hooks->on_message == NULL)
            continue;
        if (interceptor->hooks->on_message(chain->states[i], interceptor->arg, call, message, ret_status) != ROTA_INTERCEPT_PASS) {
            mend(ret_status);
            return false;
        }
    }
    return true;
}

bool rota_server_intercept_send(struct rota_server_call *call, const void *message, struct rota_status *ret_status)
{
    struct rota_server_chain *chain = call->chain;

    for (uint32_t i = chain->n_started; i-- > 0;) {
        const struct rota_server_interceptor *interceptor = &call->server->interceptors[i];
        ret_status->code = ROTA_OK;
        ret_status->message[0] = '\0';
        if (interceptor->hooks->on_send == NULL)
            continue;
        if (interceptor->hooks->on_send(chain->states[i], interceptor->arg, call, message, ret_status) != ROTA_INTERCEPT_PASS) {
            mend(ret_status);
            return false;
        }
    }
    return true;
}

void rota_server_intercept_finish(struct rota_server_call *call, struct rota_status *status)
{
    struct rota_server_chain *chain = call->chain;
    uint32_t n_started = chain->n_started;

    if (chain->over)
        return;
    chain->over = true;
    while (n_started-- > 0) {
        const struct rota_server_interceptor *interceptor = &call->server->interceptors[n_started];
        if (interceptor->hooks->on_finish != NULL)
            interceptor->hooks->on_finish(chain->states[n_started], interceptor->arg, call, status);
    }
}

const char *rota_server_intercept_path(const struct rota_server_call *call)
{
    return call->chain->path;
}

void *rota_server_call_state(const struct rota_server_call *call, const struct rota_server_interceptor_class *hooks)
{
    for (uint32_t i = 0; call->chain != NULL && i < call->chain->n_started; i++)
        if (call->server->interceptors[i].hooks == hooks)
            return call->chain->states[i];
    return NULL;
}
