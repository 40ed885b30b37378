/* session.h - the state of a connection and of its streams, shared by the files of this folder.
 *
 * Vocabulary: the session is nghttp2's object, the owner is who calls h2.h. A stream is open (in h2->streams, known to
 * the session), closed (in h2->closing: CLOSED is owed to the owner), returned (CLOSED was the last event handed out)
 * or detached (the owner has reset it; it lives on only while queued events still name it).
 *
 * Invariants:
 *  - The session's user data of a stream is our struct while the stream is open, NULL from then on.
 *  - stream->n_events is the number of queued events that name it; a detached stream is freed with the last of them.
 *  - stream->unconsumed bytes came in on it and were not given back to the connection's window; freeing gives them back.
 *  - Once h2->broken is set the session is not called any more, except to be deleted.
 */
#ifndef ROTA_H2_SESSION_H
#define ROTA_H2_SESSION_H

#include "base/arena.h"
#include "base/list.h"
#include "h2/bdp.h"
#include "h2/h2.h"
#include "h2/pool.h"

#define ROTA_H2_RESETS_KEPT 64

/* So many at once, and so many more each second (a token bucket). */
struct rota_h2_rate {
    int64_t since_ns;
    uint32_t burst, per_s;
    uint32_t left;
};

/* Where in the peer's frames we are. */
struct rota_h2_walk {
    uint32_t skip; /* bytes before the next head */
    uint8_t head[9], have;
    bool told; /* of the head that is all but complete */
};

struct rota_h2_piece {
    struct rota_h2_piece *next;
    struct rota_chunk *chunk;
    size_t offset; /* bytes of it that are gone */
};

struct rota_h2_known;
struct rota_h2_trailers; /* a copy of trailers that wait for the data before them */

struct rota_h2_stream {
    struct rota_link link; /* in h2->streams or h2->closing */
    struct rota_h2 *h2;
    void *user;
    int32_t id;
    bool closed;
    bool detached;
    bool headers_seen; /* final ones, not 1xx */
    bool peer_ended;
    bool headers_sent; /* server */
    bool ended;        /* the owner has said the last of our half */
    bool attached;     /* the session reads our data queue */
    bool deferred;     /* it found nothing there and waits to be resumed */
    bool was_high;     /* the queue has reached the high mark; WRITABLE is owed */
    uint32_t n_events;
    int64_t body_left; /* server: of the content-length, or -1 */
    size_t queued, unconsumed;
    size_t arrived_bytes; /* in all */
    struct rota_h2_piece *first, *last;
    struct rota_h2_trailers *trailers;
    enum rota_h2_cause cause; /* once closed */
    bool unsent;
    uint32_t h2_code;
    const char *why; /* static */
};

enum rota_h2_drain {
    ROTA_H2_NOT_DRAINING,
    ROTA_H2_NOTICED, /* server: GOAWAY(2^31-1) and a ping are on their way */
    ROTA_H2_DUE,     /* the last GOAWAY goes out at the next pull (client: once no stream is left) */
    ROTA_H2_DRAINED, /* the last GOAWAY is with the session */
};

struct rota_h2 {
    const struct rota_alloc *alloc;
    struct rota_h2_options options; /* defaults filled in */
    nghttp2_session *session;
    struct rota_h2_pool pool;
    int64_t now_ns; /* of the last feed, tick or drain */

    struct rota_link streams, closing;
    struct rota_h2_stream *returned;
    uint32_t n_open;    /* in streams */
    uint32_t n_slots;   /* client: streams that count against peer_max_streams */
    uint32_t peer_max_streams;
    size_t peer_max_header_bytes;
    bool want_room;
    uint8_t last_timeout[9], last_timeout_size; /* client: value of the last grpc-timeout, at most eight digits and a unit */

    struct rota_h2_event *events; /* [events_head..events_tail) */
    size_t events_head, events_tail, events_cap;
    struct rota_arena arena; /* what queued events point at; reset when there are none */
    struct rota_h2_known *known; /* NULL: no field was seen yet */
    struct rota_header *block; /* header block being received */
    size_t block_count, block_cap, block_bytes;
    bool block_open;
    int64_t block_since_ns; /* when it was begun */
    uint8_t fields_seen; /* server: of the block, see fields.c */
    int64_t body_bytes;  /* server: the block's content-length, or -1 */

    uint8_t *out; /* the caller's buffer during pull: [out_used..out_cap) is free */
    size_t out_used, out_cap;
    const uint8_t *rest; /* the session's, serialised but not yet handed out */
    size_t rest_bytes;

