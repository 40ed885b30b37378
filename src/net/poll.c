/* poll.c - file descriptors watched by uv_poll.
 *
 * The descriptor is closed as soon as libuv does not watch it any more; only the handle's memory waits for a later turn,
 * which may be after the loop's end where the application runs the uv loop.
 */
#include "net/poll.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "loop/loop.h"
#include <unistd.h>

struct rota_poll {
    uv_poll_t poll;
    struct rota_loop *loop;
    const struct rota_alloc *alloc;
    int fd;
    int what; /* asked for of libuv */
    rota_poll_ready *ready;
    void *arg;
};

static void closed(uv_handle_t *handle)
{
    struct rota_poll *watch = handle->data;

    rota_alloc_free(watch->alloc, watch);
}

static void polled(uv_poll_t *handle, int status, int events)
{
    struct rota_poll *watch = handle->data;
    struct rota_loop *loop = watch->loop;
    int what = (events & UV_READABLE ? ROTA_WATCH_READ : 0) | (events & UV_WRITABLE ? ROTA_WATCH_WRITE : 0) |
               (events & UV_DISCONNECT ? ROTA_WATCH_GONE : 0);

    if (status < 0) {
        what = ROTA_WATCH_ERROR;
        watch->what = 0; /* libuv has stopped it */
    }
    rota_loop_turn_begin(loop);
    watch->ready(watch->arg, what);
    rota_loop_turn_end(loop);
}

rota_err rota_poll_new(struct rota_loop *loop, int fd, struct rota_poll **ret_watch)
{
    const struct rota_alloc *alloc = rota_loop_host(loop)->alloc;
    struct rota_poll *watch = rota_alloc_zero(alloc, 1, sizeof(*watch));
    int code;

    if (watch == NULL)
        return ROTA_ENOMEM;
    watch->loop = loop;
    watch->alloc = alloc;
    watch->fd = fd;
    code = uv_poll_init(rota_loop_uv(loop), &watch->poll, fd);
    if (code < 0) {
        rota_alloc_free(alloc, watch);
        return code == UV_ENOMEM ? ROTA_ENOMEM : ROTA_EIO;
    }
    watch->poll.data = watch;
    uv_unref((uv_handle_t *)&watch->poll);
    *ret_watch = watch;
    return 0;
}

void rota_poll_set(struct rota_poll *watch, int what, rota_poll_ready *ready, void *arg)
{
    int events = (what & ROTA_WATCH_READ ? UV_READABLE : 0) | (what & ROTA_WATCH_WRITE ? UV_WRITABLE : 0) |
                 (what & ROTA_WATCH_GONE ? UV_DISCONNECT : 0);
    int code;

    watch->ready = ready;
    watch->arg = arg;
    if (what == watch->what)
        return;
    watch->what = what;
    code = what == 0 ? uv_poll_stop(&watch->poll) : uv_poll_start(&watch->poll, events, polled);
    ROTA_ASSERT(code == 0);
}

int rota_poll_fd(const struct rota_poll *watch)
{
    return watch->fd;
}

void rota_poll_drop(struct rota_poll *watch)
{
    if (watch == NULL)
        return;
    uv_close((uv_handle_t *)&watch->poll, closed);
}

void rota_poll_close(struct rota_poll *watch)
{
    if (watch == NULL)
        return;
    rota_poll_drop(watch);
    close(watch->fd);
}
