/* metadata.c - lists of key-value pairs: what may be put in, and the "-bin" rule between bytes and header text.
 *
 * Invariants: pairs and their bytes lie in `arena`; size_bytes is the sum over all pairs of what goes on the wire but
 * for base64's growth. What the application adds is checked here; what came from a peer was checked by HTTP/2.
 */
#include "wire/metadata.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/errinfo.h"
#include "wire/text.h"

#define FIRST_PAIRS 8

/* Fields of HTTP and of gRPC's own request that a second copy would break or that HTTP/2 forbids. */
static const char *const reserved[] = {
    "connection", "content-length", "content-type", "host", "keep-alive", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "user-agent",
};

/* The two names of gRPC's that the application is meant to set (gRFC A6 and rich error details). */
static const char *const granted[] = {"grpc-retry-pushback-ms", "grpc-status-details-bin"};

static bool is_one_of(struct rota_slice key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rota_slice_equal(key, rota_slice_str(names[i])))
            return true;
    return false;
}

static bool is_binary(struct rota_slice key)
{
    return key.size >= 4 && memcmp(key.data + key.size - 4, "-bin", 4) == 0;
}

/* --- Lists --- */

rota_err rota_metadata_new(const struct rota_alloc *alloc, struct rota_metadata **ret_metadata)
{
    struct rota_metadata *metadata;

    if (ret_metadata == NULL)
        return ROTA_EINVAL;
    metadata = rota_alloc_zero(alloc, 1, sizeof(*metadata));
    if (metadata == NULL)
        return ROTA_ENOMEM;
    rota_arena_init(&metadata->own, alloc, 0);
    metadata->arena = &metadata->own;
    *ret_metadata = metadata;
    return 0;
}

void rota_metadata_free(struct rota_metadata *metadata)
{
    const struct rota_alloc *alloc;

    if (metadata == NULL || metadata->arena != &metadata->own)
        return;
    alloc = metadata->own.alloc;
    rota_arena_fini(&metadata->own);
    rota_alloc_free(alloc, metadata);
}

struct rota_metadata *rota_metadata_in(struct rota_arena *arena)
{
    struct rota_metadata *metadata = rota_arena_zero(arena, 1, sizeof(*metadata));

    if (metadata != NULL)
        metadata->arena = arena;
    return metadata;
}

static rota_err reserve(struct rota_metadata *metadata, size_t more)
{
    size_t cap = metadata->cap == 0 ? FIRST_PAIRS : metadata->cap;
    struct rota_metadatum *pairs;

    if (metadata->cap - metadata->count >= more)
        return 0;
    while (cap - metadata->count < more)
        cap *= 2;
    pairs = rota_arena_get(metadata->arena, cap * sizeof(*pairs));
    if (pairs == NULL)
        return ROTA_ENOMEM;
    if (metadata->count > 0)
        memcpy(pairs, metadata->pairs, metadata->count * sizeof(*pairs));
    metadata->pairs = pairs;
    metadata->cap = cap;
    return 0;
}

/* Both slices lie in the arena already. */
static rota_err push(struct rota_metadata *metadata, struct rota_slice key, struct rota_slice value)
{
    if (reserve(metadata, 1) < 0)
        return ROTA_ENOMEM;
    metadata->pairs[metadata->count++] = (struct rota_metadatum){key, value};
    metadata->size_bytes += key.size + value.size + ROTA_HEADER_OVERHEAD_BYTES;
    return 0;
}

static rota_err push_copy(struct rota_metadata *metadata, struct rota_slice key, struct rota_slice value)
{
    struct rota_slice key_copy, value_copy;

    if (rota_arena_slice(metadata->arena, key, &key_copy) < 0 || rota_arena_slice(metadata->arena, value, &value_copy) < 0)
        return ROTA_ENOMEM;
    return push(metadata, key_copy, value_copy);
}

size_t rota_metadata_count(const struct rota_metadata *metadata)
{
    return metadata == NULL ? 0 : metadata->count;
}

struct rota_metadatum rota_metadata_at(const struct rota_metadata *metadata, size_t index)
{
    if (index >= rota_metadata_count(metadata))
        return (struct rota_metadatum){0};
    return metadata->pairs[index];
}

bool rota_metadata_get(const struct rota_metadata *metadata, const char *key, struct rota_slice *ret_value)
{
    struct rota_slice wanted = rota_slice_str(key);

    for (size_t i = 0; i < rota_metadata_count(metadata); i++)
        if (rota_slice_equal(metadata->pairs[i].key, wanted)) {
            if (ret_value != NULL)
                *ret_value = metadata->pairs[i].value;
            return true;
        }
    return false;
}

/* --- What an application adds --- */

#define SHOWN(slice) (int)((slice).size < 100 ? (slice).size : 100), (const char *)(slice).data

static rota_err check_key(struct rota_slice key, struct rota_errinfo *info)
{
    if (key.size == 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "a metadata key is empty");
    for (size_t i = 0; i < key.size; i++) {
        uint8_t byte = key.data[i];
        bool fine = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == '.';

        if (!fine)
            return rota_errinfo_set(info, ROTA_EINVAL, "metadata key \"%.*s\": byte 0x%02x at %zu is none of a-z 0-9 _ - .", SHOWN(key),
                byte, i);
    }
    if (key.size >= 5 && memcmp(key.data, "grpc-", 5) == 0 && !is_one_of(key, granted, ROTA_COUNT(granted)))
        return rota_errinfo_set(info, ROTA_EINVAL, "metadata key \"%.*s\": names that begin with grpc- are gRPC's own", SHOWN(key));
    if (is_one_of(key, reserved, ROTA_COUNT(reserved)))
        return rota_errinfo_set(info, ROTA_EINVAL, "metadata key \"%.*s\" is a header field of HTTP or gRPC itself", SHOWN(key));
    return 0;
}

