/* journal_record.h - how keys stand in the journal's database, whose own keys are short: pure, so that it is tested by itself.
 *
 * A key of at most 500 bytes is itself, behind a 0. A longer one is a 1, its first 400 bytes and 128 bits of hash under the directory's
 * secret seeds (two among n such keys collide with a chance of n^2 in 2^129); the whole of it then stands in front of the value.
 * A record: create revision, mod revision, version, lease, size of what stands in front, checksum; numbers are little-endian.
 */
#ifndef ROTA_REGISTRY_JOURNAL_RECORD_H
#define ROTA_REGISTRY_JOURNAL_RECORD_H

#include "registry/store.h"

#define ROTA_RECORD_KEY_SIZE 501   /* at most; LMDB's limit is 511 */
#define ROTA_RECORD_HEAD_SIZE 48

/* Returns the size; out has room for ROTA_RECORD_KEY_SIZE. */
size_t rota_record_key(struct rota_slice key, const uint64_t seeds[2], uint8_t *out);

size_t rota_record_size(const struct rota_store_kv *kv);
void rota_record_write(const struct rota_store_kv *kv, uint8_t *out); /* rota_record_size bytes */

/* Borrows from both. ROTA_EPARSE: no record. */
rota_err rota_record_read(struct rota_slice key, struct rota_slice record, struct rota_store_kv *ret_kv);

void rota_record_put64(uint8_t *out, uint64_t number);
uint64_t rota_record_get64(const uint8_t *in);

#endif