    bool fed;     /* a byte has come in */
    bool ready;   /* the peer's SETTINGS have come */
    bool refused; /* GOAWAY came: no new streams */
    bool aborted;
    enum rota_h2_drain drain;
    int32_t last_served; /* server: id in our last GOAWAY */
    int32_t newest, gap_first, gap_last; /* server: of the peer's stream ids the highest so far, and those left out last */
    struct rota_h2_walk walk; /* server */
    int32_t resets_sent[ROTA_H2_RESETS_KEPT]; /* server: ids of the last streams reset from here, a ring */
    uint32_t n_resets_sent;
    int32_t resets_forgotten; /* the highest id that fell out of it */
    int64_t drain_deadline_ns;
    struct rota_h2_bdp bdp;
    size_t arrived_bytes; /* since the last ping of bdp.h */

    int64_t idle_since_ns; /* while no stream is open */
    int64_t idle_check_ns, age_at_ns, grace_at_ns; /* lifetime.c; INT64_MAX: never */
    int64_t last_read_ns;
    int64_t ping_deadline_ns; /* INT64_MAX: no keepalive ping is out */
    int64_t pinged_ns; /* server: the peer's last ping since we sent anything of a stream; INT64_MIN: none */
    uint32_t strikes;  /* server: pings that came too early since then */
    struct rota_h2_rate faults; /* the peer's stream errors and empty frames */
    struct rota_h2_rate resets; /* server: streams that the peer reset */
    struct rota_h2_rate chores; /* frames of the peer that bring nothing, beyond what we gave it cause for */

    rota_err broken; /* ROTA_ENOMEM or ROTA_EPROTO: the session is done for */
    char fault[160]; /* what the peer did, "" while it behaves; once set, only our GOAWAY is left to send */
    char lost[200];  /* what abort was told */
    char text[256];  /* detail of the event handed out last */
};

/* --- events.c --- */

/* The new event, to be filled in; zeroed but for type and stream. NULL: no memory, and h2 is broken. */
struct rota_h2_event *rota_h2_event_add(struct rota_h2 *h2, enum rota_h2_event_type type, struct rota_h2_stream *stream);
void rota_h2_events_fini(struct rota_h2 *h2);
bool rota_h2_events_queued(const struct rota_h2 *h2);

void rota_h2_block_begin(struct rota_h2 *h2);
enum rota_h2_block_verdict { ROTA_H2_BLOCK_OK, ROTA_H2_BLOCK_TOO_LARGE, ROTA_H2_BLOCK_NOMEM };
/* copy: the bytes go away before the event does. */
enum rota_h2_block_verdict rota_h2_block_add(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value, bool copy);
/* Moves the block into the event. False: no memory, and h2 is broken. */
bool rota_h2_block_take(struct rota_h2 *h2, struct rota_h2_event *event);

/* --- known.c --- */

struct rota_h2_known_field {
    struct rota_slice name, value; /* inside the session's objects */
    uint8_t kind;                  /* for rota_h2_field_again */
};
/* NULL: not known. The bytes stay until rota_h2_known_let_go after the field fell out. */
const struct rota_h2_known_field *rota_h2_known_find(const struct rota_h2 *h2, const nghttp2_rcbuf *name, const nghttp2_rcbuf *value);
rota_err rota_h2_known_add(struct rota_h2 *h2, nghttp2_rcbuf *name, nghttp2_rcbuf *value, const struct rota_h2_known_field *field);
void rota_h2_known_let_go(struct rota_h2 *h2); /* no event is queued */
void rota_h2_known_fini(struct rota_h2 *h2);   /* before the session goes */

/* --- fields.c: requests --- */

enum rota_h2_field { ROTA_H2_FIELD_KEEP, ROTA_H2_FIELD_DROP, ROTA_H2_FIELD_REFUSE };
void rota_h2_fields_begin(struct rota_h2 *h2, bool trailers);
/* ret_kind: what rota_h2_field_again needs to check the very same field, 0: it must be looked at each time. */
enum rota_h2_field rota_h2_field_check(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value, uint8_t *ret_kind);
enum rota_h2_field rota_h2_field_again(struct rota_h2 *h2, uint8_t kind);
bool rota_h2_fields_complete(const struct rota_h2 *h2, bool end); /* all that a request must have */

/* --- stream.c --- */

