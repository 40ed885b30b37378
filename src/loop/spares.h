/* spares.h - large blocks of memory that are used again: messages of a megabyte come and go a thousand times a second, and memory
 * fresh from the system costs more than all the copying.
 *
 * Poses as an allocator in front of another one. Blocks of less than ROTA_BULK_MIN_BYTES and more than ROTA_SPARES_BLOCK_MAX_BYTES are
 * that one's; what lies between is kept when it is freed, ROTA_SPARES_BLOCKS of them and ROTA_SPARES_MAX_BYTES at most, and given back
 * when it was not used for one to two seconds.
 * Threading: blocks may be taken and freed on any thread, without a lock; everything else is the loop's.
 * Ownership: lives on until the last block has come back, since a call that the application keeps may outlive its loop.
 */
#ifndef ROTA_LOOP_SPARES_H
#define ROTA_LOOP_SPARES_H

#include "base/host.h"

#define ROTA_SPARES_BLOCKS 16
#define ROTA_SPARES_MAX_BYTES ((size_t)16 << 20)
#define ROTA_SPARES_BLOCK_MAX_BYTES ((size_t)8 << 20)

struct rota_spares;

struct rota_spares *rota_spares_new(const struct rota_alloc *alloc); /* NULL: out of memory */
void rota_spares_close(struct rota_spares *spares); /* gives back all that is kept; from then on nothing is. NULL is fine */
const struct rota_alloc *rota_spares_alloc(struct rota_spares *spares);

/* Before the loop sleeps: sees to it that what is kept now, or comes back while it sleeps, will be given back. Out of memory for the timer: the next time. */
void rota_spares_watch(struct rota_spares *spares, struct rota_host *host);

#endif
