/* cmd_watch.c - `rota watch TARGET`: the changes of a service's servers as they happen. */
#include "command.h"
#include "foreign.h"
#include "found.h"
#include "picks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct app {
    struct rota_loop *loop;
    struct rota_watch *watch;
    const struct rota_endpoint **known;
    size_t n_known;
    bool json, listed;
};

/* Lists keep their order, so the search begins behind the one found last: thousands of servers cost what they cost. */
static const struct rota_endpoint *find(const struct rota_endpoint *const *list, size_t count, const struct rota_endpoint *endpoint, size_t *next)
{
    for (size_t n = 0; n < count; n++) {
        size_t i = (*next + n) % count;
        if (list[i] == endpoint || rota_endpoint_same(list[i], endpoint)) {
            *next = i + 1;
            return list[i];
        }
    }
    return NULL;
}

/* Goes behind all that is printed: there is no use in going on where it cannot be written. */
static void written(const struct app *app)
{
    if (!rota_output_flush())
        rota_loop_stop(app->loop);
}

static void stamp(char *out, size_t size)
{
    struct timespec now;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    n = strftime(out, size, "%H:%M:%S", &tm);
    snprintf(out + n, size - n, ".%03ld", now.tv_nsec / 1000000);
}

static void show_json(const char *event, json_t *object)
{
    char *text;

    json_object_set_new(object, "event", json_string(event));
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text != NULL)
        puts(text);
    free(text);
}

static void show(const struct app *app, const char *event, char sign, const struct rota_endpoint *endpoint)
{
    char time[16];

    if (app->json) {
        show_json(event, rota_found_json(endpoint));
        return;
    }
    stamp(time, sizeof(time));
    printf("%s %c ", time, sign);
    rota_found_print(endpoint);
    putchar('\n');
}

/* An entry that the registry no longer has, but that stays in use for the time being. */
static bool suspect(const struct rota_endpoint *endpoint)
{
    return rota_endpoint_attribute(endpoint, "etcd.suspect") != NULL;
}

/* What became of an endpoint that was there before (NULL: it was not). */
static void show_change(const struct app *app, const struct rota_endpoint *before, const struct rota_endpoint *now)
{
    bool was_there = before != NULL && !suspect(before);

    if (was_there && suspect(now))
        show(app, "removed", '-', now);
    else if (!was_there && !suspect(now))
        show(app, "added", '+', now);
    else if (was_there && !rota_endpoint_equal(before, now))
        show(app, "changed", '~', now);
}

static void show_list(struct app *app, size_t count, size_t suspects, const struct rota_resolver_source *source)
{
    char time[16];

    if (app->json) {
        show_json("list", json_pack("{s:i,s:i,s:I,s:b,s:I}", "servers", (int)count, "suspects", (int)suspects, "revision", (json_int_t)(source == NULL ? 0 : source->revision), "stale",
                                    source != NULL && source->stale, "skipped", (json_int_t)(source == NULL ? 0 : source->skipped)));
        return;
    }
    stamp(time, sizeof(time));
    printf("%s = %zu server%s", time, count, count == 1 ? "" : "s");
    if (suspects > 0)
        printf(", %zu suspect", suspects);
    if (source != NULL && source->revision > 0)
        printf(", revision %lld", (long long)source->revision);
    if (source != NULL && source->skipped > 0)
        printf(", %llu unreadable", (unsigned long long)source->skipped);
    printf("%s\n", source != NULL && source->stale ? ", last known" : "");
}

