/* generate.c - from the request's bytes to the response's: check, unpack, model, emit, and merge with protobuf-c's files.
 *
 * protoc-gen-c of protobuf-c 1.4 knows nothing of proto3's `optional`, and protoc lets no such plug-in see one. So we say
 * that we know it, and hand protoc-gen-c the request with the marks taken off. What is left is a oneof of one member, which
 * keeps presence; a reader of the wire cannot tell the difference.
 */
#include "generate.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "emit.h"
#include <rota/message.h>
#include <stdio.h>

#define FEATURE_PROTO3_OPTIONAL 1

struct job {
    const struct rota_alloc *alloc;
    struct rota_arena arena; /* the model and the response's texts */
    Plugin__Request *request;
    Plugin__Response *messages; /* what protoc-gen-c answered; NULL: not asked */
    Plugin__Response response;  /* its files lie in `arena` or belong to `messages` */
    struct rota_errinfo *info;
};

static rota_err no_memory(struct job *job)
{
    return rota_errinfo_set(job->info, ROTA_ENOMEM, "out of memory");
}

/* Comma-separated; only messages=on and messages=off are known. */
static rota_err read_parameters(struct job *job, bool *ret_messages)
{
    const char *at = job->request->parameter;

    *ret_messages = true;
    while (*at != '\0') {
        struct rota_slice one = rota_slice(at, strcspn(at, ","));
        if (rota_slice_equal(one, ROTA_SLICE("messages=off")))
            *ret_messages = false;
        else if (rota_slice_equal(one, ROTA_SLICE("messages=on")))
            *ret_messages = true;
        else if (one.size > 0)
            return rota_errinfo_set(job->info, ROTA_EINVAL, "unknown parameter \"%.*s\": expected messages=on or messages=off",
                                    (int)one.size, at);
        at += one.size;
        at += *at == ',';
    }
    return 0;
}

static void clear_optional(Plugin__Field *const *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fields[i]->proto3_optional = false;
}

static void clear_optional_in(Plugin__Message *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        clear_optional(messages[i]->field, messages[i]->n_field);
        clear_optional(messages[i]->extension, messages[i]->n_extension);
        clear_optional_in(messages[i]->nested_type, messages[i]->n_nested_type);
    }
}

static rota_err unpack(struct job *job, const ProtobufCMessageDescriptor *type, struct rota_slice bytes, void *ret_message)
{
    void *message;
    rota_err err = rota_codec_protobuf_c.unpack(type, bytes, job->alloc, &message, job->info);

    if (err == 0)
        memcpy(ret_message, &message, sizeof(message));
    return err;
}

/* Asks protoc-gen-c for the messages' files. Changes the request for good: its marks and parameter are gone. */
static rota_err run_messages(struct job *job, rota_generate_messages *messages)
{
    Plugin__Request *request = job->request;
    struct rota_buffer packed;
    struct rota_errinfo detail = {{0}};
    uint8_t *out;
    char *parameter = request->parameter;
    size_t size;
    rota_err err;

    for (size_t i = 0; i < request->n_proto_file; i++) {
        clear_optional_in(request->proto_file[i]->message_type, request->proto_file[i]->n_message_type);
        clear_optional(request->proto_file[i]->extension, request->proto_file[i]->n_extension);
    }
    request->parameter = (char *)protobuf_c_empty_string;
    size = plugin__request__get_packed_size(request);
    out = rota_alloc_get(job->alloc, size);
    if (out == NULL) {
        request->parameter = parameter;
        return no_memory(job);
    }
    plugin__request__pack(request, out);
    request->parameter = parameter;
    rota_buffer_init(&packed, job->alloc, 0);
    err = messages(rota_slice(out, size), &packed, job->info);
    rota_alloc_free(job->alloc, out);
    if (err == 0)
        err = unpack(job, &plugin__response__descriptor, rota_buffer_peek(&packed), &job->messages);
    rota_buffer_fini(&packed);
    if (err == ROTA_EPARSE && job->info != NULL) {
        detail = *job->info;
        return rota_errinfo_set(job->info, err, "protoc-gen-c answered with something else than a response: %s", detail.text);
    }
    return err;
}

