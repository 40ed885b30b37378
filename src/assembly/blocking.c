/* blocking.c - rota_unary: one request, one reply, the calling thread waits.
 *
 * The calling thread packs and unpacks; the loop's thread starts the call and copies the reply's bytes out. With a loop of its own
 * the channel costs two hand-overs a call; on the caller's loop there are none and the caller turns the loop.
 * A chunk belongs to one thread at a time: the caller's until the start is posted, the loop's afterwards, and back with `done`.
 */
#include "assembly/blocking.h"

#include "base/assert.h"
#include "base/options.h"
#include "base/text.h"
#include "loop/loop.h"
#include "wire/frame.h"
#include "wire/metadata.h"

struct unary {
    struct rota_loop_post post;
    struct rota_handoff handoff;
    struct rota_channel *channel;
    const struct rota_method *method;
    struct rota_call_options options;
    const void *message; /* the caller's */
    struct rota_chunk *request; /* it, packed */
    struct rota_chunk *reply;
    struct rota_status status;
    bool has_message; /* ret_message is the call's, not the status's */
    bool no_memory; /* what cancelled the call */
    bool done;
};

const struct rota_alloc *rota_blocking_alloc(const struct rota_channel *channel, size_t size_bytes)
{
    const struct rota_host *host = rota_channel_host(channel);

    return size_bytes < ROTA_BULK_MIN_BYTES ? host->alloc : host->bulk;
}

struct rota_chunk *rota_blocking_pack(struct rota_channel *channel, const struct rota_method *method, const void *request)
{
    const struct rota_codec *codec = method->request.codec;
    size_t size = codec->packed_size(method->request.type, request);
    struct rota_chunk *chunk = rota_chunk_new(rota_blocking_alloc(channel, size), ROTA_FRAME_PREFIX + size);

    if (chunk == NULL)
        return NULL;
    codec->pack(method->request.type, request, chunk->data + ROTA_FRAME_PREFIX);
    chunk->size = ROTA_FRAME_PREFIX + size;
    return chunk;
}

rota_err rota_blocking_start(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                             const struct rota_call_events *events, void *arg, struct rota_call **ret_call)
{
    rota_err err;

    rota_channel_ref(channel); /* a callback that comes from looking may close it */
    rota_loop_look(rota_channel_loop(channel));
    err = rota_call_start_packed(channel, method, options, events, arg, ret_call);
    rota_channel_unref(channel);
    return err;
}

static void finish(struct unary *u, const struct rota_status *status)
{
    rota_handoff_lock(&u->handoff);
    u->status = *status;
    u->done = true;
    rota_handoff_signal(&u->handoff);
    rota_handoff_unlock(&u->handoff);
}

static void fail(struct unary *u, enum rota_code code, const char *text)
{
    struct rota_status status;

    rota_status_set(&status, code, "%s", text);
    finish(u, &status);
}

static void put_message(struct unary *u, struct rota_slice text)
{
    const struct rota_call_options *o = &u->options;
    size_t size = text.size;

    if (o->ret_message == NULL || o->message_size == 0)
        return;
    if (size >= o->message_size)
        size = rota_text_cut((const char *)text.data, o->message_size - 1);
    if (size > 0)
        memcpy(o->ret_message, text.data, size);
    o->ret_message[size] = '\0';
}

/* False: out of memory. */
static bool copy_metadata(const struct rota_metadata *from, struct rota_metadata **ret_metadata)
{
    struct rota_metadata *copy;

    if (ret_metadata == NULL)
        return true;
    if (rota_metadata_new(NULL, &copy) < 0)
        return false;
    if (from != NULL && rota_metadata_copy(copy, from) < 0) {
        rota_metadata_free(copy);
        return false;
    }
    *ret_metadata = copy;
    return true;
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    const struct rota_slice *bytes = message;
    struct unary *u = arg;

    ROTA_ASSERT(u->reply == NULL);
    u->reply = rota_call_take_packed(call);
    if (u->reply != NULL)
        return;
    u->reply = rota_chunk_new(rota_blocking_alloc(u->channel, bytes->size), bytes->size);
    if (u->reply == NULL) {
        u->no_memory = true;
        rota_call_cancel(call);
        return;
    }
    if (bytes->size > 0)
        memcpy(u->reply->data, bytes->data, bytes->size);
    u->reply->size = bytes->size;
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct unary *u = arg;

    if (!copy_metadata(rota_call_initial_metadata(call), u->options.ret_initial_metadata) ||
        !copy_metadata(rota_call_trailing_metadata(call), u->options.ret_trailing_metadata) || u->no_memory)
        fail(u, ROTA_RESOURCE_EXHAUSTED, "out of memory");
    else if (status->code == ROTA_OK && u->reply == NULL)
        fail(u, ROTA_INTERNAL, "the server said OK without a reply");
    else {
        put_message(u, rota_call_message(call));
        u->has_message = true;
        finish(u, status);
    }
}

