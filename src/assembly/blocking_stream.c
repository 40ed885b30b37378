/* blocking_stream.c - rota_call_open, send, recv, finish: streaming calls from a thread that may wait.
 *
 * Messages received wait in a queue, filled by the loop's thread and emptied by the caller's, both under the hand-off's lock. At
 * QUEUE_BYTES the call is held, so a slow caller slows the server down; it is resumed at half of that. A single message may have more:
 * while the caller looks at one the next one comes in.
 * One message at a time is on its way out: it is the loop's from the errand that writes it until it has been taken. So one thread
 * may send while another receives; everything the loop and a caller share is either under the lock or handed over with an errand.
 * On a loop that the caller turns, what need not wait turns it no less: nobody else might for a long time. So every send is a write of its
 * own there; what a whole turn sends together needs turns that somebody else makes.
 */
#include "assembly/blocking.h"
#include "assembly/open.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "loop/loop.h"

#define QUEUE_BYTES ((size_t)64 << 10)

struct received {
    struct rota_link link;
    struct rota_chunk *chunk;
    bool compressed;
};

struct rota_blocking {
    struct rota_handoff handoff;
    struct rota_loop_post resume, send;
    struct rota_channel *channel;
    const struct rota_method *method;
    const struct rota_call_options *options;
    const struct rota_alloc *alloc;
    struct rota_attachments *attachments; /* the channel's, held: its loop stays until the call is finished */
    struct rota_call *call;
    struct rota_chunk *handed;  /* on its way to the loop, with `send` */
    struct rota_chunk *sending; /* the loop's */
    const void *sending_message; /* what was packed into either; the caller waits */
    rota_err send_err;          /* how it went; ROTA_EAGAIN while it waits */
    rota_err start_err;
    bool no_memory; /* the loop's: what cancelled the call */
    struct rota_link queue; /* struct received */
    size_t queue_bytes, n_queued;
    bool held, resuming;
    bool came_compressed; /* the caller's: the message taken last */
    bool done;
    struct rota_status status;
};

/* Without the lock, which who is woken needs at once. The caller's last errand makes sure that we have returned before it is all freed. */
static void wake_caller(struct rota_blocking *b)
{
    rota_handoff_signal(&b->handoff);
}

static void signal_send(struct rota_blocking *b, rota_err err)
{
    rota_handoff_lock(&b->handoff);
    b->send_err = err;
    rota_handoff_unlock(&b->handoff);
    wake_caller(b);
}

/* On the loop: writes what is to be sent, now or when there is room. */
static void try_send(struct rota_blocking *b)
{
    struct rota_chunk *chunk = b->sending;
    rota_err err;

    if (chunk == NULL)
        return;
    err = b->done ? ROTA_ECLOSED : rota_call_write_packed(b->call, rota_chunk_ref(chunk), b->sending_message);
    if (err == ROTA_EAGAIN)
        return;
    b->sending = NULL;
    rota_chunk_unref(chunk);
    signal_send(b, err);
}

/* NULL: out of memory. */
static struct rota_chunk *keep(struct rota_call *call, const struct rota_blocking *b, const struct rota_slice *bytes)
{
    struct rota_chunk *chunk = rota_call_take_packed(call);

    if (chunk != NULL)
        return chunk;
    chunk = rota_chunk_new(rota_blocking_alloc(b->channel, bytes->size), bytes->size);
    if (chunk == NULL)
        return NULL;
    if (bytes->size > 0)
        memcpy(chunk->data, bytes->data, bytes->size);
    chunk->size = bytes->size;
    return chunk;
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    const struct rota_slice *bytes = message;
    struct rota_blocking *b = arg;
    struct received *r = rota_alloc_get(b->alloc, sizeof(*r));

    if (r != NULL)
        r->chunk = keep(call, b, bytes);
    if (r == NULL || r->chunk == NULL) {
        rota_alloc_free(b->alloc, r);
        b->no_memory = true;
        rota_call_cancel(call);
        return;
    }
    r->compressed = rota_call_came_compressed(call);
    rota_handoff_lock(&b->handoff);
    rota_list_append(&b->queue, &r->link);
    b->queue_bytes += bytes->size + sizeof(*r);
    b->n_queued++;
    if (b->queue_bytes >= QUEUE_BYTES && b->n_queued > 1 && !b->held) {
        b->held = true;
        rota_call_hold(call);
    }
    rota_handoff_unlock(&b->handoff);
    wake_caller(b);
}

