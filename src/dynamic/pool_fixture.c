/* pool_fixture.c - see pool_fixture.h. The set is made by protoc when the tests are built. */
#include "dynamic/pool_fixture.h"

#include "testing/cmocka.h"
#include <stdio.h>

struct rota_slice rota_sample_set(void)
{
    static uint8_t bytes[1 << 17];
    static size_t size;
    FILE *file;

    if (size == 0) {
        file = fopen(ROTA_SAMPLE_SET, "rb");
        assert_non_null(file);
        size = fread(bytes, 1, sizeof(bytes), file);
        fclose(file);
        assert_in_range(size, 1, sizeof(bytes) - 1);
    }
    return rota_slice(bytes, size);
}

void rota_sample_pool(struct rota_pool *pool, const struct rota_alloc *alloc)
{
    struct rota_errinfo info = {""};

    rota_pool_init(pool, alloc);
    if (rota_pool_add_set(pool, rota_sample_set(), &info) < 0 || rota_pool_link(pool, &info) < 0)
        fail_msg("%s", info.text);
}

struct rota_slice rota_sample_bytes(const char *hex, uint8_t *out, size_t cap)
{
    size_t size = 0;
    int used;
    unsigned byte;

    for (; sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used) {
        assert_true(size < cap);
        out[size++] = (uint8_t)byte;
    }
    return rota_slice(out, size);
}
