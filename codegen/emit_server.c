/* emit_server.c - the server's half of x.rota.c: thunks between struct rota_handler and the typed table of handlers.
 *
 * The thunks are fixed while the table is known only when the program runs, so a thunk stands at every event and passes
 * over what the table leaves NULL. NULL means more for cancel, which rota_server_call_cancel_default does, and so for writable: a
 * cancelled call has it from there alone, in place of cancel, and where nobody takes it end is to be told instead.
 */
#include "emit.h"

static const char take_table[] = "    const struct $s$_handlers *table = (const struct $s$_handlers *)handlers;\n\n";

static const char unimplemented[] =
    "        rota_server_call_fail(call, ROTA_UNIMPLEMENTED, \"method $method$ of service $service$ is not implemented here\");\n";

static const char event_head[] =
    "\n"
    "static void $event$_$m$_LOCAL(struct rota_server_call *call, const void *handlers, void *user)\n"
    "{\n";

static const char message_head[] =
    "\n"
    "static void message_$m$_LOCAL(\n"
    "    struct rota_server_call *call, const void *message, const void *handlers, void *user)\n"
    "{\n";

/* Called from within itself the default finds that writable is no longer owed, and goes on to end. */
static const char writable_body[] =
    "    if (table->$member$.writable != NULL)\n"
    "        table->$member$.writable(call, user);\n"
    "    else if (rota_server_call_cancelled(call))\n"
    "        rota_server_call_cancel_default(call);\n"
    "}\n";

static const char cancel_body[] =
    "    if (table->$member$.cancel != NULL)\n"
    "        table->$member$.cancel(call, user);\n"
    "    else\n"
    "        rota_server_call_cancel_default(call);\n"
    "}\n";

static const char end_body[] =
    "    if (table->$member$.end != NULL)\n"
    "        table->$member$.end(call, user);\n"
    "}\n";

static void emit_event(struct rota_emit *e, const char *event, const char *body)
{
    rota_emit_set(e, "event", event);
    rota_emit_text(e, event_head);
    rota_emit_text(e, take_table);
    rota_emit_text(e, body);
}

/* The one request of a method; `function` is where the table keeps its handler. */
static void emit_request(struct rota_emit *e, const char *function)
{
    rota_emit_set(e, "function", function);
    rota_emit_text(e, message_head);
    rota_emit_text(e, take_table);
    rota_emit_text(e, "    if (table->$member$$function$ == NULL)\n");
    rota_emit_text(e, unimplemented);
    rota_emit_text(e, "    else\n"
                      "        table->$member$$function$(call, (const $Request$ *)message, user);\n"
                      "}\n");
}

/* Start decides whether a method that streams requests is implemented, before any of them comes. */
static void emit_streaming_requests(struct rota_emit *e)
{
    rota_emit_set(e, "event", "start");
    rota_emit_text(e, event_head);
    rota_emit_text(e, take_table);
    rota_emit_text(e, "    if (table->$member$.start != NULL)\n"
                      "        table->$member$.start(call, user);\n"
                      "    else if (table->$member$.message == NULL && table->$member$.end == NULL)\n");
    rota_emit_text(e, unimplemented);
    rota_emit_text(e, "}\n");
    rota_emit_text(e, message_head);
    rota_emit_text(e, take_table);
    rota_emit_text(e, "    if (table->$member$.message != NULL)\n"
                      "        table->$member$.message(call, (const $Request$ *)message, user);\n"
                      "}\n");
    emit_event(e, "end", end_body);
}

static void emit_thunks(struct rota_emit *e, const struct rota_model_method *method)
{
    rota_emit_set_method(e, method);
    if (method->client_streaming)
        emit_streaming_requests(e);
    else
        emit_request(e, method->server_streaming ? ".request" : "");
    if (method->client_streaming || method->server_streaming) {
        emit_event(e, "writable", writable_body);
        emit_event(e, "cancel", cancel_body);
    }
    rota_emit_text(e, method->server_streaming
                          ? "\n"
                            "rota_err $m$_send_reply(struct rota_server_call *call, const $Reply$ *reply)\n"
                            "{\n"
                            "    return rota_server_call_send(call, reply);\n"
                            "}\n"
                          : "\n"
                            "void $m$_reply(struct rota_server_call *call, const $Reply$ *reply)\n"
                            "{\n"
                            "    rota_server_call_reply(call, reply);\n"
                            "}\n");
}

static void emit_entry(struct rota_emit *e, const struct rota_model_method *method)
{
    rota_emit_set_method(e, method);
    rota_emit_text(e, "    {\n"
                      "        .method = &$m$_method,\n");
    if (method->client_streaming)
        rota_emit_text(e, "        .on_start = start_$m$_LOCAL,\n");
    rota_emit_text(e, "        .on_message = message_$m$_LOCAL,\n");
    if (method->client_streaming)
        rota_emit_text(e, "        .on_end = end_$m$_LOCAL,\n");
    if (method->client_streaming || method->server_streaming)
        rota_emit_text(e, "        .on_writable = writable_$m$_LOCAL,\n"
                          "        .on_cancel = cancel_$m$_LOCAL,\n");
    rota_emit_text(e, "    },\n");
}

static const char service_tail[] =
    "\n"
    "rota_err $s$_add(\n"
    "    struct rota_server *server, const struct $s$_handlers *handlers, void *user)\n"
    "{\n"
    "    return rota_server_add(server, &$s$_service, handlers, user);\n"
    "}\n";

void rota_emit_server(struct rota_emit *e, const struct rota_model_service *service)
{
    rota_emit_set_service(e, service);
    for (size_t i = 0; i < service->n_methods; i++)
        emit_thunks(e, &service->methods[i]);
    if (service->n_methods == 0) {
        rota_emit_text(e, "\nconst struct rota_service $s$_service = {.name = \"$service$\", .file = &file_$guard$_LOCAL};\n");
    } else {
        rota_emit_text(e, "\nstatic const struct rota_handler handlers_$s$_LOCAL[] = {\n");
        for (size_t i = 0; i < service->n_methods; i++)
            emit_entry(e, &service->methods[i]);
        rota_emit_text(e, "};\n"
                          "\n"
                          "const struct rota_service $s$_service = {\n"
                          "    .name = \"$service$\",\n"
                          "    .handlers = handlers_$s$_LOCAL,\n"
                          "    .n_handlers = sizeof(handlers_$s$_LOCAL) / sizeof(handlers_$s$_LOCAL[0]),\n"
                          "    .file = &file_$guard$_LOCAL,\n"
                          "};\n");
    }
    rota_emit_text(e, service_tail);
}