static void on_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    struct app *app = arg;
    const struct rota_endpoint **known = malloc((count + 1) * sizeof(struct rota_endpoint *));
    size_t next = 0, suspects = 0;

    if (known == NULL) {
        rota_fail("watch", "out of memory");
        exit(ROTA_EXIT_FAILED);
    }
    for (size_t i = 0; i < count; i++) {
        const struct rota_endpoint *before = find(app->known, app->n_known, endpoints[i], &next);
        known[i] = rota_endpoint_ref(endpoints[i]);
        suspects += suspect(endpoints[i]);
        show_change(app, before, endpoints[i]);
    }
    next = 0;
    for (size_t i = 0; i < app->n_known; i++) {
        if (find(endpoints, count, app->known[i], &next) == NULL && !suspect(app->known[i]))
            show(app, "removed", '-', app->known[i]);
        rota_endpoint_unref(app->known[i]);
    }
    free(app->known);
    app->known = known;
    app->n_known = count;
    show_list(app, count - suspects, suspects, source);
    written(app);
}

static void on_error(void *arg, const struct rota_status *why)
{
    struct app *app = arg;
    char time[16];

    if (app->json) {
        show_json("error", json_pack("{s:s,s:o}", "code", rota_code_name(why->code), "message", rota_foreign_json(why->message)));
    } else {
        stamp(time, sizeof(time));
        printf("%s ! ", time);
        rota_print_foreign(stdout, rota_slice_str(why->message));
        putchar('\n');
    }
    written(app);
}

static void on_service_config(void *arg, struct rota_slice json, const char *origin, const char *problem)
{
    const struct app *app = arg;
    json_t *object;
    char time[16];

    if (app->json) {
        object = json_pack("{}");
        if (origin != NULL)
            json_object_set_new(object, "origin", rota_foreign_json(origin));
        if (problem != NULL)
            json_object_set_new(object, "problem", rota_foreign_json(problem));
        else
            json_object_set_new(object, "config", json.size == 0 ? json_null() : json_loadb((const char *)json.data, json.size, 0, NULL));
        show_json("service_config", object);
    } else if (problem != NULL || json.size > 0) {
        stamp(time, sizeof(time));
        printf("%s %c service config%s", time, problem != NULL ? '!' : '*', origin != NULL ? " of " : "");
        rota_print_foreign(stdout, rota_slice_str(origin != NULL ? origin : ""));
        printf("%s: ", problem != NULL ? " makes no sense, clients keep what they have" : "");
        rota_print_foreign(stdout, problem != NULL ? rota_slice_str(problem) : json);
        putchar('\n');
    } else {
        stamp(time, sizeof(time));
        printf("%s * no service config\n", time);
    }
    written(app);
}

static void on_signal(void *arg, int signum)
{
    (void)signum;
    rota_loop_stop(arg);
}

static int follow(struct app *app, const char *target)
{
    static const struct rota_watch_events events = {.on_endpoints = on_endpoints, .on_error = on_error, .on_service_config = on_service_config};
    struct rota_errinfo info;

    if (rota_watch_open(app->loop, target, NULL, &events, app, &app->watch, &info) < 0)
        return rota_fail("watch", "%s", info.text);
    rota_loop_run(app->loop);
    rota_watch_close(app->watch, NULL, NULL);
    rota_loop_run(app->loop);
    for (size_t i = 0; i < app->n_known; i++)
        rota_endpoint_unref(app->known[i]);
    free(app->known);
    return ROTA_EXIT_OK;
}

/* What the command line says. */
struct asked {
    bool wants_picks;
    struct rota_picks picks;
    struct rota_connect connect;
};

static bool check_picks(const struct asked *asked, const char *every, const char *count, size_t n_words)
{
    const struct rota_picks *picks = &asked->picks;

    if (!asked->wants_picks && (n_words > 1 || every != NULL || count != NULL || picks->policy != NULL || picks->service_config != NULL)) {
        rota_fail("watch", "METHOD, --every, --count, --policy and --service-config go with --picks");
        return false;
    }
    if (!asked->wants_picks && rota_connect_given(&asked->connect)) {
        rota_fail("watch", "--tls, --ca and others that say how to connect go with --picks; by TLS to a registry: etcd://host:2379/orders?cacert=FILE");
        return false;
    }
    if (picks->policy != NULL && picks->service_config != NULL) {
        rota_fail("watch", "--policy or --service-config, not both");
        return false;
    }
    return true;
}

