/* pairs.c - see pairs.h. */
#include "pairs.h"

#include "foreign.h"
#include "wire/text.h"
#include <stdio.h>
#include <stdlib.h>

#define PIECE_BYTES 48 /* whole groups of three, so that pieces of base64 are the base64 of the whole */

static bool is_binary(struct rota_slice key)
{
    return key.size > 4 && memcmp(key.data + key.size - 4, "-bin", 4) == 0;
}

static bool add_binary(const char *verb, struct rota_metadata *metadata, const char *text, struct rota_slice key, struct rota_slice value)
{
    uint8_t *bytes = malloc(value.size + 3);
    struct rota_errinfo info = {""};
    size_t size = 0;
    bool added = false;

    if (bytes == NULL)
        rota_fail(verb, "out of memory");
    else if (rota_base64_decode(value, bytes, &size) < 0)
        rota_fail(verb, "--metadata %s: expected base64, as for all keys that end in -bin", text);
    else if (rota_metadata_add(metadata, key, rota_slice(bytes, size), &info) < 0)
        rota_fail(verb, "--metadata %s: %s", text, info.text);
    else
        added = true;
    free(bytes);
    return added;
}

static bool add(const char *verb, struct rota_metadata *metadata, const char *text)
{
    size_t size = strcspn(text, ":="), start = size + 1;
    struct rota_errinfo info = {""};
    struct rota_slice key, value;

    if (text[size] == '\0' || size == 0) {
        rota_fail(verb, "--metadata %s: expected key:value", text);
        return false;
    }
    while (text[start] == ' ')
        start++;
    key = rota_slice(text, size);
    value = rota_slice_str(text + start);
    if (is_binary(key))
        return add_binary(verb, metadata, text, key, value);
    if (rota_metadata_add(metadata, key, value, &info) == 0)
        return true;
    rota_fail(verb, "--metadata %s: %s", text, info.text);
    return false;
}

struct rota_metadata *rota_pairs_read(const char *verb, const char *const *texts, size_t n)
{
    struct rota_metadata *metadata = NULL;

    if (rota_metadata_new(NULL, &metadata) < 0) {
        rota_fail(verb, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (!add(verb, metadata, texts[i])) {
            rota_metadata_free(metadata);
            return NULL;
        }
    return metadata;
}

static void print_binary(struct rota_slice bytes)
{
    char digits[PIECE_BYTES / 3 * 4];

    for (size_t at = 0; at < bytes.size; at += PIECE_BYTES) {
        size_t size = bytes.size - at < PIECE_BYTES ? bytes.size - at : PIECE_BYTES;

        rota_base64_encode(rota_slice(bytes.data + at, size), digits);
        fwrite(digits, 1, rota_base64_encoded_size(size), stderr);
    }
}

void rota_pairs_print(const char *before, const struct rota_metadata *metadata)
{
    for (size_t i = 0; i < rota_metadata_count(metadata); i++) {
        struct rota_metadatum pair = rota_metadata_at(metadata, i);

        fprintf(stderr, "%s %.*s: ", before, (int)pair.key.size, (const char *)pair.key.data);
        if (is_binary(pair.key))
            print_binary(pair.value);
        else
            rota_print_foreign(stderr, pair.value);
        fputc('\n', stderr);
    }
}
