/* frame.c - cutting a stream of bytes into messages.
 *
 * Invariants: have_prefix < ROTA_FRAME_PREFIX means that `want` is not known and nothing is gathered; partial->size <
 * want. A refused prefix stays in place, so that the same error is reported again however often the decoder is asked.
 */
#include "wire/frame.h"
#include "base/errinfo.h"

#define GATHER_MIN_BYTES 4096
#define GATHER_GAIN 8

void rota_frame_decoder_init(struct rota_frame_decoder *d, const struct rota_alloc *alloc, size_t max_bytes)
{
    *d = (struct rota_frame_decoder){.alloc = alloc, .max_bytes = max_bytes};
}

void rota_frame_decoder_fini(struct rota_frame_decoder *d)
{
    if (d == NULL)
        return;
    rota_chunk_unref(d->partial);
    rota_chunk_unref(d->ready);
    d->partial = d->ready = NULL;
}

static void skip(struct rota_slice *input, size_t size)
{
    *input = rota_slice(input->data + size, input->size - size);
}

static bool take_prefix(struct rota_frame_decoder *d, struct rota_slice *input)
{
    size_t size = (size_t)ROTA_FRAME_PREFIX - d->have_prefix;

    if (size > input->size)
        size = input->size;
    if (size > 0) {
        memcpy(d->prefix + d->have_prefix, input->data, size);
        d->have_prefix = (uint8_t)(d->have_prefix + size);
        skip(input, size);
    }
    return d->have_prefix == ROTA_FRAME_PREFIX;
}

static rota_err check_prefix(struct rota_frame_decoder *d, struct rota_errinfo *info)
{
    d->want = (size_t)d->prefix[1] << 24 | (size_t)d->prefix[2] << 16 | (size_t)d->prefix[3] << 8 | d->prefix[4];
    if (d->prefix[0] > 1)
        return rota_errinfo_set(info, ROTA_EPARSE, "a message begins with flag byte 0x%02x, expected 0 or 1", d->prefix[0]);
    if (d->want > d->max_bytes)
        return rota_errinfo_set(info, ROTA_ELIMIT, "a message has %zu bytes, the limit is %zu", d->want, d->max_bytes);
    return 0;
}

/* Room for `more` bytes behind those gathered, and for a multiple of them: a megabyte in frames of 16 KiB moves once, and no peer makes
 * us take more than that multiple of what it has sent. */
static rota_err grow(struct rota_frame_decoder *d, size_t more)
{
    struct rota_chunk *old = d->partial, *chunk;
    size_t have = old == NULL ? 0 : old->size, cap;

    if (old != NULL && old->cap - have >= more)
        return 0;
    cap = have + more > d->want / GATHER_GAIN ? d->want : GATHER_GAIN * (have + more);
    if (cap < GATHER_MIN_BYTES)
        cap = d->want < GATHER_MIN_BYTES ? d->want : GATHER_MIN_BYTES;
    chunk = rota_chunk_new(d->alloc, cap);
    if (chunk == NULL)
        return ROTA_ENOMEM;
    if (have > 0)
        memcpy(chunk->data, old->data, have);
    chunk->size = have;
    rota_chunk_unref(old);
    d->partial = chunk;
    return 0;
}

/* 1 when the message is whole and lies in d->ready. */
static int gather(struct rota_frame_decoder *d, struct rota_slice *input)
{
    size_t have = d->partial == NULL ? 0 : d->partial->size;
    size_t size = d->want - have;

    if (size > input->size)
        size = input->size;
    if (size == 0)
        return 0;
    if (grow(d, size) < 0)
        return ROTA_ENOMEM;
    memcpy(d->partial->data + have, input->data, size);
    d->partial->size += size;
    skip(input, size);
    if (d->partial->size < d->want)
        return 0;
    d->ready = d->partial;
    d->partial = NULL;
    return 1;
}

int rota_frame_decode(struct rota_frame_decoder *d, struct rota_slice *input, struct rota_frame *ret_frame, struct rota_errinfo *info)
{
    int result;

    rota_chunk_unref(d->ready);
    d->ready = NULL;
    if (!take_prefix(d, input))
        return 0;
    result = check_prefix(d, info);
    if (result < 0)
        return result;
    if (d->partial == NULL && input->size >= d->want) {
        *ret_frame = (struct rota_frame){d->prefix[0] == 1, rota_slice(input->data, d->want)};
        if (d->want > 0)
            skip(input, d->want);
    } else {
        result = gather(d, input);
        if (result == ROTA_ENOMEM)
            return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for a message of %zu bytes", d->want);
        if (result == 0)
            return 0;
        *ret_frame = (struct rota_frame){d->prefix[0] == 1, rota_chunk_slice(d->ready)};
    }
    d->have_prefix = 0;
    return 1;
}

size_t rota_frame_decoder_held(const struct rota_frame_decoder *d)
{
    return d->partial == NULL ? 0 : d->partial->cap;
}

bool rota_frame_decoder_clean(const struct rota_frame_decoder *d)
{
    return d->have_prefix == 0;
}

void rota_frame_put_prefix(uint8_t *out, bool compressed, uint32_t size)
{
    out[0] = compressed;
    out[1] = (uint8_t)(size >> 24);
    out[2] = (uint8_t)(size >> 16);
    out[3] = (uint8_t)(size >> 8);
    out[4] = (uint8_t)size;
}
