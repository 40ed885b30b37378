/* zip.c - zlib's streams, a whole message at a time.
 *
 * Invariants: output grows by doubling as it appears, never by what the input claims; at the limit the next byte goes into a variable,
 * so that a message that is too long is noticed without room for it. A state is reset before use, so it does not matter how its last
 * message ended. A gzip message may have several members, as RFC 1952 has it; each is at least 18 bytes, so time stays linear.
 */
#include "wire/zip.h"
#include "base/alloc.h"
#include "base/errinfo.h"
#include "wire/frame.h"
#include <zlib.h>

#define WINDOW_BITS 15
#define GZIP_BITS (WINDOW_BITS + 16) /* as zlib counts: with gzip's header and trailer */
#define MEMORY_LEVEL 8
#define GZIP_FIRST_BYTE 0x1F /* RFC 1952, 2.3.1: ID1 */
#define FIRST_BYTES ((size_t)1024)
#define OVERHEAD_BYTES ((size_t)20) /* of gzip around nothing: what is not longer cannot get shorter */

/* --- Names --- */

enum rota_encoding rota_encoding_of(struct rota_slice name)
{
    if (name.size == 0 || rota_slice_equal(name, ROTA_SLICE("identity")))
        return ROTA_ENCODING_IDENTITY;
    if (rota_slice_equal(name, ROTA_SLICE("gzip")))
        return ROTA_ENCODING_GZIP;
    return rota_slice_equal(name, ROTA_SLICE("deflate")) ? ROTA_ENCODING_DEFLATE : ROTA_ENCODING_UNKNOWN;
}

