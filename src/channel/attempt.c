/* attempt.c - from a call that wants a connection to a stream that has all it was given to send.
 *
 * A pick that fails counts against the call only if it is not waiting for ready; a picked connection that turns out to be going
 * away is no error, the pick is made anew. Of several connections the oldest with a stream to spare is taken. What comes back on the
 * stream is reply.c's.
 * Source: doc/load-balancing.md in grpc/grpc; gRFC A54 (codes a policy may not use), A105 (order in the room).
 */
#include "channel/attempt.h"
#include "base/moves.h"
#include "channel/call.h"
#include "channel/explain.h"
#include "lb/tree.h"

#define H2_CANCEL 8
#define REPICKS 4 /* then an event must come first: the policy may be behind the subchannels */

#define BIT(state) (1u << ROTA_ATTEMPT_##state)

static const char *const state_names[] = {"PICKING", "ROOM", "OPEN", "OVER"};
static const uint32_t state_moves[] = {
    [ROTA_ATTEMPT_PICKING] = BIT(ROOM) | BIT(OPEN) | BIT(OVER),
    [ROTA_ATTEMPT_ROOM] = BIT(PICKING) | BIT(OPEN) | BIT(OVER),
    [ROTA_ATTEMPT_OPEN] = BIT(PICKING) | BIT(OVER),
    [ROTA_ATTEMPT_OVER] = BIT(PICKING), /* a retry */
};
static const struct rota_moves moves = {"attempt", state_names, state_moves, ROTA_ATTEMPT_OVER + 1};

static void go(struct rota_attempt *attempt, enum rota_attempt_state state)
{
    rota_moves_go(&moves, &attempt->state, (uint8_t)state);
    if (attempt->call->tries != NULL && (state == ROTA_ATTEMPT_ROOM || state == ROTA_ATTEMPT_OPEN))
        rota_tries_sent(attempt->call->tries);
}

void rota_attempt_init(struct rota_attempt *attempt, struct rota_call *call)
{
    attempt->call = call;
    rota_list_init(&attempt->link);
    attempt->state = ROTA_ATTEMPT_PICKING;
    attempt->picked = attempt->sent = attempt->deaf = attempt->end_sent = attempt->end_seen = attempt->superseded = false;
    attempt->number = 0;
    attempt->place = NULL;
    attempt->connection = NULL;
    attempt->stream = NULL;
    attempt->n_sent = 0;
    attempt->response = (struct rota_response){0};
    rota_frame_decoder_init(&attempt->decoder, call->channel->bulk, call->max_reply_bytes);
}

void rota_attempt_fini(struct rota_attempt *attempt)
{
    rota_frame_decoder_fini(&attempt->decoder);
    rota_connection_unref(attempt->connection);
    attempt->connection = NULL;
}

/* Once for each pick. */
static void tell_policies(struct rota_attempt *attempt, const struct rota_status *status)
{
    struct rota_channel *channel = attempt->call->channel;
    struct rota_outcome outcome;

    if (!attempt->picked)
        return;
    attempt->picked = false;
    if (!rota_balance_listens(channel, &attempt->pick, attempt->balance_number))
        return;
    outcome.status = *status;
    outcome.started_ns = attempt->started_ns;
    outcome.ended_ns = channel->host->now_ns;
    outcome.sent = attempt->sent;
    outcome.trailers = attempt->response.trailing;
    outcome.attempt = attempt->number;
    outcome.superseded = attempt->superseded;
    rota_balance_done(channel, &attempt->pick, &outcome);
}

static void tell_policies_unused(struct rota_attempt *attempt)
{
    static const struct rota_status unused = {.code = ROTA_UNAVAILABLE, .message = "the connection was not used"};

    tell_policies(attempt, &unused);
}

void rota_attempt_over(struct rota_attempt *attempt, const struct rota_status *status)
{
    go(attempt, ROTA_ATTEMPT_OVER);
    rota_list_remove(&attempt->link);
    tell_policies(attempt, status);
}

