/* cmd_endpoints.c - `rota endpoints TARGET`: who is there now, with what is known of each, leases' remaining time included. */
#include "command.h"
#include "foreign.h"
#include "found.h"

#include "etcd/client.h"
#include "etcd/where.h"
#include "wire/target.h"
#include <etcd.rota.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct app {
    struct rota_loop *loop;
    struct rota_watch *watch;
    struct rota_timer *timer;
    int64_t deadline_ns; /* of all that is asked */
    const struct rota_endpoint **found;
    size_t n_found;
    long long *ttl_seconds; /* of each one's lease; -1: not known */
    int64_t revision;
    uint64_t skipped;
    char *config, *origin, *problem; /* the service config found beside them; NULL: none */
    bool listed;
    struct rota_status why; /* the last error */
};

static void on_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    struct app *app = arg;

    if (app->listed)
        return;
    app->found = calloc(count + 1, sizeof(struct rota_endpoint *));
    app->ttl_seconds = calloc(count + 1, sizeof(long long));
    if (app->found == NULL || app->ttl_seconds == NULL) {
        rota_fail("endpoints", "out of memory");
        exit(ROTA_EXIT_FAILED);
    }
    for (size_t i = 0; i < count; i++) {
        app->found[i] = rota_endpoint_ref(endpoints[i]);
        app->ttl_seconds[i] = -1;
    }
    app->n_found = count;
    app->listed = true;
    if (source != NULL) {
        app->revision = source->revision;
        app->skipped = source->skipped;
    }
    rota_loop_stop(app->loop);
}

static void on_error(void *arg, const struct rota_status *why)
{
    struct app *app = arg;

    app->why = *why;
}

static char *copy(const char *text, size_t size)
{
    return text == NULL ? NULL : strndup(text, size);
}

static void on_service_config(void *arg, struct rota_slice json, const char *origin, const char *problem)
{
    struct app *app = arg;

    if (app->listed)
        return;
    free(app->config);
    free(app->origin);
    free(app->problem);
    app->config = json.size == 0 ? NULL : copy((const char *)json.data, json.size);
    app->origin = origin == NULL ? NULL : copy(origin, strlen(origin));
    app->problem = problem == NULL ? NULL : copy(problem, strlen(problem));
}

static void on_timeout(void *arg)
{
    rota_loop_stop(((struct app *)arg)->loop);
}

/* --- Leases --- */

static struct rota_call_options call_options(const struct app *app, const struct rota_metadata *metadata)
{
    int64_t left_ms = (app->deadline_ns - rota_loop_now_ns(app->loop)) / 1000000;

    return (struct rota_call_options){.size = sizeof(struct rota_call_options), .timeout_ms = left_ms < 1 ? 1 : left_ms, .metadata = metadata};
}

/* The metadata of calls to an etcd that wants a login; NULL: none is wanted, or it was refused, which the calls will tell. */
static struct rota_metadata *log_in(const struct app *app, struct rota_channel *client, const struct rota_etcd_where *where)
{
    Etcdserverpb__AuthenticateRequest request = ETCDSERVERPB__AUTHENTICATE_REQUEST__INIT;
    Etcdserverpb__AuthenticateResponse *reply;
    struct rota_call_options options = call_options(app, NULL);
    struct rota_metadata *metadata = NULL;
    struct rota_status status;

    if (where->user == NULL)
        return NULL;
    request.name = where->user;
    request.password = where->password;
    status = etcdserverpb_auth_authenticate(client, &options, &request, &reply);
    if (!rota_status_ok(&status))
        return NULL;
    if (rota_metadata_new(NULL, &metadata) == 0 && rota_metadata_add_text(metadata, "token", reply->token) < 0) {
        rota_metadata_free(metadata);
        metadata = NULL;
    }
    etcdserverpb__authenticate_response__free_unpacked(reply, NULL);
    return metadata;
}

/* False: etcd did not answer, and would not about the next. */
static bool ask_ttl(const struct app *app, struct rota_channel *client, const struct rota_metadata *login, int64_t lease, long long *ret_ttl_seconds)
{
    Etcdserverpb__LeaseTimeToLiveRequest request = ETCDSERVERPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
    Etcdserverpb__LeaseTimeToLiveResponse *reply;
    struct rota_call_options options = call_options(app, login);
    struct rota_status status;

    request.id = lease;
    status = etcdserverpb_lease_lease_time_to_live(client, &options, &request, &reply);
    if (!rota_status_ok(&status))
        return status.code == ROTA_NOT_FOUND;
    *ret_ttl_seconds = reply->ttl;
    etcdserverpb__lease_time_to_live_response__free_unpacked(reply, NULL);
    return true;
}

