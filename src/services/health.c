/* health.c - grpc.health.v1: what the program says of its services, told to those who ask and those who watch.
 *
 * Vocabulary: a subject is a name somebody has spoken of, the program (then it is known) or a watch. A watch that is behind has
 * not been told the subject's present status, because what it was told last has not left yet: it waits, holding nothing, and a
 * timer looks after it. So a reader that does not read costs one message, however often the status changes.
 * Invariants: a subject that is not known has a watch; told is what was handed to the stream last.
 * Source: doc/health-checking.md in grpc/grpc.
 */
#include <rota/health.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/options.h"
#include "server/server.h"
#include <grpc/health/v1/health.rota.h>

#define MAX_NAME_BYTES 200
#define DEFAULT_MAX_WATCHES 10000
#define LOOK_AGAIN_NS INT64_C(20000000)
#define NOTHING_TOLD (-1)

struct subject {
    struct rota_link watches; /* struct watch */
    enum rota_health_status status;
    bool known;
    char name[];
};

struct watch {
    struct rota_link in_health;  /* health->watches */
    struct rota_link in_subject; /* subject->watches */
    struct rota_link behind;     /* health->behind, or itself */
    struct rota_health *health;
    struct subject *subject;
    struct rota_server_call *call;
    int told;
};

struct rota_health {
    struct rota_server_companion companion;
    struct rota_server *server;
    struct rota_map subjects; /* name to struct subject */
    struct rota_link watches; /* all of them */
    struct rota_link behind;
    struct rota_host_timer look_again;
    uint32_t n_watches, max_watches;
    bool shut;
};

/* --- Subjects --- */

static struct subject *find_subject(const struct rota_health *health, const char *name)
{
    return rota_map_get(&health->subjects, rota_slice_str(name));
}

/* NULL: no memory. */
static struct subject *get_subject(struct rota_health *health, const char *name)
{
    struct subject *subject = find_subject(health, name);
    size_t size = strlen(name) + 1;

    if (subject != NULL)
        return subject;
    subject = rota_alloc_zero(health->server->alloc, 1, sizeof(*subject) + size);
    if (subject == NULL)
        return NULL;
    memcpy(subject->name, name, size);
    rota_list_init(&subject->watches);
    if (rota_map_set(&health->subjects, rota_slice_str(subject->name), subject) == 0)
        return subject;
    rota_alloc_free(health->server->alloc, subject);
    return NULL;
}

static void drop_subject_if_idle(struct rota_health *health, struct subject *subject)
{
    if (subject->known || !rota_list_empty(&subject->watches))
        return;
    rota_map_remove(&health->subjects, rota_slice_str(subject->name));
    rota_alloc_free(health->server->alloc, subject);
}

/* --- Watches --- */

static void free_watch(struct watch *watch)
{
    struct rota_health *health = watch->health;

    rota_list_remove(&watch->in_health);
    rota_list_remove(&watch->in_subject);
    rota_list_remove(&watch->behind);
    health->n_watches--;
    drop_subject_if_idle(health, watch->subject);
    rota_alloc_free(health->server->alloc, watch);
}

static void end_watch(struct watch *watch, enum rota_code code, const char *why)
{
    struct rota_server_call *call = watch->call;

    free_watch(watch);
    rota_server_call_fail(call, code, "%s", why);
}

static int status_of(const struct subject *subject)
{
    return subject->known ? (int)subject->status : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
}

static rota_err send_status(struct watch *watch)
{
    Grpc__Health__V1__HealthCheckResponse reply = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    int status = status_of(watch->subject);
    rota_err err;

    if (watch->told == status)
        return 0;
    reply.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)status;
    err = grpc_health_v1_health_watch_send_reply(watch->call, &reply);
    if (err == 0)
        watch->told = status;
    return err;
}

