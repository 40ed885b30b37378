/* watch.h - following a prefix in etcd without a gap, as a state machine: answers and time in, commands out. Pure.
 *
 * Rules (etcd's API guarantees; gRPC's list-watch practice):
 *  - List at a revision, watch from the next. After a broken stream, watch again from the revision kept, and list once more to
 *    compare, since a registry that was replaced meanwhile may have overtaken that revision. A list that events have overtaken is asked for
 *    again, twice; one that failed is, after a pause, for as long as the stream is well: until then what is known is stale. A list has
 *    5 s, or twice the time that the last one took if that is more; after one that was late twice as much; never more than a minute.
 *  - Compacted, a smaller revision than one seen, another cluster id: list again and take the difference, at once but at most
 *    once a second (members of two clusters under one name must not make a storm). The revision in the head of a confirmation or
 *    of events tells nothing: a member may lag behind the list, and events be under way while a later list comes. A head that names no
 *    cluster (as etcd's gRPC proxy makes for confirmations) is of any.
 *  - Events at or below the revision kept are old. A batch counts when its last fragment is there.
 *  - Silence is asked about (a progress request every ASK_NS); no answer within ANSWER_NS ends a stream that has answered before. One that
 *    has not may be well: etcd (since 3.4.38, 3.5.22, 3.6.2) is silent until its revision is the one that the watch begins at, and its gRPC
 *    proxy always. So it is in doubt, and enum rota_etcd_watch_trust says what comes then: the revision of the cluster is read, linearizable;
 *    once more if that fails or takes ANSWER_NS, since the member that was to read it may be a bad one, which is no fault of the stream's.
 *    The revision kept: nothing can have been missed. A higher one: a list no older than that decides, and ends the stream if it has a change
 *    that was not told, or fails; one that is late is made again while it may have more time. A smaller one went back.
 *  - A stream that also was silent when its member must have come far enough is mute: it is checked so every MUTE_NS rather than asked, until
 *    it has answered something: every third time it is asked, too.
 *  - What answers a question that was given up tells only that the stream can answer: its revision is of the past.
 *  - A member whose log goes on but whose state stands still answers all the same: every third question also reads the revision of the
 *    cluster, linearizable, and a member that 10 s later has not come so far is left.
 *  - Progress notifications do not move the resume point: etcd before 3.4.25 and 3.5.8 may send them ahead of events.
 *  - Failures are retried for ever, after 0.1 s growing to 2 s, jittered; to a minute where it is `patient` and permission was denied.
 *    What is kept not finding the memory to be published is one: the stream ends, and is resumed and compared with a list.
 */
#ifndef ROTA_ETCD_WATCH_H
#define ROTA_ETCD_WATCH_H

#include "base/rng.h"
#include "etcd/roster.h"
#include <rota/status.h>

enum rota_etcd_watch_state { ROTA_ETCD_WATCH_LISTING, ROTA_ETCD_WATCH_OPENING, ROTA_ETCD_WATCH_WATCHING, ROTA_ETCD_WATCH_WAITING };

/* Whether the stream that is up tells everything. */
enum rota_etcd_watch_trust {
    ROTA_ETCD_TRUST_GIVEN,         /* it does, for all that is known */
    ROTA_ETCD_TRUST_ASKED,         /* a progress request is out */
    ROTA_ETCD_TRUST_CHECKED,       /* in doubt from here on: a check is out */
    ROTA_ETCD_TRUST_CHECKED_AGAIN, /* the second, since the first failed or is late */
    ROTA_ETCD_TRUST_LISTED,        /* a list is out, which decides */
};

enum rota_etcd_watch_cmd { /* bits; carried out in this order */
    ROTA_ETCD_CMD_CLOSE = 1,    /* end the stream; its end is not reported */
    ROTA_ETCD_CMD_LIST = 2,     /* read the prefix, linearizable */
    ROTA_ETCD_CMD_OPEN = 4,     /* open a stream and create a watch from revision + 1 */
    ROTA_ETCD_CMD_PROGRESS = 8, /* send a progress request */
    ROTA_ETCD_CMD_PUBLISH = 16, /* the list, or what is known about it, changed */
    ROTA_ETCD_CMD_ERROR = 32,   /* tell `why` */
    ROTA_ETCD_CMD_CHECK = 64,   /* read the cluster's revision, linearizable; without a login only when doubted */
};

/* What is kept of the keys that are followed: the functions of a roster, or of a single key (config_key.h). */
struct rota_etcd_keep_class {
    rota_err (*put)(void *keep, const struct rota_etcd_kv *kv); /* ROTA_ENOMEM */
    void (*delete)(void *keep, struct rota_slice key);
    void (*settle)(void *keep, int64_t now_ns); /* may be NULL, as tick and deadline_ns may */
    void (*doubt)(void *keep);
    void (*list_begin)(void *keep);
    bool (*list_end)(void *keep, int64_t now_ns); /* true: something was not in the list any more */
    bool (*tick)(void *keep, int64_t now_ns); /* true: something to publish */
    int64_t (*deadline_ns)(const void *keep);
};

