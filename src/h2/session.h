/* session.h - the state of a connection and of its streams, shared by the files of this folder.
 *
 * Vocabulary: the owner is who calls h2.h. A stream is open (in h2->streams and h2->map), closed (in h2->closing: CLOSED is owed to the
 * owner), returned (CLOSED was the last event handed out) or detached (the owner has reset it; it lives on only while queued events
 * still name it).
 *
 * Invariants:
 *  - The map has the open streams and no others.
 *  - stream->n_events is the number of queued events that name it; a detached stream is freed with the last of them.
 *  - stream->unconsumed bytes came in on it and were not taken by the owner; freeing gives them back to the connection's window, where
 *    (on a server) they count against it.
 *  - What we send but DATA stands in h2->tx, whole frames in the order in which the peer is to see them, since header blocks and the
 *    answers to SETTINGS depend on what was said before. A small last message stands there too, so that it travels with its end.
 *  - Once h2->broken is set nothing is done any more. Once h2->fault is set, only tx is still sent, with our GOAWAY at its end.
 */
#ifndef ROTA_H2_SESSION_H
#define ROTA_H2_SESSION_H

#include "base/arena.h"
#include "base/list.h"
#include "h2/bdp.h"
#include "h2/frame.h"
#include "h2/h2.h"
#include "h2/pool.h"
#include "hpack/hpack.h"

#define ROTA_H2_RESETS_KEPT 64
#define ROTA_H2_CRUMB_BYTES 5 /* DATA of less, which is less than the head of a message, is a crumb (limits.c) */
#define ROTA_H2_BYTES_A_CHORE 256 /* of what is read for nothing; usual header blocks count as little, since many may have been on their way */
#define ROTA_H2_WINDOW_DEFAULT 65535

/* So many at once, and so many more each second (a token bucket). */
struct rota_h2_rate {
    int64_t since_ns;
    uint32_t left;
};

/* --- What comes in --- */

enum rota_h2_rx_state {
    ROTA_H2_RX_PREFACE, /* server: the 24 bytes that a client begins with */
    ROTA_H2_RX_HEAD,
    ROTA_H2_RX_WHOLE, /* a payload that is looked at when it is all there */
    ROTA_H2_RX_DATA,
    ROTA_H2_RX_SKIP,
};

struct rota_h2_rx {
    enum rota_h2_rx_state state;
    uint8_t have; /* bytes of the preface or of the head */
    uint8_t bytes[ROTA_H2_HEAD_BYTES];
    struct rota_h2_head head;
    uint32_t left; /* of the payload, not yet come */
    uint8_t pad;   /* DATA: at its end */
    bool pad_due;  /* DATA: the byte that says how many has not come */
    bool settings; /* the peer's first frame has come */
    uint8_t *kept; /* of a payload that is not all there, with what the frame before left of a header field in front of it */
    size_t kept_bytes, kept_cap;
    size_t counted;   /* of kept_cap, as tx.counted */
    int64_t since_ns; /* when the payload that is gathered began, unless a header block is open */
};

enum rota_h2_block_kind {
    ROTA_H2_BLOCK_REQUEST,
    ROTA_H2_BLOCK_RESPONSE,
    ROTA_H2_BLOCK_TRAILERS,
    ROTA_H2_BLOCK_IGNORED, /* decoded for the sake of the table alone */
};

/* The header block being received. */
struct rota_h2_block {
    enum rota_h2_block_kind kind;
    bool open;
    bool end_stream;
    bool faulty; /* ignored for what is in it */
    int32_t id;
    uint32_t continuations;
    size_t wire_bytes; /* of its frames so far, padding included */
    int64_t since_ns;
    uint8_t seen;       /* fields.c */
    int64_t body_bytes; /* its content-length, or -1 */
    bool behind; /* the arena has, or hpack keeps, what earlier blocks left */
    struct rota_header *fields;
    size_t count, cap, bytes;
};

/* --- What goes out --- */

struct rota_h2_tx {
    uint8_t *bytes; /* [sent..used) is to go out; bytes[0] begins a frame */
    size_t sent, used, cap;
    size_t counted;    /* of cap, in what the owner is told is queued: all when it is large */
    uint64_t base;     /* how many bytes went before bytes[0] */
    uint32_t n_acks;   /* answers to PING and SETTINGS in it, or a few more: those before the mark are forgotten together */
    uint32_t n_resets; /* RST_STREAM in it, likewise; client: the peer counts their streams until then; server: also streams that the peer has reset */
    uint32_t acks_before, resets_before; /* of these, what stands before the mark */
    uint64_t mark;     /* a place among all bytes that were ever in tx, not behind the last */
    int32_t last_head; /* id of the last header block's stream */
};

