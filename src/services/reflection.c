/* reflection.c - grpc.reflection.v1 and v1alpha: one stream, an answer to each question.
 *
 * The two versions differ in nothing but their package, so v1's messages and handlers serve both. A stream that has more to
 * send than its queue takes stops reading until there is room, so it holds one answer more than the queue.
 * Invariants: files are appended only, one for each name, behind those it imports; sent[i] of a stream is true once file i has been sent in it.
 * Each source of generated code has files of its own, those it imports included: of a name that is there the content is compared, with that of
 * its imports, and the copy kept in `copies`, so that it is compared once.
 * Source: doc/server-reflection.md in grpc/grpc.
 */
#include <rota/reflection.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/map.h"
#include "server/server.h"
#include "services/symbols.h"
#include <grpc/reflection/v1/reflection.rota.h>
#include <grpc/reflection/v1alpha/reflection.rota.h>
#include <stdlib.h>

typedef Grpc__Reflection__V1__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_message;

struct reflection {
    struct rota_server_companion companion;
    struct rota_server *server;
    struct rota_service alpha; /* v1's handlers under the other name */
    struct rota_handler alpha_handler;
    const struct rota_file **files, **copies;
    size_t n_files, cap_files, n_copies, cap_copies;
};

struct stream {
    bool *sent;
    size_t n_sent, cap_sent;
};

static const struct rota_method alpha_method = {
    .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .client_streaming = true,
    .server_streaming = true,
    .request = {&rota_codec_protobuf_c, &grpc__reflection__v1__server_reflection_request__descriptor},
    .reply = {&rota_codec_protobuf_c, &grpc__reflection__v1__server_reflection_response__descriptor},
};

/* --- Files --- */

/* n_files: there is none of that name. */
static size_t find_file(const struct reflection *r, const char *name)
{
    size_t i = 0;

    while (i < r->n_files && strcmp(r->files[i]->name, name) != 0)
        i++;
    return i;
}

static bool is_copy(const struct reflection *r, const struct rota_file *file)
{
    size_t i = 0;

    while (i < r->n_copies && r->copies[i] != file)
        i++;
    return i < r->n_copies;
}

/* Releases of protoc, with years between them, differ in the options of protobuf's own files. Those of the services that librota brings
 * are gRPC's and xDS's by name, not by their text, and a program may import the originals. */
static bool may_differ(const char *name)
{
    static const char *const folders[] = {"google/protobuf/", "grpc/health/v1/", "grpc/reflection/v1/", "grpc/reflection/v1alpha/",
                                          "xds/data/orca/v3/", "xds/service/orca/v3/"};
    size_t i = 0;

    while (i < ROTA_COUNT(folders) && strncmp(name, folders[i], strlen(folders[i])) != 0)
        i++;
    return i < ROTA_COUNT(folders);
}

static rota_err compare(struct reflection *r, const struct rota_file *known, const struct rota_file *file)
{
    if (rota_slice_equal(known->descriptor, file->descriptor))
        return 0;
    if (may_differ(file->name)) {
        rota_log_write(r->server->log, ROTA_LOG_WARN, "services", "reflection: there are two releases of %s; the first is shown", file->name);
        return 0;
    }
    rota_log_write(r->server->log, ROTA_LOG_ERROR, "services", "reflection: there are two files %s, and they differ", file->name);
    return ROTA_EEXIST;
}

/* What a file imports comes before it, so that a file which is there always has its imports there. */
static rota_err learn_file(struct reflection *r, const struct rota_file *file)
{
    const struct rota_alloc *alloc = r->server->alloc;
    size_t index = find_file(r, file->name);
    bool known = index < r->n_files;
    rota_err err = 0;

    if (known && (r->files[index] == file || is_copy(r, file)))
        return 0;
    if (known && (err = compare(r, r->files[index], file)) < 0)
        return err;
    for (size_t i = 0; err == 0 && i < file->n_imports; i++)
        err = learn_file(r, file->imports[i]);
    if (err == 0)
        err = known ? rota_alloc_reserve(alloc, &r->copies, &r->cap_copies, r->n_copies + 1, sizeof(const struct rota_file *))
                    : rota_alloc_reserve(alloc, &r->files, &r->cap_files, r->n_files + 1, sizeof(const struct rota_file *));
    if (err == 0 && known)
        r->copies[r->n_copies++] = file;
    else if (err == 0)
        r->files[r->n_files++] = file;
    return err;
}