struct rota_etcd_watch {
    const struct rota_etcd_keep_class *class;
    void *keep;
    struct rota_rng *rng;
    bool patient; /* what is denied can be done without; may be set after init */
    uint8_t state;
    uint8_t trust; /* while OPENING and WATCHING */
    unsigned cmds;
    int64_t revision; /* everything up to it is in the roster */
    uint64_t cluster_id;
    bool listed;    /* a list has come since the start */
    bool relist;    /* what was known does not hold: list before watching again */
    bool comparing; /* a list is under way while the stream is up */
    bool resumed;   /* the stream being opened continues an earlier one */
    bool stale;     /* the registry cannot be reached or has not confirmed the list */
    bool answers;   /* the stream has answered a progress request */
    bool mute;      /* it has not when it should have */
    bool overlooked; /* the list under way has a change that the stream has not told */
    bool out_of_memory; /* a batch could not be applied: list again */
    int64_t list_ms; /* how long the next list may take */
    int64_t list_from_ns; /* when the one under way was asked for; a login that it waits for is part of its time */
    int64_t wake_ns;
    int64_t compare_ns; /* when the comparison that failed is made again; INT64_MAX: none did */
    int64_t started_over_ns; /* the last time; INT64_MIN: never */
    int64_t batch_revision; /* of the last event applied in an unfinished batch */
    int64_t seen_revision;  /* the highest applied since the last list, finished batch or not */
    int64_t compared_from;  /* the highest seen or checked when the comparing list was asked for */
    int64_t opened_revision; /* the revision kept when the stream was opened */
    unsigned comparisons;   /* lists asked for since one was compared, or failed */
    unsigned questions;     /* to this stream, or about it, since it was opened */
    int64_t checked_revision;  /* of the cluster, as the last check told; 0: not yet */
    int64_t expected_revision; /* the same when the progress request was sent */
    double backoff_ns;
    double unpublished_ns; /* the same since the last time publishing worked out, however many lists were good */
    struct rota_status why;
};

struct rota_etcd_head {
    uint64_t cluster_id;
    int64_t revision;
};

struct rota_etcd_event {
    bool deleted;
    struct rota_etcd_kv kv;
};

struct rota_etcd_watch_answer {
    struct rota_etcd_head head;
    bool created, canceled, fragment;
    bool requested; /* answers a progress request */
    int64_t compact_revision;
    const char *cancel_reason; /* may be NULL */
    size_t n_events;
    /* The i-th event. */
    struct rota_etcd_event (*event)(const void *events, size_t i);
    const void *events;
};

void rota_etcd_watch_init(struct rota_etcd_watch *w, const struct rota_etcd_keep_class *class, void *keep, struct rota_rng *rng);
void rota_etcd_watch_start(struct rota_etcd_watch *w, int64_t now_ns);

/* An answer to LIST: list_begin, a kv each, list_end; or list_failed or list_late. After false from list_begin nothing follows: the list is not
 * wanted, or not by the registry that is being watched. */
bool rota_etcd_watch_list_begin(struct rota_etcd_watch *w, const struct rota_etcd_head *head, int64_t now_ns);
void rota_etcd_watch_list_kv(struct rota_etcd_watch *w, const struct rota_etcd_kv *kv);
void rota_etcd_watch_list_end(struct rota_etcd_watch *w, const struct rota_etcd_head *head, int64_t now_ns);
void rota_etcd_watch_list_failed(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns);
void rota_etcd_watch_list_late(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns); /* it was made, and took list_ms */

void rota_etcd_watch_answered(struct rota_etcd_watch *w, const struct rota_etcd_watch_answer *answer, int64_t now_ns);
void rota_etcd_watch_checked(struct rota_etcd_watch *w, const struct rota_etcd_head *head, int64_t now_ns); /* an answer to CHECK */
void rota_etcd_watch_check_failed(struct rota_etcd_watch *w, int64_t now_ns);
void rota_etcd_watch_ended(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns); /* the stream, not by CLOSE */
void rota_etcd_watch_published(struct rota_etcd_watch *w); /* what PUBLISH asked for */
void rota_etcd_watch_unpublished(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns); /* it failed */
void rota_etcd_watch_tick(struct rota_etcd_watch *w, int64_t now_ns);

unsigned rota_etcd_watch_take(struct rota_etcd_watch *w); /* the commands since the last take */
int64_t rota_etcd_watch_deadline_ns(const struct rota_etcd_watch *w);
bool rota_etcd_watch_doubts(const struct rota_etcd_watch *w); /* a check, or a list, decides about the stream */

#endif