/* Leases are asked for one by one, as many as there is time for: the list is short, or nobody reads it. */
static void ask_leases(struct app *app, const char *target)
{
    static const char *const known[] = {"etcd", NULL};
    struct rota_etcd_where where;
    struct rota_channel *client;
    struct rota_target *parsed;

    if (rota_target_parse(target, known, NULL, &parsed, NULL) < 0)
        return;
    if (strcmp(parsed->scheme, "etcd") == 0 && rota_etcd_where_read(parsed, NULL, &where, NULL) == 0) {
        if (rota_etcd_client_open(&where, app->loop, NULL, NULL, &client, NULL) == 0) {
            struct rota_metadata *login = log_in(app, client, &where);
            bool answers = true;
            for (size_t i = 0; i < app->n_found && answers; i++) {
                const char *lease = rota_found_lease(app->found[i]);
                if (lease != NULL)
                    answers = ask_ttl(app, client, login, (int64_t)strtoull(lease, NULL, 16), &app->ttl_seconds[i]);
            }
            rota_metadata_free(login);
            rota_channel_free(client);
        }
        rota_etcd_where_fini(&where);
    }
    rota_target_free(NULL, parsed);
}

/* --- Showing --- */

static void show_json(const struct app *app, const char *target)
{
    char shown[ROTA_TARGET_SHOW_SIZE];
    json_t *list = json_array(), *root;
    char *text;

    for (size_t i = 0; i < app->n_found; i++) {
        json_t *object = rota_found_json(app->found[i]);
        if (app->ttl_seconds[i] >= 0)
            json_object_set_new(object, "ttl", json_integer(app->ttl_seconds[i]));
        json_array_append_new(list, object);
    }
    root = json_pack("{s:s,s:I,s:I,s:o}", "target", rota_target_show(target, shown, sizeof(shown)), "revision", (json_int_t)app->revision, "skipped", (json_int_t)app->skipped, "endpoints", list);
    if (app->config != NULL)
        json_object_set_new(root, "service_config", json_loads(app->config, 0, NULL));
    if (app->problem != NULL)
        json_object_set_new(root, "service_config_problem", rota_foreign_json(app->problem));
    if (app->origin != NULL)
        json_object_set_new(root, "service_config_origin", rota_foreign_json(app->origin));
    text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text != NULL)
        puts(text);
    free(text);
}

/* A cell of the table, and the gap behind it. */
static void show_cell(const char *text, size_t width)
{
    rota_print_foreign_column(text == NULL || text[0] == '\0' ? "-" : text, width);
    fputs("  ", stdout);
}

static void show_config(const struct app *app)
{
    if (app->config == NULL && app->problem == NULL)
        return;
    printf("service config%s", app->origin != NULL ? " of " : "");
    rota_print_foreign(stdout, rota_slice_str(app->origin != NULL ? app->origin : ""));
    printf("%s: ", app->problem != NULL ? ", which makes no sense" : "");
    rota_print_foreign(stdout, rota_slice_str(app->problem != NULL ? app->problem : app->config));
    putchar('\n');
}

static void show_table(const struct app *app)
{
    size_t width = strlen("ADDRESS");

    for (size_t i = 0; i < app->n_found; i++)
        if (strlen(app->found[i]->addresses[0].text) > width)
            width = strlen(app->found[i]->addresses[0].text);
    printf("%-*s  %6s  %-10s  %-10s  %-16s  %5s  %s\n", (int)width, "ADDRESS", "WEIGHT", "ZONE", "VERSION", "LEASE", "TTL", "REVISION");
    for (size_t i = 0; i < app->n_found; i++) {
        const struct rota_endpoint *e = app->found[i];
        const char *revision = rota_endpoint_attribute(e, "etcd.mod_revision");
        char weight[16] = "-", ttl[24] = "-";
        if (e->weight != 0)
            snprintf(weight, sizeof(weight), "%u", e->weight);
        if (app->ttl_seconds[i] >= 0)
            snprintf(ttl, sizeof(ttl), "%llds", app->ttl_seconds[i]);
        show_cell(e->addresses[0].text, width);
        printf("%6s  ", weight);
        show_cell(e->zone, 10);
        show_cell(e->version, 10);
        show_cell(rota_found_lease(e), 16);
        printf("%5s  ", ttl);
        rota_print_foreign(stdout, rota_slice_str(revision != NULL ? revision : "-"));
        putchar('\n');
    }
    if (app->revision > 0)
        printf("%zu server%s at revision %lld\n", app->n_found, app->n_found == 1 ? "" : "s", (long long)app->revision);
    if (app->skipped > 0)
        printf(app->skipped == 1 ? "%llu entry is unreadable and was skipped\n" : "%llu entries are unreadable and were skipped\n",
               (unsigned long long)app->skipped);
    show_config(app);
}

