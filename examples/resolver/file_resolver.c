/* file_resolver.c - see file_resolver.h; docs/writing-a-resolver.md goes through it.
 *
 * The file is read at start and again each LOOK_NS; lines are "host:port" or "host:port weight", '#' begins a comment. A file that cannot be
 * read to its end, or has more than MAX_SERVERS, is an error and leaves the last list in use; a line that is no address is skipped.
 */
#include "file_resolver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_NS ((int64_t)1000000000)
#define MAX_SERVERS 1000

struct file_state {
    char path[4096];
    struct rota_loop *loop;
    struct rota_resolver_sink *sink;
    struct rota_timer *timer;
};

static rota_err check(const struct rota_target *target, struct rota_errinfo *info)
{
    if (strncmp(target->text, "file:///", 8) == 0 && target->path[0] != '\0' && strlen(target->path) < 4000 && target->n_params == 0)
        return 0;
    snprintf(info->text, sizeof(info->text), "%s: expected file:///path", target->text);
    return ROTA_EINVAL;
}

/* One line into one endpoint. 1: there is one, 0: nothing there, ROTA_ENOMEM. */
static int read_line(char *line, const struct rota_alloc *alloc, const struct rota_endpoint **ret_endpoint)
{
    char host[256], text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;
    struct rota_endpoint endpoint = {.addresses = &address, .n_addresses = 1};
    unsigned weight = 0;
    rota_err err;

    line[strcspn(line, "#\n")] = '\0';
    if (sscanf(line, "%255s %u", host, &weight) < 1 || rota_address_parse(rota_slice_str(host), text, &address, NULL) < 0)
        return 0;
    endpoint.weight = weight;
    err = rota_endpoint_new(alloc, &endpoint, ret_endpoint);
    return err < 0 ? err : 1;
}

static void complain(struct file_state *f, const char *what)
{
    struct rota_status why;

    rota_status_set(&why, ROTA_UNAVAILABLE, "%s: %s", f->path, what);
    rota_resolver_sink_error(f->sink, &why);
}

/* All of it or nothing: a list cut short would take servers out of use that are well. */
static void publish(struct file_state *f, FILE *file)
{
    const struct rota_endpoint *servers[MAX_SERVERS + 1]; /* one more tells that there are too many */
    char line[512];
    size_t n = 0;
    int got = 0;

    while (got >= 0 && n <= MAX_SERVERS && fgets(line, sizeof(line), file) != NULL) {
        got = read_line(line, rota_resolver_sink_alloc(f->sink), &servers[n]);
        n += got > 0;
    }
    if (ferror(file)) /* of a directory, for one, which opens like a file */
        complain(f, strerror(errno));
    else if (got < 0)
        complain(f, rota_err_text(got));
    else if (n > MAX_SERVERS)
        complain(f, "more than 1000 servers");
    else
        rota_resolver_sink_endpoints(f->sink, servers, n, NULL);
    while (n > 0)
        rota_endpoint_unref(servers[--n]);
}

static void look(void *arg)
{
    struct file_state *f = arg;
    FILE *file = fopen(f->path, "r");
    struct rota_status why;

    if (file != NULL) {
        publish(f, file);
        fclose(file);
    } else {
        complain(f, strerror(errno));
    }
    if (rota_timer_set(f->timer, rota_loop_now_ns(f->loop) + LOOK_NS) < 0) {
        rota_status_set(&why, ROTA_RESOURCE_EXHAUSTED, "%s: no memory to look again", f->path);
        rota_resolver_sink_error(f->sink, &why);
    }
}

static rota_err start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    struct file_state *f = state;
    rota_err err;

    *f = (struct file_state){.loop = loop, .sink = sink};
    snprintf(f->path, sizeof(f->path), "/%s", target->path); /* a target's path comes without the slash after the authority */
    err = rota_timer_new(loop, look, f, &f->timer);
    if (err == 0)
        err = rota_timer_set(f->timer, rota_loop_now_ns(loop));
    if (err < 0)
        rota_timer_free(f->timer);
    return err;
}

static void refresh(void *state)
{
    struct file_state *f = state;

    if (rota_timer_set(f->timer, rota_loop_now_ns(f->loop)) < 0)
        return; /* no memory: the list is as good as it was */
}

static void stop(void *state)
{
    rota_timer_free(((struct file_state *)state)->timer);
}

const struct rota_resolver_class file_resolver = {
    .scheme = "file", .state_size = sizeof(struct file_state), .check = check, .start = start, .refresh = refresh, .stop = stop};
