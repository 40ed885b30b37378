/* loop.h - the inside of struct rota_loop (rota/loop.h) for net and assembly.
 *
 * One turn, in order: libuv polls and calls back (reads, accepts, timers, posts); rota_host_run fires what is due; the
 * flush list is emptied (one write per connection); sleep until the earliest timer. Public entry points call rota_host_enter.
 */
#ifndef ROTA_LOOP_LOOP_H
#define ROTA_LOOP_LOOP_H

#include "loop/host.h"
#include <uv.h>

uv_loop_t *rota_loop_uv(struct rota_loop *loop);

/* Every callback from libuv stands between these two: they set the time and in_turn. */
void rota_loop_turn_begin(struct rota_loop *loop);
void rota_loop_turn_end(struct rota_loop *loop);

/* Runs once before the loop sleeps (at the end of this turn), however often asked for. */
struct rota_flush {
    struct rota_link link;
    void (*run)(struct rota_flush *flush);
};
void rota_loop_flush(struct rota_loop *loop, struct rota_flush *flush);
void rota_loop_unflush(struct rota_loop *loop, struct rota_flush *flush);

/* A read buffer shared by all sockets of the loop, valid during one callback. */
#define ROTA_LOOP_READ_BYTES (128 * 1024)
uint8_t *rota_loop_read_buffer(struct rota_loop *loop);

/* Open objects keep rota_loop_run going and rota_loop_free honest. */
void rota_loop_hold(struct rota_loop *loop);
void rota_loop_release(struct rota_loop *loop);

/* Whether the caller is on the thread that runs the loop, or may be: the first to ask, before any run, of a loop that has no thread of its own
 * owns it until another thread runs it. Whether it has one. */
bool rota_loop_is_mine(struct rota_loop *loop);
bool rota_loop_is_threaded(const struct rota_loop *loop);

/* Whether this process is a fork of the one that made the loop: the loop's thread is not here, and its epoll set is still the other's. A
 * given loop is the application's (uv_loop_fork). */
bool rota_loop_is_inherited(const struct rota_loop *loop);

/* One blocking turn, for blocking calls on the caller's own loop: returns when anything has happened. Aborts inside a
 * callback, inside rota_loop_run, and on a loop with a thread of its own. */
rota_err rota_loop_wait_turn(struct rota_loop *loop);

/* For blocking calls that need not wait, on a loop that maybe nobody else turns; on its thread. Look, before one: what the peers have sent and
 * ended is read, unless that was done a millisecond or two ago; sets the time. Push, behind one: what is due is done, what is to be written is
 * written, then it looks. Neither waits. Both do nothing inside a callback and while the loop is run, so nothing on a loop with a thread of
 * its own; a given loop has no look, for who runs it looks. */
void rota_loop_look(struct rota_loop *loop);
void rota_loop_push(struct rota_loop *loop);

#endif
