/* host.h - the host that a loop drives, for those who need nothing of libuv. */
#ifndef ROTA_LOOP_HOST_H
#define ROTA_LOOP_HOST_H

#include "base/host.h"
#include <rota/loop.h>

struct rota_host *rota_loop_host(struct rota_loop *loop);

#endif
