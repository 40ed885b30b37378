/* host.h - the host that a loop drives, for those who need nothing of libuv. */
#ifndef ROTA_LOOP_HOST_H
#define ROTA_LOOP_HOST_H

#include "base/host.h"
#include <rota/loop.h>

struct rota_host *rota_loop_host(struct rota_loop *loop);

/* For whoever opens something on the loop. ROTA_ESTATE: it has a thread of its own, and this is another one; info says what to do. */
ROTA_MUST_USE rota_err rota_loop_check_thread(struct rota_loop *loop, struct rota_errinfo *info);

#endif