/* Of a service that fails nothing is kept. */
static rota_err learn_service(struct reflection *r, const struct rota_service *service)
{
    size_t n_files = r->n_files, n_copies = r->n_copies;
    rota_err err = service->file == NULL ? 0 : learn_file(r, service->file);

    if (err < 0) {
        r->n_files = n_files;
        r->n_copies = n_copies;
    }
    return err;
}

static rota_err learn_services(struct reflection *r)
{
    struct rota_map_entry *at = NULL;
    rota_err err = 0;

    while (err == 0 && (at = rota_map_next(&r->server->services, at)) != NULL)
        err = learn_service(r, at->value);
    return err;
}

/* --- Answers; each returns ROTA_ENOMEM or sends --- */

static rota_err send(struct rota_server_call *call, const request_message *request, response_message *response)
{
    rota_err err;

    response->valid_host = request->host;
    response->original_request = (request_message *)(uintptr_t)request;
    err = grpc_reflection_v1_server_reflection_server_reflection_info_send_reply(call, response);
    return err == ROTA_ECLOSED ? 0 : err;
}

static rota_err send_error(struct rota_server_call *call, const request_message *request, const char *what, const char *name)
{
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    response_message response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    struct rota_status status;

    rota_status_set(&status, ROTA_NOT_FOUND, "%s: %s", what, name);
    error.error_code = (int32_t)status.code;
    error.error_message = status.message;
    response.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response.error_response = &error;
    return send(call, request, &response);
}

/* Adds the file and all it imports that this stream has not had. */
static void add_files(const struct reflection *r, struct stream *stream, size_t index, Grpc__Reflection__V1__FileDescriptorResponse *reply)
{
    const struct rota_file *file = r->files[index];

    stream->sent[index] = true;
    reply->file_descriptor_proto[reply->n_file_descriptor_proto++] =
        (ProtobufCBinaryData){file->descriptor.size, (uint8_t *)(uintptr_t)file->descriptor.data};
    for (size_t i = 0; i < file->n_imports; i++) {
        size_t import = find_file(r, file->imports[i]->name);
        if (!stream->sent[import])
            add_files(r, stream, import, reply);
    }
}

static rota_err send_file(struct reflection *r, struct rota_server_call *call, const request_message *request, size_t index)
{
    Grpc__Reflection__V1__FileDescriptorResponse reply = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    response_message response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    const struct rota_alloc *alloc = r->server->alloc;
    struct stream *stream = rota_server_call_data(call);
    rota_err err;

    if (rota_alloc_reserve(alloc, &stream->sent, &stream->cap_sent, r->n_files, sizeof(bool)) < 0)
        return ROTA_ENOMEM;
    while (stream->n_sent < r->n_files)
        stream->sent[stream->n_sent++] = false;
    reply.file_descriptor_proto = rota_alloc_zero(alloc, r->n_files, sizeof(ProtobufCBinaryData));
    if (reply.file_descriptor_proto == NULL)
        return ROTA_ENOMEM;
    add_files(r, stream, index, &reply);
    response.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response.file_descriptor_response = &reply;
    err = send(call, request, &response);
    rota_alloc_free(alloc, reply.file_descriptor_proto);
    return err;
}

/* n_files: none declares it. */
static size_t find_symbol(const struct reflection *r, const char *name)
{
    size_t i = 0;

    while (i < r->n_files && !rota_symbols_declare(r->files[i], rota_slice_str(name)))
        i++;
    return i;
}