static int find_out(struct app *app, const char *target, bool json, long long timeout_ms)
{
    static const struct rota_watch_events events = {.on_endpoints = on_endpoints, .on_error = on_error, .on_service_config = on_service_config};
    char shown[ROTA_TARGET_SHOW_SIZE];
    struct rota_errinfo info;

    app->deadline_ns = rota_loop_now_ns(app->loop) + timeout_ms * 1000000;
    if (rota_timer_new(app->loop, on_timeout, app, &app->timer) < 0 || rota_timer_set(app->timer, app->deadline_ns) < 0)
        return rota_fail("endpoints", "out of memory");
    if (rota_watch_open(app->loop, target, NULL, &events, app, &app->watch, &info) < 0)
        return rota_fail("endpoints", "%s", info.text);
    rota_loop_run(app->loop);
    rota_timer_clear(app->timer);
    rota_watch_close(app->watch, NULL, NULL);
    rota_loop_run(app->loop);
    if (!app->listed) {
        fprintf(stderr, "rota endpoints: %s: no answer within %lld ms%s", rota_target_show(target, shown, sizeof(shown)), timeout_ms,
                app->why.code == ROTA_OK ? "" : ": ");
        rota_print_foreign(stderr, rota_slice_str(app->why.message));
        fputc('\n', stderr);
        return ROTA_EXIT_FAILED;
    }
    ask_leases(app, target);
    if (json)
        show_json(app, target);
    else
        show_table(app);
    return app->n_found == 0 ? ROTA_EXIT_NOTHING : ROTA_EXIT_OK;
}

static int run(int argc, char **argv)
{
    const char *target = NULL, *timeout = "5000";
    bool json = false;
    const struct rota_flag flags[] = {{"json", NULL, &json}, {"timeout", &timeout, NULL}};
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct app app = {0};
    long long timeout_ms;
    size_t words;
    int code;

    if (!rota_flags_read(&rota_command_endpoints, argc, argv, flags, 2, &target, 1, &words) ||
        !rota_flag_number("timeout", timeout, 1, 3600000, &timeout_ms))
        return ROTA_EXIT_USAGE;
    if (words == 0) {
        rota_fail("endpoints", "no TARGET; for example etcd://127.0.0.1:2379/orders");
        return ROTA_EXIT_USAGE;
    }
    if (rota_loop_new(&options, &app.loop) < 0)
        return rota_fail("endpoints", "no event loop");
    code = find_out(&app, target, json, timeout_ms);
    rota_timer_free(app.timer);
    for (size_t i = 0; i < app.n_found; i++)
        rota_endpoint_unref(app.found[i]);
    free(app.found);
    free(app.ttl_seconds);
    free(app.config);
    free(app.origin);
    free(app.problem);
    rota_loop_free(app.loop);
    return code;
}

const struct rota_command rota_command_endpoints = {
    .verb = "endpoints",
    .summary = "list the servers of a target",
    .usage = "usage: rota endpoints TARGET [--json] [--timeout MS]\n\n"
             "Resolves the target once and lists its servers: address, weight, zone, version, lease and what is left of it, revision;\n"
             "and the service config found beside them.\n\n"
             "  --json        one JSON object\n"
             "  --timeout MS  how long to wait for answers, those about leases included; default 5000\n\n"
             "TARGET: etcd://members/service, dns:///host:port, ipv4:address:port,...\n"
             "Exit codes: 0 servers found, 1 no answer or an error, 2 wrong command line, 3 the service has no servers.\n",
    .run = run,
};
