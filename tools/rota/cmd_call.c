/* cmd_call.c - `rota call TARGET [NAME] [-d JSON]`: what a server serves, and calls of it, without generated code.
 *
 * What messages look like is asked of the server by reflection, or read from files that protoc has made of the .proto.
 */
#include "caller.h"
#include "connect.h"
#include "describe.h"
#include "reflect.h"

#include <stdlib.h>

#define MAX_REPEATED 1000 /* of one flag */
#define REFLECTION_MS 10000

struct app {
    const char *target, *name; /* name: as given; NULL: list */
    struct rota_loop *loop;
    struct rota_channel *channel;
    struct rota_pool pool;
    struct rota_reflect reflect;
    const char *data[MAX_REPEATED], *metadata[MAX_REPEATED], *sets[MAX_REPEATED];
    size_t n_data, n_metadata, n_sets;
    struct rota_call_options options;
    bool verbose;
};

static int fail(const struct app *app, const struct rota_status *why)
{
    fprintf(stderr, "rota call: %s: %s: ", app->target, rota_code_name(why->code));
    rota_print_foreign(stderr, rota_slice_str(why->message));
    fputs(rota_connect_hint(why), stderr);
    fputc('\n', stderr);
    return ROTA_EXIT_FAILED;
}

/* --- Descriptors --- */

static bool load_set(struct app *app, const char *path)
{
    struct rota_errinfo info = {""};
    struct rota_buffer bytes;
    FILE *file = fopen(path, "rb");
    uint8_t *room;
    size_t got = 1;
    rota_err err = file == NULL ? ROTA_EIO : 0;

    rota_buffer_init(&bytes, NULL, 0);
    while (err == 0 && got > 0) {
        room = rota_buffer_reserve(&bytes, 65536);
        got = room == NULL ? 0 : fread(room, 1, 65536, file);
        rota_buffer_commit(&bytes, got);
        err = room == NULL ? ROTA_ENOMEM : ferror(file) ? ROTA_EIO : 0;
    }
    if (file != NULL)
        fclose(file);
    if (err == 0)
        err = rota_pool_add_set(&app->pool, rota_buffer_peek(&bytes), &info);
    if (err == 0)
        err = rota_pool_link(&app->pool, &info);
    rota_buffer_fini(&bytes);
    if (err < 0)
        rota_fail("call", "%s: %s", path, info.text[0] != '\0' ? info.text : rota_err_text(err));
    return err == 0;
}

/* By the files given, or else by the server. */
static int learn(struct app *app, const char *name, struct rota_status *ret_why)
{
    if (app->n_sets == 0)
        return rota_reflect_learn(&app->reflect, name, ret_why);
    return 0;
}

/* --- Showing --- */

static int list_services(struct app *app)
{
    struct rota_status why;
    char **names = NULL;
    size_t n = 0;

    if (rota_reflect_list(&app->reflect, &names, &n, &why) < 0)
        return fail(app, &why);
    for (size_t i = 0; i < n; i++) {
        const struct rota_dyn_service *service = NULL;

        if (rota_reflect_learn(&app->reflect, names[i], &why) == 0)
            service = rota_pool_service(&app->pool, rota_slice_str(names[i]));
        else if (why.code != ROTA_NOT_FOUND)
            break;
        why.code = ROTA_OK;
        if (service != NULL) {
            rota_describe_service(service);
            continue;
        }
        fputs("service ", stdout);
        rota_print_foreign(stdout, rota_slice_str(names[i]));
        puts(" (the server does not tell its methods)");
    }
    free(names);
    if (n > 0 && why.code != ROTA_OK)
        return fail(app, &why);
    return n == 0 ? ROTA_EXIT_NOTHING : ROTA_EXIT_OK;
}

static int list_set(const struct app *app)
{
    struct rota_map_entry *at = NULL;

    while ((at = rota_map_next(&app->pool.services, at)) != NULL)
        rota_describe_service(at->value);
    return app->pool.services.count == 0 ? ROTA_EXIT_NOTHING : ROTA_EXIT_OK;
}