static void on_writable(struct rota_call *call, void *arg)
{
    (void)call;
    try_send(arg);
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct rota_blocking *b = arg;

    rota_handoff_lock(&b->handoff);
    b->status = *status;
    if (b->no_memory) {
        rota_status_set(&b->status, ROTA_RESOURCE_EXHAUSTED, "out of memory for a message received");
        rota_call_overrule(call, &b->status);
    }
    b->done = true;
    rota_handoff_signal(&b->handoff);
    rota_handoff_unlock(&b->handoff);
    try_send(b);
}

static const struct rota_call_events events = {.on_message = on_message, .on_writable = on_writable, .on_done = on_done};

static void start(void *arg)
{
    struct rota_blocking *b = arg;

    b->start_err = rota_blocking_start(b->channel, b->method, b->options, &events, b, &b->call);
    if (b->start_err < 0)
        return;
    b->attachments = rota_attachments_hold(b->channel);
    rota_call_keep(b->call);
    rota_call_set_facade(b->call, b);
}

static void send_on_loop(struct rota_loop_post *post)
{
    struct rota_blocking *b = ROTA_CONTAINER(post, struct rota_blocking, send);

    b->sending = b->handed;
    try_send(b);
}

static void resume(struct rota_loop_post *post)
{
    struct rota_blocking *b = ROTA_CONTAINER(post, struct rota_blocking, resume);
    bool done;

    rota_handoff_lock(&b->handoff);
    b->held = b->resuming = false;
    done = b->done;
    rota_handoff_signal(&b->handoff);
    rota_handoff_unlock(&b->handoff);
    if (!done)
        rota_call_resume(b->call);
}

static void destroy(struct rota_blocking *b)
{
    struct rota_link *link;

    while ((link = rota_list_pop(&b->queue)) != NULL) {
        struct received *r = ROTA_CONTAINER(link, struct received, link);
        rota_chunk_unref(r->chunk);
        rota_alloc_free(b->alloc, r);
    }
    rota_handoff_fini(&b->handoff);
    rota_alloc_free(b->alloc, b);
}

/* Without waiting: what the loop's thread was given goes out also when the caller is that thread and turns to something else. */
static void push(struct rota_blocking *b)
{
    if (rota_loop_is_mine(b->handoff.loop))
        rota_loop_push(b->handoff.loop);
}

rota_err rota_call_open(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                        struct rota_call **ret_call)
{
    const struct rota_alloc *alloc = rota_channel_host(channel)->alloc;
    struct rota_blocking *b;
    rota_err err;

    if (rota_loop_is_inherited(rota_channel_loop(channel)))
        return ROTA_ESTATE;
    b = rota_alloc_zero(alloc, 1, sizeof(*b));
    if (b == NULL)
        return ROTA_ENOMEM;
    b->alloc = alloc;
    b->channel = channel;
    b->method = method;
    b->options = options;
    b->resume.run = resume;
    b->send.run = send_on_loop;
    rota_list_init(&b->queue);
    rota_handoff_init(&b->handoff, rota_channel_loop(channel));
    rota_handoff_run(&b->handoff, start, b);
    err = b->start_err;
    if (err < 0) {
        destroy(b);
        return err;
    }
    if (method->client_streaming) /* else the only request is to follow, in one write with what is there */
        push(b);
    *ret_call = b->call;
    return 0;
}

rota_err rota_call_send(struct rota_call *call, const void *message)
{
    struct rota_blocking *b = rota_call_facade(call);
    struct rota_chunk *chunk = rota_blocking_pack(b->channel, b->method, message);
    rota_err err;

    if (chunk == NULL)
        return ROTA_ENOMEM;
    b->handed = chunk;
    b->sending_message = message;
    rota_handoff_lock(&b->handoff);
    b->send_err = ROTA_EAGAIN;
    rota_handoff_unlock(&b->handoff);
    if (rota_loop_is_mine(b->handoff.loop))
        send_on_loop(&b->send);
    else
        rota_loop_post(b->handoff.loop, &b->send);
    rota_handoff_lock(&b->handoff);
    while (b->send_err == ROTA_EAGAIN)
        rota_handoff_wait(&b->handoff);
    err = b->send_err;
    rota_handoff_unlock(&b->handoff);
    push(b);
    return err;
}

struct ending {
    struct rota_blocking *blocking;
    rota_err err;
};

static void end_on_loop(void *arg)
{
    struct ending *e = arg;

    e->err = e->blocking->done ? ROTA_ECLOSED : rota_call_write_end(e->blocking->call);
}

