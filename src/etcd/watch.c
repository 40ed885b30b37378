/* watch.c - see watch.h for the rules. */
#include "etcd/watch.h"

#include "base/assert.h"
#include "base/moves.h"
#include "etcd/explain.h"

#define MS_NS ((int64_t)1000000)
#define SECOND_NS (1000 * MS_NS)
#define ASK_NS (10 * SECOND_NS)
#define ANSWER_NS (5 * SECOND_NS)
#define START_OVER_NS SECOND_NS
#define COMPARISONS 3 /* lists that events may overtake before the stream is given up */
#define BOTH_WAYS 3   /* of so many questions one goes to the stream and to the cluster */
#define MUTE_NS (3 * ASK_NS)
#define LIST_FIRST_MS 5000
#define LIST_MAX_MS 60000
#define BACKOFF_FIRST_NS 1e8
#define BACKOFF_MAX_NS 2e9
#define BACKOFF_PATIENT_NS 60e9

#define BIT(state) (1u << ROTA_ETCD_WATCH_##state)

static const char *const state_names[] = {"LISTING", "OPENING", "WATCHING", "WAITING"};
static const uint32_t state_moves[] = {
    [ROTA_ETCD_WATCH_LISTING] = BIT(OPENING) | BIT(WAITING) | BIT(LISTING),
    [ROTA_ETCD_WATCH_OPENING] = BIT(WATCHING) | BIT(LISTING) | BIT(WAITING),
    [ROTA_ETCD_WATCH_WATCHING] = BIT(LISTING) | BIT(WAITING),
    [ROTA_ETCD_WATCH_WAITING] = BIT(LISTING) | BIT(OPENING) | BIT(WAITING),
};
static const struct rota_moves moves = {"etcd watch", state_names, state_moves, ROTA_COUNT(state_names)};

#define TRUST_BIT(trust) (1u << ROTA_ETCD_TRUST_##trust)

static const char *const trust_names[] = {"GIVEN", "ASKED", "CHECKED", "CHECKED_AGAIN", "LISTED"};
static const uint32_t trust_to[] = {
    [ROTA_ETCD_TRUST_GIVEN] = TRUST_BIT(ASKED) | TRUST_BIT(CHECKED) | TRUST_BIT(GIVEN),
    [ROTA_ETCD_TRUST_ASKED] = TRUST_BIT(CHECKED) | TRUST_BIT(GIVEN),
    [ROTA_ETCD_TRUST_CHECKED] = TRUST_BIT(CHECKED_AGAIN) | TRUST_BIT(LISTED) | TRUST_BIT(GIVEN),
    [ROTA_ETCD_TRUST_CHECKED_AGAIN] = TRUST_BIT(LISTED) | TRUST_BIT(GIVEN),
    [ROTA_ETCD_TRUST_LISTED] = TRUST_BIT(GIVEN),
};
static const struct rota_moves trust_moves = {"trust in an etcd watch", trust_names, trust_to, ROTA_COUNT(trust_names)};

void rota_etcd_watch_init(struct rota_etcd_watch *w, const struct rota_etcd_keep_class *class, void *keep, struct rota_rng *rng)
{
    *w = (struct rota_etcd_watch){.class = class, .keep = keep, .rng = rng, .state = ROTA_ETCD_WATCH_WAITING, .list_ms = LIST_FIRST_MS,
                                  .wake_ns = INT64_MAX, .compare_ns = INT64_MAX, .started_over_ns = INT64_MIN};
}

#define GOING_ON (ROTA_ETCD_CMD_LIST | ROTA_ETCD_CMD_OPEN | ROTA_ETCD_CMD_PROGRESS | ROTA_ETCD_CMD_CHECK)

/* Ends the stream and the list under way, also those that were about to begin. */
static void stop(struct rota_etcd_watch *w)
{
    w->comparing = false;
    w->compare_ns = INT64_MAX;
    w->cmds = (w->cmds & ~(unsigned)GOING_ON) | ROTA_ETCD_CMD_CLOSE;
}

static void ask_for_list(struct rota_etcd_watch *w, int64_t now_ns)
{
    w->list_from_ns = now_ns;
    w->cmds |= ROTA_ETCD_CMD_LIST;
}

/* The list that the stream which is up is compared with. A linearizable one cannot be older than what was seen before it was asked for, or
 * what a check has told. */
