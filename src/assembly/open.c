/* open.c - rota_channel_open, close and free: a channel joined to a loop (its own, on a thread, when none is given) and to sockets.
 *
 * What belongs to the channel but is not its own (dialer, joined class lists, the loop) is one struct, reached from the dialer in the
 * channel's parts. Closing from another thread is handed to the loop's, and on a channel's own loop waits until other threads have finished
 * their blocking calls: those still need the loop.
 */
#include "assembly/builtin.h"
#include "assembly/handoff.h"
#include "assembly/link.h"
#include "assembly/open.h"
#include "assembly/proxied.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/errinfo.h"
#include "base/log.h"
#include "base/options.h"
#include "base/plaintext.h"
#include "channel/channel.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "wire/target.h"
#include <stdlib.h>

/* How the channel is being closed. */
struct closing {
    struct rota_handoff *handoff; /* somebody waits; else on_closed is called */
    bool *done;
    void (*on_closed)(void *arg);
    void *arg;
};

#define MAX_WINDOW_DEFAULT (16u << 20)

struct rota_attachments {
    struct rota_net_dialer dialer;
    struct rota_channel *channel;
    struct closing closing;
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_loop *loop;
    struct rota_loop_post shut_post; /* closing, handed over to the loop's thread */
    bool owns_loop;
    uint32_t n_held; /* blocking calls not finished; only of a channel that owns its loop, which must outlive them */
    bool shut;       /* the channel is gone, `n_held` is waited for */
    const void **policies, **resolvers;
};

static struct rota_attachments *attachments_of(const struct rota_channel *channel)
{
    struct rota_dialer *dialer = rota_channel_parts(channel)->dialer;

    return ROTA_CONTAINER(ROTA_CONTAINER(dialer, struct rota_net_dialer, dialer), struct rota_attachments, dialer);
}

/* On the loop's thread, except for the loop itself, which its own thread cannot free. */
static void detach(struct rota_attachments *a)
{
    rota_net_dialer_fini(&a->dialer);
    rota_alloc_free(a->alloc, a->policies);
    rota_alloc_free(a->alloc, a->resolvers);
    rota_alloc_free(a->alloc, a);
}

/* The environment's proxy, and the resolver that leaves names to it before all others. */
static rota_err use_proxy(struct rota_attachments *a, const char *target, const struct rota_log *log)
{
    static const void *const first[] = {&rota_resolver_proxied, NULL};
    const void **joined;
    rota_err err = rota_proxied_choose(target, (const struct rota_resolver_class *const *)(const void *)a->resolvers, a->alloc, log, &a->dialer.proxy);

    if (err < 0 || a->dialer.proxy == NULL)
        return err;
    joined = rota_builtin_join(a->alloc, first, a->resolvers);
    if (joined == NULL)
        return ROTA_ENOMEM;
    rota_alloc_free(a->alloc, a->resolvers);
    a->resolvers = joined;
    return 0;
}

static rota_err attach(const char *target, const struct rota_channel_options *options, struct rota_loop *loop, bool owns_loop, struct rota_attachments **ret_attachments,
                       struct rota_errinfo *info)
{
    const struct rota_log *log = options->log != NULL ? options->log : rota_loop_host(loop)->log;
    const struct rota_alloc *alloc = options->alloc != NULL ? options->alloc : rota_loop_host(loop)->alloc;
    struct rota_attachments *a = rota_alloc_zero(alloc, 1, sizeof(*a));
    rota_err err = 0;

    if (a == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    a->alloc = alloc;
    a->log = log;
    a->loop = loop;
    a->owns_loop = owns_loop;
    a->policies = rota_builtin_join(alloc, (const void *const *)options->policies, (const void *const *)rota_builtin_policies);
    a->resolvers = rota_builtin_join(alloc, (const void *const *)options->resolvers, (const void *const *)rota_builtin_resolvers);
    if (a->policies == NULL || a->resolvers == NULL || rota_net_dialer_init(&a->dialer, loop, alloc, log) < 0)
        err = rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    else if (options->tls != NULL)
        err = rota_tls_config_new(options->tls, false, alloc, log, &a->dialer.tls, info);
    if (err == 0 && !options->no_proxy && use_proxy(a, target, log) < 0)
        err = rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    if (err < 0) {
        detach(a);
        return err;
    }
    a->dialer.max_window_bytes = options->max_window_bytes == 0          ? MAX_WINDOW_DEFAULT
                                 : options->max_window_bytes < UINT32_MAX ? (uint32_t)options->max_window_bytes
                                                                          : UINT32_MAX;
    *ret_attachments = a;
    return 0;
}

struct opening {
    const char *target;
    struct rota_channel_options options;
    struct rota_loop *loop;
    bool owns_loop, plaintext;
    struct rota_channel *channel;
    struct rota_errinfo *info;
    rota_err err;
};

static void open_on_loop(void *arg)
{
    struct opening *o = arg;
    struct rota_channel_parts parts = {.loop = o->loop, .host = rota_loop_host(o->loop)};
    struct rota_attachments *a = NULL;
    char shown[ROTA_TARGET_SHOW_SIZE];
    struct rota_errinfo why;

    rota_host_enter(parts.host);
    o->err = attach(o->target, &o->options, o->loop, o->owns_loop, &a, &why);
    if (o->err < 0) {
        rota_errinfo_set(o->info, o->err, "%s: %s", rota_target_show(o->target, shown, sizeof(shown)), why.text);
        return;
    }
    a->dialer.insecure = o->plaintext;
    parts.dialer = &a->dialer.dialer;
    parts.policies = (const struct rota_lb_class *const *)(const void *)a->policies;
    parts.resolvers = (const struct rota_resolver_class *const *)(const void *)a->resolvers;
    o->err = rota_channel_make(o->target, &o->options, &parts, &o->channel, o->info);
    if (o->err < 0) {
        detach(a);
        return;
    }
    a->channel = o->channel;
    rota_loop_hold(o->loop);
}

rota_err rota_channel_open(const char *target, const struct rota_channel_options *options, struct rota_channel **ret_channel,
                           struct rota_errinfo *info)
{
    struct opening o = {.target = target, .options = ROTA_CHANNEL_OPTIONS_INIT, .info = info};
    struct rota_handoff handoff;
    rota_err err;