static void fall_behind(struct watch *watch)
{
    struct rota_health *health = watch->health;
    struct rota_host *host = health->server->parts.host;

    if (!rota_host_timer_is_set(&health->look_again) && rota_host_timer_set(host, &health->look_again, host->now_ns + LOOK_AGAIN_NS) < 0) {
        end_watch(watch, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
        return;
    }
    rota_list_remove(&watch->behind);
    rota_list_append(&health->behind, &watch->behind);
}

/* May free the watch. */
static void tell(struct watch *watch)
{
    rota_err err;

    if (rota_server_call_queued(watch->call) > 0) {
        fall_behind(watch);
        return;
    }
    err = send_status(watch);
    /* What is too large now is so later. A client that is gone is told of by the cancelling that follows. */
    if (err == ROTA_ELIMIT)
        end_watch(watch, ROTA_RESOURCE_EXHAUSTED, "reply not sent: its header fields are larger than the client takes, or it is larger than max_reply_bytes");
    else if (err < 0 && err != ROTA_ECLOSED)
        fall_behind(watch);
}

static void on_look_again(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_health *health = ROTA_CONTAINER(timer, struct rota_health, look_again);
    struct rota_link late, *link;

    (void)now_ns;
    rota_list_init(&late);
    rota_list_take(&late, &health->behind);
    while ((link = rota_list_pop(&late)) != NULL)
        tell(ROTA_CONTAINER(link, struct watch, behind));
}

static void tell_all(struct subject *subject)
{
    struct rota_link *next;

    for (struct rota_link *link = subject->watches.next; link != &subject->watches; link = next) {
        next = link->next;
        tell(ROTA_CONTAINER(link, struct watch, in_subject));
    }
}

/* NULL: no memory. */
static struct watch *make_watch(struct rota_health *health, struct rota_server_call *call, const char *name)
{
    struct watch *watch = rota_alloc_zero(health->server->alloc, 1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    watch->subject = get_subject(health, name);
    if (watch->subject == NULL) {
        rota_alloc_free(health->server->alloc, watch);
        return NULL;
    }
    watch->health = health;
    watch->call = call;
    watch->told = NOTHING_TOLD;
    rota_list_init(&watch->behind);
    rota_list_append(&health->watches, &watch->in_health);
    rota_list_append(&watch->subject->watches, &watch->in_subject);
    health->n_watches++;
    return watch;
}

/* --- The methods --- */

static void on_check(struct rota_server_call *call, const Grpc__Health__V1__HealthCheckRequest *request, void *user)
{
    Grpc__Health__V1__HealthCheckResponse reply = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    const struct subject *subject = find_subject(user, request->service);

    if (subject == NULL || !subject->known) {
        rota_server_call_fail(call, ROTA_NOT_FOUND, "unknown service");
        return;
    }
    reply.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)subject->status;
    grpc_health_v1_health_check_reply(call, &reply);
}

static void on_watch(struct rota_server_call *call, const Grpc__Health__V1__HealthCheckRequest *request, void *user)
{
    struct rota_health *health = user;
    struct watch *watch;

    if (strlen(request->service) > MAX_NAME_BYTES) {
        rota_server_call_fail(call, ROTA_INVALID_ARGUMENT, "a name of %zu bytes, longer than any service's", strlen(request->service));
        return;
    }
    if (health->n_watches >= health->max_watches) {
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "%u watches are open, which is the limit", health->n_watches);
        return;
    }
    if (health->server->draining) {
        rota_server_call_fail(call, ROTA_UNAVAILABLE, "the server is draining");
        return;
    }
    watch = make_watch(health, call, request->service);
    if (watch == NULL) {
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
        return;
    }
    rota_server_call_set_data(call, watch);
    tell(watch);
}

static void on_watch_cancelled(struct rota_server_call *call, void *user)
{
    (void)user;
    free_watch(rota_server_call_data(call));
    rota_server_call_finish(call, NULL);
}

static void fill_list(const struct rota_health *health, Grpc__Health__V1__HealthListResponse *reply,
                      Grpc__Health__V1__HealthListResponse__StatusesEntry *entries, Grpc__Health__V1__HealthCheckResponse *values)
{
    struct rota_map_entry *at = NULL;

    while ((at = rota_map_next(&health->subjects, at)) != NULL) {
        struct subject *subject = at->value;
        size_t i = reply->n_statuses;

        if (!subject->known)
            continue;
        grpc__health__v1__health_check_response__init(&values[i]);
        values[i].status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)subject->status;
        grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
        entries[i].key = subject->name;
        entries[i].value = &values[i];
        reply->statuses[reply->n_statuses++] = &entries[i];
    }
}

