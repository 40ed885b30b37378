/* dynamic_json.c - messages of sample.proto and JSON. The first byte says which message, and whether the rest is JSON or bytes.
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

static json_t *load(struct rota_slice text)
{
    return json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* The text that a message read from JSON becomes must not change when read again. */
static void check_json(const struct rota_dyn_message *type, const json_t *json, struct rota_buffer *text)
{
    struct rota_errinfo info = {""};
    struct rota_buffer bytes;
    rota_err err;

    rota_buffer_init(&bytes, NULL, 0);
    err = rota_dyn_from_json(&pool, type, json, &bytes, &info);
    ROTA_ASSERT((err == 0) == (info.text[0] == '\0'));
    rota_buffer_clear(text);
    if (err == 0)
        ROTA_ASSERT(rota_dyn_to_json(&pool, type, rota_buffer_peek(&bytes), text, &info) == 0);
    rota_buffer_fini(&bytes);
}

/* jansson takes no key with a zero in it. */
static bool has_zero(struct rota_slice text)
{
    for (size_t i = 0; i + 6 <= text.size; i++)
        if (memcmp(text.data + i, "\\u0000", 6) == 0)
            return true;
    return false;
}

static void check_text(const struct rota_dyn_message *type, struct rota_buffer *text)
{
    struct rota_slice first = rota_buffer_peek(text);
    json_t *json = load(first);
    struct rota_buffer again;

    ROTA_ASSERT(json != NULL || has_zero(first));
    rota_buffer_init(&again, NULL, 0);
    if (json != NULL)
        check_json(type, json, &again);
    if (rota_buffer_peek(&again).size > 0)
        ROTA_ASSERT(rota_slice_equal(rota_buffer_peek(&again), first));
    json_decref(json);
    rota_buffer_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const names[] = {"sample.Scalars", "sample.Shapes", "sample.Known", "sample.old.Old"};
    const struct rota_dyn_message *type;
    struct rota_errinfo info = {""};
    struct rota_buffer text;
    json_t *json;

    if (pool.files.cap == 0)
        set_up();
    if (size_bytes == 0)
        return 0;
    type = rota_pool_message(&pool, rota_slice_str(names[data[0] >> 1 & 3]));
    rota_buffer_init(&text, NULL, 0);
    if ((data[0] & 1) != 0) {
        json = load(rota_slice(data + 1, size_bytes - 1));
        if (json != NULL)
            check_json(type, json, &text);
        json_decref(json);
    } else if (rota_dyn_to_json(&pool, type, rota_slice(data + 1, size_bytes - 1), &text, &info) < 0) {
        ROTA_ASSERT(info.text[0] != '\0');
        rota_buffer_clear(&text);
    }
    if (rota_buffer_peek(&text).size > 0)
        check_text(type, &text);
    rota_buffer_fini(&text);
    return 0;
}
