/* intercept.c - the chain of interceptors around a call, in the call's arena.
 *
 * Invariants: n_started counts the on_starts that ran and is 0 again once their on_dones have, so each pair is complete exactly once.
 * `holds` counts the on_starts that still owe a rota_call_continue. While hooks run, the call's `inside` is
 * set, so that whatever they cause is told from a task: no hook runs in another.
 */
#include "channel/intercept.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/errinfo.h"
#include "channel/call.h"

struct chain_link {
    const struct rota_client_interceptor_class *class;
    void *arg, *state;
};

struct rota_chain {
    uint32_t count, n_started, holds;
    bool starting; /* on_starts are being run, one of which may end the hold of another */
    struct chain_link links[];
};

static struct rota_client_interceptor of_credentials(const struct rota_call_credentials *credentials)
{
    return (struct rota_client_interceptor){&rota_credentials_interceptor, (void *)(uintptr_t)credentials};
}

static void measure(void *arg, enum rota_measure what, double value)
{
    const struct rota_channel *channel = arg;

    for (size_t i = 0; i < channel->n_interceptors; i++)
        if (channel->interceptors[i].hooks->on_measure != NULL)
            channel->interceptors[i].hooks->on_measure(channel->interceptors[i].arg, channel, what, value);
}

/* Its policies are asked to measure only where somebody listens. */
static void listen(struct rota_channel *channel)
{
    for (size_t i = 0; i < channel->n_interceptors; i++)
        if (channel->interceptors[i].hooks->on_measure != NULL)
            channel->env.measure = measure;
    channel->env.measure_arg = channel;
}

void rota_channel_measure(const struct rota_channel *channel, enum rota_measure what)
{
    if (channel->env.measure != NULL)
        channel->env.measure(channel->env.measure_arg, what, 1);
}

/* What they are given to keeps the pointer, so nothing is copied. NULL is fine. */
static rota_err check_credentials(const struct rota_call_credentials *credentials, struct rota_errinfo *info)
{
    if (credentials == NULL)
        return 0;
    if (credentials->size == 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "credentials of size 0: begin with ROTA_CALL_CREDENTIALS_INIT");
    return credentials->get == NULL ? rota_errinfo_set(info, ROTA_EINVAL, "credentials without `get`") : 0;
}

rota_err rota_intercept_take(struct rota_channel *channel, const struct rota_channel_options *options, struct rota_errinfo *info)
{
    rota_err err = check_credentials(options->credentials, info);
    size_t given = 0, count;

    if (err < 0)
        return err;

    while (options->interceptors != NULL && options->interceptors[given].hooks != NULL)
        given++;
    count = given + (options->credentials != NULL);
    if (count == 0)
        return 0;
    channel->interceptors = rota_alloc_zero(channel->alloc, count, sizeof(*channel->interceptors));
    if (channel->interceptors == NULL)
        return ROTA_ENOMEM;
    if (given > 0)
        memcpy(channel->interceptors, options->interceptors, given * sizeof(*channel->interceptors));
    if (count > given)
        channel->interceptors[given] = of_credentials(options->credentials);
    channel->n_interceptors = count;
    listen(channel);
    return 0;
}

static rota_err add(struct rota_call *call, struct rota_chain *chain, const struct rota_client_interceptor *interceptor)
{
    struct chain_link *link = &chain->links[chain->count++];

    link->class = interceptor->hooks;
    link->arg = interceptor->arg;
    if (link->class->state_size == 0)
        return 0;
    link->state = rota_arena_zero(&call->arena, 1, link->class->state_size);
    return link->state == NULL ? ROTA_ENOMEM : 0;
}

static rota_err make(struct rota_call *call, const struct rota_call_credentials *credentials)
{
    const struct rota_channel *channel = call->channel;
    size_t count = channel->n_interceptors + (credentials != NULL);
    struct rota_chain *chain = rota_arena_zero(&call->arena, 1, sizeof(*chain) + count * sizeof(struct chain_link));
    struct rota_client_interceptor last = of_credentials(credentials);
    rota_err err = chain == NULL ? ROTA_ENOMEM : 0;

    for (size_t i = 0; err == 0 && i < channel->n_interceptors; i++)
        err = add(call, chain, &channel->interceptors[i]);
    if (err == 0 && credentials != NULL)
        err = add(call, chain, &last);
    if (err == 0)
        call->chain = chain;
    return err;
}

static void end(struct rota_call *call, const struct rota_status *status)
{
    if (status->code == ROTA_OK)
        rota_call_fail(call, ROTA_INTERNAL, "an interceptor ended the call without a failure");
    else
        rota_call_fail(call, status->code, "%s", status->message);
}

