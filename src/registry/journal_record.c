/* journal_record.c - see journal_record.h. */
#include "registry/journal_record.h"

#include "base/map.h"

#define SHORT_KEY 500
#define SHOWN_KEY 400
#define CHECK_SEED UINT64_C(0x726f746172656731) /* damage is to be noticed, not malice */

void rota_record_put64(uint8_t *out, uint64_t number)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

uint64_t rota_record_get64(const uint8_t *in)
{
    uint64_t number = 0;

    for (size_t i = 0; i < 8; i++)
        number |= (uint64_t)in[i] << (8 * i);
    return number;
}

size_t rota_record_key(struct rota_slice key, const uint64_t seeds[2], uint8_t *out)
{
    out[0] = key.size > SHORT_KEY;
    if (key.size <= SHORT_KEY) {
        memcpy(out + 1, key.data, key.size);
        return 1 + key.size;
    }
    memcpy(out + 1, key.data, SHOWN_KEY);
    rota_record_put64(out + 1 + SHOWN_KEY, rota_hash_bytes(key, seeds[0]));
    rota_record_put64(out + 9 + SHOWN_KEY, rota_hash_bytes(key, seeds[1]));
    return 17 + SHOWN_KEY;
}

static size_t in_front(const struct rota_store_kv *kv)
{
    return kv->key.size > SHORT_KEY ? kv->key.size : 0;
}

size_t rota_record_size(const struct rota_store_kv *kv)
{
    return ROTA_RECORD_HEAD_SIZE + in_front(kv) + kv->value.size;
}

/* Over all but the checksum itself, which is the last of the head. */
static uint64_t checksum(const uint8_t *record, size_t size)
{
    uint64_t head = rota_hash_bytes(rota_slice(record, ROTA_RECORD_HEAD_SIZE - 8), CHECK_SEED);

    return rota_hash_bytes(rota_slice(record + ROTA_RECORD_HEAD_SIZE, size - ROTA_RECORD_HEAD_SIZE), head);
}

void rota_record_write(const struct rota_store_kv *kv, uint8_t *out)
{
    size_t front = in_front(kv);

    rota_record_put64(out, (uint64_t)kv->create_revision);
    rota_record_put64(out + 8, (uint64_t)kv->mod_revision);
    rota_record_put64(out + 16, (uint64_t)kv->version);
    rota_record_put64(out + 24, (uint64_t)kv->lease);
    rota_record_put64(out + 32, front);
    if (front > 0)
        memcpy(out + ROTA_RECORD_HEAD_SIZE, kv->key.data, front);
    if (kv->value.size > 0)
        memcpy(out + ROTA_RECORD_HEAD_SIZE + front, kv->value.data, kv->value.size);
    rota_record_put64(out + 40, checksum(out, rota_record_size(kv)));
}

rota_err rota_record_read(struct rota_slice key, struct rota_slice record, struct rota_store_kv *ret_kv)
{
    const uint8_t *in = record.data;
    uint64_t front;

    if (key.size < 2 || record.size < ROTA_RECORD_HEAD_SIZE || rota_record_get64(in + 40) != checksum(in, record.size))
        return ROTA_EPARSE;
    front = rota_record_get64(in + 32);
    if (key.data[0] > 1 || (key.data[0] == 1) != (front > 0) || front > record.size - ROTA_RECORD_HEAD_SIZE)
        return ROTA_EPARSE;
    *ret_kv = (struct rota_store_kv){
        .key = front > 0 ? rota_slice(in + ROTA_RECORD_HEAD_SIZE, front) : rota_slice(key.data + 1, key.size - 1),
        .value = rota_slice(in + ROTA_RECORD_HEAD_SIZE + front, record.size - ROTA_RECORD_HEAD_SIZE - front),
        .create_revision = (int64_t)rota_record_get64(in),
        .mod_revision = (int64_t)rota_record_get64(in + 8),
        .version = (int64_t)rota_record_get64(in + 16),
        .lease = (int64_t)rota_record_get64(in + 24),
    };
    if (ret_kv->create_revision < 1 || ret_kv->mod_revision < ret_kv->create_revision || ret_kv->version < 1)
        return ROTA_EPARSE;
    return 0;
}
