/* serve.c - rota_server_new, close and free: a server joined to its loop and to sockets. */
#include "assembly/link.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/options.h"
#include "base/plaintext.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "server/server.h"

struct attachments {
    struct rota_net_acceptor acceptor;
    const struct rota_alloc *alloc;
    struct rota_loop *loop;
    void (*on_closed)(void *arg);
    void *arg;
};

static struct attachments *attachments_of(const struct rota_server *server)
{
    struct rota_acceptor *acceptor = rota_server_parts(server)->acceptor;

    return ROTA_CONTAINER(ROTA_CONTAINER(acceptor, struct rota_net_acceptor, acceptor), struct attachments, acceptor);
}

static void detach(struct attachments *a)
{
    rota_net_acceptor_fini(&a->acceptor);
    rota_alloc_free(a->alloc, a);
}

static rota_err attach(const struct rota_server_options *options, struct attachments **ret_attachments, struct rota_errinfo *info)
{
    struct rota_host *host = rota_loop_host(options->loop);
    const struct rota_alloc *alloc = options->alloc != NULL ? options->alloc : host->alloc;
    const struct rota_log *log = options->log != NULL ? options->log : host->log;
    struct attachments *a = rota_alloc_zero(alloc, 1, sizeof(*a));
    rota_err err = 0;

    if (a == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "no memory for a server");
    a->alloc = alloc;
    a->loop = options->loop;
    if (rota_net_acceptor_init(&a->acceptor, options->loop, alloc, log) < 0)
        err = rota_errinfo_set(info, ROTA_ENOMEM, "no memory for a server");
    else if (options->tls != NULL)
        err = rota_tls_config_new(options->tls, true, alloc, log, &a->acceptor.tls, info);
    if (err < 0)
        detach(a);
    else
        *ret_attachments = a;
    return err;
}

rota_err rota_server_new(const struct rota_server_options *given, struct rota_server **ret_server, struct rota_errinfo *info)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts;
    struct attachments *a = NULL;
    bool plaintext;
    rota_err err;

    err = rota_options_take(&options, sizeof(options), given, "ROTA_SERVER_OPTIONS_INIT", info);
    if (err < 0)
        return err;
    options.size = sizeof(options);
    err = rota_plaintext_asked(options.tls, &plaintext, info);
    if (err < 0)
        return err;
    if (plaintext)
        options.tls = NULL;
    if (options.loop == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "a server needs options.loop");
    err = rota_loop_check_thread(options.loop, info);
    if (err < 0)
        return err;
    err = attach(&options, &a, info);
    if (err < 0)
        return err;
    a->acceptor.insecure = plaintext;
    parts = (struct rota_server_parts){.host = rota_loop_host(options.loop), .loop = options.loop, .acceptor = &a->acceptor.acceptor};
    err = rota_server_make(&options, &parts, ret_server, info);
    if (err < 0)
        detach(a);
    else
        rota_loop_hold(options.loop);
    return err;
}

static void on_shut(void *arg)
{
    struct attachments *a = arg;
    struct attachments was = *a;

    detach(a);
    rota_loop_release(was.loop);
    if (was.on_closed != NULL)
        was.on_closed(was.arg);
}

void rota_server_close(struct rota_server *server, void (*on_closed)(void *arg), void *arg)
{
    struct attachments *a = attachments_of(server);

    if (rota_loop_is_inherited(a->loop))
        return;
    a->on_closed = on_closed;
    a->arg = arg;
    rota_server_shut(server, on_shut, a);
}

static void set_done(void *arg)
{
    *(bool *)arg = true;
}

void rota_server_free(struct rota_server *server)
{
    struct rota_loop *loop;
    bool done = false;

    if (server == NULL)
        return;
    loop = attachments_of(server)->loop;
    if (rota_loop_is_inherited(loop))
        return;
    rota_server_close(server, set_done, &done);
    while (!done)
        (void)rota_loop_wait_turn(loop);
}
