/* files.c - see files.h. protoc lists a file after all that it imports, which is what keeps these walks free of recursion. */
#include "files.h"

#include "base/errinfo.h"
#include "base/pb.h"
#include "names.h"

/* Field numbers of CodeGeneratorRequest and FileDescriptorProto. */
#define REQUEST_FILE 15
#define REQUEST_SOURCE 17
#define FILE_SOURCE_CODE_INFO 9

static rota_err no_memory(struct rota_errinfo *info)
{
    return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
}

/* Comments are most of a descriptor and nobody asks for them at run time. */
static rota_err copy_without_comments(struct rota_arena *arena, struct rota_slice file, struct rota_slice *ret_copy)
{
    uint8_t *copy = rota_arena_get(arena, file.size);
    size_t size = 0;

    if (copy == NULL)
        return ROTA_ENOMEM;
    while (file.size > 0) {
        const uint8_t *from = file.data;
        struct rota_pb field;

        if (!rota_pb_take(&file, &field))
            return ROTA_EPARSE;
        if (field.number == FILE_SOURCE_CODE_INFO)
            continue;
        memcpy(copy + size, from, (size_t)(file.data - from));
        size += (size_t)(file.data - from);
    }
    *ret_copy = rota_slice(copy, size);
    return 0;
}

static rota_err read_imports(struct rota_arena *arena, const Plugin__File *from, struct rota_model_file *files, size_t index,
                             struct rota_errinfo *info)
{
    struct rota_model_file *file = &files[index];

    file->imports = rota_arena_zero(arena, from->n_dependency + 1, sizeof(*file->imports));
    if (file->imports == NULL)
        return no_memory(info);
    for (size_t i = 0; i < from->n_dependency; i++) {
        size_t k = 0;

        while (k < index && strcmp(files[k].path, from->dependency[i]) != 0)
            k++;
        if (k == index)
            return rota_errinfo_set(info, ROTA_EPARSE, "%s: imports %s, which the request does not have before it", file->path, from->dependency[i]);
        file->imports[file->n_imports++] = &files[k];
    }
    return 0;
}

/* Newer releases of protoc leave options that are for the source alone (their retention) out of the files to generate, but not out of
 * what these import, and give the former a second time, whole. Taking that, a file is the same wherever it is embedded. */
static rota_err take_sources(struct rota_arena *arena, const Plugin__Request *request, struct rota_slice bytes, struct rota_model_file *files,
                             size_t n_files)
{
    rota_err err = 0;

    for (size_t i = 0; err == 0 && bytes.size > 0 && i < request->n_source_file_descriptors;) {
        struct rota_pb field;
        size_t k = 0;

        if (!rota_pb_take(&bytes, &field))
            return ROTA_EPARSE;
        if (field.number != REQUEST_SOURCE || field.wire != ROTA_PB_BYTES)
            continue;
        while (k < n_files && strcmp(files[k].path, request->source_file_descriptors[i]->name) != 0)
            k++;
        if (k < n_files)
            err = copy_without_comments(arena, field.bytes, &files[k].descriptor);
        i++;
    }
    return err;
}

rota_err rota_files_read(struct rota_arena *arena, const Plugin__Request *request, struct rota_slice bytes, struct rota_model_file **ret_files,
                         struct rota_errinfo *info)
{
    struct rota_model_file *files = rota_arena_zero(arena, request->n_proto_file + 1, sizeof(*files));
    struct rota_slice all = bytes;
    size_t n = 0;
    rota_err err = files == NULL ? no_memory(info) : 0;

    while (err == 0 && bytes.size > 0 && n < request->n_proto_file) {
        struct rota_pb field;

        if (!rota_pb_take(&bytes, &field))
            return rota_errinfo_set(info, ROTA_EPARSE, "the request is cut off");
        if (field.number != REQUEST_FILE || field.wire != ROTA_PB_BYTES)
            continue;
        files[n].path = request->proto_file[n]->name;
        files[n].name = rota_name_file(arena, files[n].path);
        err = files[n].name == NULL ? ROTA_ENOMEM : copy_without_comments(arena, field.bytes, &files[n].descriptor);
        if (err < 0)
            return rota_errinfo_set(info, err, "%s: %s", files[n].path, rota_err_text(err));
        err = read_imports(arena, request->proto_file[n], files, n, info);
        n++;
    }
    if (err < 0)
        return err;
    err = take_sources(arena, request, all, files, n);
    if (err < 0)
        return rota_errinfo_set(info, err, "the files as their sources have them: %s", rota_err_text(err));
    *ret_files = files;
    return 0;
}

void rota_files_mark(const struct rota_model_file *files, size_t index, bool *which)
{
    which[index] = true;
    for (size_t i = index + 1; i-- > 0;)
        for (size_t k = 0; which[i] && k < files[i].n_imports; k++)
            which[files[i].imports[k] - files] = true;
}
