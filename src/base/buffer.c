/* buffer.c - one block of memory, a window in it.
 *
 * Invariants: head <= tail <= cap; an empty buffer has head = tail = 0; tail - head <= limit_bytes if there is a
 * limit. The window moves to the front only when at least as much was consumed as is left to move, or when the
 * block grows anyway, so a byte is moved O(1) times.
 */
#include "base/buffer.h"
#include "base/alloc.h"
#include "base/assert.h"
#include <stdarg.h>
#include <stdio.h>

#define FIRST_BYTES 256

void rota_buffer_init(struct rota_buffer *b, const struct rota_alloc *alloc, size_t limit_bytes)
{
    *b = (struct rota_buffer){.alloc = rota_alloc_or_default(alloc), .limit_bytes = limit_bytes};
}

void rota_buffer_fini(struct rota_buffer *b)
{
    if (b == NULL)
        return;
    rota_alloc_free(b->alloc, b->data);
    b->data = NULL;
    b->head = b->tail = b->cap = 0;
}

struct rota_slice rota_buffer_peek(const struct rota_buffer *b)
{
    if (b->head == b->tail)
        return (struct rota_slice){0};
    return rota_slice(b->data + b->head, b->tail - b->head);
}

void rota_buffer_consume(struct rota_buffer *b, size_t size)
{
    ROTA_ASSERT(size <= b->tail - b->head);
    b->head += size;
    if (b->head == b->tail)
        b->head = b->tail = 0;
}

void rota_buffer_clear(struct rota_buffer *b)
{
    b->head = b->tail = 0;
}

static void move_to_front(struct rota_buffer *b)
{
    size_t size = b->tail - b->head;

    if (b->head == 0)
        return;
    memmove(b->data, b->data + b->head, size);
    b->head = 0;
    b->tail = size;
}

static rota_err grow(struct rota_buffer *b, size_t room)
{
    size_t need = b->tail - b->head + room;
    size_t cap = b->cap < FIRST_BYTES / 2 ? FIRST_BYTES : b->cap * 2;
    uint8_t *data;

    if (cap < need)
        cap = need;
    move_to_front(b);
    data = rota_alloc_resize(b->alloc, b->data, cap);
    if (data == NULL)
        return ROTA_ENOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

/* Room for `size` bytes, which the limit counts, and `spare` bytes more, which it does not. */
static rota_err make_room(struct rota_buffer *b, size_t size, size_t spare)
{
    size_t held = b->tail - b->head;
    size_t room = size + spare;

    if (b->limit_bytes != 0 && size > b->limit_bytes - held)
        return ROTA_ELIMIT;
    if (size > PTRDIFF_MAX / 4)
        return ROTA_ENOMEM;
    if (b->data != NULL && room <= b->cap - b->tail)
        return 0;
    if (b->data != NULL && room <= b->cap - held && held <= b->head) {
        move_to_front(b);
        return 0;
    }
    return grow(b, room);
}

rota_err rota_buffer_append(struct rota_buffer *b, struct rota_slice bytes)
{
    rota_err err;

    if (bytes.size == 0)
        return 0;
    err = make_room(b, bytes.size, 0);
    if (err < 0)
        return err;
    memcpy(b->data + b->tail, bytes.data, bytes.size);
    b->tail += bytes.size;
    return 0;
}

uint8_t *rota_buffer_reserve(struct rota_buffer *b, size_t size)
{
    return make_room(b, size, 0) < 0 ? NULL : b->data + b->tail;
}

void rota_buffer_commit(struct rota_buffer *b, size_t size)
{
    ROTA_ASSERT(size <= b->cap - b->tail);
    b->tail += size;
}

rota_err rota_buffer_printf(struct rota_buffer *b, const char *format, ...)
{
    va_list args;
    rota_err err;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0)
        return ROTA_EINVAL;
    err = make_room(b, (size_t)size, 1);
    if (err < 0)
        return err;
    va_start(args, format);
    vsnprintf((char *)b->data + b->tail, (size_t)size + 1, format, args);
    va_end(args);
    b->tail += (size_t)size;
    return 0;
}