/* Adds a file whose text one of the emitters writes. */
static rota_err add_file(struct job *job, const struct rota_model *model, const char *ending,
                         rota_err (*emit)(struct rota_buffer *, const struct rota_model *))
{
    Plugin__Response__File *file = rota_arena_get(&job->arena, sizeof(*file));
    size_t name_size = strlen(model->stem) + strlen(ending) + 1;
    char *name = rota_arena_get(&job->arena, name_size);
    struct rota_buffer text;
    struct rota_slice content = {0};
    rota_err err;

    if (file == NULL || name == NULL)
        return no_memory(job);
    rota_buffer_init(&text, job->alloc, 0);
    err = emit(&text, model);
    if (err == 0)
        err = rota_arena_slice(&job->arena, rota_buffer_peek(&text), &content);
    rota_buffer_fini(&text);
    if (err < 0)
        return no_memory(job);
    snprintf(name, name_size, "%s%s", model->stem, ending);
    plugin__response__file__init(file);
    file->name = name;
    file->content = (ProtobufCBinaryData){content.size, (uint8_t *)content.data};
    job->response.file[job->response.n_file++] = file;
    return 0;
}

static rota_err add_stubs(struct job *job)
{
    rota_err err = 0;

    for (size_t i = 0; err == 0 && i < job->request->n_file_to_generate; i++) {
        struct rota_model model;

        err = rota_model_read(&job->arena, job->request, job->request->file_to_generate[i], &model, job->info);
        if (err < 0 || model.skipped)
            continue;
        err = add_file(job, &model, ".rota.h", rota_emit_header);
        if (err == 0)
            err = add_file(job, &model, ".rota.c", rota_emit_source);
    }
    return err;
}

static rota_err make_response(struct job *job, rota_generate_messages *messages)
{
    bool with_messages;
    size_t n_files;
    rota_err err = read_parameters(job, &with_messages);

    if (err == 0 && with_messages)
        err = run_messages(job, messages);
    if (err < 0)
        return err;
    if (job->messages != NULL && job->messages->error[0] != '\0')
        return rota_errinfo_set(job->info, ROTA_EINVAL, "protoc-gen-c: %s", job->messages->error);
    n_files = 2 * job->request->n_file_to_generate + (job->messages == NULL ? 0 : job->messages->n_file);
    job->response.file = rota_arena_zero(&job->arena, n_files + 1, sizeof(*job->response.file));
    if (job->response.file == NULL)
        return no_memory(job);
    for (size_t i = 0; job->messages != NULL && i < job->messages->n_file; i++)
        job->response.file[job->response.n_file++] = job->messages->file[i];
    return add_stubs(job);
}

static rota_err write_response(struct job *job, struct rota_buffer *out)
{
    size_t size = plugin__response__get_packed_size(&job->response);
    uint8_t *room = rota_buffer_reserve(out, size);

    if (room == NULL)
        return no_memory(job);
    rota_buffer_commit(out, plugin__response__pack(&job->response, room));
    return 0;
}

rota_err rota_generate(const struct rota_alloc *alloc, struct rota_slice request, rota_generate_messages *messages,
                       struct rota_buffer *out, struct rota_errinfo *info)
{
    struct rota_errinfo own = {{0}};
    struct job job = {.alloc = alloc, .response = PLUGIN__RESPONSE__INIT, .info = info == NULL ? &own : info};
    rota_err err;

    rota_arena_init(&job.arena, alloc, 0);
    err = unpack(&job, &plugin__request__descriptor, request, &job.request);
    if (err == 0) {
        err = make_response(&job, messages);
        job.response.supported_features = FEATURE_PROTO3_OPTIONAL;
        if (err == ROTA_EINVAL) {
            job.response.n_file = 0;
            job.response.error = job.info->text;
            err = 0;
        }
        if (err == 0)
            err = write_response(&job, out);
        rota_codec_protobuf_c.free(&plugin__request__descriptor, job.request, alloc);
    }
    if (job.messages != NULL)
        rota_codec_protobuf_c.free(&plugin__response__descriptor, job.messages, alloc);
    rota_arena_fini(&job.arena);
    return err;
}
