/* lookup.c - see lookup.h. */
#include "lookup.h"

#include "base/buffer.h"
#include "foreign.h"
#include "pairs.h"
#include "wire/target.h"
#include <errno.h>
#include <string.h>

#define QUESTION_MS 10000 /* to reflection */
#define IMPORTS_MS 60000  /* all the questions about the imports of one file */

int rota_lookup_fail(const struct rota_lookup *lookup, const struct rota_status *why)
{
    char shown[ROTA_TARGET_SHOW_SIZE];

    fprintf(stderr, "rota %s: %s: %s: ", lookup->verb, rota_target_show(lookup->target, shown, sizeof(shown)), rota_code_name(why->code));
    rota_print_foreign(stderr, rota_slice_str(why->message));
    fputs(rota_connect_hint(why), stderr);
    if (why->code == ROTA_UNIMPLEMENTED)
        fputs("; of a server without reflection the services must be given (--descriptors FILE)", stderr);
    fputc('\n', stderr);
    return ROTA_EXIT_FAILED;
}

static bool load_set(struct rota_lookup *lookup, const char *path)
{
    struct rota_errinfo info = {""};
    struct rota_buffer bytes;
    FILE *file = fopen(path, "rb");
    uint8_t *room;
    size_t got = 1;
    rota_err err = 0;

    if (file == NULL) {
        rota_fail(lookup->verb, "%s: %s", path, strerror(errno));
        return false;
    }
    rota_buffer_init(&bytes, NULL, 0);
    while (err == 0 && got > 0) {
        room = rota_buffer_reserve(&bytes, 65536);
        got = room == NULL ? 0 : fread(room, 1, 65536, file);
        rota_buffer_commit(&bytes, got);
        err = room == NULL ? ROTA_ENOMEM : ferror(file) ? ROTA_EIO : 0;
    }
    fclose(file);
    if (err == 0)
        err = rota_pool_add_set(&lookup->pool, rota_buffer_peek(&bytes), &info);
    if (err == 0)
        err = rota_pool_link(&lookup->pool, &info);
    rota_buffer_fini(&bytes);
    if (err < 0)
        rota_fail(lookup->verb, "%s: %s", path, info.text[0] != '\0' ? info.text : rota_err_text(err));
    return err == 0;
}

bool rota_lookup_load(struct rota_lookup *lookup)
{
    for (size_t i = 0; i < lookup->n_sets; i++)
        if (!load_set(lookup, lookup->sets[i]))
            return false;
    return true;
}

int rota_lookup_learn(struct rota_lookup *lookup, const char *name, struct rota_status *ret_why)
{
    return lookup->n_sets > 0 ? 0 : rota_reflect_learn(&lookup->reflect, name, ret_why);
}

const struct rota_dyn_method *rota_lookup_method(struct rota_lookup *lookup, const char *service, const char *method)
{
    const struct rota_dyn_service *found;
    const struct rota_dyn_method *what;
    struct rota_status why;

    if (rota_lookup_learn(lookup, service, &why) < 0) {
        rota_lookup_fail(lookup, &why);
        return NULL;
    }
    found = rota_pool_service(&lookup->pool, rota_slice_str(service));
    what = found == NULL ? NULL : rota_dyn_service_method(found, rota_slice_str(method));
    if (found == NULL)
        rota_fail(lookup->verb, "%s is no service", service);
    else if (what == NULL)
        rota_fail(lookup->verb, "%s has no method %s", service, method);
    else
        rota_reflect_close(&lookup->reflect);
    return what;
}

bool rota_lookup_requests(const struct rota_lookup *lookup, const struct rota_dyn_method *method, const char *const *data, size_t n_data, bool none,
                          struct rota_requests *ret_requests)
{
    static const char *const nothing[] = {"{}"};

    *ret_requests = (struct rota_requests){.verb = lookup->verb, .unknown = lookup->unknown};
    if (!rota_requests_read(ret_requests, &lookup->pool, method->input, data, n_data))
        return false;
    if (ret_requests->n == 0 && !(none && method->client_streaming) && !rota_requests_read(ret_requests, &lookup->pool, method->input, nothing, 1))
        return false;
    if (method->client_streaming || ret_requests->n == 1)
        return true;
    rota_fail(lookup->verb, "%s takes one message, here are %zu", method->name, ret_requests->n);
    return false;
}

static int64_t at_most(const struct rota_lookup *lookup, int64_t ms)
{
    return lookup->timeout_ms > 0 && lookup->timeout_ms < ms ? lookup->timeout_ms : ms;
}

static int run_with(struct rota_lookup *lookup, const struct rota_connect *connect, const struct rota_metadata *metadata, int (*answer)(void *arg),
                    void *arg)
{
    struct rota_channel *channel;
    int code = ROTA_EXIT_FAILED;

    if (rota_loop_new(NULL, &lookup->loop) < 0)
        return rota_fail(lookup->verb, "no event loop");
    rota_pool_init(&lookup->pool, NULL);
    channel = rota_connect_open(lookup->verb, lookup->target, connect, lookup->loop);
    if (channel != NULL) {
        lookup->reflect = (struct rota_reflect){.channel = channel, .pool = &lookup->pool, .loop = lookup->loop, .metadata = metadata,
                                                .timeout_ms = at_most(lookup, QUESTION_MS), .imports_ms = at_most(lookup, IMPORTS_MS)};
        code = answer(arg);
        rota_reflect_close(&lookup->reflect);
    }
    rota_channel_free(channel);
    rota_pool_fini(&lookup->pool);
    rota_loop_free(lookup->loop);
    return code;
}

int rota_lookup_run(struct rota_lookup *lookup, const struct rota_connect *connect, int (*answer)(void *arg), void *arg)
{
    struct rota_metadata *metadata = rota_pairs_read(lookup->verb, lookup->metadata, lookup->n_metadata);
    int code = metadata == NULL ? ROTA_EXIT_USAGE : run_with(lookup, connect, metadata, answer, arg);

    rota_metadata_free(metadata);
    return code;
}
