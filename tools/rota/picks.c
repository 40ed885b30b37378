/* picks.c - `rota watch TARGET --picks`: sample picks, with the reasons for them.
 *
 * What makes them is a health check each: the lightest call there is, and even one that the server answers with UNIMPLEMENTED tells policies how
 * long it takes. With a method only the pick is made, as for a call of it, since nobody knows what to send.
 */
#include "picks.h"

#include "foreign.h"

#include <grpc/health/v1/health.rota.h>
#include <jansson.h>
#include <math.h>
#include <rota/explain.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TEXT_BYTES 8192
#define CALL_MS 5000
#define CONFIG_BYTES 200

struct sampler {
    const struct rota_picks *picks;
    struct rota_loop *loop;
    struct rota_channel *channel;
    struct rota_timer *timer;
    char path[300];
    long long n_made;
};

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

static json_t *note_json(const struct rota_pick_note *note)
{
    json_t *object = json_pack("{s:s,s:i,s:b}", "policy", note->policy, "depth", note->depth, "won", note->won);

    if (note->endpoint[0] != '\0')
        json_object_set_new(object, "endpoint", rota_foreign_json(note->endpoint));
    if (isfinite(note->score))
        json_object_set_new(object, "score", json_real(note->score));
    if (note->text[0] != '\0')
        json_object_set_new(object, "note", rota_foreign_json(note->text));
    return object;
}

static void show_json(const struct rota_explained_pick *pick)
{
    json_t *notes = json_array(), *object;
    char *text;

    for (size_t i = 0; i < pick->n_notes; i++)
        json_array_append_new(notes, note_json(&pick->notes[i]));
    object = json_pack("{s:s,s:s,s:s,s:i,s:o,s:I}", "event", "pick", "verdict", rota_pick_verdict_name(pick->verdict), "method", pick->path, "attempt",
        (int)pick->attempt + 1, "notes", notes, "left_out", (json_int_t)pick->n_left_out);
    if (pick->address != NULL)
        json_object_set_new(object, "address", rota_foreign_json(pick->address));
    if (pick->why != NULL)
        json_object_set_new(object, "why", rota_foreign_json(pick->why->message));
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text != NULL)
        puts(text);
    free(text);
}

/* A line a note. */
static void print_lines(const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");

        rota_print_foreign(stdout, rota_slice(text, size));
        putchar('\n');
        text += size + (text[size] == '\n');
    }
}

static void show(void *arg, const struct rota_explained_pick *pick)
{
    const struct sampler *s = arg;
    char text[TEXT_BYTES], time[16];

    if (s->picks->json) {
        show_json(pick);
    } else {
        stamp(time, sizeof(time));
        rota_explained_pick_text(pick, text, sizeof(text));
        printf("%s ", time);
        print_lines(text);
    }
    if (!rota_output_flush())
        rota_loop_stop(s->loop);
}

static void again(struct sampler *s)
{
    s->n_made++;
    if (s->picks->count > 0 && s->n_made >= s->picks->count)
        rota_loop_stop(s->loop);
    else if (rota_timer_set(s->timer, rota_loop_now_ns(s->loop) + s->picks->every_ms * 1000000) < 0)
        rota_loop_stop(s->loop);
}

static void on_checked(void *arg, const struct rota_status *status, const Grpc__Health__V1__HealthCheckResponse *reply)
{
    (void)status, (void)reply; /* what became of the pick is in the next ones' scores */
    again(arg);
}

static void on_timer(void *arg)
{
    struct sampler *s = arg;
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;

    if (s->picks->method != NULL) {
        rota_channel_explain(s->channel, s->path, NULL, show, s);
        again(s);
        return;
    }
    options.timeout_ms = CALL_MS;
    options.explain = show;
    options.explain_arg = s;
    if (grpc_health_v1_health_check_start(s->channel, &options, &request, on_checked, s, NULL) < 0) {
        rota_fail("watch", "out of memory");
        rota_loop_stop(s->loop);
    }
}

/* The config of the flags; false: too long a name. */
static bool write_config(const struct rota_picks *picks, char *out, const char **ret_config)
{
    *ret_config = picks->service_config;
    if (picks->policy == NULL)
        return true;
    *ret_config = out;
    return snprintf(out, CONFIG_BYTES, "{\"loadBalancingConfig\":[{\"%s\":{}}]}", picks->policy) < CONFIG_BYTES;
}

int rota_picks_show(const struct rota_picks *picks, struct rota_connect *connect, struct rota_loop *loop)
{
    struct sampler s = {.picks = picks, .loop = loop};
    char config[CONFIG_BYTES];

    if (!write_config(picks, config, &connect->service_config))
        return rota_fail("watch", "--policy %.40s...: no policy has so long a name", picks->policy);
    if (picks->method != NULL)
        snprintf(s.path, sizeof(s.path), "%s%s", picks->method[0] == '/' ? "" : "/", picks->method);
    s.channel = rota_connect_open("watch", picks->target, connect, loop);
    if (s.channel == NULL)
        return ROTA_EXIT_FAILED;
    if (rota_timer_new(loop, on_timer, &s, &s.timer) < 0 || rota_timer_set(s.timer, rota_loop_now_ns(loop)) < 0)
        rota_fail("watch", "out of memory");
    else
        rota_loop_run(loop);
    rota_timer_clear(s.timer);
    rota_channel_free(s.channel);
    rota_timer_free(s.timer);
    return ROTA_EXIT_OK;
}
