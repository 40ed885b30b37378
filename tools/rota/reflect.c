/* reflect.c - see reflect.h. v1 and v1alpha differ in nothing but their path, so v1's messages serve both. */
#include "reflect.h"

#include <grpc/reflection/v1/reflection.rota.h>
#include <stdlib.h>

#define MAX_FILES 10000                   /* imports asked for in one go; a server may name ever new ones */
#define MAX_BYTES ((size_t)64 << 20)      /* of an answer, and of all files in the pool */
#define REUSE_PART 10                     /* a stream takes new questions during this part of its time */
#define NS_PER_MS 1000000

typedef Grpc__Reflection__V1__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_message;

static const struct rota_method older_method = {
    .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .client_streaming = true,
    .server_streaming = true,
    .request = {&rota_codec_protobuf_c, &grpc__reflection__v1__server_reflection_request__descriptor},
    .reply = {&rota_codec_protobuf_c, &grpc__reflection__v1__server_reflection_response__descriptor},
};

static int fail(struct rota_status *ret_why, enum rota_code code, const char *text)
{
    rota_status_set(ret_why, code, "reflection: %s", text);
    return -1;
}

static void finish(struct rota_reflect *r, struct rota_status *ret_why)
{
    *ret_why = rota_call_finish(r->call);
    r->call = NULL;
    r->lost = true;
    if (ret_why->code == ROTA_OK)
        rota_status_set(ret_why, ROTA_INTERNAL, "the server ended the stream without an answer");
}

/* until_ns: when all must be over. */
static response_message *ask_once(struct rota_reflect *r, const request_message *request, int64_t until_ns, struct rota_status *ret_why)
{
    const struct rota_method *method = r->older ? &older_method : &grpc_reflection_v1_server_reflection_server_reflection_info_method;
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    int64_t now_ns = rota_loop_now_ns(r->loop), left_ms = (until_ns - now_ns) / NS_PER_MS;
    void *reply = NULL;

    r->lost = false;
    options.timeout_ms = left_ms < r->timeout_ms ? left_ms : r->timeout_ms;
    options.max_reply_bytes = MAX_BYTES;
    options.metadata = r->metadata;
    if (r->call != NULL && now_ns - r->opened_ns > r->timeout_ms * NS_PER_MS / REUSE_PART)
        rota_reflect_close(r);
    if (r->call == NULL) {
        if (left_ms <= 0) {
            fail(ret_why, ROTA_DEADLINE_EXCEEDED, "the imported files take too long");
            return NULL;
        }
        if (rota_call_open(r->channel, method, &options, &r->call) < 0) {
            fail(ret_why, ROTA_RESOURCE_EXHAUSTED, "out of memory");
            return NULL;
        }
        r->opened_ns = now_ns;
    }
    if (rota_call_send(r->call, request) == 0 && rota_call_recv(r->call, &reply)) {
        r->answered = true;
        return reply;
    }
    finish(r, ret_why);
    return NULL;
}

/* What an answer calls an error is one, whatever its number. */
static enum rota_code code_of(const response_message *reply)
{
    int32_t code = reply->error_response->error_code;

    return code > ROTA_OK && code <= ROTA_UNAUTHENTICATED ? (enum rota_code)code : ROTA_UNKNOWN;
}

/* NULL with *ret_why; an error in the answer is one too. */
static response_message *ask(struct rota_reflect *r, const request_message *request, int64_t until_ns, struct rota_status *ret_why)
{
    response_message *reply = ask_once(r, request, until_ns, ret_why);

    if (reply == NULL && ret_why->code == ROTA_UNIMPLEMENTED && !r->older && !r->answered) {
        r->older = true;
        reply = ask_once(r, request, until_ns, ret_why);
    }
    if (reply == NULL)
        return NULL;
    if (reply->message_response_case != GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE)
        return reply;
    fail(ret_why, code_of(reply), reply->error_response->error_message);
    grpc__reflection__v1__server_reflection_response__free_unpacked(reply, NULL);
    return NULL;
}

static int64_t in_ms(const struct rota_reflect *r, int64_t ms)
{
    return rota_loop_now_ns(r->loop) + ms * NS_PER_MS;
}