static void compare(struct rota_etcd_watch *w, int64_t now_ns)
{
    w->comparing = true;
    w->compare_ns = INT64_MAX;
    w->overlooked = false;
    w->comparisons++;
    w->compared_from = w->seen_revision > w->checked_revision ? w->seen_revision : w->checked_revision;
    ask_for_list(w, now_ns);
}

static void list(struct rota_etcd_watch *w, int64_t now_ns)
{
    rota_moves_go(&moves, &w->state, ROTA_ETCD_WATCH_LISTING);
    w->comparing = false;
    w->wake_ns = INT64_MAX; /* the call has a deadline of its own */
    ask_for_list(w, now_ns);
}

static void open(struct rota_etcd_watch *w, bool resumed, int64_t now_ns)
{
    rota_moves_go(&moves, &w->state, ROTA_ETCD_WATCH_OPENING);
    w->resumed = resumed;
    w->opened_revision = w->revision;
    w->trust = ROTA_ETCD_TRUST_GIVEN; /* whatever became of the last stream */
    w->answers = false;
    w->mute = false;
    w->questions = 0;
    w->comparisons = 0;
    w->checked_revision = 0;
    w->expected_revision = 0;
    w->batch_revision = w->revision;
    w->wake_ns = now_ns + ANSWER_NS;
    w->cmds |= ROTA_ETCD_CMD_OPEN;
}

void rota_etcd_watch_start(struct rota_etcd_watch *w, int64_t now_ns)
{
    list(w, now_ns);
}

/* When to try again after a failure: each in a row has a longer pause. */
static int64_t again_ns(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns)
{
    double max_ns = w->patient && rota_etcd_denies(why) ? BACKOFF_PATIENT_NS : BACKOFF_MAX_NS;

    w->backoff_ns = w->backoff_ns == 0 ? BACKOFF_FIRST_NS : w->backoff_ns * 1.6 < max_ns ? w->backoff_ns * 1.6 : max_ns;
    return now_ns + (int64_t)rota_rng_between(w->rng, 0.5 * w->backoff_ns, w->backoff_ns);
}

static void back_off(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns)
{
    rota_moves_go(&moves, &w->state, ROTA_ETCD_WATCH_WAITING);
    stop(w);
    w->wake_ns = again_ns(w, why, now_ns);
    w->why = *why;
    w->stale = true;
    w->cmds |= ROTA_ETCD_CMD_ERROR | ROTA_ETCD_CMD_PUBLISH;
}

static void gone_silent(struct rota_etcd_watch *w, int64_t now_ns)
{
    struct rota_status why;

    rota_status_set(&why, ROTA_UNAVAILABLE, "etcd does not answer on the watch any more");
    back_off(w, &why, now_ns);
}

static void move_trust(struct rota_etcd_watch *w, enum rota_etcd_watch_trust to)
{
    rota_moves_go(&trust_moves, &w->trust, (uint8_t)to);
}

bool rota_etcd_watch_doubts(const struct rota_etcd_watch *w)
{
    return w->trust != ROTA_ETCD_TRUST_GIVEN && w->trust != ROTA_ETCD_TRUST_ASKED;
}

/* The stream has missed nothing. */
static void trust(struct rota_etcd_watch *w, int64_t now_ns)
{
    move_trust(w, ROTA_ETCD_TRUST_GIVEN);
    w->wake_ns = now_ns + (w->mute ? MUTE_NS : ASK_NS);
}

/* 0 is said by nobody, but left out by etcd's gRPC proxy. */
static bool other_cluster(const struct rota_etcd_watch *w, const struct rota_etcd_head *head)
{
    return head->cluster_id != 0 && w->cluster_id != 0 && head->cluster_id != w->cluster_id;
}

/* What was known of the registry no longer holds: the stream goes and a list decides. */
static void start_over(struct rota_etcd_watch *w, const char *what, int64_t now_ns)
{
    struct rota_status why;
    bool often = w->started_over_ns != INT64_MIN && now_ns - w->started_over_ns < START_OVER_NS;

    w->relist = true;
    if (often) {
        rota_status_set(&why, ROTA_UNAVAILABLE, "%s", what);
        back_off(w, &why, now_ns);
        return;
    }
    w->started_over_ns = now_ns;
    stop(w);
    list(w, now_ns);
}

static bool list_wanted(const struct rota_etcd_watch *w)
{
    return w->state == ROTA_ETCD_WATCH_LISTING || w->comparing;
}

