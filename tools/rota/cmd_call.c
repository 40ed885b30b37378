/* cmd_call.c - `rota call TARGET [NAME] [-d JSON]`: what a server serves, and calls of it, without generated code.
 *
 * What messages look like is asked of the server by reflection, or read from files that protoc has made of the .proto.
 */
#include "caller.h"
#include "connect.h"
#include "describe.h"
#include "foreign.h"
#include "lookup.h"

#include <stdlib.h>

#define MAX_REPEATED 1000 /* of one flag */

struct app {
    const char *target, *name; /* name: as given; NULL: list */
    struct rota_lookup lookup;
    const char *data[MAX_REPEATED], *metadata[MAX_REPEATED], *sets[MAX_REPEATED];
    size_t n_data, n_metadata, n_sets;
    struct rota_call_options options;
    bool verbose, allow_unknown;
};

/* --- Showing --- */

/* NULL with *ret_why. *ret_answered: what the server sent is what is wrong. */
static const struct rota_dyn_service *learn_service(struct app *app, const char *name, bool *ret_answered, struct rota_status *ret_why)
{
    struct rota_reflect *reflect = &app->lookup.reflect;
    const struct rota_dyn_service *service;

    ret_why->code = ROTA_OK;
    if (rota_reflect_learn(reflect, name, ret_why) < 0) {
        *ret_answered = ret_why->code == ROTA_INTERNAL && !reflect->lost;
        return NULL;
    }
    service = rota_pool_service(&app->lookup.pool, rota_slice_str(name));
    *ret_answered = true;
    if (service == NULL)
        rota_status_set(ret_why, ROTA_NOT_FOUND, "another file than was asked for");
    return service;
}

/* False: the server cannot be asked any longer. One whose methods cannot be told is shown with the reason; *ret_why. */
static bool list_service(struct app *app, const char *name, struct rota_status *ret_why)
{
    struct rota_reflect *reflect = &app->lookup.reflect;
    bool alone = app->lookup.pool.files.count == 0, answered;
    const struct rota_dyn_service *service = learn_service(app, name, &answered, ret_why);

    /* Services may have files that make sense each, but not together. */
    if (service == NULL && answered && !alone) {
        rota_reflect_forget(reflect);
        service = learn_service(app, name, &answered, ret_why);
    }
    if (service != NULL) {
        rota_describe_service(service);
        return true;
    }
    rota_reflect_forget(reflect);
    if (reflect->lost && (ret_why->code == ROTA_UNAVAILABLE || ret_why->code == ROTA_DEADLINE_EXCEEDED))
        return false;
    fputs("service ", stdout);
    rota_print_foreign(stdout, rota_slice_str(name));
    if (ret_why->code == ROTA_NOT_FOUND) {
        puts(" (the server does not tell its methods)");
        return true;
    }
    printf(" (its methods cannot be told: %s: ", rota_code_name(ret_why->code));
    rota_print_foreign(stdout, rota_slice_str(ret_why->message));
    puts(")");
    return true;
}

static int list_services(struct app *app)
{
    struct rota_status why;
    char **names = NULL;
    size_t n = 0;
    bool failed = false, gone = false;

    if (rota_reflect_list(&app->lookup.reflect, &names, &n, &why) < 0)
        return rota_lookup_fail(&app->lookup, &why);
    for (size_t i = 0; i < n && !gone; i++) {
        gone = !list_service(app, names[i], &why);
        failed |= why.code != ROTA_OK && why.code != ROTA_NOT_FOUND;
    }
    free(names);
    if (gone)
        return rota_lookup_fail(&app->lookup, &why);
    return n == 0 ? ROTA_EXIT_NOTHING : failed ? ROTA_EXIT_FAILED : ROTA_EXIT_OK;
}

static int list_set(const struct app *app)
{
    struct rota_map_entry *at = NULL;

    while ((at = rota_map_next(&app->lookup.pool.services, at)) != NULL)
        rota_describe_service(at->value);
    return app->lookup.pool.services.count == 0 ? ROTA_EXIT_NOTHING : ROTA_EXIT_OK;
}

static int describe(struct app *app, const char *name)
{
    const struct rota_dyn_service *service;
    struct rota_status why;

    if (rota_lookup_learn(&app->lookup, name, &why) < 0)
        return rota_lookup_fail(&app->lookup, &why);
    service = rota_pool_service(&app->lookup.pool, rota_slice_str(name));
    if (service != NULL)
        rota_describe_service(service);
    else if (!rota_describe_type(&app->lookup.pool, name))
        return rota_fail("call", "%s is no service, message or enum; a method is called as SERVICE/METHOD", name);
    return ROTA_EXIT_OK;
}

/* --- Calling --- */

static int call_with(struct app *app, const char *service, const struct rota_dyn_method *method, const struct rota_requests *requests)
{
    struct rota_caller caller = {.loop = app->lookup.loop, .channel = app->lookup.reflect.channel, .pool = &app->lookup.pool, .service = service,
                                 .method = method, .requests = requests, .options = &app->options, .verbose = app->verbose};

    app->options.metadata = app->lookup.reflect.metadata;
    return rota_caller_run(&caller);
}