struct rota_h2_piece {
    struct rota_h2_piece *next;
    struct rota_chunk *chunk;
    size_t offset; /* bytes of it that are gone */
};

struct rota_h2_trailers; /* a copy of trailers that wait for the data before them */

struct rota_h2_stream {
    struct rota_link link;  /* in h2->streams or h2->closing */
    struct rota_link ready; /* in h2->ready: has something to send, and may; in h2->blocked; in h2->ending: its end is in tx */
    struct rota_h2 *h2;
    void *user;
    int32_t id;
    bool closed : 1;
    bool detached : 1;
    bool headers_seen : 1; /* final ones, not 1xx */
    bool peer_ended : 1;
    bool headers_sent : 1; /* server */
    bool head_changed : 1; /* client: its header block changed the peer's table */
    bool ended : 1;        /* the owner has said the last of our half */
    bool end_written : 1;  /* and it is in tx, up to end_at, or out */
    bool was_high : 1;     /* the queue has reached the high mark; WRITABLE is owed */
    bool unsent : 1;       /* once closed */
    enum rota_h2_cause cause : 8; /* once closed */
    uint32_t n_events;
    int32_t view;      /* what the peer may still send on it */
    uint32_t held;     /* came in, or is announced by a frame's head, and counts against its window */
    int64_t send_left; /* what we may still send */
    int64_t body_left; /* of the peer's content-length, or -1 */
    size_t queued, unconsumed;
    size_t arrived_bytes; /* in all */
    struct rota_h2_piece *first, *last;
    struct rota_h2_trailers *trailers;
    uint64_t head_at; /* client: where in all that tx ever held its HEADERS begin */
    uint64_t end_at;
    uint32_t h2_code;
    const char *why; /* static, or h2->words */
};

enum rota_h2_drain {
    ROTA_H2_NOT_DRAINING,
    ROTA_H2_NOTICED, /* server: GOAWAY(2^31-1) and a ping are on their way */
    ROTA_H2_DUE,     /* the last GOAWAY goes out at the next pull (client: once no stream is left) */
    ROTA_H2_DRAINED, /* the last GOAWAY is in tx, or out */
};

/* Ids of streams reset from here, a ring (closed.c). */
struct rota_h2_resets {
    int32_t ids[ROTA_H2_RESETS_KEPT];
    uint32_t n;
};

#define ROTA_H2_WORDS_BYTES 256

/* Sentences about what happened, allocated with the first. */
struct rota_h2_words {
    char fault[ROTA_H2_WORDS_BYTES]; /* what the peer did */
    char away[ROTA_H2_WORDS_BYTES];  /* the peer's last GOAWAY with an error code; "": none came */
    char lost[ROTA_H2_WORDS_BYTES];  /* what abort was told */
    char text[ROTA_H2_WORDS_BYTES];  /* detail of the event handed out last */
};

struct rota_h2 {
    const struct rota_alloc *alloc;
    struct rota_h2_options options; /* defaults filled in */
    struct rota_h2_pool pool;
    int64_t now_ns; /* of the last feed, pull, tick or drain */

    struct rota_link streams, closing;
    struct rota_link ready, ending, blocked; /* by stream->ready; blocked: until the connection's window opens */
    bool owed; /* some of those who were in blocked have not had their turn since */
    struct rota_h2_stream *returned;
    uint32_t n_open;             /* in streams */
    struct rota_h2_stream **map; /* by id: open addressing, 2^map_bits places; NULL: no stream yet */
    uint32_t n_map, map_mix;
    uint8_t map_bits;
    uint32_t next_id; /* client: of the next stream; above INT32_MAX: there are no more */

    struct rota_h2_rx rx;
    struct rota_h2_block block;
    struct rota_hpack_decoder decoder;
    struct rota_h2_tx tx;
    struct rota_hpack_encoder encoder;
    uint8_t last_timeout[9], last_timeout_size; /* client: value of the last grpc-timeout, at most eight digits and a unit */
    bool want_room;

    /* What the peer said in SETTINGS. */
    uint32_t peer_max_streams;
    int64_t peer_window_bytes; /* a new stream's */
    size_t peer_max_header_bytes;
    uint32_t n_unacked; /* SETTINGS of ours that it has not answered */
    bool greeted;       /* it has answered the first */

    int64_t send_left; /* the connection's windows, as a stream's */
    int64_t view;
    uint64_t held; /* server */
    uint32_t window_bytes; /* of a stream, ours, as announced */

    struct rota_h2_event *events; /* [events_head..events_tail) */
    size_t events_head, events_tail, events_cap;
    struct rota_arena arena; /* what queued events point at; reset when there are none */