static const struct rota_call_events events = {.on_message = on_message, .on_done = on_done};

/* The call never was; what it would have brought is empty. */
static void refuse(struct unary *u, rota_err err)
{
    if (!copy_metadata(NULL, u->options.ret_initial_metadata) || !copy_metadata(NULL, u->options.ret_trailing_metadata))
        err = ROTA_ENOMEM;
    if (err == ROTA_ENOMEM)
        fail(u, ROTA_RESOURCE_EXHAUSTED, "out of memory");
    else if (err == ROTA_ECLOSED)
        fail(u, ROTA_CANCELLED, "the channel is closed");
    else
        fail(u, ROTA_INTERNAL, u->method->server_streaming ? "the method streams its replies: they are for rota_call_open" : rota_err_text(err));
}

static void start(struct rota_loop_post *post)
{
    struct unary *u = ROTA_CONTAINER(post, struct unary, post);
    struct rota_call_options options = u->options;
    struct rota_call *call;
    rota_err err = ROTA_EINVAL;

    options.ret_initial_metadata = options.ret_trailing_metadata = NULL; /* written here */
    options.ret_message = NULL;
    if (!u->method->server_streaming) /* of its replies there is room for one */
        err = rota_blocking_start(u->channel, u->method, &options, &events, u, &call);
    if (err < 0) {
        rota_chunk_unref(u->request);
        refuse(u, err);
        return;
    }
    err = rota_call_write_packed(call, u->request, u->message);
    if (err == 0)
        err = rota_call_write_end(call);
    if (err < 0 && err != ROTA_ECLOSED) { /* which on_done explains */
        u->no_memory = true;
        rota_call_cancel(call);
    }
}

enum rota_code rota_blocking_code(rota_err err)
{
    return err == ROTA_ENOMEM || err == ROTA_ELIMIT ? ROTA_RESOURCE_EXHAUSTED : ROTA_INTERNAL;
}

/* The reply's bytes become the caller's message; a reply that cannot be read ends the call. */
static void unpack(struct unary *u, void **ret_reply)
{
    const struct rota_message_type *type = &u->method->reply;
    struct rota_errinfo info = {{0}};
    void *reply;
    rota_err err = type->codec->unpack(type->type, rota_chunk_slice(u->reply), NULL, &reply, &info);

    u->has_message &= err == 0;
    if (err < 0)
        rota_status_set(&u->status, rota_blocking_code(err), "reply: %s", info.text[0] == '\0' ? rota_err_text(err) : info.text);
    else if (ret_reply != NULL)
        *ret_reply = reply;
    else
        type->codec->free(type->type, reply, NULL);
}

struct rota_status rota_unary(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                              const void *request, void **ret_reply)
{
    struct unary u = {.post.run = start, .channel = channel, .method = method, .options = ROTA_CALL_OPTIONS_INIT, .message = request};
    struct rota_errinfo info;

    if (rota_options_take(&u.options, sizeof(u.options), options, "ROTA_CALL_OPTIONS_INIT", &info) < 0) {
        rota_status_set(&u.status, ROTA_INTERNAL, "%s", info.text);
        return u.status;
    }
    u.options.size = sizeof(u.options);
    if (u.options.ret_initial_metadata != NULL)
        *u.options.ret_initial_metadata = NULL;
    if (u.options.ret_trailing_metadata != NULL)
        *u.options.ret_trailing_metadata = NULL;
    u.request = rota_loop_is_inherited(rota_channel_loop(channel)) ? NULL : rota_blocking_pack(channel, method, request);
    if (u.request == NULL) {
        if (rota_loop_is_inherited(rota_channel_loop(channel)))
            rota_status_set(&u.status, ROTA_FAILED_PRECONDITION, "the channel is another process's: after fork() open one of your own");
        else
            rota_status_set(&u.status, ROTA_RESOURCE_EXHAUSTED, "out of memory");
        put_message(&u, rota_slice_str(u.status.message));
        return u.status;
    }
    rota_handoff_init(&u.handoff, rota_channel_loop(channel));
    if (rota_loop_is_mine(u.handoff.loop))
        start(&u.post);
    else
        rota_loop_post(u.handoff.loop, &u.post);
    rota_handoff_lock(&u.handoff);
    while (!u.done)
        rota_handoff_wait(&u.handoff);
    rota_handoff_unlock(&u.handoff);
    rota_handoff_fini(&u.handoff);
    if (u.status.code == ROTA_OK)
        unpack(&u, ret_reply);
    if (!u.has_message)
        put_message(&u, rota_slice_str(u.status.message));
    rota_chunk_unref(u.reply);
    return u.status;
}
