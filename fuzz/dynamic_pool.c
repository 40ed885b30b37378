/* dynamic_pool.c - any bytes as a descriptor, and others as the messages it declares: refused with a sentence, or of use.
 *
 * Two bytes say how long the descriptor is; what follows it is given to each message in turn.
 */
#include "base/assert.h"
#include "dynamic/json.h"

static void try_message(const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice bytes)
{
    struct rota_errinfo info = {""};
    struct rota_buffer out;
    const struct rota_dyn_json *json;
    struct rota_arena arena;
    size_t at = 0;

    rota_buffer_init(&out, NULL, 0);
    if (rota_dyn_to_json(pool, type, bytes, &out, &info) < 0)
        ROTA_ASSERT(info.text[0] != '\0');
    rota_buffer_clear(&out);
    rota_arena_init(&arena, NULL, 0);
    if (rota_dyn_json_parse(bytes, &at, &arena, &json, &info) == 0 && rota_dyn_from_json(pool, type, json, ROTA_DYN_REFUSE, &out, &info) == 0) {
        struct rota_buffer text;

        rota_buffer_init(&text, NULL, 0);
        ROTA_ASSERT(rota_dyn_to_json(pool, type, rota_buffer_peek(&out), &text, &info) == 0);
        rota_buffer_fini(&text);
    }
    rota_arena_fini(&arena);
    rota_buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_errinfo info = {""};
    struct rota_map_entry *at = NULL;
    struct rota_pool pool;
    size_t size;
    int tried = 0;

    if (size_bytes < 2)
        return 0;
    size = (size_t)data[0] << 8 | data[1];
    if (size > size_bytes - 2)
        size = size_bytes - 2;
    rota_pool_init(&pool, NULL);
    if (rota_pool_add(&pool, rota_slice(data + 2, size), &info) < 0 || rota_pool_link(&pool, &info) < 0)
        ROTA_ASSERT(info.text[0] != '\0');
    else
        while (tried++ < 20 && (at = rota_map_next(&pool.messages, at)) != NULL)
            try_message(&pool, at->value, rota_slice(data + 2 + size, size_bytes - 2 - size));
    (void)rota_pool_missing(&pool);
    rota_pool_fini(&pool);
    return 0;
}