static rota_err answer_file(struct reflection *r, struct rota_server_call *call, const request_message *request)
{
    size_t index = find_file(r, request->file_by_filename);

    return index < r->n_files ? send_file(r, call, request, index) : send_error(call, request, "file not found", request->file_by_filename);
}

static rota_err answer_symbol(struct reflection *r, struct rota_server_call *call, const request_message *request)
{
    size_t index = find_symbol(r, request->file_containing_symbol);

    if (index < r->n_files)
        return send_file(r, call, request, index);
    return send_error(call, request, "symbol not found", request->file_containing_symbol);
}

struct wanted {
    int32_t number;
    bool found;
};

static void note_wanted(void *arg, int32_t number)
{
    struct wanted *wanted = arg;

    wanted->found |= number == wanted->number;
}

static rota_err answer_extension(struct reflection *r, struct rota_server_call *call, const request_message *request)
{
    const Grpc__Reflection__V1__ExtensionRequest *asked = request->file_containing_extension;
    struct wanted wanted = {asked->extension_number, false};

    for (size_t i = 0; i < r->n_files; i++) {
        rota_symbols_extensions(r->files[i], rota_slice_str(asked->containing_type), note_wanted, &wanted);
        if (wanted.found)
            return send_file(r, call, request, i);
    }
    return send_error(call, request, "extension not found of", asked->containing_type);
}

struct numbers {
    const struct rota_alloc *alloc;
    int32_t *all;
    size_t n, cap;
    rota_err err;
};

static void add_number(void *arg, int32_t number)
{
    struct numbers *numbers = arg;

    if (numbers->err == 0)
        numbers->err = rota_alloc_reserve(numbers->alloc, &numbers->all, &numbers->cap, numbers->n + 1, sizeof(int32_t));
    if (numbers->err == 0)
        numbers->all[numbers->n++] = number;
}

static rota_err answer_extension_numbers(struct reflection *r, struct rota_server_call *call, const request_message *request)
{
    Grpc__Reflection__V1__ExtensionNumberResponse reply = GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    response_message response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    struct numbers numbers = {.alloc = r->server->alloc};
    char *type = request->all_extension_numbers_of_type;

    if (find_symbol(r, type) == r->n_files)
        return send_error(call, request, "type not found", type);
    for (size_t i = 0; i < r->n_files; i++)
        rota_symbols_extensions(r->files[i], rota_slice_str(type), add_number, &numbers);
    reply.base_type_name = type;
    reply.extension_number = numbers.all;
    reply.n_extension_number = numbers.n;
    response.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    response.all_extension_numbers_response = &reply;
    if (numbers.err == 0)
        numbers.err = send(call, request, &response);
    rota_alloc_free(r->server->alloc, numbers.all);
    return numbers.err;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(Grpc__Reflection__V1__ServiceResponse *const *)a)->name, (*(Grpc__Reflection__V1__ServiceResponse *const *)b)->name);
}

static rota_err answer_list(struct reflection *r, struct rota_server_call *call, const request_message *request)
{
    Grpc__Reflection__V1__ListServiceResponse reply = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    response_message response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    const struct rota_alloc *alloc = r->server->alloc;
    size_t count = r->server->services.count;
    Grpc__Reflection__V1__ServiceResponse *names = rota_alloc_zero(alloc, count, sizeof(*names));
    struct rota_map_entry *at = NULL;
    rota_err err = ROTA_ENOMEM;

    reply.service = rota_alloc_zero(alloc, count, sizeof(Grpc__Reflection__V1__ServiceResponse *));
    if (names != NULL && reply.service != NULL) {
        while ((at = rota_map_next(&r->server->services, at)) != NULL) {
            Grpc__Reflection__V1__ServiceResponse *name = &names[reply.n_service];
            grpc__reflection__v1__service_response__init(name);
            name->name = (char *)(uintptr_t)((const struct rota_service *)at->value)->name;
            reply.service[reply.n_service++] = name;
        }
        qsort(reply.service, reply.n_service, sizeof(*reply.service), compare_names);
        response.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
        response.list_services_response = &reply;
        err = send(call, request, &response);
    }
    rota_alloc_free(alloc, reply.service);
    rota_alloc_free(alloc, names);
    return err;
}

