/* pair_fixture.h - a client and a server connection joined in memory, with every event written down.
 *
 * Bytes pass from one side to the other whole, one by one, or in random pieces; a piece is fed from a block of exactly
 * its size. Each event becomes a word in the side's log ("ready", "request/1", "data/1:5", "closed/1:done"), so that a
 * test compares one string. Streams are numbered in the order in which a side first meets them.
 */
#ifndef ROTA_H2_PAIR_FIXTURE_H
#define ROTA_H2_PAIR_FIXTURE_H

#include "h2/h2.h"
#include "testing/leak_alloc.h"

#define PAIR_STREAMS 6000

enum pair_chunking { PAIR_WHOLE, PAIR_BYTES, PAIR_RANDOM };

struct pair_side {
    struct pair *pair;
    struct rota_h2 *h2;
    struct rota_h2_stream *streams[PAIR_STREAMS]; /* [0] unused; NULL: gone */
    int n_streams;
    char log[8192];
    size_t log_size;
    size_t data_bytes;   /* received and not given back, all streams */
    size_t total_bytes;  /* received at all */
    bool hold;           /* received data is not given back */
    bool quiet;          /* data events are counted, not written down */
    bool mute;           /* nothing is written down */
    bool details;        /* headers are written down too */
    rota_err err;        /* of the last feed or pull that failed */
    char info[ROTA_ERRINFO_SIZE];
    size_t out_bytes; /* pulled so far */
    /* Called with each event after it is written down; may be NULL. n: the stream's number. */
    void (*react)(struct pair_side *side, int n, const struct rota_h2_event *event);
};

struct pair {
    struct rota_leak_alloc own; /* used unless the caller gave one */
    const struct rota_alloc *alloc;
    struct pair_side client, server;
    enum pair_chunking chunking;
    uint64_t seed; /* of PAIR_RANDOM; changes as it is used */
    int64_t now_ns;
};

/* Options may be NULL. Returns what rota_h2_new failed with. */
rota_err pair_init(struct pair *pair, const struct rota_alloc *alloc, const struct rota_h2_options *client,
    const struct rota_h2_options *server);
/* Fails the test on a leak, unless the allocator is the caller's. */
void pair_fini(struct pair *pair);

/* Passes bytes both ways until neither side has more to say. */
void pair_run(struct pair *pair);
/* Passes at most one pull of at most max_bytes. Returns how many. */
size_t pair_pass(struct pair_side *from, struct pair_side *to, size_t max_bytes);
void pair_feed(struct pair_side *side, const void *bytes, size_t size);
void pair_drain_events(struct pair_side *side);
/* The log since the last call. */
const char *pair_log(struct pair_side *side);

/* The same however the bytes were cut: pieces of data put together, connection events first, then stream by stream. */
const char *pair_log_by_stream(struct pair_side *side);

int pair_open(struct pair *pair, bool end); /* the stream's number, or a rota_err */
rota_err pair_send(struct pair_side *side, int n, size_t bytes, bool end);
rota_err pair_respond(struct pair *pair, int n, bool end);
rota_err pair_trailers(struct pair *pair, int n);

#endif