static int call_method(struct app *app, const char *service, const struct rota_dyn_method *method)
{
    struct rota_requests requests;
    int code = ROTA_EXIT_USAGE;

    if (rota_lookup_requests(&app->lookup, method, app->data, app->n_data, true, &requests))
        code = call_with(app, service, method, &requests);
    rota_requests_fini(&requests);
    return code;
}

static int answer(void *arg)
{
    struct app *app = arg;
    char *name, *slash;
    int code;

    if (!rota_lookup_load(&app->lookup))
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
        const struct rota_dyn_method *method;

        *slash = '\0';
        method = rota_lookup_method(&app->lookup, name, slash + 1);
        code = method == NULL ? ROTA_EXIT_FAILED : call_method(app, name, method);
    }
    free(name);
    return code;
}

static bool check_words(const struct app *app, size_t n_words)
{
    bool calls = app->name != NULL && strchr(app->name + (app->name[0] == '/'), '/') != NULL;

    if (n_words == 0)
        rota_fail("call", "no TARGET; for example 127.0.0.1:8001");
    else if (!calls && (app->n_data > 0 || app->verbose || app->allow_unknown))
        rota_fail("call", "-d, --verbose and --allow-unknown-fields go with SERVICE/METHOD; nothing is called without it");
    else
        return true;
    return false;
}

static int run(int argc, char **argv)
{
    static struct app app = {.options = ROTA_CALL_OPTIONS_INIT};
    struct rota_connect connect = {0};
    const char *words[2] = {NULL, NULL}, *timeout = "0";
    struct rota_flag flags[3 + ROTA_CONNECT_FLAGS] = {
        {"timeout", &timeout, NULL}, {"verbose", NULL, &app.verbose}, {"allow-unknown-fields", NULL, &app.allow_unknown}};
    long long timeout_ms;
    size_t n_words;

    rota_connect_flags(&connect, flags + 3);
    if (!rota_flags_take_all(&rota_command_call, &argc, argv, "-d", app.data, MAX_REPEATED, &app.n_data) ||
        !rota_flags_take_all(&rota_command_call, &argc, argv, "--metadata", app.metadata, MAX_REPEATED, &app.n_metadata) ||
        !rota_flags_take_all(&rota_command_call, &argc, argv, "--descriptors", app.sets, MAX_REPEATED, &app.n_sets) ||
        !rota_flags_read(&rota_command_call, argc, argv, flags, sizeof(flags) / sizeof(flags[0]), words, 2, &n_words) ||
        !rota_flag_number("timeout", timeout, 0, 1000000000, &timeout_ms) || !rota_connect_check("call", &connect))
        return ROTA_EXIT_USAGE;
    app.target = words[0];
    app.name = words[1];
    if (!check_words(&app, n_words))
        return ROTA_EXIT_USAGE;
    app.options.timeout_ms = timeout_ms;
    app.lookup = (struct rota_lookup){.verb = "call", .target = app.target, .sets = app.sets, .n_sets = app.n_sets, .metadata = app.metadata, .n_metadata = app.n_metadata,
                                      .timeout_ms = timeout_ms, .unknown = app.allow_unknown ? ROTA_DYN_IGNORE : ROTA_DYN_REFUSE};
    return rota_lookup_run(&app.lookup, &connect, answer, &app);
}

const struct rota_command rota_command_call = {
    .verb = "call",
    .summary = "list what a server serves, or call it with JSON",
    .usage = "usage: rota call TARGET [SERVICE | TYPE | SERVICE/METHOD] [-d JSON] [--metadata KEY:VALUE] [--timeout MS] ...\n\n"
             "With TARGET alone: the server's services and their methods. With the full name of a service, message or enum: what it looks\n"
             "like. With SERVICE/METHOD: calls it and prints a line of JSON for each reply.\n\n"
             "  -d JSON             what to send, as protobuf's JSON mapping has it; \"@FILE\" and \"-\" or \"@\" (standard input) may hold\n"
             "                      several objects, one behind the other, for methods that take a stream; may be given again; default:\n"
             "                      {}, or nothing for those methods\n"
             "  --allow-unknown-fields  passes over members of the JSON, and values of enums, that the types do not have\n"
             "  --metadata KEY:VALUE  sent with the call, and with the questions about its type; of a KEY that ends in -bin the VALUE is\n"
             "                      base64; may be given again\n"
             "  --timeout MS        the call's deadline, default: none; also what each question about its type may take, default: 10000\n"
             "  --verbose           the server's metadata, on standard error; base64 where the key ends in -bin\n"
             "  --descriptors FILE  what protoc --descriptor_set_out --include_imports has made, for servers without reflection; may be\n"
             "                      given again\n" ROTA_CONNECT_USAGE "\n"
             "TARGET: 127.0.0.1:8001, dns:///host:port, unix:/path, etcd://members/service,...\n"
             "Exit codes: 0 done, 1 failed or a status other than OK (\"CODE: message\" on standard error) or a listed service whose\n"
             "methods cannot be told, 2 wrong command line or JSON, 3 the server has no services.\n",
    .run = run,
};
