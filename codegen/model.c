/* model.c - from protoc's descriptors to the model that the emitters write from.
 *
 * Decides every name of generated code (the rules for one name are names.c's). Two methods of a file may come to share a
 * name in C: Get and GetStart both own x_get_start, a method Add owns the x_add that adds its service to a server, and
 * Default and Default_ are both default_ in the table of handlers. Whoever comes later is then called x_rpc throughout; so
 * are services, as x_svc: HttpServer behind HTTPServer, or A_B behind a method BAdd of A. protoc has checked the
 * descriptors, but anything may stand on our stdin: a name that is no identifier, or a type that no file declares, is
 * refused here and never reaches C.
 */
#include "model.h"

#include "base/errinfo.h"
#include "base/map.h"
#include "names.h"
#include <stdarg.h>
#include <stdio.h>

/* Field numbers of FileDescriptorProto and ServiceDescriptorProto, of which a comment's place is made. */
#define FILE_SERVICE 6
#define SERVICE_METHOD 2

struct reader {
    struct rota_arena *arena;
    const Plugin__Request *request;
    const Plugin__File *file;
    struct rota_map taken; /* names of functions given away so far */
    struct rota_errinfo *info;
};

static rota_err no_memory(struct reader *r)
{
    return rota_errinfo_set(r->info, ROTA_ENOMEM, "out of memory");
}

ROTA_PRINTF(2, 3) static char *format(struct reader *r, const char *pattern, ...)
{
    va_list args, again;
    char *text;
    int size;

    va_start(args, pattern);
    va_copy(again, args);
    size = vsnprintf(NULL, 0, pattern, args);
    text = size < 0 ? NULL : rota_arena_get(r->arena, (size_t)size + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)size + 1, pattern, again);
    va_end(again);
    va_end(args);
    return text;
}

static rota_err check_name(struct reader *r, const char *what, const char *name)
{
    if (rota_name_is_dotted(name))
        return 0;
    return rota_errinfo_set(r->info, ROTA_EPARSE, "%s: \"%s\" is no name of a %s", r->file->name, name, what);
}

/* The path goes into a comment and an #include. */
static bool is_plain_path(const char *path)
{
    for (const char *c = path; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == '"' || *c == '\\')
            return false;
    return *path != '\0' && strstr(path, "*/") == NULL && strstr(path, "/*") == NULL;
}

/* The full name with the package that protobuf-c uses for C in place of the file's own. `local` begins with a dot. */
static rota_err name_in_c(struct reader *r, const Plugin__File *file, const char *local, const char **ret_name)
{
    const Plugin__CFileOptions *options = file->options == NULL ? NULL : file->options->pb_c_file;
    bool overridden = options != NULL && options->naming_case == PLUGIN__CFILE_OPTIONS__NAMING_C_PACKAGE;
    const char *package = overridden ? options->c_package : file->package;
    rota_err err = package[0] == '\0' ? 0 : check_name(r, "package", package);

    if (err < 0)
        return err;
    *ret_name = format(r, "%s%s", package, local);
    return *ret_name == NULL ? no_memory(r) : 0;
}

/* The part of a type's full name behind the file's package, from its dot on; NULL: not of this package. */
static const char *behind_package(const Plugin__File *file, const char *full_name)
{
    size_t size = strlen(file->package);

    if (size == 0)
        return full_name;
    if (full_name[0] != '.' || strncmp(full_name + 1, file->package, size) != 0 || full_name[1 + size] != '.')
        return NULL;
    return full_name + 1 + size;
}

/* Whether one of the messages, or one nested in them, is called `local` (".Outer.Inner"). */
static bool declares(Plugin__Message *const *messages, size_t count, const char *local)
{
    size_t size = strcspn(local + 1, ".");

    for (size_t i = 0; i < count; i++) {
        if (strlen(messages[i]->name) != size || strncmp(messages[i]->name, local + 1, size) != 0)
            continue;
        if (local[1 + size] == '\0')
            return true;
        return declares(messages[i]->nested_type, messages[i]->n_nested_type, local + 1 + size);
    }
    return false;
}

static rota_err read_message(struct reader *r, const char *full_name, struct rota_model_message *ret_message)
{
    rota_err err = check_name(r, "message", full_name);

    if (err < 0)
        return err;
    for (size_t i = 0; i < r->request->n_proto_file; i++) {
        const Plugin__File *file = r->request->proto_file[i];
        const char *local = behind_package(file, full_name), *name;

        if (local == NULL || local[0] != '.' || !declares(file->message_type, file->n_message_type, local))
            continue;
        err = name_in_c(r, file, local, &name);
        if (err < 0)
            return err;
        ret_message->type = rota_name_type(r->arena, name);
        name = rota_name_lower(r->arena, name);
        ret_message->descriptor = name == NULL ? NULL : format(r, "%s__descriptor", name);
        return ret_message->type == NULL || ret_message->descriptor == NULL ? no_memory(r) : 0;
    }
    return rota_errinfo_set(r->info, ROTA_EPARSE, "%s: no file of the request declares the message %s", r->file->name, full_name);
}

