/* signal.c - signals delivered on the loop. They do not keep it open. */
#include "base/alloc.h"
#include "loop/state.h"

struct rota_signal {
    struct rota_loop *loop;
    const struct rota_alloc *alloc; /* the handle may outlive the loop by a turn */
    uv_signal_t handle;
    void (*on_signal)(void *arg, int signum);
    void *arg;
};

static void arrived(uv_signal_t *handle, int signum)
{
    struct rota_signal *signal = handle->data;
    struct rota_loop *loop = signal->loop;

    rota_loop_turn_begin(loop);
    signal->on_signal(signal->arg, signum); /* may free the signal */
    rota_loop_turn_end(loop);
}

static void closed(uv_handle_t *handle)
{
    struct rota_signal *signal = handle->data;

    rota_alloc_free(signal->alloc, signal);
}

rota_err rota_signal_new(struct rota_loop *loop, int signum, void (*on_signal)(void *arg, int signum), void *arg,
                         struct rota_signal **ret_signal)
{
    struct rota_signal *signal;
    rota_err err = rota_loop_check_thread(loop, NULL);

    if (err < 0)
        return err;
    signal = rota_alloc_zero(loop->host.alloc, 1, sizeof(*signal));
    if (signal == NULL)
        return ROTA_ENOMEM;
    signal->loop = loop;
    signal->alloc = loop->host.alloc;
    signal->on_signal = on_signal;
    signal->arg = arg;
    /* libuv opens the pipe that its handler writes to: the one step that may fail before there is a handle to close. */
    if (uv_signal_init(loop->uv, &signal->handle) < 0) {
        rota_alloc_free(loop->host.alloc, signal);
        return ROTA_EIO;
    }
    signal->handle.data = signal;
    uv_unref((uv_handle_t *)&signal->handle);
    if (uv_signal_start(&signal->handle, arrived, signum) < 0) {
        uv_close((uv_handle_t *)&signal->handle, closed);
        return ROTA_EIO;
    }
    loop->n_objects++;
    *ret_signal = signal;
    return 0;
}

void rota_signal_free(struct rota_signal *signal)
{
    if (signal == NULL)
        return;
    signal->loop->n_objects--;
    uv_close((uv_handle_t *)&signal->handle, closed);
}