/* Adds the files of an answer to the pool; those that it has already count for nothing. */
static int take_files(struct rota_reflect *r, const response_message *reply, struct rota_status *ret_why)
{
    struct rota_errinfo info = {""};

    if (reply->message_response_case != GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE)
        return fail(ret_why, ROTA_INTERNAL, "an answer to another question");
    for (size_t i = 0; i < reply->file_descriptor_response->n_file_descriptor_proto; i++) {
        const ProtobufCBinaryData *file = &reply->file_descriptor_response->file_descriptor_proto[i];
        size_t n_files = r->pool->files.count;

        if (file->len > MAX_BYTES - r->file_bytes)
            return fail(ret_why, ROTA_RESOURCE_EXHAUSTED, "the files are too large together");
        if (rota_pool_add(r->pool, rota_slice(file->data, file->len), &info) < 0)
            return fail(ret_why, ROTA_INTERNAL, info.text);
        if (r->pool->files.count > n_files)
            r->file_bytes += file->len;
    }
    return 0;
}

static int ask_for_file(struct rota_reflect *r, const request_message *request, int64_t until_ns, struct rota_status *ret_why)
{
    response_message *reply = ask(r, request, until_ns, ret_why);
    int result;

    if (reply == NULL)
        return -1;
    result = take_files(r, reply, ret_why);
    grpc__reflection__v1__server_reflection_response__free_unpacked(reply, NULL);
    return result;
}

/* Most servers send imports along; the others are asked for them. */
static int learn_imports(struct rota_reflect *r, struct rota_status *ret_why)
{
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    int64_t until_ns = in_ms(r, r->imports_ms);
    const char *missing;

    request.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;
    for (int i = 0; (missing = rota_pool_missing(r->pool)) != NULL; i++) {
        request.file_by_filename = (char *)(uintptr_t)missing;
        if (i == MAX_FILES)
            return fail(ret_why, ROTA_RESOURCE_EXHAUSTED, "there is no end of imported files");
        if (ask_for_file(r, &request, until_ns, ret_why) < 0) {
            if (ret_why->code == ROTA_NOT_FOUND) /* which would be said of what was asked for first */
                rota_status_set(ret_why, ROTA_INTERNAL, "reflection: an import, %s, is not there", missing);
            return -1;
        }
        /* It may have sent a file of another name. */
        if (rota_map_get(&r->pool->files, rota_slice_str(missing)) == NULL)
            return fail(ret_why, ROTA_INTERNAL, "another file than was asked for");
    }
    return 0;
}

int rota_reflect_learn(struct rota_reflect *r, const char *name, struct rota_status *ret_why)
{
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    struct rota_errinfo info = {""};

    request.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    request.file_containing_symbol = (char *)(uintptr_t)name;
    if (ask_for_file(r, &request, in_ms(r, r->timeout_ms), ret_why) < 0 || learn_imports(r, ret_why) < 0)
        return -1;
    if (rota_pool_link(r->pool, &info) < 0)
        return fail(ret_why, ROTA_INTERNAL, info.text);
    return 0;
}

static int copy_names(const Grpc__Reflection__V1__ListServiceResponse *list, char ***ret_names, size_t *ret_n)
{
    size_t size = list->n_service * sizeof(char *) + 1, used = list->n_service * sizeof(char *);
    char **names;

    for (size_t i = 0; i < list->n_service; i++)
        size += strlen(list->service[i]->name) + 1;
    names = malloc(size);
    if (names == NULL)
        return -1;
    for (size_t i = 0; i < list->n_service; i++) {
        names[i] = (char *)names + used;
        used += strlen(list->service[i]->name) + 1;
        strcpy(names[i], list->service[i]->name);
    }
    *ret_names = names;
    *ret_n = list->n_service;
    return 0;
}

int rota_reflect_list(struct rota_reflect *r, char ***ret_names, size_t *ret_n, struct rota_status *ret_why)
{
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    response_message *reply;
    int result;

    request.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
    request.list_services = (char *)(uintptr_t)"*";
    reply = ask(r, &request, in_ms(r, r->timeout_ms), ret_why);
    if (reply == NULL)
        return -1;
    if (reply->message_response_case != GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE)
        result = fail(ret_why, ROTA_INTERNAL, "an answer to another question");
    else if (copy_names(reply->list_services_response, ret_names, ret_n) < 0)
        result = fail(ret_why, ROTA_RESOURCE_EXHAUSTED, "out of memory");
    else
        result = 0;
    grpc__reflection__v1__server_reflection_response__free_unpacked(reply, NULL);
    return result;
}

void rota_reflect_close(struct rota_reflect *r)
{
    if (r->call != NULL)
        (void)rota_call_finish(r->call);
    r->call = NULL;
}

void rota_reflect_forget(struct rota_reflect *r)
{
    rota_reflect_close(r);
    rota_pool_fini(r->pool);
    rota_pool_init(r->pool, NULL);
    r->file_bytes = 0;
}