bool rota_etcd_watch_list_begin(struct rota_etcd_watch *w, const struct rota_etcd_head *head, int64_t now_ns)
{
    if (!list_wanted(w))
        return false;
    if (w->comparing && (head->revision < w->compared_from || other_cluster(w, head))) {
        start_over(w, "the registry's revisions went back", now_ns);
        return false;
    }
    /* Overtaken by events, of which one batch may be half here: taken now it would undo them. */
    if (w->comparing && head->revision < w->seen_revision) {
        if (w->comparisons < COMPARISONS)
            compare(w, now_ns);
        else
            start_over(w, "the registry's changes overtake its lists", now_ns);
        return false;
    }
    w->class->list_begin(w->keep);
    return true;
}

void rota_etcd_watch_list_kv(struct rota_etcd_watch *w, const struct rota_etcd_kv *kv)
{
    if (kv->mod_revision > w->revision)
        w->overlooked = true;
    if (w->class->put(w->keep, kv) < 0)
        w->out_of_memory = true;
}

/* The list that the stream is compared with is in the roster. */
static void compared(struct rota_etcd_watch *w, const struct rota_etcd_head *head, int64_t now_ns)
{
    w->comparing = false;
    w->comparisons = 0;
    w->backoff_ns = 0;
    if (rota_etcd_watch_doubts(w) && w->overlooked)
        gone_silent(w, now_ns);
    else if (w->trust == ROTA_ETCD_TRUST_LISTED && head->revision < w->checked_revision)
        compare(w, now_ns); /* this one was read before the check */
    else if (w->trust == ROTA_ETCD_TRUST_LISTED)
        trust(w, now_ns);
}

static int64_t list_time_ms(int64_t ms)
{
    return ms < LIST_FIRST_MS ? LIST_FIRST_MS : ms > LIST_MAX_MS ? LIST_MAX_MS : ms;
}

void rota_etcd_watch_list_end(struct rota_etcd_watch *w, const struct rota_etcd_head *head, int64_t now_ns)
{
    struct rota_status why;

    if (w->out_of_memory) {
        w->out_of_memory = false;
        w->relist = true;
        rota_status_set(&why, ROTA_RESOURCE_EXHAUSTED, "out of memory while reading the list");
        back_off(w, &why, now_ns);
        return;
    }
    if (w->listed && (other_cluster(w, head) || head->revision < w->seen_revision))
        w->class->doubt(w->keep);
    if (w->class->list_end(w->keep, now_ns))
        w->overlooked = true;
    w->list_ms = list_time_ms(2 * (now_ns - w->list_from_ns) / MS_NS);
    w->cmds |= ROTA_ETCD_CMD_PUBLISH;
    w->revision = head->revision;
    w->batch_revision = head->revision;
    w->seen_revision = head->revision;
    w->cluster_id = head->cluster_id;
    w->listed = true;
    w->relist = false;
    w->stale = false;
    if (w->comparing)
        compared(w, head, now_ns);
    else
        open(w, false, now_ns);
}

void rota_etcd_watch_list_failed(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns)
{
    if (!list_wanted(w))
        return;
    if (!w->comparing || w->trust == ROTA_ETCD_TRUST_LISTED) {
        back_off(w, why, now_ns);
        return;
    }
    /* A member that hangs must not take the stream of another that does not with it. */
    w->comparing = false;
    w->comparisons = 0;
    w->compare_ns = again_ns(w, why, now_ns);
    w->why = *why;
    w->cmds |= ROTA_ETCD_CMD_ERROR;
}

void rota_etcd_watch_list_late(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns)
{
    bool had_most = w->list_ms == LIST_MAX_MS;

    if (!list_wanted(w))
        return;
    w->list_ms = list_time_ms(2 * w->list_ms);
    if (w->comparing && w->trust == ROTA_ETCD_TRUST_LISTED && !had_most) {
        w->comparisons = 0;
        compare(w, now_ns);
        return;
    }
    rota_etcd_watch_list_failed(w, why, now_ns);
}

static void created(struct rota_etcd_watch *w, int64_t now_ns)
{
    if (w->state != ROTA_ETCD_WATCH_OPENING)
        return;
    rota_moves_go(&moves, &w->state, ROTA_ETCD_WATCH_WATCHING);
    w->wake_ns = now_ns + ASK_NS;
    if (!w->resumed) {
        w->backoff_ns = 0;
        return;
    }
    compare(w, now_ns);
}

