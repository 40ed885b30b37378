/* emit_client.c - the client's half of x.rota.c: typed functions over rota/call.h.
 *
 * A pointer to a message pointer is never cast to void **: a local void * stands between them. Function pointers are cast
 * to void (*)(void) and back to their own type, nothing else.
 */
#include "emit.h"

static const char unary[] =
    "\n"
    "struct rota_status $m$(\n"
    "    struct rota_channel *channel, const struct rota_call_options *options,\n"
    "    const $Request$ *request, $Reply$ **ret_reply)\n"
    "{\n"
    "    void *reply = NULL;\n"
    "    struct rota_status status = rota_unary(channel, &$m$_method, options, request, &reply);\n"
    "\n"
    "    give_reply_LOCAL(&$m$_method, &status, &reply, ret_reply != NULL);\n"
    "    if (ret_reply != NULL && rota_status_ok(&status))\n"
    "        *ret_reply = ($Reply$ *)reply;\n"
    "    return status;\n"
    "}\n"
    "\n"
    "static void done_$m$_LOCAL(\n"
    "    void (*done)(void), void *arg, const struct rota_status *status, const void *reply)\n"
    "{\n"
    "    (($m$_done)done)(arg, status, (const $Reply$ *)reply);\n"
    "}\n"
    "\n"
    "rota_err $m$_start(\n"
    "    struct rota_channel *channel, const struct rota_call_options *options,\n"
    "    const $Request$ *request, $m$_done done, void *arg, struct rota_call **ret_call)\n"
    "{\n"
    "    return rota_unary_start_typed(\n"
    "        channel, &$m$_method, options, request, done_$m$_LOCAL, (void (*)(void))done, arg, ret_call);\n"
    "}\n";

static const char open_with_request[] =
    "\n"
    "rota_err $m$_open(\n"
    "    struct rota_channel *channel, const struct rota_call_options *options,\n"
    "    const $Request$ *request, struct rota_call **ret_call)\n"
    "{\n"
    "    struct rota_call *call = NULL;\n"
    "    rota_err err = rota_call_open(channel, &$m$_method, options, &call);\n"
    "\n"
    "    if (err < 0)\n"
    "        return err;\n"
    "    err = rota_call_send(call, request);\n"
    "    if (err == 0)\n"
    "        err = rota_call_send_end(call);\n"
    "    if (err < 0 && err != ROTA_ECLOSED) {\n"
    "        (void)rota_call_finish(call);\n"
    "        return err;\n"
    "    }\n"
    "    *ret_call = call; /* ended already: receiving and finishing tell */\n"
    "    return 0;\n"
    "}\n";

static const char open[] =
    "\n"
    "rota_err $m$_open(\n"
    "    struct rota_channel *channel, const struct rota_call_options *options, struct rota_call **ret_call)\n"
    "{\n"
    "    return rota_call_open(channel, &$m$_method, options, ret_call);\n"
    "}\n";

static const char send[] =
    "\n"
    "rota_err $m$_send(struct rota_call *call, const $Request$ *request)\n"
    "{\n"
    "    return rota_call_send(call, request);\n"
    "}\n";

static const char recv[] =
    "\n"
    "bool $m$_recv(struct rota_call *call, $Reply$ **ret_reply)\n"
    "{\n"
    "    void *reply = NULL;\n"
    "    bool got = rota_call_recv(call, &reply);\n"
    "\n"
    "    if (got)\n"
    "        *ret_reply = ($Reply$ *)reply;\n"
    "    return got;\n"
    "}\n";

static const char finish[] =
    "\n"
    "struct rota_status $m$_finish(struct rota_call *call, $Reply$ **ret_reply)\n"
    "{\n"
    "    void *reply = NULL;\n"
    "    struct rota_status status = finish_with_reply_LOCAL(call, &$m$_method, &reply);\n"
    "\n"
    "    give_reply_LOCAL(&$m$_method, &status, &reply, ret_reply != NULL);\n"
    "    if (ret_reply != NULL && rota_status_ok(&status))\n"
    "        *ret_reply = ($Reply$ *)reply;\n"
    "    return status;\n"
    "}\n";