static struct rota_slice trim(struct rota_slice text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = rota_slice(text.data + 1, text.size - 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* As nearly everybody writes it, so that the list is not gone through for each call. */
static bool ends_with_gzip(struct rota_slice list)
{
    const uint8_t *end;

    if (list.size < 4)
        return false;
    end = list.data + list.size;
    if (memcmp(end - 4, "gzip", 4) != 0)
        return false;
    return list.size == 4 || end[-5] == ',' || (list.size > 5 && end[-5] == ' ' && end[-6] == ',');
}

bool rota_encodings_have_gzip(struct rota_slice list)
{
    if (ends_with_gzip(list))
        return true;
    while (list.size > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.size);
        size_t size = comma == NULL ? list.size : (size_t)(comma - list.data);

        if (rota_slice_equal(trim(rota_slice(list.data, size)), ROTA_SLICE("gzip")))
            return true;
        if (comma == NULL)
            return false;
        list = rota_slice(list.data + size + 1, list.size - size - 1);
    }
    return false;
}

/* --- States --- */

static void *zlib_alloc(void *ctx, unsigned count, unsigned size_bytes)
{
    return rota_alloc_get(ctx, (size_t)count * size_bytes);
}

static void zlib_free(void *ctx, void *ptr)
{
    rota_alloc_free(ctx, ptr);
}

void rota_zip_init(struct rota_zip *zip, const struct rota_alloc *alloc)
{
    *zip = (struct rota_zip){.alloc = rota_alloc_or_default(alloc)};
}

void rota_zip_fini(struct rota_zip *zip)
{
    if (zip->deflater != NULL)
        deflateEnd(zip->deflater);
    if (zip->inflater != NULL)
        inflateEnd(zip->inflater);
    rota_alloc_free(zip->alloc, zip->deflater);
    rota_alloc_free(zip->alloc, zip->inflater);
    zip->deflater = zip->inflater = NULL;
}

static z_stream *new_stream(const struct rota_zip *zip)
{
    z_stream *z = rota_alloc_zero(zip->alloc, 1, sizeof(*z));

    if (z == NULL)
        return NULL;
    z->zalloc = zlib_alloc;
    z->zfree = zlib_free;
    z->opaque = (void *)(uintptr_t)zip->alloc;
    return z;
}

static rota_err ready_deflater(struct rota_zip *zip)
{
    z_stream *z = zip->deflater;

    if (z != NULL)
        return deflateReset(z) == Z_OK ? 0 : ROTA_ENOMEM;
    z = new_stream(zip);
    if (z == NULL)
        return ROTA_ENOMEM;
    if (deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        rota_alloc_free(zip->alloc, z);
        return ROTA_ENOMEM;
    }
    zip->deflater = z;
    return 0;
}

static rota_err ready_inflater(struct rota_zip *zip, int window_bits)
{
    z_stream *z = zip->inflater;

    if (z != NULL)
        return inflateReset2(z, window_bits) == Z_OK ? 0 : ROTA_ENOMEM;
    z = new_stream(zip);
    if (z == NULL)
        return ROTA_ENOMEM;
    if (inflateInit2(z, window_bits) != Z_OK) {
        rota_alloc_free(zip->alloc, z);
        return ROTA_ENOMEM;
    }
    zip->inflater = z;
    return 0;
}

/* Twice the room, at most max_cap. */
static rota_err grow(struct rota_chunk **chunk, size_t max_cap)
{
    struct rota_chunk *old = *chunk, *wider;
    size_t cap = old->cap > max_cap / 2 ? max_cap : old->cap * 2;

    wider = rota_chunk_new(old->alloc, cap < FIRST_BYTES && FIRST_BYTES < max_cap ? FIRST_BYTES : cap);
    if (wider == NULL)
        return ROTA_ENOMEM;
    memcpy(wider->data, old->data, old->size);
    wider->size = old->size;
    rota_chunk_unref(old);
    *chunk = wider;
    return 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void set_input(z_stream *z, const uint8_t *data, size_t size)
{
    z->next_in = (uint8_t *)(uintptr_t)data;
    z->avail_in = (unsigned)size; /* of a frame: fits 32 bits */
}

/* --- Out --- */

/* 1 with *out holding all of it, 0 when it would not be shorter than max_cap, or ROTA_ENOMEM. */
static int deflate_into(z_stream *z, struct rota_chunk **out, size_t max_cap)
{
    int result;

    do {
        struct rota_chunk *chunk = *out;

        if (chunk->size == chunk->cap) {
            if (chunk->cap == max_cap)
                return 0;
            if (grow(out, max_cap) < 0)
                return ROTA_ENOMEM;
            chunk = *out;
        }
        z->next_out = chunk->data + chunk->size;
        z->avail_out = (unsigned)least(chunk->cap - chunk->size, UINT32_MAX);
        result = deflate(z, Z_FINISH);
        chunk->size = (size_t)(z->next_out - chunk->data);
    } while (result == Z_OK || result == Z_BUF_ERROR);
    return result == Z_STREAM_END ? 1 : ROTA_ENOMEM;
}

/* 1 with a shorter frame, 0: there is none, or ROTA_ENOMEM. */
static int squeeze(struct rota_zip *zip, const struct rota_chunk *plain, struct rota_chunk **ret_frame)
{
    size_t size = plain->size - ROTA_FRAME_PREFIX;
    struct rota_chunk *out;
    int got;

    if (size <= OVERHEAD_BYTES)
        return 0;
    if (ready_deflater(zip) < 0)
        return ROTA_ENOMEM;
    out = rota_chunk_new(zip->alloc, least(FIRST_BYTES, plain->size - 1));
    if (out == NULL)
        return ROTA_ENOMEM;
    out->size = ROTA_FRAME_PREFIX;
    set_input(zip->deflater, plain->data + ROTA_FRAME_PREFIX, size);
    got = deflate_into(zip->deflater, &out, plain->size - 1);
    if (got == 1)
        *ret_frame = out;
    else
        rota_chunk_unref(out);
    return got;
}

rota_err rota_zip_frame(struct rota_zip *zip, struct rota_chunk **chunk)
{
    struct rota_chunk *shorter = NULL;
    int got = squeeze(zip, *chunk, &shorter);

    if (got < 0)
        return got;
    if (got == 1) {
        rota_chunk_unref(*chunk);
        *chunk = shorter;
    }
    rota_frame_put_prefix((*chunk)->data, got == 1, (uint32_t)((*chunk)->size - ROTA_FRAME_PREFIX));
    return 0;
}

/* --- In --- */

static const char *name_of(enum rota_encoding encoding)
{
    return encoding == ROTA_ENCODING_GZIP ? "gzip" : "deflate";
}

/* As much as there is room for, at the limit one byte to nowhere. Returns zlib's result; false in *ret_fits: that byte came. */
static int inflate_some(z_stream *z, struct rota_chunk *out, bool *ret_fits)
{
    size_t room = out->cap - out->size;
    uint8_t beyond;
    int result;

    z->next_out = room > 0 ? out->data + out->size : &beyond;
    z->avail_out = room == 0 ? 1 : (unsigned)least(room, UINT32_MAX);
    result = inflate(z, Z_NO_FLUSH);
    *ret_fits = room > 0 || z->avail_out == 1;
    if (room > 0)
        out->size = (size_t)(z->next_out - out->data);
    return result;
}

/* 1: the message is whole; 0: go on; or an error. */
static int judge(z_stream *z, enum rota_encoding encoding, int result, struct rota_errinfo *info)
{
    switch (result) {
    case Z_STREAM_END:
        if (z->avail_in == 0)
            return 1;
        if (encoding == ROTA_ENCODING_GZIP && z->next_in[0] == GZIP_FIRST_BYTE && inflateReset(z) == Z_OK)
            return 0;
        return rota_errinfo_set(info, ROTA_EPARSE, "a message has %u bytes after the end of its %s data", z->avail_in, name_of(encoding));
    case Z_OK:
    case Z_BUF_ERROR:
        if (z->avail_in > 0 || z->avail_out == 0)
            return 0;
        return rota_errinfo_set(info, ROTA_EPARSE, "a message's %s data is cut off", name_of(encoding));
    case Z_MEM_ERROR:
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for a compressed message");
    default:
        return rota_errinfo_set(info, ROTA_EPARSE, "a message's %s data is corrupt: %s", name_of(encoding),
                                z->msg == NULL ? "it needs a dictionary" : z->msg);
    }
}

static int inflate_into(z_stream *z, enum rota_encoding encoding, size_t max_bytes, struct rota_chunk **out, struct rota_errinfo *info)
{
    int got = 0;

    while (got == 0) {
        bool fits;
        int result;

        if ((*out)->size == (*out)->cap && (*out)->cap < max_bytes && grow(out, max_bytes) < 0)
            return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for a compressed message");
        result = inflate_some(z, *out, &fits);
        if (!fits)
            return rota_errinfo_set(info, ROTA_ELIMIT, "a message decompressed has more than %zu bytes, the limit", max_bytes);
        got = judge(z, encoding, result, info);
    }
    return got;
}

rota_err rota_zip_open(struct rota_zip *zip, enum rota_encoding encoding, struct rota_slice packed, size_t max_bytes, struct rota_chunk **ret_chunk,
                       struct rota_errinfo *info)
{
    size_t guess = packed.size > SIZE_MAX / 4 ? packed.size : packed.size * 4;
    struct rota_chunk *out;
    int got;

    if (ready_inflater(zip, encoding == ROTA_ENCODING_GZIP ? GZIP_BITS : WINDOW_BITS) < 0)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for decompressing");
    out = rota_chunk_new(zip->alloc, least(guess < FIRST_BYTES ? FIRST_BYTES : guess, max_bytes));
    if (out == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for a compressed message");
    set_input(zip->inflater, packed.data, packed.size);
    got = inflate_into(zip->inflater, encoding, max_bytes, &out, info);
    if (got < 0) {
        rota_chunk_unref(out);
        return got;
    }
    *ret_chunk = out;
    return 0;
}
