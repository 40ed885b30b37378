/* loop.h - the inside of struct rota_loop (rota/loop.h) for net and assembly.
 *
 * One turn, in order: libuv polls and calls back (reads, accepts, timers, posts); rota_host_run fires what is due; the
 * flush list is emptied (one write per connection); sleep until the earliest timer. Public entry points call rota_host_enter.
 */
#ifndef ROTA_LOOP_LOOP_H
#define ROTA_LOOP_LOOP_H

#include "base/host.h"
#include <rota/loop.h>
#include <uv.h>

struct rota_host *rota_loop_host(struct rota_loop *loop);
uv_loop_t *rota_loop_uv(struct rota_loop *loop);

/* Runs once before the loop sleeps (at the end of this turn), however often asked for. */
struct rota_flush {
    struct rota_link link;
    void (*run)(struct rota_flush *flush);
};
void rota_loop_flush(struct rota_loop *loop, struct rota_flush *flush);
void rota_loop_unflush(struct rota_loop *loop, struct rota_flush *flush);

/* A read buffer shared by all sockets of the loop, valid during one callback. */
struct rota_slice rota_loop_read_buffer(struct rota_loop *loop);

/* Open objects keep rota_loop_run going and rota_loop_free honest. */
void rota_loop_hold(struct rota_loop *loop);
void rota_loop_release(struct rota_loop *loop);

/* Whether the caller is on the thread that runs (or, before any run, made) the loop; whether the loop has a thread of its own. */
bool rota_loop_is_mine(const struct rota_loop *loop);
bool rota_loop_is_threaded(const struct rota_loop *loop);

/* One blocking turn, for blocking calls on the caller's own loop. Aborts inside a callback. */
rota_err rota_loop_wait_turn(struct rota_loop *loop);

/* Whether something of the loop's owner-made kinds (c-ares state) is kept: one slot for net. */
void **rota_loop_net_slot(struct rota_loop *loop, void (*fini)(void *slot));

#endif