void rota_attempt_abandon(struct rota_attempt *attempt, const struct rota_status *status, uint32_t h2_code)
{
    struct rota_stream *stream = attempt->stream;
    size_t unread = rota_buffer_peek(&attempt->call->backlog).size;

    if (attempt->state == ROTA_ATTEMPT_OVER)
        return;
    attempt->stream = NULL;
    if (stream != NULL) {
        if (unread > 0 && !attempt->end_seen) /* the connection's window must not shrink for good */
            stream->conn->class->consumed(stream, unread);
        stream->conn->class->reset(stream, h2_code);
    }
    rota_attempt_over(attempt, status);
}

/* --- Sending --- */

size_t rota_attempt_queued(const struct rota_attempt *attempt)
{
    return attempt->stream->conn->class->queued(attempt->stream);
}

static rota_err send_rest(struct rota_attempt *attempt)
{
    struct rota_call *call = attempt->call;
    struct rota_stream *stream = attempt->stream;
    struct rota_outbox *outbox = &call->outbox;
    rota_err err = 0;

    while (err == 0 && attempt->n_sent < outbox->count) {
        struct rota_chunk *chunk = outbox->chunks[attempt->n_sent++];
        bool end = call->half_closed && attempt->n_sent == outbox->count;
        err = stream->conn->class->send(stream, rota_chunk_ref(chunk), end);
        attempt->end_sent = end && err == 0;
    }
    if (err == 0 && call->half_closed && !attempt->end_sent) {
        err = stream->conn->class->send(stream, NULL, true);
        attempt->end_sent = err == 0;
    }
    return err;
}

rota_err rota_attempt_send(struct rota_attempt *attempt)
{
    rota_err err = send_rest(attempt);

    if (err != ROTA_ECLOSED)
        return err;
    attempt->deaf = true;
    return 0;
}

void rota_attempt_after_send(struct rota_attempt *attempt)
{
    struct rota_call *call = attempt->call;

    if (call->committed)
        rota_attempt_forget_sent(attempt);
    else if (rota_call_keeps_too_much(call))
        rota_call_commit(call, call->tries == NULL ? attempt : rota_tries_foremost(call->tries));
}

rota_err rota_attempt_flush(struct rota_attempt *attempt)
{
    rota_err err = rota_attempt_send(attempt);

    if (err == 0 && !attempt->deaf)
        rota_attempt_after_send(attempt);
    return err;
}

void rota_attempt_forget_sent(struct rota_attempt *attempt)
{
    rota_outbox_forget(&attempt->call->outbox, attempt->n_sent);
    attempt->n_sent = 0;
}

/* As the transport's open. */
static rota_err open_stream(struct rota_attempt *attempt, struct rota_connection *connection)
{
    struct rota_call *call = attempt->call;
    struct rota_channel *channel = call->channel;
    int64_t now_ns = channel->host->now_ns;
    struct rota_request_head head = {
        .path = rota_slice_str(call->method->path),
        .authority = rota_slice_str(channel->authority),
        .user_agent = rota_slice_str(channel->user_agent),
        .timeout_ns = call->deadline_ns == INT64_MAX ? INT64_MAX : call->deadline_ns - now_ns,
        .previous_attempts = attempt->number,
        .metadata = call->metadata,
        .secure = channel->secure,
        .gzip = call->gzip,
    };
    struct rota_header *headers;
    size_t count;
    rota_err err;

    rota_arena_reset(&channel->scratch);
    err = rota_request_headers(&head, &channel->scratch, &headers, &count);
    if (err < 0)
        return err;
    attempt->end_sent = false;
    /* Requests end with data, empty if there is no message (PROTOCOL-HTTP2.md "Requests"): grpc-go waits for ever else. */
    err = connection->conn->class->open(connection->conn, headers, count, false, &rota_attempt_stream_events, attempt, &attempt->stream);
    if (err == ROTA_ELIMIT)
        rota_headers_refused(&attempt->response.status, "call", "server", rota_header_list_bytes(headers, count),
                             connection->conn->class->max_header_bytes(connection->conn));
    return err;
}

