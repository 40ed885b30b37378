/* dynamic_json.c - messages of sample.proto and JSON. The first byte says which message, whether the rest is JSON or bytes, and
 * whether unknown fields of the JSON are passed over.
 *
 * Held: what is refused has a sentence; what is written is JSON without a key twice; and JSON that comes of a message that came
 * of JSON is that same JSON.
 */
#include "base/assert.h"
#include "dynamic/json.h"
#include <stdio.h>

static struct rota_pool pool;

static void set_up(void)
{
    static uint8_t bytes[1 << 17];
    FILE *file = fopen(ROTA_SAMPLE_SET, "rb");
    size_t size;

    ROTA_ASSERT(file != NULL);
    size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    rota_pool_init(&pool, NULL);
    ROTA_ASSERT(rota_pool_add_set(&pool, rota_slice(bytes, size), NULL) == 0 && rota_pool_link(&pool, NULL) == 0);
}

static const struct rota_dyn_json *load(struct rota_arena *arena, struct rota_slice text)
{
    const struct rota_dyn_json *json;
    struct rota_errinfo info = {""};
    size_t at = 0;

    if (rota_dyn_json_parse(text, &at, arena, &json, &info) < 0) {
        ROTA_ASSERT(info.text[0] != '\0');
        return NULL;
    }
    return at == text.size ? json : NULL;
}

/* The text that a message read from JSON becomes must not change when read again. */
static void check_json(const struct rota_dyn_message *type, const struct rota_dyn_json *json, enum rota_dyn_unknown unknown, struct rota_buffer *text)
{
    struct rota_errinfo info = {""};
    struct rota_buffer bytes;
    rota_err err;

    rota_buffer_init(&bytes, NULL, 0);
    err = rota_dyn_from_json(&pool, type, json, unknown, &bytes, &info);
    ROTA_ASSERT((err == 0) == (info.text[0] == '\0'));
    rota_buffer_clear(text);
    if (err == 0)
        ROTA_ASSERT(rota_dyn_to_json(&pool, type, rota_buffer_peek(&bytes), text, &info) == 0);
    rota_buffer_fini(&bytes);
}

static void check_text(const struct rota_dyn_message *type, struct rota_buffer *text)
{
    struct rota_slice first = rota_buffer_peek(text);
    const struct rota_dyn_json *json;
    struct rota_buffer again;
    struct rota_arena arena;

    rota_arena_init(&arena, NULL, 0);
    rota_buffer_init(&again, NULL, 0);
    json = load(&arena, first);
    ROTA_ASSERT(json != NULL);
    check_json(type, json, ROTA_DYN_REFUSE, &again);
    if (rota_buffer_peek(&again).size > 0)
        ROTA_ASSERT(rota_slice_equal(rota_buffer_peek(&again), first));
    rota_buffer_fini(&again);
    rota_arena_fini(&arena);
}

static void try_json(const struct rota_dyn_message *type, struct rota_slice in, enum rota_dyn_unknown unknown, struct rota_buffer *text)
{
    const struct rota_dyn_json *json;
    struct rota_arena arena;

    rota_arena_init(&arena, NULL, 0);
    json = load(&arena, in);
    if (json != NULL)
        check_json(type, json, unknown, text);
    rota_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const names[] = {"sample.Scalars", "sample.Shapes", "sample.Known", "sample.old.Old"};
    const struct rota_dyn_message *type;
    struct rota_errinfo info = {""};
    struct rota_buffer text;

    if (pool.files.cap == 0)
        set_up();
    if (size_bytes == 0)
        return 0;
    type = rota_pool_message(&pool, rota_slice_str(names[data[0] >> 1 & 3]));
    rota_buffer_init(&text, NULL, 0);
    if ((data[0] & 1) != 0) {
        try_json(type, rota_slice(data + 1, size_bytes - 1), (data[0] & 8) != 0 ? ROTA_DYN_IGNORE : ROTA_DYN_REFUSE, &text);
    } else if (rota_dyn_to_json(&pool, type, rota_slice(data + 1, size_bytes - 1), &text, &info) < 0) {
        ROTA_ASSERT(info.text[0] != '\0');
        rota_buffer_clear(&text);
    }
    if (rota_buffer_peek(&text).size > 0)
        check_text(type, &text);
    rota_buffer_fini(&text);
    return 0;
}