static void on_list(struct rota_server_call *call, const Grpc__Health__V1__HealthListRequest *request, void *user)
{
    Grpc__Health__V1__HealthListResponse reply = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    const struct rota_health *health = user;
    const struct rota_alloc *alloc = health->server->alloc;
    size_t count = health->subjects.count;
    Grpc__Health__V1__HealthListResponse__StatusesEntry *entries = rota_alloc_zero(alloc, count, sizeof(*entries));
    Grpc__Health__V1__HealthCheckResponse *values = rota_alloc_zero(alloc, count, sizeof(*values));

    (void)request;
    reply.statuses = rota_alloc_zero(alloc, count, sizeof(struct Grpc__Health__V1__HealthListResponse__StatusesEntry *));
    if (entries == NULL || values == NULL || reply.statuses == NULL) {
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
    } else {
        fill_list(health, &reply, entries, values);
        grpc_health_v1_health_list_reply(call, &reply);
    }
    rota_alloc_free(alloc, reply.statuses);
    rota_alloc_free(alloc, values);
    rota_alloc_free(alloc, entries);
}

/* --- The server's side --- */

static void on_drain(struct rota_server_companion *companion)
{
    struct rota_health *health = ROTA_CONTAINER(companion, struct rota_health, companion);

    rota_health_shutdown(health);
    while (!rota_list_empty(&health->watches)) {
        struct watch *watch = ROTA_CONTAINER(health->watches.next, struct watch, in_health);

        /* Also behind what has not left yet: there will be no other time. */
        (void)send_status(watch);
        end_watch(watch, ROTA_UNAVAILABLE, "the server is draining");
    }
}

static void free_health(struct rota_server_companion *companion)
{
    struct rota_health *health = ROTA_CONTAINER(companion, struct rota_health, companion);
    struct rota_map_entry *at = NULL;

    rota_host_timer_clear(health->server->parts.host, &health->look_again);
    while ((at = rota_map_next(&health->subjects, at)) != NULL)
        rota_alloc_free(health->server->alloc, at->value);
    rota_map_fini(&health->subjects);
    rota_alloc_free(health->server->alloc, health);
}

static rota_err read_options(struct rota_health *health, const struct rota_health_options *options)
{
    struct rota_health_options all = ROTA_HEALTH_OPTIONS_INIT;
    rota_err err = rota_options_take(&all, sizeof(all), options, "ROTA_HEALTH_OPTIONS_INIT", NULL);

    if (err == 0)
        health->max_watches = all.max_watches == 0 ? DEFAULT_MAX_WATCHES : all.max_watches;
    return err;
}

rota_err rota_health_add(struct rota_server *server, const struct rota_health_options *options, struct rota_health **ret_health)
{
    static const struct grpc_health_v1_health_handlers handlers = {
        .check = on_check,
        .watch = {.request = on_watch, .cancel = on_watch_cancelled},
        .list = on_list,
    };
    struct rota_health *health = rota_alloc_zero(server->alloc, 1, sizeof(*health));
    rota_err err;

    if (health == NULL)
        return ROTA_ENOMEM;
    health->companion = (struct rota_server_companion){.on_drain = on_drain, .free = free_health};
    health->server = server;
    health->look_again.fire = on_look_again;
    rota_list_init(&health->watches);
    rota_list_init(&health->behind);
    rota_map_init(&health->subjects, server->alloc, rota_rng_next(&server->parts.host->rng));
    err = read_options(health, options);
    if (err == 0)
        err = rota_health_set(health, "", ROTA_HEALTH_SERVING);
    if (err == 0)
        err = grpc_health_v1_health_add(server, &handlers, health);
    if (err < 0) {
        free_health(&health->companion);
        return err;
    }
    rota_server_keep(server, &health->companion);
    if (ret_health != NULL)
        *ret_health = health;
    return 0;
}

rota_err rota_health_set(struct rota_health *health, const char *service, enum rota_health_status status)
{
    struct subject *subject;

    if (strlen(service) > MAX_NAME_BYTES)
        return ROTA_EINVAL;
    subject = get_subject(health, service);
    if (subject == NULL)
        return ROTA_ENOMEM;
    rota_host_enter(health->server->parts.host);
    subject->known = true;
    subject->status = health->shut ? ROTA_HEALTH_NOT_SERVING : status;
    tell_all(subject);
    return 0;
}

void rota_health_shutdown(struct rota_health *health)
{
    struct rota_map_entry *at = NULL;

    rota_host_enter(health->server->parts.host);
    health->shut = true;
    while ((at = rota_map_next(&health->subjects, at)) != NULL) {
        struct subject *subject = at->value;

        if (!subject->known)
            continue;
        subject->status = ROTA_HEALTH_NOT_SERVING;
        tell_all(subject);
    }
}