rota_err rota_call_send_end(struct rota_call *call)
{
    struct ending ending = {rota_call_facade(call), 0};

    rota_handoff_run(&ending.blocking->handoff, end_on_loop, &ending);
    push(ending.blocking);
    return ending.err;
}

struct compression {
    struct rota_call *call;
    enum rota_compression wanted;
    rota_err err;
};

static void set_on_loop(void *arg)
{
    struct compression *c = arg;

    c->err = rota_call_compress(c->call, c->wanted);
}

/* These two are for asynchronous calls as well, which have no facade. */
rota_err rota_call_set_compression(struct rota_call *call, enum rota_compression compression)
{
    struct compression c = {call, compression, 0};
    struct rota_blocking *b = rota_call_facade(call);

    if (b == NULL)
        return rota_call_compress(call, compression);
    rota_handoff_run(&b->handoff, set_on_loop, &c);
    return c.err;
}

bool rota_call_was_compressed(const struct rota_call *call)
{
    const struct rota_blocking *b = rota_call_facade(call);

    return b == NULL ? rota_call_came_compressed(call) : b->came_compressed;
}

/* The next message's bytes, or NULL at the end. The only reply to a call is one when the status says so: who has it may end the call
 * at once, which must not cancel what is over but for its trailers. */
static struct rota_chunk *take(struct rota_blocking *b)
{
    bool only = !b->method->server_streaming;
    struct rota_chunk *chunk = NULL;
    struct rota_link *link;

    rota_handoff_lock(&b->handoff);
    while ((only || rota_list_empty(&b->queue)) && !b->done)
        rota_handoff_wait(&b->handoff);
    link = only && !rota_status_ok(&b->status) ? NULL : rota_list_pop(&b->queue);
    if (link != NULL) {
        struct received *r = ROTA_CONTAINER(link, struct received, link);
        chunk = r->chunk;
        b->came_compressed = r->compressed;
        b->queue_bytes -= chunk->size + sizeof(*r);
        b->n_queued--;
        rota_alloc_free(b->alloc, r);
    }
    if (b->held && !b->resuming && (b->queue_bytes <= QUEUE_BYTES / 2 || b->n_queued <= 1)) {
        b->resuming = true;
        rota_loop_post(b->handoff.loop, &b->resume);
    }
    rota_handoff_unlock(&b->handoff);
    return chunk;
}

static void cancel_on_loop(void *arg)
{
    struct rota_blocking *b = arg;

    if (!b->done)
        rota_call_cancel(b->call);
}

static void overrule_on_loop(void *arg)
{
    struct rota_blocking *b = arg;

    rota_call_overrule(b->call, &b->status);
}

/* A message that cannot be read ends the call, with a status that says so whatever the server would have said. */
static void give_up(struct rota_blocking *b, rota_err err, const char *text)
{
    rota_handoff_run(&b->handoff, cancel_on_loop, b);
    rota_handoff_lock(&b->handoff);
    while (!b->done)
        rota_handoff_wait(&b->handoff);
    rota_status_set(&b->status, rota_blocking_code(err), "message: %s", text[0] == '\0' ? rota_err_text(err) : text);
    rota_handoff_unlock(&b->handoff);
    rota_handoff_run(&b->handoff, overrule_on_loop, b);
}

bool rota_call_recv(struct rota_call *call, void **ret_message)
{
    struct rota_blocking *b = rota_call_facade(call);
    const struct rota_message_type *type = &b->method->reply;
    struct rota_chunk *chunk = take(b);
    struct rota_errinfo info = {{0}};
    void *message;
    rota_err err;

    if (chunk == NULL)
        return false;
    err = type->codec->unpack(type->type, rota_chunk_slice(chunk), NULL, &message, &info);
    rota_chunk_unref(chunk);
    if (err < 0) {
        give_up(b, err, info.text);
        return false;
    }
    *ret_message = message;
    return true;
}

static void drop_on_loop(void *arg)
{
    struct rota_blocking *b = arg;
    struct rota_attachments *attachments = b->attachments;

    rota_call_drop(b->call);
    rota_attachments_release(attachments);
}

struct rota_status rota_call_finish(struct rota_call *call)
{
    struct rota_blocking *b = rota_call_facade(call);
    struct rota_status status;

    rota_handoff_run(&b->handoff, cancel_on_loop, b);
    rota_handoff_lock(&b->handoff);
    while (!b->done || b->resuming)
        rota_handoff_wait(&b->handoff);
    status = b->status;
    rota_handoff_unlock(&b->handoff);
    rota_handoff_run(&b->handoff, drop_on_loop, b);
    destroy(b);
    return status;
}
