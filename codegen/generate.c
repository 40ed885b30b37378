/* generate.c - from the request's bytes to the response's: check, unpack, model, emit, and merge with protobuf-c's files.
 *
 * What protoc-gen-c is asked differs from what we were asked in two ways. protobuf-c 1.4 knows nothing of proto3's
 * `optional`, and protoc lets no such plug-in see one: so we say that we know it, and pass the fields on without the mark.
 * What is left is a oneof of one member, which keeps presence; on the wire there is no difference. And services are left
 * out: protobuf-c's tables for them know no streams, nobody uses them beside ours, and a method called Default or two
 * called GetURL and GetUrl make C that does not compile.
 */
#include "generate.h"

#include "base/errinfo.h"
#include "emit.h"
#include <rota/message.h>
#include <stdio.h>

#define FEATURE_PROTO3_OPTIONAL 1

struct job {
    const struct rota_alloc *alloc;
    struct rota_arena arena; /* all that follows lies in it */
    Plugin__Request *request;
    struct rota_model_file *files;
    Plugin__Response response;
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

/* Changes the request for good. */
static void reduce_to_messages(Plugin__Request *request)
{
    for (size_t i = 0; i < request->n_proto_file; i++) {
        Plugin__File *file = request->proto_file[i];
        clear_optional_in(file->message_type, file->n_message_type);
        clear_optional(file->extension, file->n_extension);
        file->n_service = 0;
    }
    request->parameter = (char *)protobuf_c_empty_string;
}

static rota_err unpack_response(struct job *job, struct rota_slice bytes, Plugin__Response **ret_response)
{
    struct rota_errinfo detail = {{0}};
    void *message;
    rota_err err = rota_codec_protobuf_c.unpack(&plugin__response__descriptor, bytes, &job->arena.as_alloc, &message, &detail);

    if (err < 0)
        return rota_errinfo_set(job->info, err, "protoc-gen-c answered with something else than a response: %s", detail.text);
    *ret_response = message;
    return 0;
}

static rota_err ask_for_messages(struct job *job, rota_generate_messages *messages, Plugin__Response **ret_response)
{
    struct rota_buffer packed;
    size_t size;
    uint8_t *question;
    rota_err err;

    reduce_to_messages(job->request);
    size = plugin__request__get_packed_size(job->request);
    question = rota_arena_get(&job->arena, size);
    if (question == NULL)
        return no_memory(job);
    plugin__request__pack(job->request, question);
    rota_buffer_init(&packed, job->alloc, 0);
    err = messages(rota_slice(question, size), &packed, job->info);
    if (err == 0)
        err = unpack_response(job, rota_buffer_peek(&packed), ret_response);
    rota_buffer_fini(&packed);
    return err;
}

static rota_err add_messages(struct job *job, rota_generate_messages *messages)
{
    Plugin__Response *made = NULL, *all = &job->response;
    Plugin__Response__File **files;
    rota_err err = ask_for_messages(job, messages, &made);

    if (err < 0)
        return err;
    if (made->error[0] != '\0')
        return rota_errinfo_set(job->info, ROTA_EINVAL, "protoc-gen-c: %s", made->error);
    files = rota_arena_zero(&job->arena, all->n_file + made->n_file + 1, sizeof(*files));
    if (files == NULL)
        return no_memory(job);
    for (size_t i = 0; i < made->n_file; i++)
        files[i] = made->file[i];
    for (size_t i = 0; i < all->n_file; i++)
        files[made->n_file + i] = all->file[i];
    all->file = files;
    all->n_file += made->n_file;
    return 0;
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
    size_t count = job->request->n_file_to_generate;
    rota_err err = 0;

    job->response.file = rota_arena_zero(&job->arena, 2 * count + 1, sizeof(*job->response.file));
    if (job->response.file == NULL)
        return no_memory(job);
    for (size_t i = 0; err == 0 && i < count; i++) {
        struct rota_model model;

        err = rota_model_read(&job->arena, job->request, job->files, job->request->file_to_generate[i], &model, job->info);
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
    rota_err err = read_parameters(job, &with_messages);

    if (err == 0)
        err = add_stubs(job);
    if (err == 0 && with_messages)
        err = add_messages(job, messages);
    return err;
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
    void *message;
    rota_err err;

    rota_arena_init(&job.arena, alloc, 0);
    err = rota_codec_protobuf_c.unpack(&plugin__request__descriptor, request, &job.arena.as_alloc, &message, job.info);
    if (err == 0) {
        job.request = message;
        err = rota_files_read(&job.arena, job.request, request, &job.files, job.info);
    }
    if (err == 0)
        err = make_response(&job, messages);
    job.response.supported_features = FEATURE_PROTO3_OPTIONAL;
    if (err == ROTA_EINVAL) {
        job.response.n_file = 0;
        job.response.error = job.info->text;
        err = 0;
    }
    if (err == 0)
        err = write_response(&job, out);
    rota_arena_fini(&job.arena);
    return err;
}