static int describe(struct app *app, const char *name)
{
    const struct rota_dyn_service *service;
    struct rota_status why;

    if (learn(app, name, &why) < 0)
        return fail(app, &why);
    service = rota_pool_service(&app->pool, rota_slice_str(name));
    if (service != NULL)
        rota_describe_service(service);
    else if (!rota_describe_type(&app->pool, name))
        return rota_fail("call", "%s is no service, message or enum; a method is called as SERVICE/METHOD", name);
    return ROTA_EXIT_OK;
}

/* --- Calling --- */

/* "key: value" or "key=value"; blanks around the value go. */
static bool add_metadata(struct rota_metadata *metadata, const char *text)
{
    size_t key = strcspn(text, ":="), end = strlen(text), start = key + 1;
    struct rota_errinfo info = {""};

    if (text[key] == '\0' || key == 0) {
        rota_fail("call", "--metadata %s: expected key:value", text);
        return false;
    }
    while (text[start] == ' ')
        start++;
    if (rota_metadata_add(metadata, rota_slice(text, key), rota_slice(text + start, end - start), &info) == 0)
        return true;
    rota_fail("call", "--metadata %s: %s", text, info.text);
    return false;
}

static int call_with(struct app *app, const char *service, const struct rota_dyn_method *method, const struct rota_requests *requests)
{
    struct rota_caller caller = {.loop = app->loop, .channel = app->channel, .pool = &app->pool, .service = service, .method = method,
                                 .requests = requests, .options = &app->options, .verbose = app->verbose};
    struct rota_metadata *metadata = NULL;
    int code = ROTA_EXIT_OK;

    if (rota_metadata_new(NULL, &metadata) < 0)
        return rota_fail("call", "out of memory");
    for (size_t i = 0; code == ROTA_EXIT_OK && i < app->n_metadata; i++)
        if (!add_metadata(metadata, app->metadata[i]))
            code = ROTA_EXIT_USAGE;
    app->options.metadata = metadata;
    if (code == ROTA_EXIT_OK)
        code = rota_caller_run(&caller);
    rota_metadata_free(metadata);
    return code;
}

static int call_method(struct app *app, const char *service, const struct rota_dyn_method *method)
{
    static const char *const nothing[] = {"{}"};
    bool given = app->n_data > 0 || method->client_streaming;
    struct rota_requests requests = {0};
    int code = ROTA_EXIT_USAGE;

    if (rota_requests_read(&requests, &app->pool, method->input, given ? app->data : nothing, given ? app->n_data : 1)) {
        if (method->client_streaming || requests.n == 1)
            code = call_with(app, service, method, &requests);
        else
            rota_fail("call", "%s takes one message, here are %zu", method->name, requests.n);
    }
    rota_requests_fini(&requests);
    return code;
}

static int call_named(struct app *app, char *service_name, const char *method_name)
{
    const struct rota_dyn_service *service;
    const struct rota_dyn_method *method;
    struct rota_status why;

    if (learn(app, service_name, &why) < 0)
        return fail(app, &why);
    service = rota_pool_service(&app->pool, rota_slice_str(service_name));
    if (service == NULL)
        return rota_fail("call", "%s is no service", service_name);
    method = rota_dyn_service_method(service, rota_slice_str(method_name));
    if (method == NULL)
        return rota_fail("call", "%s has no method %s", service_name, method_name);
    rota_reflect_close(&app->reflect);
    return call_method(app, service_name, method);
}

static int answer(struct app *app)
{
    char *name, *slash;
    int code;

    for (size_t i = 0; i < app->n_sets; i++)
        if (!load_set(app, app->sets[i]))
            return ROTA_EXIT_FAILED;
    if (app->name == NULL)
        return app->n_sets > 0 ? list_set(app) : list_services(app);
    name = strdup(app->name + (app->name[0] == '/'));
    if (name == NULL)
        return rota_fail("call", "out of memory");
    slash = strchr(name, '/');
    if (slash == NULL) {
        code = describe(app, name);
    } else {
        *slash = '\0';
        code = call_named(app, name, slash + 1);
    }
    free(name);
    return code;
}