static struct rota_slice find_comment(const struct reader *r, const int32_t *place, size_t n_place)
{
    const Plugin__SourceInfo *source = r->file->source_code_info;

    for (size_t i = 0; source != NULL && i < source->n_location; i++) {
        const Plugin__SourceInfo__Location *at = source->location[i];
        if (at->n_path == n_place && memcmp(at->path, place, n_place * sizeof(*place)) == 0)
            return rota_slice(at->leading_comments.data, at->leading_comments.len);
    }
    return rota_slice(NULL, 0);
}

/* What a method's prefix is followed by in the functions it owns. */
static const char *const *owned_endings(const struct rota_model_method *method)
{
    static const char *const unary[] = {"", "_method", "_done", "_start", "_reply", NULL};
    static const char *const client[] = {"_method", "_open", "_send", "_finish", "_start", "_write", "_reply", NULL};
    static const char *const server[] = {"_method", "_open", "_recv", "_start", "_send_reply", NULL};
    static const char *const both[] = {"_method", "_open", "_send", "_recv", "_start", "_write", "_send_reply", NULL};

    if (method->client_streaming)
        return method->server_streaming ? both : client;
    return method->server_streaming ? server : unary;
}

static rota_err take_name(struct reader *r, const char *prefix, const char *ending)
{
    char *name = format(r, "%s%s", prefix, ending);

    if (name == NULL || rota_map_set(&r->taken, rota_slice_str(name), r) < 0)
        return no_memory(r);
    return 0;
}

/* ROTA_EEXIST: one of the names is taken. */
static rota_err look_for_names(struct reader *r, const char *prefix, const char *const *endings)
{
    for (; *endings != NULL; endings++) {
        char *name = format(r, "%s%s", prefix, *endings);
        if (name == NULL)
            return no_memory(r);
        if (rota_map_get(&r->taken, rota_slice_str(name)) != NULL)
            return ROTA_EEXIST;
    }
    return 0;
}

/* In `taken` members stand behind their table's name and a dot, which no function has. ROTA_EEXIST as above. */
static rota_err try_method_names(struct reader *r, const struct rota_model_service *service, const char *local, struct rota_model_method *method)
{
    static const char *const whole[] = {"", NULL};
    const char *member;
    rota_err err;

    method->prefix = format(r, "%s_%s", service->prefix, local);
    method->member = rota_name_is_reserved(local) ? format(r, "%s_", local) : local;
    if (method->prefix == NULL || method->member == NULL)
        return no_memory(r);
    member = format(r, "%s.%s", service->prefix, method->member);
    err = member == NULL ? no_memory(r) : look_for_names(r, member, whole);
    if (err == 0)
        err = look_for_names(r, method->prefix, owned_endings(method));
    return err < 0 ? err : take_name(r, member, "");
}

static rota_err name_method(struct reader *r, const struct rota_model_service *service, struct rota_model_method *method)
{
    const char *const *endings = owned_endings(method);
    const char *local = rota_name_snake(r->arena, method->name);
    rota_err err = local == NULL ? no_memory(r) : ROTA_EEXIST;

    while (err == ROTA_EEXIST) {
        err = try_method_names(r, service, local, method);
        if (err == ROTA_EEXIST && (local = format(r, "%s_rpc", local)) == NULL)
            return no_memory(r);
    }
    for (; err == 0 && *endings != NULL; endings++)
        err = take_name(r, method->prefix, *endings);
    return err;
}

static rota_err read_method(struct reader *r, const Plugin__Method *from, const struct rota_model_service *service,
                            struct rota_model_method *method)
{
    rota_err err = check_name(r, "method", from->name);

    method->name = from->name;
    method->client_streaming = from->client_streaming;
    method->server_streaming = from->server_streaming;
    method->path = format(r, "/%s/%s", service->name, from->name);
    if (method->path == NULL)
        return no_memory(r);
    if (err == 0)
        err = read_message(r, from->input_type, &method->request);
    if (err == 0)
        err = read_message(r, from->output_type, &method->reply);
    if (err == 0)
        err = name_method(r, service, method);
    return err;
}

/* Package rota's service Server would have a rota_server_add of its own. */
static rota_err check_prefix(struct reader *r, const char *service, const char *prefix)
{
    if (strncmp(prefix, "rota", 4) != 0 || (prefix[4] != '\0' && prefix[4] != '_'))
        return 0;
    return rota_errinfo_set(r->info, ROTA_EINVAL,
                            "%s: the functions of service %s would begin with %s, as the library's own do; the option (pb_c_file).c_package names them otherwise",
                            r->file->name, service, prefix);
}