static const char start_with_request[] =
    "\n"
    "rota_err $m$_start(\n"
    "    struct rota_channel *channel, const struct rota_call_options *options,\n"
    "    const $Request$ *request, const struct rota_call_events *events, void *arg, struct rota_call **ret_call)\n"
    "{\n"
    "    struct rota_call *call = NULL;\n"
    "    rota_err err = rota_call_start(channel, &$m$_method, options, events, arg, &call);\n"
    "\n"
    "    if (err < 0)\n"
    "        return err;\n"
    "    err = rota_call_write(call, request);\n"
    "    if (err == 0)\n"
    "        err = rota_call_write_end(call);\n"
    "    if (err < 0)\n"
    "        rota_call_cancel(call); /* started is started: on_done comes */\n"
    "    if (ret_call != NULL)\n"
    "        *ret_call = call;\n"
    "    return 0;\n"
    "}\n";

static const char start[] =
    "\n"
    "rota_err $m$_start(\n"
    "    struct rota_channel *channel, const struct rota_call_options *options,\n"
    "    const struct rota_call_events *events, void *arg, struct rota_call **ret_call)\n"
    "{\n"
    "    return rota_call_start(channel, &$m$_method, options, events, arg, ret_call);\n"
    "}\n"
    "\n"
    "rota_err $m$_write(struct rota_call *call, const $Request$ *request)\n"
    "{\n"
    "    return rota_call_write(call, request);\n"
    "}\n";

/* Shared by all methods of the file that take one reply. */
static const char give_reply[] =
    "\n"
    "/* Leaves a reply in *reply only for a caller who wants it and whose call has succeeded. */\n"
    "static void give_reply_LOCAL(const struct rota_method *method, const struct rota_status *status, void **reply, bool wanted)\n"
    "{\n"
    "    if (*reply == NULL || (wanted && rota_status_ok(status)))\n"
    "        return;\n"
    "    method->reply.codec->free(method->reply.type, *reply, NULL);\n"
    "    *reply = NULL;\n"
    "}\n";

static const char finish_with_reply[] =
    "\n"
    "/* A method that answers with one message must do so exactly once if it succeeds. */\n"
    "static struct rota_status finish_with_reply_LOCAL(struct rota_call *call, const struct rota_method *method, void **ret_reply)\n"
    "{\n"
    "    void *extra = NULL;\n"
    "    struct rota_status status;\n"
    "    bool got, more;\n"
    "\n"
    "    (void)rota_call_send_end(call); /* a call that has ended says so when it is finished */\n"
    "    got = rota_call_recv(call, ret_reply);\n"
    "    more = got && rota_call_recv(call, &extra);\n"
    "    status = rota_call_finish(call);\n"
    "    if (more) {\n"
    "        method->reply.codec->free(method->reply.type, extra, NULL);\n"
    "        rota_status_set(&status, ROTA_INTERNAL, \"%s: more than one reply\", method->path);\n"
    "    } else if (!got && rota_status_ok(&status)) {\n"
    "        rota_status_set(&status, ROTA_INTERNAL, \"%s: OK without a reply\", method->path);\n"
    "    }\n"
    "    return status;\n"
    "}\n";

static void emit_method(struct rota_emit *e, const struct rota_model_method *method)
{
    rota_emit_set_method(e, method);
    if (!method->client_streaming && !method->server_streaming) {
        rota_emit_text(e, unary);
        return;
    }
    rota_emit_text(e, method->client_streaming ? open : open_with_request);
    if (method->client_streaming)
        rota_emit_text(e, send);
    rota_emit_text(e, method->server_streaming ? recv : finish);
    rota_emit_text(e, method->client_streaming ? start : start_with_request);
}

void rota_emit_client(struct rota_emit *e, const struct rota_model *model)
{
    bool one_reply = false, finishes = false;

    for (size_t i = 0; i < model->n_services; i++) {
        for (size_t k = 0; k < model->services[i].n_methods; k++) {
            const struct rota_model_method *method = &model->services[i].methods[k];
            one_reply |= !method->server_streaming;
            finishes |= !method->server_streaming && method->client_streaming;
        }
    }
    if (one_reply)
        rota_emit_text(e, give_reply);
    if (finishes)
        rota_emit_text(e, finish_with_reply);
    for (size_t i = 0; i < model->n_services; i++)
        for (size_t k = 0; k < model->services[i].n_methods; k++)
            emit_method(e, &model->services[i].methods[k]);
}