    bool fed;       /* a byte has come in */
    bool ready_seen; /* the peer's SETTINGS have come */
    bool refused;   /* GOAWAY came: no new streams */
    bool away;      /* our GOAWAY is in tx, or out; the drain's notice does not count */
    bool aborted;
    enum rota_h2_drain drain;
    int32_t last_served; /* server: id in our last GOAWAY */
    int32_t peer_last;   /* client: id in the peer's last GOAWAY; INT32_MAX: none */
    int32_t newest, gap_first, gap_last; /* server: of the peer's stream ids the highest so far, and those left out last */
    struct rota_h2_resets *resets; /* server; NULL: none was reset */
    int32_t resets_forgotten; /* the highest id that fell out of it */
    int64_t drain_deadline_ns;
    struct rota_h2_bdp bdp;
    size_t arrived_bytes; /* since the last ping of bdp.h */

    int64_t idle_since_ns; /* while no stream is open */
    bool idle_anew;        /* since the last pull; one that the owner reset then has its time from the next */
    int64_t idle_check_ns, age_at_ns, grace_at_ns, rest_check_ns; /* lifetime.c; INT64_MAX: never */
    int64_t last_read_ns;
    int64_t ping_deadline_ns; /* INT64_MAX: no keepalive ping is out */
    bool ping_leaves; /* it was put together, and counts from when rota_h2_ping_left says so */
    bool ping_late;   /* its deadline was put off once, for what had come but was not read */
    bool whole_late;  /* the same for what is kept until it is whole (a header block, or a frame) */
    int64_t whole_look_ns; /* then: until when */
    int64_t pinged_ns; /* server: the peer's last ping since we sent anything of a stream; INT64_MIN: none */
    uint32_t strikes;  /* server: pings that came too early since then */
    struct rota_h2_rate faults; /* the peer's stream errors and empty frames */
    struct rota_h2_rate streams_in_vain; /* server: streams that the peer reset, or opened above the limit */
    struct rota_h2_rate chores; /* frames of the peer that bring nothing, beyond what we gave it cause for */

    rota_err broken; /* ROTA_ENOMEM, or ROTA_ECLOSED after an abort */
    const char *refusal; /* server: of a request that the owner never heard of, until taken; static, NULL: none */
    const char *fault; /* what the peer did, NULL while it behaves: static, or in words */
    size_t last_bytes; /* our GOAWAY for it */
    bool flooded; /* which was too much of what is legal once */
    struct rota_h2_words *words; /* NULL: nothing was said yet */
};

/* --- session.c --- */

bool rota_h2_out_of_memory(struct rota_h2 *h2); /* breaks it; always false */
/* What a buffer holds of *counted before, bytes now, in what the owner is told is queued. */
void rota_h2_count(const struct rota_h2 *h2, size_t *counted, size_t bytes);
/* One of the three buffers of h2->words, found by its offset there. NULL: no memory; a static sentence must do. */
char *rota_h2_words(struct rota_h2 *h2, size_t offset);
/* No stream is open: what a quiet connection does not need goes, if nothing waits in it. */
void rota_h2_rest(struct rota_h2 *h2);

/* --- rx.c: frames off the bytes --- */

/* False: h2 is broken or at fault. */
bool rota_h2_rx_bytes(struct rota_h2 *h2, struct rota_slice bytes);
void rota_h2_rx_free(struct rota_h2 *h2); /* what was kept goes */

/* --- control.c: frames of a few bytes, looked at whole. False: h2 is broken or at fault. --- */

bool rota_h2_control_head(struct rota_h2 *h2, const struct rota_h2_head *head); /* are length and stream what that type has? */
bool rota_h2_on_control(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice payload);

/* --- headers.c: HEADERS and CONTINUATION --- */

bool rota_h2_headers_head(struct rota_h2 *h2, const struct rota_h2_head *head);
/* More of the block. in_place: the bytes stay until the events are drained. What is left of *payload is the beginning of a field. */
bool rota_h2_on_block(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice *payload, bool in_place);

/* --- data.c: DATA --- */

bool rota_h2_data_head(struct rota_h2 *h2, const struct rota_h2_head *head);
bool rota_h2_on_data(struct rota_h2 *h2, struct rota_slice bytes);  /* a piece of the payload */
void rota_h2_on_padding(struct rota_h2 *h2, size_t size);
bool rota_h2_on_data_end(struct rota_h2 *h2, const struct rota_h2_head *head);
void rota_h2_peer_ended(struct rota_h2 *h2, struct rota_h2_stream *stream); /* END_STREAM came */