/* --- The stream --- */

static void end_stream(struct reflection *r, struct rota_server_call *call)
{
    struct stream *stream = rota_server_call_data(call);

    if (stream != NULL)
        rota_alloc_free(r->server->alloc, stream->sent);
    rota_alloc_free(r->server->alloc, stream);
    rota_server_call_set_data(call, NULL);
}

static void on_start(struct rota_server_call *call, void *user)
{
    struct reflection *r = user;
    struct stream *stream = rota_alloc_zero(r->server->alloc, 1, sizeof(*stream));

    if (stream == NULL)
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
    else
        rota_server_call_set_data(call, stream);
}

static rota_err answer(struct reflection *r, struct rota_server_call *call, const request_message *request)
{
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME: return answer_file(r, call, request);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL: return answer_symbol(r, call, request);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION: return answer_extension(r, call, request);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        return answer_extension_numbers(r, call, request);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES: return answer_list(r, call, request);
    default: return ROTA_EINVAL;
    }
}

static void on_message(struct rota_server_call *call, const request_message *request, void *user)
{
    struct reflection *r = user;
    rota_err err = answer(r, call, request);

    if (err == 0) {
        if (rota_server_call_full(call))
            rota_server_call_hold(call);
        return;
    }
    end_stream(r, call);
    if (err == ROTA_EINVAL)
        rota_server_call_fail(call, ROTA_INVALID_ARGUMENT, "a request that asks for nothing");
    else
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "the answer cannot be sent: %s", rota_err_text(err));
}

static void on_writable(struct rota_server_call *call, void *user)
{
    (void)user;
    rota_server_call_resume(call);
}

/* The client is done, or gone. */
static void on_end(struct rota_server_call *call, void *user)
{
    end_stream(user, call);
    rota_server_call_finish(call, NULL);
}

/* --- The server's side --- */

static void free_reflection(struct rota_server_companion *companion)
{
    struct reflection *r = ROTA_CONTAINER(companion, struct reflection, companion);

    rota_alloc_free(r->server->alloc, r->copies);
    rota_alloc_free(r->server->alloc, r->files);
    rota_alloc_free(r->server->alloc, r);
}

static rota_err on_add(struct rota_server_companion *companion, const struct rota_service *service)
{
    return learn_service(ROTA_CONTAINER(companion, struct reflection, companion), service);
}

rota_err rota_reflection_add(struct rota_server *server)
{
    static const struct grpc_reflection_v1_server_reflection_handlers handlers = {
        .server_reflection_info = {.start = on_start, .message = on_message, .end = on_end, .writable = on_writable, .cancel = on_end}};
    const struct rota_service *v1 = &grpc_reflection_v1_server_reflection_service;
    struct reflection *r = rota_alloc_zero(server->alloc, 1, sizeof(*r));
    rota_err err;

    if (r == NULL)
        return ROTA_ENOMEM;
    r->companion.on_add = on_add;
    r->companion.free = free_reflection;
    r->server = server;
    r->alpha_handler = v1->handlers[0];
    r->alpha_handler.method = &alpha_method;
    r->alpha = grpc_reflection_v1alpha_server_reflection_service;
    r->alpha.handlers = &r->alpha_handler;
    err = learn_services(r);
    if (err < 0) {
        free_reflection(&r->companion);
        return err;
    }
    /* From here on the server may know of it, so it stays, also when the second service cannot be added. */
    rota_server_keep(server, &r->companion);
    err = rota_server_add(server, v1, &handlers, r);
    if (err == 0)
        err = rota_server_add(server, &r->alpha, &handlers, r);
    return err;
}
