/* watch_stream.h - one Watch call and the watches on it: shared by watch_service.c (requests, life) and watch_send.c (answers, events).
 *
 * Vocabulary: a sub is a watch of this stream; the answer is what the last request still waits for, created, canceled or progress.
 * A stream that cannot send is blocked until on_writable: its subs keep nothing but their cursors. While an answer waits the call is held,
 * so no stream owes more than one.
 * Order: created before the sub's events; progress after all events of changes before it.
 */
#ifndef ROTA_REGISTRY_WATCH_STREAM_H
#define ROTA_REGISTRY_WATCH_STREAM_H

#include "base/map.h"
#include "registry/service.h"

enum rota_watch_answer { ROTA_WATCH_NOTHING, ROTA_WATCH_CREATED, ROTA_WATCH_CANCELED, ROTA_WATCH_PROGRESS };

struct rota_watch_stream {
    struct rota_registry *registry;
    struct rota_server_call *call;
    struct rota_link link;  /* registry->streams */
    struct rota_link busy;  /* in a list of streams to serve */
    struct rota_link ready; /* subs that may have something to send */
    struct rota_map subs;   /* by id, in the sub's memory */
    int64_t next_id;
    enum rota_watch_answer answer;
    int64_t answer_id;
    const char *refusal; /* with created: why it is canceled at once; NULL: it is not */
    bool blocked, held;
};

struct rota_watch_sub {
    struct rota_watch_stream *stream;
    struct rota_store_watch *watch;
    struct rota_link ready; /* stream->ready */
    int64_t id;
    size_t sent; /* events of the next pull that went out before the stream was blocked */
    bool fragment, progress_notify;
    bool notice; /* progress is to be told if there are no events */
};

void rota_watch_sub_free(struct rota_watch_sub *sub);
void rota_watch_stream_end(struct rota_watch_stream *stream, const struct rota_status *status); /* frees it */

/* Sends what there is to send, until blocked. May end the stream. */
void rota_watch_stream_serve(struct rota_watch_stream *stream);

#endif