static rota_err name_service(struct reader *r, const Plugin__Service *from, struct rota_model_service *service)
{
    static const char *const endings[] = {"_service", "_add", NULL};
    const char *package = r->file->package;
    const char *local = format(r, ".%s", from->name), *in_c = NULL;
    rota_err err = local == NULL ? no_memory(r) : name_in_c(r, r->file, local, &in_c);

    if (err < 0)
        return err;
    service->name = format(r, "%s%s%s", package, package[0] == '\0' ? "" : ".", from->name);
    service->prefix = rota_name_snake(r->arena, in_c);
    if (service->name == NULL || service->prefix == NULL)
        return no_memory(r);
    if ((err = check_prefix(r, from->name, service->prefix)) < 0)
        return err;
    while ((err = look_for_names(r, service->prefix, endings)) == ROTA_EEXIST)
        if ((service->prefix = format(r, "%s_svc", service->prefix)) == NULL)
            return no_memory(r);
    for (size_t i = 0; err == 0 && endings[i] != NULL; i++)
        err = take_name(r, service->prefix, endings[i]);
    return err;
}

static rota_err read_service(struct reader *r, size_t index, struct rota_model_service *service)
{
    const Plugin__Service *from = r->file->service[index];
    int32_t place[] = {FILE_SERVICE, (int32_t)index, SERVICE_METHOD, 0};
    rota_err err = check_name(r, "service", from->name);

    if (err == 0)
        err = name_service(r, from, service);
    if (err < 0)
        return err;
    service->comment = find_comment(r, place, 2);
    service->n_methods = from->n_method;
    service->methods = rota_arena_zero(r->arena, from->n_method + 1, sizeof(*service->methods));
    if (service->methods == NULL)
        return no_memory(r);
    for (size_t i = 0; i < from->n_method; i++) {
        place[3] = (int32_t)i;
        service->methods[i].comment = find_comment(r, place, 4);
        err = read_method(r, from->method[i], service, &service->methods[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

static rota_err read_head(struct reader *r, struct rota_model *model)
{
    const Plugin__File *file = r->file;
    const Plugin__CFileOptions *options = file->options == NULL ? NULL : file->options->pb_c_file;
    const char *ending = strrchr(file->name, '.');
    bool known = ending != NULL && (strcmp(ending, ".proto") == 0 || strcmp(ending, ".protodevel") == 0);

    if (!is_plain_path(file->name))
        return rota_errinfo_set(r->info, ROTA_EPARSE, "\"%s\" is no path that generated code could include", file->name);
    if (file->package[0] != '\0' && check_name(r, "package", file->package) < 0)
        return ROTA_EPARSE;
    model->path = file->name;
    model->stem = rota_arena_text(r->arena, rota_slice(file->name, known ? (size_t)(ending - file->name) : strlen(file->name)));
    model->name = rota_name_file(r->arena, file->name);
    model->skipped = options != NULL && options->no_generate;
    model->n_services = file->n_service;
    model->services = rota_arena_zero(r->arena, file->n_service + 1, sizeof(*model->services));
    return model->stem == NULL || model->name == NULL || model->services == NULL ? no_memory(r) : 0;
}

/* Those that the file of that index needs. */
static rota_err choose_files(struct reader *r, const struct rota_model_file *files, size_t index, struct rota_model *model)
{
    bool *needed = rota_arena_zero(r->arena, index + 1, sizeof(*needed));

    model->files = rota_arena_zero(r->arena, index + 1, sizeof(*model->files));
    if (needed == NULL || model->files == NULL)
        return no_memory(r);
    rota_files_mark(files, index, needed);
    for (size_t i = 0; i <= index; i++)
        if (needed[i])
            model->files[model->n_files++] = &files[i];
    return 0;
}

static size_t find_file(const Plugin__Request *request, const char *path)
{
    size_t i = 0;

    while (i < request->n_proto_file && strcmp(request->proto_file[i]->name, path) != 0)
        i++;
    return i;
}

rota_err rota_model_read(struct rota_arena *arena, const Plugin__Request *request, const struct rota_model_file *files, const char *path,
                         struct rota_model *ret_model, struct rota_errinfo *info)
{
    struct reader r = {.arena = arena, .request = request, .info = info};
    size_t index = find_file(request, path);
    struct rota_model model = {0};
    rota_err err;

    if (index < request->n_proto_file)
        r.file = request->proto_file[index];
    if (r.file == NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: to be generated, but not in the request", path);
    /* The names are the user's own, so the seed may be known. */
    rota_map_init(&r.taken, arena->alloc, 1);
    err = read_head(&r, &model);
    if (err == 0)
        err = choose_files(&r, files, index, &model);
    for (size_t i = 0; err == 0 && i < model.n_services; i++)
        err = read_service(&r, i, &model.services[i]);
    rota_map_fini(&r.taken);
    if (err == 0)
        *ret_model = model;
    return err;
}
