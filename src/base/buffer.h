/* buffer.h - a growable byte queue: append at the back, consume at the front, never above a limit. */
#ifndef ROTA_BASE_BUFFER_H
#define ROTA_BASE_BUFFER_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>

struct rota_buffer {
    const struct rota_alloc *alloc;
    uint8_t *data;
    size_t head, tail, cap; /* bytes are data[head..tail) */
    size_t limit_bytes;     /* 0: none */
};

void rota_buffer_init(struct rota_buffer *b, const struct rota_alloc *alloc, size_t limit_bytes);
void rota_buffer_fini(struct rota_buffer *b);
struct rota_slice rota_buffer_peek(const struct rota_buffer *b);
void rota_buffer_consume(struct rota_buffer *b, size_t size); /* size <= what peek shows */
void rota_buffer_clear(struct rota_buffer *b);                /* keeps the memory */
rota_err rota_buffer_append(struct rota_buffer *b, struct rota_slice bytes); /* ROTA_ENOMEM, ROTA_ELIMIT: nothing appended */

/* Room for `size` bytes at the back, to be filled and then committed (at most `size`). NULL: no memory or over the limit. */
uint8_t *rota_buffer_reserve(struct rota_buffer *b, size_t size);
void rota_buffer_commit(struct rota_buffer *b, size_t size);

/* Appends printf output. */
rota_err rota_buffer_printf(struct rota_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