static bool read_words(struct asked *asked, int argc, char **argv)
{
    struct rota_picks *picks = &asked->picks;
    const char *words[2] = {NULL, NULL}, *every = NULL, *count = NULL;
    struct rota_flag flags[6 + ROTA_CONNECT_FLAGS] = {{"json", NULL, &picks->json}, {"picks", NULL, &asked->wants_picks}, {"policy", &picks->policy, NULL},
        {"service-config", &picks->service_config, NULL}, {"every", &every, NULL}, {"count", &count, NULL}};
    size_t n_words;

    rota_connect_flags(&asked->connect, flags + 6);
    if (!rota_flags_read(&rota_command_watch, argc, argv, flags, sizeof(flags) / sizeof(flags[0]), words, 2, &n_words))
        return false;
    if (n_words == 0) {
        rota_fail("watch", "no TARGET; for example etcd://127.0.0.1:2379/orders");
        return false;
    }
    picks->target = words[0];
    picks->method = words[1];
    return check_picks(asked, every, count, n_words) && rota_flag_number("every", every == NULL ? "1000" : every, 1, 3600000, &picks->every_ms) &&
           rota_flag_number("count", count == NULL ? "0" : count, 0, INT32_MAX, &picks->count) && rota_connect_check("watch", &asked->connect);
}

static int run(int argc, char **argv)
{
    struct rota_signal *on_term = NULL, *on_int = NULL;
    struct asked asked = {0};
    struct app app = {0};
    int code;

    if (!read_words(&asked, argc, argv))
        return ROTA_EXIT_USAGE;
    app.json = asked.picks.json;
    if (rota_loop_new(NULL, &app.loop) < 0)
        return rota_fail("watch", "no event loop");
    if (rota_signal_new(app.loop, SIGTERM, on_signal, app.loop, &on_term) < 0 || rota_signal_new(app.loop, SIGINT, on_signal, app.loop, &on_int) < 0)
        code = rota_fail("watch", "no signal handling");
    else
        code = asked.wants_picks ? rota_picks_show(&asked.picks, &asked.connect, app.loop) : follow(&app, asked.picks.target);
    rota_signal_free(on_term);
    rota_signal_free(on_int);
    rota_loop_free(app.loop);
    return code;
}

const struct rota_command rota_command_watch = {
    .verb = "watch",
    .summary = "show the servers of a target, and changes as they happen",
    .usage = "usage: rota watch TARGET [--json]\n"
             "       rota watch TARGET --picks [METHOD] [--policy NAME | --service-config JSON] [--every MS] [--count N] [--json] [--tls ...]\n\n"
             "Shows a line for each server added (+), changed (~) or removed (-), for each new list (=), for the service config found\n"
             "beside them (*) and for each failure of the registry (!), until SIGINT or SIGTERM. --json: an object a line. \"suspect\": the entry is gone, together with most of\n"
             "the others, and clients go on using the address for a while.\n\n"
             "With --picks it opens a channel as a client would, and shows what sample picks considered, how that was rated and who won (*).\n"
             "Each is a health check, so that policies learn how the servers are; with METHOD (package.Service/Method) only the pick is made.\n\n"
             "  --policy NAME          balance by this policy, say adaptive\n"
             "  --service-config JSON  balance by this service config\n"
             "  --every MS             between picks; default 1000\n"
             "  --count N              end after so many\n" ROTA_CONNECT_USAGE "\n"
             "TARGET: etcd://members/service, dns:///host:port, ipv4:address:port,...\n"
             "etcd is spoken to by TLS where TARGET says so: etcd://members/service?cacert=FILE; the flags are for the servers with --picks.\n"
             "Exit codes: 0 ended by a signal, 1 the target cannot be watched, 2 wrong command line.\n",
    .run = run,
};
