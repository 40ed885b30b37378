/* text.c - timeouts, percent-encoding, base64, metadata: any bytes are decoded safely, and encoding gives them back. */
#include "wire/text.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "wire/metadata.h"

static void timeouts(struct rota_slice input)
{
    char text[ROTA_TIMEOUT_TEXT];
    int64_t ns, again;

    if (rota_timeout_parse(input, &ns) < 0)
        return;
    ROTA_ASSERT(ns >= 0);
    ROTA_ASSERT(rota_timeout_parse(rota_slice(text, rota_timeout_format(ns, text)), &again) == 0);
    /* What was written is never shorter, and longer by less than a unit of eight digits. */
    ROTA_ASSERT(again >= ns && (ns < 100 || again - ns <= ns / 1000));
}

static void codecs(struct rota_slice input)
{
    size_t percent_size = rota_percent_encode(input, NULL, 0), base64_size = rota_base64_encoded_size(input.size), size;
    char *text = rota_alloc_get(NULL, 3 * input.size + 8);
    uint8_t *back = rota_alloc_get(NULL, 3 * input.size + 8);

    ROTA_ASSERT(rota_percent_encode(input, text, percent_size) == percent_size);
    ROTA_ASSERT(rota_percent_decode(rota_slice(text, percent_size), (char *)back) == input.size);
    ROTA_ASSERT(input.size == 0 || memcmp(back, input.data, input.size) == 0);
    rota_base64_encode(input, text);
    ROTA_ASSERT(rota_base64_decode(rota_slice(text, base64_size), back, &size) == 0 && size == input.size);
    ROTA_ASSERT(size == 0 || memcmp(back, input.data, size) == 0);
    ROTA_ASSERT(rota_percent_decode(input, text) <= input.size);
    if (rota_base64_decode(input, back, &size) == 0)
        ROTA_ASSERT(size <= input.size * 3 / 4 + 3);
    rota_alloc_free(NULL, text);
    rota_alloc_free(NULL, back);
}

static void metadata(struct rota_slice input)
{
    size_t key = input.size == 0 ? 0 : input.data[0] % 16;
    struct rota_metadata *list, *back;
    struct rota_header field;
    struct rota_arena arena;

    if (key + 1 >= input.size)
        return;
    rota_arena_init(&arena, NULL, 0);
    list = rota_metadata_in(&arena);
    back = rota_metadata_in(&arena);
    if (rota_metadata_add(list, rota_slice(input.data + 1, key), rota_slice(input.data + 1 + key, input.size - 1 - key), NULL) == 0) {
        ROTA_ASSERT(rota_metadata_fields(list, &arena, &field) == 0);
        ROTA_ASSERT(rota_metadata_add_received(back, field.name, field.value, 0) == 0 && back->count == 1);
        ROTA_ASSERT(rota_slice_equal(back->pairs[0].value, list->pairs[0].value));
    }
    rota_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_slice input = rota_slice(data, size_bytes);

    timeouts(input);
    codecs(input);
    metadata(input);
    return 0;
}