static int run_on_loop(struct app *app, const struct rota_connect *connect)
{
    int code = ROTA_EXIT_FAILED;

    if (rota_loop_new(NULL, &app->loop) < 0)
        return rota_fail("call", "no event loop");
    rota_pool_init(&app->pool, NULL);
    app->channel = rota_connect_open("call", app->target, connect, app->loop);
    if (app->channel != NULL) {
        app->reflect = (struct rota_reflect){.channel = app->channel, .pool = &app->pool, .timeout_ms = REFLECTION_MS};
        code = answer(app);
        rota_reflect_close(&app->reflect);
    }
    rota_channel_free(app->channel);
    rota_pool_fini(&app->pool);
    rota_loop_free(app->loop);
    return code;
}

static int run(int argc, char **argv)
{
    static struct app app = {.options = ROTA_CALL_OPTIONS_INIT};
    struct rota_connect connect = {0};
    const char *words[2] = {NULL, NULL}, *timeout = "0";
    struct rota_flag flags[2 + ROTA_CONNECT_FLAGS] = {{"timeout", &timeout, NULL}, {"verbose", NULL, &app.verbose}};
    long long timeout_ms;
    size_t n_words;

    rota_connect_flags(&connect, flags + 2);
    if (!rota_flags_take_all(&rota_command_call, &argc, argv, "-d", app.data, MAX_REPEATED, &app.n_data) ||
        !rota_flags_take_all(&rota_command_call, &argc, argv, "--metadata", app.metadata, MAX_REPEATED, &app.n_metadata) ||
        !rota_flags_take_all(&rota_command_call, &argc, argv, "--descriptors", app.sets, MAX_REPEATED, &app.n_sets) ||
        !rota_flags_read(&rota_command_call, argc, argv, flags, sizeof(flags) / sizeof(flags[0]), words, 2, &n_words) ||
        !rota_flag_number("timeout", timeout, 0, 1000000000, &timeout_ms))
        return ROTA_EXIT_USAGE;
    if (n_words == 0) {
        rota_fail("call", "no TARGET; for example 127.0.0.1:8001");
        return ROTA_EXIT_USAGE;
    }
    app.target = words[0];
    app.name = words[1];
    app.options.timeout_ms = timeout_ms;
    return run_on_loop(&app, &connect);
}

const struct rota_command rota_command_call = {
    .verb = "call",
    .summary = "list what a server serves, or call it with JSON",
    .usage = "usage: rota call TARGET [SERVICE | TYPE | SERVICE/METHOD] [-d JSON] [--metadata KEY:VALUE] [--timeout MS] ...\n\n"
             "With TARGET alone: the server's services and their methods. With the full name of a service, message or enum: what it looks\n"
             "like. With SERVICE/METHOD: calls it and prints a line of JSON for each reply.\n\n"
             "  -d JSON             what to send, as protobuf's JSON mapping has it; \"@FILE\" and \"-\" (standard input) may hold several\n"
             "                      objects, one behind the other, for methods that take a stream; may be given again; default: {},\n"
             "                      or nothing for those methods\n"
             "  --metadata KEY:VALUE  sent with the call; may be given again\n"
             "  --timeout MS        the call's deadline; default: none\n"
             "  --verbose           the server's metadata, on standard error\n"
             "  --descriptors FILE  what protoc --descriptor_set_out --include_imports has made, for servers without reflection\n" ROTA_CONNECT_USAGE "\n"
             "TARGET: 127.0.0.1:8001, dns:///host:port, unix:/path, etcd://members/service,...\n"
             "Exit codes: 0 done, 1 failed or a status other than OK (\"CODE: message\" on standard error), 2 wrong command line or JSON,\n"
             "3 the server has no services.\n",
    .run = run,
};
