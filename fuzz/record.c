/* record.c - records of the registry's journal: bytes as they come from a disk, and keys and values written, read and spoilt.
 *
 * A checksum guards records, so noise hardly gets past it; what was written must come back the same, and with one bit changed not at all.
 */
#include "base/assert.h"
#include "registry/journal_record.h"
#include <stdlib.h>

#define KEY_BYTES_MAX 1024

static void round_trip(const struct rota_store_kv *kv, size_t spoil)
{
    static const uint64_t seeds[2] = {1, 2};
    uint8_t key[ROTA_RECORD_KEY_SIZE];
    size_t key_size = rota_record_key(kv->key, seeds, key), size = rota_record_size(kv);
    uint8_t *record = malloc(size);
    struct rota_store_kv got;

    ROTA_ASSERT(record != NULL && key_size <= sizeof(key));
    rota_record_write(kv, record);
    ROTA_ASSERT(rota_record_read(rota_slice(key, key_size), rota_slice(record, size), &got) == 0);
    ROTA_ASSERT(rota_slice_equal(got.key, kv->key) && rota_slice_equal(got.value, kv->value));
    ROTA_ASSERT(got.create_revision == kv->create_revision && got.mod_revision == kv->mod_revision);
    ROTA_ASSERT(got.version == kv->version && got.lease == kv->lease);
    record[spoil / 8 % size] ^= (uint8_t)(1u << spoil % 8);
    ROTA_ASSERT(rota_record_read(rota_slice(key, key_size), rota_slice(record, size), &got) < 0);
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static uint8_t long_key[KEY_BYTES_MAX];
    struct rota_store_kv kv = {.create_revision = 1, .mod_revision = 1, .version = 1};
    size_t key_size;

    if (size_bytes < 4)
        return 0;
    (void)rota_record_read(rota_slice(data, data[0] % size_bytes), rota_slice(data + data[0] % size_bytes, size_bytes - data[0] % size_bytes), &kv);
    kv = (struct rota_store_kv){.create_revision = 1 + data[1], .mod_revision = 1 + data[1] + data[2], .version = 1 + data[2], .lease = data[3]};
    key_size = 1 + data[0] * (size_t)4 % (KEY_BYTES_MAX - 1);
    for (size_t i = 0; i < key_size; i++)
        long_key[i] = data[i % size_bytes];
    kv.key = rota_slice(long_key, key_size);
    kv.value = rota_slice(data + 4, size_bytes - 4);
    round_trip(&kv, data[2] * (size_t)256 + data[3]);
    return 0;
}