/* The attempt ends, and the call if it has no other one under way. ROTA_ELIMIT: open_stream has said why. */
static void fail_unsent(struct rota_attempt *attempt, rota_err err)
{
    struct rota_call *call = attempt->call;
    struct rota_status *status = &attempt->response.status;

    if (err != ROTA_ELIMIT)
        rota_status_set(status, ROTA_RESOURCE_EXHAUSTED, "out of memory while sending");
    if (call->tries == NULL || call->committed) {
        rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "%s", status->message);
        return;
    }
    rota_attempt_abandon(attempt, status, H2_CANCEL);
    if (!rota_tries_refused(attempt, true))
        rota_call_end(call, status);
}

static void set_connection(struct rota_attempt *attempt, struct rota_connection *connection)
{
    rota_connection_unref(attempt->connection);
    attempt->connection = rota_connection_ref(connection);
}

/* Opens a stream and sends what there is. ROTA_EAGAIN, ROTA_ECLOSED: nothing has changed; other trouble ends the call. */
static rota_err enter(struct rota_attempt *attempt, struct rota_connection *connection)
{
    struct rota_call *call = attempt->call;
    rota_err err = open_stream(attempt, connection);

    if (err == ROTA_EAGAIN)
        connection->full = true;
    if (err == ROTA_EAGAIN || err == ROTA_ECLOSED)
        return err;
    if (err < 0) {
        attempt->stream = NULL;
        fail_unsent(attempt, err);
        return 0;
    }
    if (attempt->connection != connection)
        set_connection(attempt, connection);
    go(attempt, ROTA_ATTEMPT_OPEN);
    call->n_attempts++;
    rota_list_remove(&attempt->link);
    attempt->sent = true;
    call->channel->counts.attempts++;
    err = rota_attempt_flush(attempt);
    if (err < 0)
        fail_unsent(attempt, err);
    else if (call->want_writable && !rota_call_is_full(call))
        rota_call_later(call); /* no event follows, because the stream's mark was not reached */
    return 0;
}

/* --- Picking --- */

static struct rota_connection *connection_of(const struct rota_pick *pick)
{
    struct rota_subchannel *sub = pick->subchannel->conn;

    return sub->state == ROTA_CONN_READY ? sub->connection : NULL;
}

/* The oldest connection has said `err`: into a younger one, or the room. False: there is none that takes anybody any more. */
static bool place_elsewhere(struct rota_attempt *attempt, struct rota_subchannel *sub, rota_err err)
{
    for (struct rota_link *link = sub->extras.next; link != &sub->extras; link = link->next) {
        struct rota_connection *extra = ROTA_CONTAINER(link, struct rota_connection, sibling);
        rota_err err2 = extra->full ? ROTA_EAGAIN : enter(attempt, extra);

        if (err2 == 0)
            return true;
        if (err2 == ROTA_EAGAIN)
            err = err2;
    }
    if (err == ROTA_ECLOSED)
        return false;
    go(attempt, ROTA_ATTEMPT_ROOM);
    rota_list_append(&sub->room, &attempt->link);
    rota_subchannel_scale(sub);
    return true;
}

static bool take(struct rota_attempt *attempt)
{
    struct rota_connection *connection = connection_of(&attempt->pick);
    rota_err err;

    attempt->picked = true;
    attempt->place = attempt->pick.subchannel->conn;
    attempt->started_ns = attempt->call->channel->host->now_ns;
    if (attempt->call->tries != NULL)
        rota_tries_note(attempt->call->tries, attempt->place);
    if (connection == NULL)
        return false;
    set_connection(attempt, connection);
    err = connection->full ? ROTA_EAGAIN : enter(attempt, connection);
    return err == 0 || place_elsewhere(attempt, connection->subchannel, err);
}

/* What a policy drops is not retried; but where others are under way it takes only this hedge. */
static void refuse(struct rota_attempt *attempt, bool dropped)
{
    const struct rota_status *why = attempt->pick.why;
    struct rota_status *status = &attempt->response.status;

    if (why == NULL)
        rota_status_set(status, ROTA_UNAVAILABLE, "the policy gives no reason");
    else
        rota_status_set(status, rota_code_of_control(why->code), "%s", why->message);
    rota_attempt_over(attempt, status);
    if (attempt->call->tries == NULL || !rota_tries_refused(attempt, dropped))
        rota_call_end(attempt->call, status);
}