struct rota_h2_stream *rota_h2_stream_new(struct rota_h2 *h2, int32_t id, void *user); /* NULL: no memory */
void rota_h2_stream_free(struct rota_h2_stream *stream); /* gives back its window */
/* Owes the owner CLOSED. `why` is static. The session forgets our struct. */
void rota_h2_stream_close(struct rota_h2_stream *stream, enum rota_h2_cause cause, uint32_t h2_code, const char *why);
void rota_h2_stream_close_unprocessed(struct rota_h2_stream *stream, bool unsent, const char *why);
struct rota_h2_stream *rota_h2_stream_find(struct rota_h2 *h2, int32_t id); /* open ones only */
void rota_h2_credit(struct rota_h2 *h2, size_t bytes); /* to the connection's window alone */

/* --- send.c --- */

ssize_t rota_h2_on_read_data(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
    nghttp2_data_source *source, void *user);
int rota_h2_on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *framehd, size_t length,
    nghttp2_data_source *source, void *user);
int rota_h2_on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user);
int rota_h2_on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user);
void rota_h2_queue_clear(struct rota_h2_stream *stream);

/* --- receive.c --- */

void rota_h2_count_data(struct rota_h2 *h2, size_t size); /* DATA of that much that does not end its stream */
int rota_h2_on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user);
int rota_h2_on_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd, void *user);
int rota_h2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user);
int rota_h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
    void *user);
int rota_h2_on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user);
int rota_h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size, void *user);
int rota_h2_on_stream_close(nghttp2_session *session, int32_t id, uint32_t h2_code, void *user);
int rota_h2_on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user);

/* --- closed.c --- */

void rota_h2_closed_note_reset(struct rota_h2 *h2, int32_t id); /* RST_STREAM goes out, or will */
void rota_h2_check_closed(struct rota_h2 *h2, int32_t id); /* DATA or HEADERS come with that id */
void rota_h2_check_late_data(struct rota_h2 *h2, int32_t id); /* DATA come, whose head has been walked over */
void rota_h2_walk_init(struct rota_h2_walk *walk);
/* How many of the bytes may be fed now. *ret_unknown: not 0 when the head of DATA follows, on a stream not known for sure so far. */
size_t rota_h2_walk(struct rota_h2 *h2, struct rota_slice bytes, int32_t *ret_unknown);

/* --- goaway.c --- */

int rota_h2_on_goaway(struct rota_h2 *h2, const nghttp2_goaway *frame);
void rota_h2_on_ping_ack(struct rota_h2 *h2, const uint8_t *opaque);
void rota_h2_on_goaway_sent(struct rota_h2 *h2, const nghttp2_goaway *frame);
bool rota_h2_may_open(const struct rota_h2 *h2); /* but for the number of streams */
bool rota_h2_goaway_due(const struct rota_h2 *h2);
void rota_h2_goaway_final(struct rota_h2 *h2);

/* --- limits.c --- */

void rota_h2_limits_init(struct rota_h2 *h2);
/* The peer broke the rules in a way that costs it no more than a stream; too often ends the connection. */
void rota_h2_peer_fault(struct rota_h2 *h2);
void rota_h2_peer_faults(struct rota_h2 *h2, uint32_t count); /* one that counts for so many */
void rota_h2_peer_reset(struct rota_h2 *h2);
void rota_h2_peer_chores(struct rota_h2 *h2, uint32_t count); /* WINDOW_UPDATE, PRIORITY, an unknown frame; a crumb of DATA is several */
void rota_h2_allow_chores(struct rota_h2 *h2); /* a frame that the peer may answer with some was sent */
void rota_h2_peer_ping(struct rota_h2 *h2);
void rota_h2_forgive_pings(struct rota_h2 *h2); /* something of a stream was sent */
void rota_h2_send_away(struct rota_h2 *h2, uint32_t h2_code, const char *why); /* `why`: of the fault */

/* --- keepalive.c --- */

void rota_h2_keepalive_read(struct rota_h2 *h2); /* bytes came in at h2->now_ns */

/* --- lifetime.c --- */

void rota_h2_lifetime_init(struct rota_h2 *h2);
int64_t rota_h2_lifetime_deadline_ns(const struct rota_h2 *h2);
rota_err rota_h2_lifetime_tick(struct rota_h2 *h2, struct rota_errinfo *info);

/* --- window.c --- */

void rota_h2_window_init(struct rota_h2 *h2);
void rota_h2_window_arrived(struct rota_h2 *h2, struct rota_h2_stream *stream, size_t bytes);
void rota_h2_window_answer(struct rota_h2 *h2, const uint8_t *opaque); /* a ping was answered */

/* --- session.c --- */

/* Turns an nghttp2 error into broken; 0 and what is not fatal pass. */
void rota_h2_check(struct rota_h2 *h2, int nghttp2_error);

#endif