static rota_err check_value(struct rota_slice key, struct rota_slice value, struct rota_errinfo *info)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < ' ' || value.data[i] > '~')
            return rota_errinfo_set(info, ROTA_EINVAL,
                "metadata \"%.*s\": byte 0x%02x at %zu of the value is not printable ASCII; a key that ends in -bin carries any bytes",
                SHOWN(key), value.data[i], i);
    if (value.size > 0 && (value.data[0] == ' ' || value.data[value.size - 1] == ' '))
        return rota_errinfo_set(info, ROTA_EINVAL, "metadata \"%.*s\": the value begins or ends with a space, which receivers drop",
            SHOWN(key));
    return 0;
}

rota_err rota_metadata_add(struct rota_metadata *metadata, struct rota_slice key, struct rota_slice value, struct rota_errinfo *info)
{
    rota_err err;

    if (metadata == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "there is no metadata list to add to");
    err = check_key(key, info);
    if (err == 0 && !is_binary(key))
        err = check_value(key, value, info);
    if (err < 0)
        return err;
    if (push_copy(metadata, key, value) < 0)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for metadata \"%.*s\"", SHOWN(key));
    return 0;
}

rota_err rota_metadata_add_text(struct rota_metadata *metadata, const char *key, const char *value)
{
    if (key == NULL || value == NULL)
        return ROTA_EINVAL;
    return rota_metadata_add(metadata, rota_slice_str(key), rota_slice_str(value), NULL);
}

/* --- Header fields --- */

static rota_err push_decoded(struct rota_metadata *metadata, struct rota_slice key, struct rota_slice text)
{
    uint8_t *bytes;
    size_t size;

    if (text.size == 0)
        return push(metadata, key, text);
    bytes = rota_arena_get(metadata->arena, text.size / 4 * 3 + 6);
    if (bytes == NULL)
        return ROTA_ENOMEM;
    if (rota_base64_decode(text, bytes, &size) < 0)
        return ROTA_EPARSE;
    return push(metadata, key, rota_slice(bytes, size));
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static struct rota_slice trimmed(struct rota_slice text)
{
    while (text.size > 0 && is_space(text.data[0]))
        text = rota_slice(text.data + 1, text.size - 1);
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* A comma is a byte on the wire, or none with HPACK's table, and a pair here: each is counted as the field's head that it stands for. */
static rota_err count_parts(struct rota_metadata *metadata, struct rota_slice name, struct rota_slice value, size_t max_bytes, size_t *ret_count)
{
    size_t part_bytes = name.size + ROTA_HEADER_OVERHEAD_BYTES - 1, split_bytes = metadata->split_bytes, count = 1;
    const uint8_t *comma;

    while (value.size > 0 && (comma = memchr(value.data, ',', value.size)) != NULL) {
        split_bytes += part_bytes;
        if (split_bytes > max_bytes)
            return ROTA_ELIMIT;
        count++;
        value = rota_slice(comma + 1, value.size - (size_t)(comma - value.data) - 1);
    }
    metadata->split_bytes = split_bytes;
    *ret_count = count;
    return 0;
}

rota_err rota_metadata_add_received(struct rota_metadata *metadata, struct rota_slice name, struct rota_slice value, size_t max_bytes)
{
    struct rota_slice key;
    size_t count;

    if (!is_binary(name))
        return push_copy(metadata, name, trimmed(value)); /* spaces are no part of it, and nobody could send it on with them */
    if (count_parts(metadata, name, value, max_bytes, &count) < 0)
        return ROTA_ELIMIT;
    if (reserve(metadata, count) < 0 || rota_arena_slice(metadata->arena, name, &key) < 0)
        return ROTA_ENOMEM;
    for (;;) {
        const uint8_t *comma = value.size == 0 ? NULL : memchr(value.data, ',', value.size);
        size_t size = comma == NULL ? value.size : (size_t)(comma - value.data);
        rota_err err = push_decoded(metadata, key, trimmed(rota_slice(value.data, size)));

        if (err < 0 || comma == NULL)
            return err;
        value = rota_slice(comma + 1, value.size - size - 1);
    }
}

bool rota_metadata_exceeds(const struct rota_metadata *metadata, const struct rota_header *headers, size_t count, size_t max_bytes)
{
    return metadata->split_bytes > 0 && metadata->split_bytes + rota_header_list_bytes(headers, count) > max_bytes;
}

rota_err rota_metadata_copy(struct rota_metadata *metadata, const struct rota_metadata *from)
{
    size_t count = rota_metadata_count(from); /* before, because it may be the same list */

    if (count > 0 && reserve(metadata, count) < 0)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (push_copy(metadata, from->pairs[i].key, from->pairs[i].value) < 0)
            return ROTA_ENOMEM;
    return 0;
}

rota_err rota_metadata_fields(const struct rota_metadata *metadata, struct rota_arena *arena, struct rota_header *out)
{
    for (size_t i = 0; i < rota_metadata_count(metadata); i++) {
        const struct rota_metadatum *pair = &metadata->pairs[i];

        out[i] = (struct rota_header){pair->key, pair->value};
        if (is_binary(pair->key) && pair->value.size > 0) {
            size_t size = rota_base64_encoded_size(pair->value.size);
            char *text = rota_arena_get(arena, size);

            if (text == NULL)
                return ROTA_ENOMEM;
            rota_base64_encode(pair->value, text);
            out[i].value = rota_slice(text, size);
        }
    }
    return 0;
}