/* Where the call has been already, for policies that can go elsewhere. */
static void fill_avoid(const struct rota_attempt *attempt, struct rota_call_info *info)
{
    const struct rota_tries *tries = attempt->call->tries;

    info->avoid = tries != NULL ? tries->avoid : &attempt->place;
    info->n_avoid = tries != NULL ? tries->n_avoid : 1;
}

static inline enum rota_pick_verdict pick(struct rota_attempt *attempt, const struct rota_call_info *info)
{
    struct rota_call *call = attempt->call;

    if (call->explainer.tell != NULL)
        return rota_explain_pick(call->channel, info, &attempt->pick, &attempt->balance_number, &call->explainer);
    return rota_balance_pick(call->channel, info, &attempt->pick, &attempt->balance_number);
}

void rota_attempt_start(struct rota_attempt *attempt)
{
    struct rota_call *call = attempt->call;
    struct rota_channel *channel = call->channel;
    struct rota_call_info info = {
        .path = call->method->path,
        .now_ns = channel->host->now_ns,
        .deadline_ns = call->deadline_ns,
        .metadata = call->metadata,
        .attempt = attempt->number,
        .streaming = call->method->client_streaming || call->method->server_streaming,
    };

    if (attempt->place != NULL || attempt->number > 0)
        fill_avoid(attempt, &info);
    for (int tries = 0; tries < REPICKS; tries++) {
        attempt->pick = (struct rota_pick){0};
        switch (pick(attempt, &info)) {
        case ROTA_PICK_OK:
            if (take(attempt))
                return;
            tell_policies_unused(attempt);
            break;
        case ROTA_PICK_WAIT:
            rota_queue_add(attempt);
            return;
        case ROTA_PICK_FAIL:
            if (call->wait_for_ready)
                rota_queue_add(attempt);
            else
                refuse(attempt, false);
            return;
        case ROTA_PICK_DROP:
            refuse(attempt, true);
            return;
        }
    }
    rota_queue_add(attempt);
}

void rota_attempt_restart(struct rota_attempt *attempt)
{
    go(attempt, ROTA_ATTEMPT_PICKING);
    tell_policies_unused(attempt);
    attempt->sent = attempt->deaf = attempt->end_sent = attempt->end_seen = false;
    attempt->n_sent = 0;
    attempt->response = (struct rota_response){0};
    rota_frame_decoder_fini(&attempt->decoder);
    rota_frame_decoder_init(&attempt->decoder, attempt->call->channel->bulk, attempt->call->max_reply_bytes);
    rota_attempt_start(attempt);
}

bool rota_attempt_try_again(struct rota_attempt *attempt, bool unsent)
{
    struct rota_call *call = attempt->call;

    if (call->committed || (!unsent && call->refused))
        return false;
    if (!unsent)
        call->refused = true;
    call->channel->counts.transparent_retries++;
    rota_attempt_restart(attempt);
    return true;
}

/* --- The room of a subchannel --- */

void rota_attempt_leave_room(struct rota_subchannel *sub)
{
    struct rota_link *link;

    if (rota_list_empty(&sub->room))
        return;
    while ((link = rota_list_pop(&sub->room)) != NULL) {
        struct rota_attempt *attempt = ROTA_CONTAINER(link, struct rota_attempt, link);
        go(attempt, ROTA_ATTEMPT_PICKING);
        tell_policies_unused(attempt);
        rota_queue_add(attempt);
    }
    rota_channel_note(sub->channel, ROTA_TODO_PICK);
}

void rota_attempt_enter_room(struct rota_connection *connection)
{
    /* It stays full until the room is empty, so that no call which is started meanwhile gets in first. */
    while (connection->subchannel != NULL && !rota_list_empty(&connection->subchannel->room))
        if (enter(ROTA_CONTAINER(connection->subchannel->room.next, struct rota_attempt, link), connection) < 0)
            return; /* full again; if it is closing, that is told next */
    connection->full = false;
}
