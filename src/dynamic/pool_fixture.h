/* pool_fixture.h - the pool of sample.proto, and messages as hexadecimal digits. */
#ifndef ROTA_DYNAMIC_POOL_FIXTURE_H
#define ROTA_DYNAMIC_POOL_FIXTURE_H

#include "dynamic/pool.h"

/* The bytes of sample.proto's FileDescriptorSet, imports included; the same at each call. */
struct rota_slice rota_sample_set(void);
/* A linked pool of it; fails the test when that fails. */
void rota_sample_pool(struct rota_pool *pool, const struct rota_alloc *alloc);

/* "0a 01" to bytes, at most `cap` of them; blanks count for nothing. */
struct rota_slice rota_sample_bytes(const char *hex, uint8_t *out, size_t cap);

#endif
