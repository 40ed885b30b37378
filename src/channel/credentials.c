/* credentials.c - call credentials (rota/credentials.h) as an interceptor, the innermost of a call: the others' on_starts have run
 * before there is anything secret.
 */
#include "base/assert.h"
#include "channel/call.h"

struct rota_credentials_request { /* the interceptor's state */
    struct rota_call *call;
    const char *url, *method;
    bool asking;  /* get is on the stack */
    bool waiting; /* it has not said done */
    struct rota_status status; /* what it said */
};

/* "https://host/package.Service" and "Method". ROTA_ENOMEM. */
static rota_err name_service(struct rota_credentials_request *request)
{
    static const char scheme[] = "https://", https_port[] = ":443";
    struct rota_call *call = request->call;
    const char *authority = call->channel->authority, *path = call->method->path;
    const char *slash = strrchr(path, '/');
    size_t host_size = strlen(authority), service_size = (size_t)(slash - path), used = sizeof(scheme) - 1;
    char *url;

    if (host_size >= sizeof(https_port) && strcmp(authority + host_size - (sizeof(https_port) - 1), https_port) == 0)
        host_size -= sizeof(https_port) - 1;
    url = rota_arena_get(&call->arena, used + host_size + service_size + 1);
    if (url == NULL)
        return ROTA_ENOMEM;
    memcpy(url, scheme, used);
    memcpy(url + used, authority, host_size);
    memcpy(url + used + host_size, path, service_size);
    url[used + host_size + service_size] = '\0';
    request->url = url;
    request->method = slash + 1;
    return 0;
}

/* Whether nobody but the server and this machine reads what is sent. */
static bool is_private(const struct rota_channel *channel)
{
    const char *scheme = channel->target->scheme;

    return channel->secure || strcmp(scheme, "unix") == 0 || strcmp(scheme, "unix-abstract") == 0;
}

static enum rota_intercept verdict(const struct rota_credentials_request *request, struct rota_status *ret_status)
{
    if (request->waiting)
        return ROTA_INTERCEPT_HOLD;
    *ret_status = request->status;
    return request->status.code == ROTA_OK ? ROTA_INTERCEPT_PASS : ROTA_INTERCEPT_END;
}

static enum rota_intercept on_start(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    const struct rota_call_credentials *credentials = arg;
    struct rota_credentials_request *request = state;

    if (!credentials->allow_insecure && !is_private(call->channel)) {
        rota_status_set(ret_status, ROTA_UNAUTHENTICATED,
            "call credentials need TLS, which the channel has not been given (allow_insecure sends them without)");
        return ROTA_INTERCEPT_END;
    }
    request->call = call;
    if (name_service(request) < 0) {
        rota_status_set(ret_status, ROTA_RESOURCE_EXHAUSTED, "out of memory for call credentials");
        return ROTA_INTERCEPT_END;
    }
    request->asking = request->waiting = true;
    credentials->get(credentials->arg, request);
    request->asking = false;
    ROTA_ASSERT(!request->waiting || credentials->cancel != NULL);
    return verdict(request, ret_status);
}

static void on_done(void *state, void *arg, struct rota_call *call, struct rota_status *status)
{
    const struct rota_call_credentials *credentials = arg;
    struct rota_credentials_request *request = state;

    (void)call;
    (void)status;
    if (!request->waiting)
        return;
    request->waiting = false;
    credentials->cancel(credentials->arg, request);
}

const struct rota_client_interceptor_class rota_credentials_interceptor = {
    .name = "credentials", .state_size = sizeof(struct rota_credentials_request), .on_start = on_start, .on_done = on_done};

void rota_credentials_done(struct rota_credentials_request *request, const struct rota_status *status)
{
    ROTA_ASSERT(request->waiting);
    request->waiting = false;
    request->status.code = ROTA_OK;
    if (status != NULL && status->code != ROTA_OK)
        rota_status_set(&request->status, rota_code_of_control(status->code), "call credentials: %s", status->message);
    if (!request->asking)
        rota_call_continue(request->call, &request->status);
}

struct rota_metadata *rota_credentials_metadata(struct rota_credentials_request *request)
{
    return rota_call_metadata(request->call);
}

const char *rota_credentials_service_url(const struct rota_credentials_request *request)
{
    return request->url;
}

const char *rota_credentials_method(const struct rota_credentials_request *request)
{
    return request->method;
}

struct rota_loop *rota_credentials_loop(const struct rota_credentials_request *request)
{
    return request->call->channel->parts.loop;
}