/* --- events.c --- */

/* The new event, to be filled in; zeroed but for type and stream. NULL: no memory, and h2 is broken. */
struct rota_h2_event *rota_h2_event_add(struct rota_h2 *h2, enum rota_h2_event_type type, struct rota_h2_stream *stream);
void rota_h2_events_fini(struct rota_h2 *h2);
bool rota_h2_events_queued(const struct rota_h2 *h2);
void rota_h2_block_begin(struct rota_h2 *h2, int32_t id, enum rota_h2_block_kind kind);
/* One more field, kept or left out. False: the list is larger than was announced. */
bool rota_h2_block_count(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value);
/* copy_name, copy_value: the bytes go away before the event does. False: no memory, and h2 is broken. */
bool rota_h2_block_add(struct rota_h2 *h2, struct rota_slice name, struct rota_slice value, bool copy_name, bool copy_value);
/* Moves the block into the event. False: no memory, and h2 is broken. */
bool rota_h2_block_take(struct rota_h2 *h2, struct rota_h2_event *event);

/* --- fields.c --- */

enum rota_h2_field { ROTA_H2_FIELD_KEEP, ROTA_H2_FIELD_DROP, ROTA_H2_FIELD_REFUSE };
void rota_h2_fields_begin(struct rota_h2_block *block);
/* kind: the note on a field that is in a table (hpack.h), NULL where it is in none; 0: it was not looked at yet. */
enum rota_h2_field rota_h2_field_check(struct rota_h2_block *block, struct rota_slice name, struct rota_slice value, uint8_t *kind);
/* A whole block that lacks what its kind must have: what is wrong with it. NULL: nothing is. */
const char *rota_h2_fields_flaw(const struct rota_h2_block *block);

/* --- stream.c --- */

struct rota_h2_stream *rota_h2_stream_new(struct rota_h2 *h2, int32_t id, void *user); /* NULL: no memory */
void rota_h2_stream_free(struct rota_h2_stream *stream); /* gives back its window */
/* Owes the owner CLOSED. `why` is static, or h2->words. */
void rota_h2_stream_close(struct rota_h2_stream *stream, enum rota_h2_cause cause, uint32_t h2_code, const char *why);
void rota_h2_stream_close_unprocessed(struct rota_h2_stream *stream, bool unsent, const char *why);
/* RST_STREAM, and CLOSED with PROTOCOL. */
void rota_h2_stream_fail(struct rota_h2_stream *stream, uint32_t h2_code, const char *why);
bool rota_h2_stream_is_unsent(const struct rota_h2_stream *stream); /* client: nothing of it was handed to pull */
uint32_t rota_h2_slots(const struct rota_h2 *h2); /* client: streams that the peer counts */

/* --- map.c --- */

bool rota_h2_map_add(struct rota_h2 *h2, struct rota_h2_stream *stream); /* false: no memory */
void rota_h2_map_remove(struct rota_h2 *h2, int32_t id);
struct rota_h2_stream *rota_h2_stream_find(const struct rota_h2 *h2, int32_t id); /* open ones only */

/* --- tx.c: frames into tx. Without memory h2 is broken. --- */

uint8_t *rota_h2_tx_reserve(struct rota_h2 *h2, size_t size); /* where so many bytes may be written at the end; NULL: no memory */
void rota_h2_tx_free(struct rota_h2 *h2); /* what is in it goes too */
void rota_h2_tx_settings(struct rota_h2 *h2, const struct rota_h2_setting *settings, size_t count);
void rota_h2_tx_settings_ack(struct rota_h2 *h2);
void rota_h2_tx_ping(struct rota_h2 *h2, const uint8_t *opaque, bool ack);
void rota_h2_tx_window_update(struct rota_h2 *h2, int32_t id, uint32_t increment);
void rota_h2_tx_rst(struct rota_h2 *h2, int32_t id, uint32_t h2_code);
void rota_h2_tx_count_reset(struct rota_h2 *h2); /* server: the peer has reset a stream of which something may be in tx */
void rota_h2_tx_goaway(struct rota_h2 *h2, int32_t last_id, uint32_t h2_code, const char *debug);
/* Client: takes the frames of an unsent stream out again. */
void rota_h2_tx_drop(struct rota_h2 *h2, const struct rota_h2_stream *stream);
/* Client, which sends no header block after that: those of all, also of streams reset since, which may count on what others put into the table. */
void rota_h2_tx_drop_unsent(struct rota_h2 *h2);
bool rota_h2_tx_empty(const struct rota_h2 *h2);
size_t rota_h2_tx_take(struct rota_h2 *h2, uint8_t *out, size_t cap); /* how many bytes went out */
uint64_t rota_h2_tx_out(const struct rota_h2 *h2); /* bytes that went out in all */