rota_err rota_intercept_begin(struct rota_call *call, const struct rota_call_credentials *credentials)
{
    rota_err err = check_credentials(credentials, NULL);
    struct rota_chain *chain;

    if (err == 0)
        err = make(call, credentials);
    if (err < 0)
        return err;
    chain = call->chain;
    chain->starting = true;
    while (call->state == ROTA_CALL_RUNNING && chain->n_started < chain->count) {
        struct chain_link *link = &chain->links[chain->n_started++];
        struct rota_status status = {.code = ROTA_OK};
        enum rota_intercept verdict = link->class->on_start == NULL ? ROTA_INTERCEPT_PASS : link->class->on_start(link->state, link->arg, call, &status);
        if (verdict == ROTA_INTERCEPT_HOLD)
            chain->holds++;
        else if (verdict == ROTA_INTERCEPT_END)
            end(call, &status);
    }
    chain->starting = false;
    return 0;
}

bool rota_intercept_holds(const struct rota_call *call)
{
    return call->chain != NULL && call->chain->holds > 0;
}

void rota_call_continue(struct rota_call *call, const struct rota_status *status)
{
    struct rota_chain *chain = call->chain;

    ROTA_ASSERT(chain != NULL && chain->holds > 0 && (!call->inside || chain->starting));
    rota_host_enter(call->channel->host);
    chain->holds--;
    if (call->state != ROTA_CALL_RUNNING)
        return;
    call->inside = true;
    if (status != NULL && status->code != ROTA_OK)
        end(call, status);
    if (!chain->starting) /* else whoever starts the call sees what holds it then */
        rota_call_go(call);
}

bool rota_intercept_send(struct rota_call *call, const void *message)
{
    struct rota_chain *chain = call->chain;

    for (uint32_t i = 0; i < chain->count && call->state == ROTA_CALL_RUNNING; i++) {
        struct chain_link *link = &chain->links[i];
        struct rota_status status = {.code = ROTA_OK};
        if (link->class->on_send != NULL && link->class->on_send(link->state, link->arg, call, message, &status) != ROTA_INTERCEPT_PASS)
            end(call, &status);
    }
    return call->state == ROTA_CALL_RUNNING;
}

bool rota_intercept_headers(struct rota_call *call)
{
    struct rota_chain *chain = call->chain;
    bool was_inside = call->inside;

    call->inside = true;
    for (uint32_t i = chain->count; i-- > 0 && call->state == ROTA_CALL_RUNNING;) {
        struct chain_link *link = &chain->links[i];
        if (link->class->on_headers != NULL)
            link->class->on_headers(link->state, link->arg, call);
    }
    call->inside = was_inside;
    return call->state == ROTA_CALL_RUNNING;
}

bool rota_intercept_wants_messages(const struct rota_call *call)
{
    for (uint32_t i = 0; i < call->chain->count; i++)
        if (call->chain->links[i].class->on_message != NULL)
            return true;
    return false;
}

bool rota_intercept_message(struct rota_call *call, const void *message)
{
    struct rota_chain *chain = call->chain;

    for (uint32_t i = chain->count; i-- > 0 && call->state == ROTA_CALL_RUNNING;) {
        struct chain_link *link = &chain->links[i];
        struct rota_status status = {.code = ROTA_OK};
        if (link->class->on_message != NULL && link->class->on_message(link->state, link->arg, call, message, &status) != ROTA_INTERCEPT_PASS)
            end(call, &status);
    }
    return call->state == ROTA_CALL_RUNNING;
}

static bool same(const struct rota_status *a, const struct rota_status *b)
{
    return a->code == b->code && strcmp(a->message, b->message) == 0;
}

void rota_intercept_done(struct rota_call *call)
{
    struct rota_chain *chain = call->chain;
    struct rota_status status = *call->result;

    while (chain->n_started > 0) {
        struct chain_link *link = &chain->links[--chain->n_started];
        if (link->class->on_done != NULL)
            link->class->on_done(link->state, link->arg, call, &status);
    }
    if (same(&status, call->result)) /* whose message may be longer than a status holds */
        return;
    if (status.code == ROTA_OK && !call->method->server_streaming && call->n_replies == 0)
        rota_status_set(&status, ROTA_INTERNAL, "an interceptor made the call OK, and there is no reply");
    call->own_status = status;
    call->result = &call->own_status;
}

void rota_intercept_abort(struct rota_call *call)
{
    rota_status_set(&call->own_status, ROTA_RESOURCE_EXHAUSTED, "out of memory while starting");
    call->result = &call->own_status;
    rota_intercept_done(call);
}

/* --- For hooks --- */

struct rota_metadata *rota_call_metadata(struct rota_call *call)
{
    if (call->metadata == NULL)
        call->metadata = rota_metadata_in(&call->arena);
    return call->metadata;
}

void rota_call_shorten_deadline(struct rota_call *call, int64_t deadline_ns)
{
    int64_t now_ns = call->channel->host->now_ns;

    if (deadline_ns >= call->deadline_ns)
        return;
    call->deadline_ns = deadline_ns;
    call->timeout_ns = call->given_timeout_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0; /* a service config may come and say less */
}

void rota_call_choose_compression(struct rota_call *call, enum rota_compression compression)
{
    call->gzip = call->compress = compression == ROTA_COMPRESSION_DEFAULT ? call->channel->limits.gzip : compression == ROTA_COMPRESSION_GZIP;
}