    if (target == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "no target given");
    err = rota_options_take(&o.options, sizeof(o.options), options, "ROTA_CHANNEL_OPTIONS_INIT", info);
    if (err < 0)
        return err;
    o.options.size = sizeof(o.options);
    if (o.options.zone == NULL)
        o.options.zone = secure_getenv("ROTA_ZONE");
    err = rota_plaintext_asked(o.options.tls, &o.plaintext, info);
    if (err < 0)
        return err;
    if (o.plaintext)
        o.options.tls = NULL;
    o.loop = o.options.loop;
    if (o.loop != NULL && rota_loop_is_inherited(o.loop))
        return rota_errinfo_set(info, ROTA_ESTATE, "options.loop is another process's: after fork() make one of your own");
    if (o.loop == NULL) {
        struct rota_loop_options loop_options = {.size = sizeof(loop_options), .alloc = o.options.alloc, .log = o.options.log};
        err = rota_loop_thread_new(&loop_options, &o.loop);
        if (err < 0)
            return rota_errinfo_set(info, err, "no loop: %s", rota_err_text(err));
        o.owns_loop = true;
    }
    rota_handoff_init(&handoff, o.loop);
    rota_handoff_run(&handoff, open_on_loop, &o);
    rota_handoff_fini(&handoff);
    if (o.err < 0 && o.owns_loop)
        rota_loop_free(o.loop);
    if (o.err < 0)
        return o.err;
    *ret_channel = o.channel;
    return 0;
}

static void complete(struct rota_attachments *a)
{
    struct rota_loop *loop = a->loop;
    struct closing c = a->closing;

    detach(a);
    rota_loop_release(loop);
    if (c.handoff != NULL) {
        rota_handoff_lock(c.handoff);
        *c.done = true;
        rota_handoff_signal(c.handoff);
        rota_handoff_unlock(c.handoff);
    } else if (c.on_closed != NULL) {
        c.on_closed(c.arg);
    }
}

static void on_shut(void *arg)
{
    struct rota_attachments *a = arg;

    a->shut = true;
    if (a->n_held == 0)
        complete(a);
    else
        rota_log_write(a->log, ROTA_LOG_WARN, "channel", "closing waits for blocking calls that have not been finished (rota_call_finish): %u", a->n_held);
}

struct rota_attachments *rota_attachments_hold(const struct rota_channel *channel)
{
    struct rota_attachments *a = attachments_of(channel);

    if (!a->owns_loop)
        return NULL;
    a->n_held++;
    return a;
}

void rota_attachments_release(struct rota_attachments *a)
{
    if (a == NULL)
        return;
    ROTA_ASSERT(a->n_held > 0);
    if (--a->n_held == 0 && a->shut)
        complete(a);
}

static void shut_on_loop(void *arg)
{
    struct rota_attachments *a = arg;

    rota_channel_shut(a->channel, on_shut, a);
}

static void shut_posted(struct rota_loop_post *post)
{
    shut_on_loop(post->arg);
}

static void free_and_wait(struct rota_attachments *a)
{
    struct rota_loop *owned = a->owns_loop ? a->loop : NULL;
    struct rota_handoff handoff;
    bool done = false;

    rota_handoff_init(&handoff, a->loop);
    a->closing = (struct closing){.handoff = &handoff, .done = &done};
    rota_handoff_run(&handoff, shut_on_loop, a);
    rota_handoff_lock(&handoff);
    while (!done)
        rota_handoff_wait(&handoff);
    rota_handoff_unlock(&handoff);
    rota_handoff_fini(&handoff);
    rota_loop_free(owned);
}

void rota_channel_free(struct rota_channel *channel)
{
    if (channel != NULL && !rota_loop_is_inherited(attachments_of(channel)->loop))
        free_and_wait(attachments_of(channel));
}

/* A thread cannot end the loop it runs on, so the end of a channel with a loop of its own is waited for on one more thread. */
static void *free_elsewhere(void *arg)
{
    struct rota_attachments *a = arg;
    struct closing c = a->closing;

    free_and_wait(a);
    if (c.on_closed != NULL)
        c.on_closed(c.arg);
    return NULL;
}

void rota_channel_close(struct rota_channel *channel, void (*on_closed)(void *arg), void *arg)
{
    struct rota_attachments *a = attachments_of(channel);
    pthread_t thread;

    if (rota_loop_is_inherited(a->loop))
        return;
    a->closing = (struct closing){.on_closed = on_closed, .arg = arg};
    if (!a->owns_loop && (rota_loop_is_mine(a->loop) || !rota_loop_is_threaded(a->loop))) {
        rota_channel_shut(channel, on_shut, a);
        return;
    }
    if (!a->owns_loop) {
        a->shut_post = (struct rota_loop_post){.run = shut_posted, .arg = a};
        rota_loop_post(a->loop, &a->shut_post);
        return;
    }
    if (pthread_create(&thread, NULL, free_elsewhere, a) == 0)
        pthread_detach(thread);
    else if (!rota_loop_is_mine(a->loop))
        (void)free_elsewhere(a);
    else /* No thread can be had to end this one: it stays, with nothing to do. */
        rota_channel_shut(channel, on_shut, a);
}