/* --- send.c --- */

void rota_h2_queue_clear(struct rota_h2_stream *stream);
void rota_h2_send_more(struct rota_h2 *h2, struct rota_h2_stream *stream); /* its window, or the connection's (stream is NULL), has grown */
size_t rota_h2_send_pull(struct rota_h2 *h2, uint8_t *out, size_t cap);

/* --- window.c --- */

void rota_h2_window_init(struct rota_h2 *h2);
void rota_h2_window_used(struct rota_h2 *h2, size_t bytes); /* the connection's, by the head of a DATA frame */
void rota_h2_window_arrived(struct rota_h2 *h2, struct rota_h2_stream *stream, size_t bytes);
void rota_h2_window_answer(struct rota_h2 *h2, const uint8_t *opaque); /* a ping was answered */
void rota_h2_window_acked(struct rota_h2 *h2); /* SETTINGS were */
int32_t rota_h2_window_of_new(const struct rota_h2 *h2);
/* Bytes are no longer held: WINDOW_UPDATE when that is worth one. stream: NULL, of the connection's window alone. */
void rota_h2_window_release(struct rota_h2 *h2, struct rota_h2_stream *stream, size_t bytes);

/* --- closed.c --- */

bool rota_h2_is_idle(const struct rota_h2 *h2, int32_t id); /* nobody has opened it yet */
void rota_h2_closed_note_reset(struct rota_h2 *h2, int32_t id); /* RST_STREAM goes out, or will */
/* DATA or HEADERS come with an id that is not open. False: that is a connection error, and was said. */
bool rota_h2_closed_may_come(struct rota_h2 *h2, int32_t id);

/* --- goaway.c --- */

bool rota_h2_on_goaway(struct rota_h2 *h2, struct rota_slice payload);
void rota_h2_on_ping_ack(struct rota_h2 *h2, const uint8_t *opaque);
bool rota_h2_may_open(const struct rota_h2 *h2); /* but for the number of streams */
bool rota_h2_goaway_due(const struct rota_h2 *h2);
void rota_h2_goaway_final(struct rota_h2 *h2);
int32_t rota_h2_last_seen(const struct rota_h2 *h2); /* for GOAWAY */

/* --- limits.c --- */

void rota_h2_limits_init(struct rota_h2 *h2);
/* The peer broke the rules in a way that costs it no more than a stream; too often ends the connection. */
void rota_h2_peer_fault(struct rota_h2 *h2);
void rota_h2_peer_faults(struct rota_h2 *h2, uint32_t count); /* one that counts for so many */
void rota_h2_peer_walk(struct rota_h2 *h2); /* it makes us look at all open streams: more faults the more there are, besides the frame's own */
void rota_h2_peer_reset(struct rota_h2 *h2);
void rota_h2_peer_chores(struct rota_h2 *h2, uint32_t count); /* WINDOW_UPDATE, PRIORITY, an unknown frame; a crumb of DATA, or a long one, is several */
void rota_h2_allow_chores(struct rota_h2 *h2); /* a frame that the peer may answer with some was sent */
void rota_h2_peer_data(struct rota_h2 *h2, int32_t id, size_t size); /* DATA of that much that does not end its stream */
void rota_h2_peer_ping(struct rota_h2 *h2);
void rota_h2_forgive_pings(struct rota_h2 *h2); /* something of a stream was sent */
/* GOAWAY, and the end. why is static. Always false. */
bool rota_h2_send_away(struct rota_h2 *h2, uint32_t h2_code, const char *why);
/* The same where the peer floods us, with ENHANCE_YOUR_CALM. */
bool rota_h2_send_flooder_away(struct rota_h2 *h2, const char *why);
/* The same where the peer broke HTTP/2: the sentence begins with that, and the peer is told the rest. */
bool rota_h2_broke(struct rota_h2 *h2, uint32_t h2_code, const char *how);
bool rota_h2_fine(const struct rota_h2 *h2); /* neither broken nor at fault */

/* --- keepalive.c --- */

void rota_h2_keepalive_read(struct rota_h2 *h2); /* bytes came in at h2->now_ns */

/* --- lifetime.c --- */

void rota_h2_lifetime_init(struct rota_h2 *h2);
void rota_h2_lifetime_idle(struct rota_h2 *h2); /* its last stream is over */
int64_t rota_h2_lifetime_deadline_ns(const struct rota_h2 *h2);
rota_err rota_h2_lifetime_tick(struct rota_h2 *h2, struct rota_errinfo *info);

#endif