static void canceled(struct rota_etcd_watch *w, const struct rota_etcd_watch_answer *answer, int64_t now_ns)
{
    const char *reason = answer->cancel_reason != NULL && answer->cancel_reason[0] != '\0' ? answer->cancel_reason : "no reason given";
    struct rota_status why;

    if (answer->compact_revision > 0) {
        start_over(w, "the registry drops its history faster than it can be read", now_ns);
        return;
    }
    rota_status_set(&why, ROTA_UNAVAILABLE, "etcd canceled the watch: %s", reason);
    back_off(w, &why, now_ns);
}

static void apply(struct rota_etcd_watch *w, const struct rota_etcd_watch_answer *answer, int64_t now_ns)
{
    for (size_t i = 0; i < answer->n_events; i++) {
        struct rota_etcd_event event = answer->event(answer->events, i);
        if (event.kv.mod_revision <= w->revision)
            continue;
        w->batch_revision = event.kv.mod_revision;
        if (w->seen_revision < w->batch_revision)
            w->seen_revision = w->batch_revision;
        if (event.deleted)
            w->class->delete(w->keep, event.kv.key);
        else if (w->class->put(w->keep, &event.kv) < 0)
            w->out_of_memory = true;
    }
    if (answer->fragment)
        return;
    if (w->class->settle != NULL)
        w->class->settle(w->keep, now_ns);
    if (w->batch_revision > w->revision)
        w->revision = w->batch_revision;
    w->cmds |= ROTA_ETCD_CMD_PUBLISH;
    if (w->out_of_memory) {
        w->out_of_memory = false;
        start_over(w, "out of memory while reading changes", now_ns);
    }
}

/* An answer that tells of no event, only how far its member is. */
static void progressed(struct rota_etcd_watch *w, const struct rota_etcd_head *head, int64_t now_ns)
{
    struct rota_status why;

    if (head->revision < w->revision) {
        start_over(w, "the registry's revisions went back", now_ns);
        return;
    }
    if (head->revision >= w->expected_revision)
        return;
    rota_status_set(&why, ROTA_UNAVAILABLE, "the etcd member answers, but stands at revision %lld while the others are at %lld", (long long)head->revision,
        (long long)w->expected_revision);
    back_off(w, &why, now_ns);
}

void rota_etcd_watch_answered(struct rota_etcd_watch *w, const struct rota_etcd_watch_answer *answer, int64_t now_ns)
{
    bool due = w->trust == ROTA_ETCD_TRUST_ASKED;

    if (w->state != ROTA_ETCD_WATCH_OPENING && w->state != ROTA_ETCD_WATCH_WATCHING)
        return;
    move_trust(w, ROTA_ETCD_TRUST_GIVEN);
    if (answer->requested) {
        w->answers = true;
        w->mute = false;
    }
    if (w->state == ROTA_ETCD_WATCH_WATCHING)
        w->wake_ns = now_ns + ASK_NS;
    if (answer->canceled) {
        canceled(w, answer, now_ns);
        return;
    }
    if (other_cluster(w, &answer->head)) {
        start_over(w, "another cluster answers", now_ns);
        return;
    }
    if (answer->created)
        created(w, now_ns);
    else if (answer->n_events == 0 && (due || !answer->requested))
        progressed(w, &answer->head, now_ns);
    if (answer->n_events > 0)
        apply(w, answer, now_ns);
}

static bool awaits_check(const struct rota_etcd_watch *w)
{
    return w->trust == ROTA_ETCD_TRUST_CHECKED || w->trust == ROTA_ETCD_TRUST_CHECKED_AGAIN;
}

void rota_etcd_watch_checked(struct rota_etcd_watch *w, const struct rota_etcd_head *head, int64_t now_ns)
{
    if (w->state != ROTA_ETCD_WATCH_WATCHING)
        return;
    if (!other_cluster(w, head))
        w->checked_revision = head->revision;
    if (!awaits_check(w))
        return;
    if (other_cluster(w, head)) {
        gone_silent(w, now_ns);
    } else if (head->revision < w->revision) {
        start_over(w, "the registry's revisions went back", now_ns);
    } else if (head->revision == w->revision) {
        trust(w, now_ns);
    } else {
        move_trust(w, ROTA_ETCD_TRUST_LISTED);
        w->wake_ns = INT64_MAX; /* the list has a deadline of its own */
        if (!w->comparing)
            compare(w, now_ns);
    }
}

static void check(struct rota_etcd_watch *w, enum rota_etcd_watch_trust as, int64_t now_ns)
{
    move_trust(w, as);
    w->wake_ns = now_ns + ANSWER_NS;
    w->cmds |= ROTA_ETCD_CMD_CHECK;
}

/* The check that is awaited failed, or is late. */
static void check_missed(struct rota_etcd_watch *w, int64_t now_ns)
{
    if (w->trust == ROTA_ETCD_TRUST_CHECKED)
        check(w, ROTA_ETCD_TRUST_CHECKED_AGAIN, now_ns);
    else
        gone_silent(w, now_ns);
}

void rota_etcd_watch_check_failed(struct rota_etcd_watch *w, int64_t now_ns)
{
    if (w->state == ROTA_ETCD_WATCH_WATCHING && awaits_check(w))
        check_missed(w, now_ns);
}

void rota_etcd_watch_ended(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns)
{
    if (w->state == ROTA_ETCD_WATCH_OPENING || w->state == ROTA_ETCD_WATCH_WATCHING)
        back_off(w, why, now_ns);
}

void rota_etcd_watch_published(struct rota_etcd_watch *w)
{
    w->unpublished_ns = 0;
}

void rota_etcd_watch_unpublished(struct rota_etcd_watch *w, const struct rota_status *why, int64_t now_ns)
{
    if (w->state != ROTA_ETCD_WATCH_OPENING && w->state != ROTA_ETCD_WATCH_WATCHING)
        return;
    if (w->backoff_ns < w->unpublished_ns)
        w->backoff_ns = w->unpublished_ns;
    back_off(w, why, now_ns);
    w->unpublished_ns = w->backoff_ns;
}

static void ask(struct rota_etcd_watch *w, int64_t now_ns)
{
    move_trust(w, ROTA_ETCD_TRUST_ASKED);
    w->wake_ns = now_ns + ANSWER_NS;
    w->expected_revision = w->checked_revision;
    w->cmds |= ROTA_ETCD_CMD_PROGRESS;
}

static void question(struct rota_etcd_watch *w, int64_t now_ns)
{
    if (w->mute)
        check(w, ROTA_ETCD_TRUST_CHECKED, now_ns);
    else
        ask(w, now_ns);
    if (++w->questions % BOTH_WAYS == 0)
        w->cmds |= ROTA_ETCD_CMD_PROGRESS | ROTA_ETCD_CMD_CHECK;
}

static void unanswered(struct rota_etcd_watch *w, int64_t now_ns)
{
    int64_t cluster_revision = w->expected_revision > w->revision ? w->expected_revision : w->revision;

    if (w->answers) {
        gone_silent(w, now_ns);
        return;
    }
    w->mute = cluster_revision > w->opened_revision;
    check(w, ROTA_ETCD_TRUST_CHECKED, now_ns);
}

static void tick_watching(struct rota_etcd_watch *w, int64_t now_ns)
{
    switch (w->trust) {
    case ROTA_ETCD_TRUST_GIVEN: question(w, now_ns); break;
    case ROTA_ETCD_TRUST_ASKED: unanswered(w, now_ns); break;
    default: check_missed(w, now_ns); break;
    }
}

void rota_etcd_watch_tick(struct rota_etcd_watch *w, int64_t now_ns)
{
    struct rota_status why;

    if (w->class->tick != NULL && w->class->tick(w->keep, now_ns))
        w->cmds |= ROTA_ETCD_CMD_PUBLISH;
    if (now_ns >= w->compare_ns)
        compare(w, now_ns);
    if (now_ns < w->wake_ns)
        return;
    switch (w->state) {
    case ROTA_ETCD_WATCH_WATCHING: tick_watching(w, now_ns); break;
    case ROTA_ETCD_WATCH_OPENING:
        rota_status_set(&why, ROTA_UNAVAILABLE, "etcd did not confirm the watch in time");
        back_off(w, &why, now_ns);
        break;
    case ROTA_ETCD_WATCH_WAITING:
        if (w->listed && !w->relist)
            open(w, true, now_ns);
        else
            list(w, now_ns);
        break;
    default: break;
    }
}

unsigned rota_etcd_watch_take(struct rota_etcd_watch *w)
{
    unsigned cmds = w->cmds;

    w->cmds = 0;
    return cmds;
}

int64_t rota_etcd_watch_deadline_ns(const struct rota_etcd_watch *w)
{
    int64_t keep_ns = w->class->deadline_ns == NULL ? INT64_MAX : w->class->deadline_ns(w->keep);
    int64_t own_ns = w->compare_ns < w->wake_ns ? w->compare_ns : w->wake_ns;

    return keep_ns < own_ns ? keep_ns : own_ns;
}
