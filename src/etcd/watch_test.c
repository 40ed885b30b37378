/* watch_test.c - what the watch does after each answer, silence and failure, in virtual time: scripts and the commands they cause. */
#include "etcd/watch.h"

#include "base/assert.h"
#include "etcd/roster_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "testing/virtual_host.h"
#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct rota_leak_alloc leak;
    struct rota_etcd_roster roster;
    struct rota_etcd_watch watch;
    struct rota_rng rng;
    int64_t now_ns;
    char trace[1024];
    bool fragment; /* answered last */
};

/* Backoff takes half of its bound. */
static uint64_t lowest(struct rota_rng *rng)
{
    (void)rng;
    return 0;
}

static void init(struct fixture *f, const struct rota_alloc *alloc)
{
    f->now_ns = ROTA_VIRTUAL_START_NS;
    f->rng = (struct rota_rng){.next = lowest};
    f->trace[0] = '\0';
    f->fragment = false;
    rota_etcd_roster_init(&f->roster, alloc, NULL, &rota_etcd_grpclb, rota_slice_str(ROSTER_PREFIX), 1);
    rota_etcd_watch_init(&f->watch, &rota_etcd_roster_keep, &f->roster, &f->rng);
}

static void start(struct fixture *f)
{
    rota_leak_alloc_init(&f->leak);
    init(f, &f->leak.alloc);
}

static void finish(struct fixture *f)
{
    rota_etcd_roster_fini(&f->roster);
    rota_leak_alloc_fini(&f->leak);
}

static void trace(struct fixture *f, const char *format, ...) ROTA_PRINTF(2, 3);

static void trace(struct fixture *f, const char *format, ...)
{
    size_t used = strlen(f->trace);
    va_list args;

    va_start(args, format);
    vsnprintf(f->trace + used, sizeof(f->trace) - used, format, args);
    va_end(args);
}

static void take(struct fixture *f)
{
    unsigned cmds = rota_etcd_watch_take(&f->watch);

    if (cmds & ROTA_ETCD_CMD_CLOSE)
        trace(f, " close");
    if (cmds & ROTA_ETCD_CMD_ERROR)
        trace(f, " error");
    if (cmds & ROTA_ETCD_CMD_LIST)
        trace(f, " list");
    if (cmds & ROTA_ETCD_CMD_OPEN)
        trace(f, " open:%d", (int)f->watch.revision + 1);
    if (cmds & ROTA_ETCD_CMD_PROGRESS)
        trace(f, " ask");
    if (cmds & ROTA_ETCD_CMD_CHECK)
        trace(f, " check");
    /* A change is never left unpublished, unless the rest of its batch is yet to come. */
    assert_true(f->fragment || (cmds & ROTA_ETCD_CMD_PUBLISH) != 0 || !rota_etcd_roster_take_changed(&f->roster));
    (void)rota_etcd_roster_take_changed(&f->roster);
}

/* "@revision#cluster" at the end of a word; the cluster is 1 unless given. */
static struct rota_etcd_head head(const char *word)
{
    const char *at = strchr(word, '@'), *hash = strchr(word, '#');

    return (struct rota_etcd_head){hash == NULL ? 1 : strtoull(hash + 1, NULL, 10), at == NULL ? 0 : strtoll(at + 1, NULL, 10)};
}

static void list(struct fixture *f, const char *word)
{
    const char *slash = strchr(word, '/');
    struct rota_etcd_head h = head(word);

    if (!rota_etcd_watch_list_begin(&f->watch, &h, f->now_ns))
        return;
    for (const char *p = word + 5; *p >= 'a' && *p <= 'z'; p++) {
        struct rota_etcd_kv kv = roster_kv((char[]){*p, '\0'}, slash == NULL ? 3 : strtoll(slash + 1, NULL, 10));
        rota_etcd_watch_list_kv(&f->watch, &kv);
    }
    rota_etcd_watch_list_end(&f->watch, &h, f->now_ns);
}

static struct rota_etcd_event event_at(const void *events, size_t i)
{
    const char *word = (const char *)events + 2 * i;

    return (struct rota_etcd_event){.deleted = word[0] == '-', .kv = roster_kv((char[]){word[1], '\0'}, head(events).revision)};
}

static void answer(struct fixture *f, const char *word)
{
    struct rota_etcd_watch_answer a = {.head = head(word), .event = event_at, .events = word};

    a.created = strncmp(word, "created", 7) == 0;
    a.canceled = strncmp(word, "canceled", 8) == 0 || strncmp(word, "compacted", 9) == 0;
    a.compact_revision = strncmp(word, "compacted", 9) == 0 ? 40 : 0;
    a.requested = strncmp(word, "progress", 8) == 0;
    a.fragment = f->fragment = strchr(word, '~') != NULL;
    if (word[0] == '+' || word[0] == '-')
        a.n_events = strcspn(word, "@") / 2;
    rota_etcd_watch_answered(&f->watch, &a, f->now_ns);
}

static void check(struct fixture *f, const char *word)
{
    struct rota_etcd_head h = head(word);

    rota_etcd_watch_checked(&f->watch, &h, f->now_ns);
}

static void pass(struct fixture *f, int64_t ms)
{
    int64_t until_ns = f->now_ns + ms * ROTA_MS;

    while (rota_etcd_watch_deadline_ns(&f->watch) <= until_ns) {
        f->now_ns = rota_etcd_watch_deadline_ns(&f->watch);
        rota_etcd_watch_tick(&f->watch, f->now_ns);
        take(f);
        assert_true(rota_etcd_watch_deadline_ns(&f->watch) > f->now_ns);
    }
    f->now_ns = until_ns;
}

/* Words: start; list:ab@5#2 (the answer to a list, revision 5, cluster 2; its keys are of revision 3, or list:ab/7@9: of 7); nolist; late (a list
 * in its stead); created@5; +a-b@6 (events; '~' behind: a fragment); progress@6 (asked for); notice@6 (not asked for); check@6 (the cluster's
 * revision); nocheck; canceled; compacted; ended; published; unpublished; 500ms passes. */
static void play(struct fixture *f, const char *script)
{
    static const struct rota_status down = {.code = ROTA_UNAVAILABLE, .message = "refused"};
    static const struct rota_status late = {.code = ROTA_DEADLINE_EXCEEDED, .message = "late"};
    char words[512], *rest = NULL;

    snprintf(words, sizeof(words), "%s", script);
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (strcmp(word, "start") == 0)
            rota_etcd_watch_start(&f->watch, f->now_ns);
        else if (strncmp(word, "list:", 5) == 0)
            list(f, word);
        else if (strcmp(word, "nolist") == 0)
            rota_etcd_watch_list_failed(&f->watch, &down, f->now_ns);
        else if (strcmp(word, "late") == 0)
            rota_etcd_watch_list_late(&f->watch, &late, f->now_ns);
        else if (strncmp(word, "check@", 6) == 0)
            check(f, word);
        else if (strcmp(word, "nocheck") == 0)
            rota_etcd_watch_check_failed(&f->watch, f->now_ns);
        else if (strcmp(word, "ended") == 0)
            rota_etcd_watch_ended(&f->watch, &down, f->now_ns);
        else if (strcmp(word, "published") == 0)
            rota_etcd_watch_published(&f->watch);
        else if (strcmp(word, "unpublished") == 0)
            rota_etcd_watch_unpublished(&f->watch, &down, f->now_ns);
        else if (word[0] >= '0' && word[0] <= '9')
            pass(f, strtoll(word, NULL, 10));
        else
            answer(f, word);
        take(f);
    }
}

#define UP "start list:ab@5 created@5 "
#define ANSWERS UP "10000ms progress@5 "
#define ANSWERS_CMDS " list open:6 ask"
#define QUIET "10000ms progress@5 10000ms progress@5 "

static const struct watch_case {
    const char *rule, *script, *commands, *list;
    int stale;
} cases[] = {
    {"list, then watch from the next revision", UP, " list open:6", "a b", 0},
    {"an event is applied", UP "+c@6", " list open:6", "a b c", 0},
    {"events at the list's revision are old", UP "-a@5", " list open:6", "a b", 0},
    {"and those below", UP "-a@4 +c@3", " list open:6", "a b", 0},
    {"events told twice count once", UP "+c@6 +c@6 -c@7 +c@6", " list open:6", "a b", 0},
    {"put and delete in one batch", UP "+c-c@6", " list open:6", "a b", 0},
    {"a fragment alone takes nobody out", UP "-a@6~", " list open:6", "a b", 0},
    {"the last fragment does", UP "-a@6~ +c@6", " list open:6", "b c", 0},
    {"a batch cut off is asked for again", UP "-a@6~ ended 50ms", " list open:6 close error open:6", "a b", 1},
    {"a broken stream resumes at the next revision and compares", UP "+c@9 ended 50ms created@9", " list open:6 close error open:10 list", "a b c", 1},
    {"the compared list counts", UP "ended 50ms created@5 list:abd@8", " list open:6 close error open:6 list", "a b d", 0},
    {"events older than the compared list do not", UP "ended 50ms created@5 list:abd@8 -d@7", " list open:6 close error open:6 list", "a b d", 0},
    {"a comparison that fails leaves the stream, and is made again after a pause", UP "ended 50ms created@5 nolist 79ms",
     " list open:6 close error open:6 list error", "a b", 1},
    {"which grows", UP "ended 50ms created@5 nolist 80ms nolist 127ms", " list open:6 close error open:6 list error list error", "a b", 1},
    {"for as long as the stream is well", UP "ended 50ms created@5 nolist 80ms nolist 128ms nolist 205ms nolist +c@6 1000ms list:abc@6",
     " list open:6 close error open:6 list error list error list error list error list", "a b c", 0},
    {"a stream that falls silent meanwhile is left", UP "ended 50ms created@5 9000ms progress@5 nolist 15000ms",
     " list open:6 close error open:6 list error list ask close error", "a b", 1},
    {"a list that failed was not overtaken", UP "ended 50ms created@5 nolist 80ms nolist 128ms +c@20 list:ab@15",
     " list open:6 close error open:6 list error list error list list", "a b c", 1},
    {"nothing is compared after the end of the stream", UP "ended 50ms created@5 nolist ended 79ms", " list open:6 close error open:6 list error close error",
     "a b", 1},
    {"a fragment that overtakes the compared list is not undone by it",
     UP "ended 50ms created@5 +c-a@20~ list:ab@15 +d@20 list:bcd@20", " list open:6 close error open:6 list list", "b c d", 0},
    {"nor are whole batches that do", UP "ended 50ms created@5 +c-a@20 list:ab@15 list:bc@20 +d@21", " list open:6 close error open:6 list list", "b c d", 0},
    {"a registry that overtakes every list is listed without a stream", UP "ended 50ms created@5 +c@20 list:ab@15 +d@21 list:abc@20 -d@22 list:abcd@21 list:abc@22",
     " list open:6 close error open:6 list list list close list open:23", "a b c", 0},
    {"a list older than what was seen before it was asked for went back", UP "+c@9~ ended 50ms created@9 list:ab@8",
     " list open:6 close error open:6 list close list", "a b c", 1},
    {"so who was only in a fragment stays in use then", UP "+c@9~ ended 50ms created@9 list:ab@8 list:ab@8",
     " list open:6 close error open:6 list close list open:9", "a b c?", 0},
    {"a comparison that went back lists again", UP "ended 50ms created@5 list:@2", " list open:6 close error open:6 list close list", "a b", 1},
    {"so does one by another cluster", UP "ended 50ms created@5 list:@9#2", " list open:6 close error open:6 list close list", "a b", 1},
    {"one that names no cluster does not", UP "ended 50ms created@5 list:@9#0", " list open:6 close error open:6 list", "a? b?", 0},
    {"and nothing of it is taken", UP "ended 50ms created@5 list:q@2", " list open:6 close error open:6 list close list", "a b", 1},
    {"and the list then counts, whatever its revision, but who is missing stays in use", UP "ended 50ms created@5 list:@2 list:bcd@2",
     " list open:6 close error open:6 list close list open:3", "a? b c d", 0},
    {"compacted: list and take the difference", UP "compacted list:bc@50", " list open:6 close list open:51", "b c", 0},
    {"compacted again and again: not in a storm", UP "compacted list:bc@50 compacted 49ms", " list open:6 close list open:51 close error", "b c", 1},
    {"but after a pause", UP "compacted list:bc@50 compacted 50ms", " list open:6 close list open:51 close error list", "b c", 1},
    {"a confirmation that names no cluster is one", "start list:ab@5 created@3#0", " list open:6", "a b", 0},
    {"a list that names none is one of any", "start list:ab@5#0 created@5 progress@6#2", " list open:6", "a b", 0},
    {"another cluster answers: list again", UP "progress@6#2 list:b@3#2", " list open:6 close list open:4", "a? b", 0},
    {"two clusters under one name make no storm", "start list:a@5#1 created@5#2 list:a@5#2 created@5#1 49ms", " list open:6 close list open:6 close error",
     "a", 1},
    {"a revision that went back: list again", UP "10000ms progress@4", " list open:6 ask close list", "a b", 0},
    {"also when it says so unasked", UP "notice@4", " list open:6 close list", "a b", 0},
    {"a member that lags may confirm", "start list:ab@5 created@3", " list open:6", "a b", 0},
    {"canceled for another reason: resume after a pause", UP "canceled 50ms", " list open:6 close error open:6", "a b", 1},
    {"refused at once: resume after a pause", "start list:ab@5 canceled 50ms", " list open:6 close error open:6", "a b", 1},
    {"silence is asked about after ten seconds", UP "9999ms", " list open:6", "a b", 0},
    {"then", UP "10000ms", " list open:6 ask", "a b", 0},
    {"an answer puts it off", UP "10000ms progress@5 9999ms", " list open:6 ask", "a b", 0},
    {"so does an event", UP "9000ms +c@6 9999ms", " list open:6", "a b c", 0},
    {"a stream that has answered and does not any more is left after five seconds", ANSWERS "15049ms", ANSWERS_CMDS " ask close error", "a b", 1},
    {"and another is opened", ANSWERS "15050ms", ANSWERS_CMDS " ask close error open:6", "a b", 1},
    {"one that never has is doubted", UP "15000ms", " list open:6 ask check", "a b", 0},
    {"a quiet registry may keep progress to itself", UP "15000ms check@5 10000ms", " list open:6 ask check ask", "a b", 0},
    {"for ever", UP "15000ms check@5 15000ms check@5 15000ms check@5", " list open:6 ask check ask check ask check check", "a b", 0},
    {"until it has come to where the watch begins", UP "15000ms check@5 10000ms progress@6 15000ms", " list open:6 ask check ask ask check close error", "a b", 1},
    {"an answer while in doubt ends the doubt", UP "15000ms progress@5 9999ms nocheck", " list open:6 ask check", "a b", 0},
    {"so does an event", UP "15000ms +c@6 9999ms", " list open:6 ask check", "a b c", 0},
    {"what was not asked for is no sign that it answers", UP "12000ms notice@5 15000ms", " list open:6 ask ask check", "a b", 0},
    {"a check that fails is made once more, by another member", UP "15000ms nocheck check@5 10000ms", " list open:6 ask check check ask", "a b", 0},
    {"so is one that is late", UP "20000ms check@5 10000ms", " list open:6 ask check check ask", "a b", 0},
    {"a doubt that nobody settles ends the stream", UP "25000ms", " list open:6 ask check check close error", "a b", 1},
    {"so does a second check that fails", UP "15000ms nocheck nocheck", " list open:6 ask check check close error", "a b", 1},
    {"the second has five seconds, too", UP "19000ms nocheck 4999ms", " list open:6 ask check check", "a b", 0},
    {"the next doubt may have two again", UP "15000ms nocheck check@5 15000ms nocheck", " list open:6 ask check check ask check check", "a b", 0},
    {"and one by another cluster", UP "15000ms check@5#2", " list open:6 ask check close error", "a b", 1},
    {"not by one that names none", UP "15000ms check@5#0", " list open:6 ask check", "a b", 0},
    {"a revision that went back behind a silent watch: list again", UP "15000ms check@4", " list open:6 ask check close list", "a b", 0},
    {"one that went on: the list decides", UP "15000ms check@7", " list open:6 ask check list", "a b", 0},
    {"the same: only others' keys changed", UP "15000ms check@7 list:ab@7 9999ms", " list open:6 ask check list", "a b", 0},
    {"a put not told ends the stream", UP "15000ms check@7 list:abc/6@7 50ms", " list open:6 ask check list close error open:8", "a b c", 1},
    {"so does a delete", UP "15000ms check@7 list:a@7 50ms", " list open:6 ask check list close error open:8", "a", 1},
    {"so does a list that fails", UP "15000ms check@7 nolist", " list open:6 ask check list close error", "a b", 1},
    {"one that is late is made again with more time", UP "15000ms check@7 late list:ab@7 9999ms", " list open:6 ask check list list", "a b", 0},
    {"unless it had the most", UP "15000ms check@7 late late late late late", " list open:6 ask check list list list list list close error", "a b", 1},
    {"a list that fails before the doubt is settled does not", UP "ended 50ms created@5 15000ms nolist check@5 80ms list:ab@5",
     " list open:6 close error open:6 list ask check error list", "a b", 0},
    {"a list under way decides, too", UP "ended 50ms created@5 15000ms check@7 10000ms list:ab@7 9999ms",
     " list open:6 close error open:6 list ask check", "a b", 0},
    {"not if it is older than the check", UP "ended 50ms created@5 15000ms check@7 list:ab@6", " list open:6 close error open:6 list ask check list", "a b", 0},
    {"nor before there was one", UP "ended 50ms created@5 15000ms list:ab@6 check@7", " list open:6 close error open:6 list ask check list", "a b", 0},
    {"a list after the check that is older went back", UP "15000ms check@7 list:ab@6 list:ab@6", " list open:6 ask check list close list open:7", "a b", 0},
    {"who was silent past the beginning is not asked any more", UP "15000ms check@7 list:ab@7 15000ms check@7 30000ms check@7 30000ms",
     " list open:6 ask check list ask check ask check check", "a b", 0},
    {"nor who was so after an event", UP "+c@6 15000ms check@6 30000ms", " list open:6 ask check check", "a b c", 0},
    {"but whoever answers after all", UP "+c@6 15000ms progress@6 10000ms", " list open:6 ask check ask", "a b c", 0},
    {"which it may with every third check", UP "+c@6 15000ms check@6 30000ms check@6 30000ms check@6 progress@6 10000ms",
     " list open:6 ask check check ask check ask", "a b c", 0},
    {"what answers a question that was given up is of the past", UP "15000ms check@9 list:ab@9 progress@7", " list open:6 ask check list", "a b", 0},
    {"the next stream is asked anew", UP "+c@6 15000ms check@6 ended 50ms created@6 list:abc@6 10000ms",
     " list open:6 ask check close error open:7 list ask", "a b c", 0},
    {"a progress answer does not move the resume point", UP "10000ms progress@9 ended 50ms", " list open:6 ask close error open:6", "a b", 1},
    {"every third question checks that the member goes along", UP QUIET "10000ms", " list open:6 ask ask ask check", "a b", 0},
    {"one that does stays", UP QUIET "10000ms progress@5 check@7 10000ms progress@7", " list open:6 ask ask ask check ask", "a b", 0},
    {"one that stands still is left", UP QUIET "10000ms progress@5 check@7 10000ms progress@6 50ms",
     " list open:6 ask ask ask check ask close error open:6", "a b", 1},
    {"not for what it answers to an older question", UP QUIET "10000ms check@7 progress@5", " list open:6 ask ask ask check", "a b", 0},
    {"nor for what another cluster has", UP QUIET "10000ms progress@5 check@7#2 10000ms progress@5", " list open:6 ask ask ask check ask", "a b", 0},
    {"the next member begins anew", UP QUIET "10000ms progress@5 check@7 10000ms progress@6 50ms created@5 list:ab@7 10000ms progress@7 10000ms progress@7",
     " list open:6 ask ask ask check ask close error open:6 list ask ask", "a b", 0},
    {"a watch not confirmed in five seconds is given up", "start list:ab@5 5000ms", " list open:6 close error", "a b", 1},
    {"a list that fails is made again", "start nolist 50ms", " list close error list", "-", 1},
    {"a list that comes after its stream ended is not wanted", UP "ended 50ms created@5 ended list:q@9 80ms list:q@9",
     " list open:6 close error open:6 list close error open:6", "a b", 1},
    {"nor is its failure", UP "ended nolist 50ms nolist", " list open:6 close error open:6", "a b", 1},
    {"answers while waiting are of the past", UP "ended +c@6 created@6 compacted ended", " list open:6 close error", "a b", 1},
    {"an empty list keeps what was", UP "compacted list:@9", " list open:6 close list open:10", "a? b?", 0},
    {"suspects leave by themselves", "start list:abc@5 created@5 -a-b@6 9000ms progress@6 9000ms progress@6 9000ms progress@6 9000ms progress@6 "
     "9000ms progress@6 9000ms progress@6 6000ms", " list open:6", "c", 0},
};

static void scripts_cause_the_right_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct watch_case *c = &cases[i];
        struct fixture f;

        print_message("  %s\n", c->rule);
        start(&f);
        play(&f, c->script);
        assert_string_equal(f.trace, c->commands);
        assert_string_equal(roster_text(&f.roster), c->list);
        assert_int_equal(f.watch.stale, c->stale);
        finish(&f);
    }
}

static void a_patient_watch_asks_less_often_for_what_is_denied(void **state)
{
    static const struct rota_status denied = {.code = ROTA_PERMISSION_DENIED, .message = "permission denied"};
    static const struct denial_case {
        const char *rule;
        bool patient, compares;
        int64_t wait_ms;
    } denials[] = {
        {"others ask on", false, false, 1000},
        {"a patient one each minute", true, false, 30000},
        {"a comparison likewise", true, true, 30000},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(denials); i++) {
        struct fixture f;
        int64_t again_ns = 0;

        print_message("  %s\n", denials[i].rule);
        start(&f);
        f.watch.patient = denials[i].patient;
        play(&f, denials[i].compares ? UP "ended 50ms created@5" : "start");
        for (int n = 0; n < 20; n++) {
            rota_etcd_watch_list_failed(&f.watch, &denied, f.now_ns);
            take(&f);
            again_ns = denials[i].compares ? f.watch.compare_ns : f.watch.wake_ns;
            while (n < 19 && f.now_ns < again_ns)
                play(&f, "1000ms notice@5");
        }
        assert_in_range((again_ns - f.now_ns) / ROTA_MS, denials[i].wait_ms - 1, denials[i].wait_ms);
        finish(&f);
    }
}

/* Time of one wait after n failures in a row. */
static int64_t wait_ns(struct fixture *f, unsigned n_failures)
{
    for (unsigned i = 0; i < n_failures; i++)
        play(f, i == 0 ? "start nolist" : "nolist");
    return rota_etcd_watch_deadline_ns(&f->watch) - f->now_ns;
}

static uint64_t highest(struct rota_rng *rng)
{
    (void)rng;
    return UINT64_MAX;
}

static void waits_grow_to_a_bound_and_are_jittered(void **state)
{
    static const struct wait_case {
        unsigned n_failures;
        int64_t low_ms, high_ms;
    } waits[] = {{1, 50, 100}, {2, 80, 160}, {3, 128, 256}, {8, 1000, 2000}, {20, 1000, 2000}};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(waits); i++) {
        for (int high = 0; high < 2; high++) {
            struct fixture f;
            int64_t want = (high ? waits[i].high_ms : waits[i].low_ms) * ROTA_MS;
            start(&f);
            f.rng.next = high ? highest : lowest;
            for (unsigned n = 1; n < waits[i].n_failures; n++) {
                play(&f, n == 1 ? "start nolist" : "nolist");
                f.now_ns = rota_etcd_watch_deadline_ns(&f.watch);
                rota_etcd_watch_tick(&f.watch, f.now_ns);
            }
            assert_in_range(wait_ns(&f, 1) + ROTA_US, want, want + 2 * ROTA_US);
            finish(&f);
        }
    }
}

static void a_confirmed_watch_ends_the_growth(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    play(&f, "start nolist 50ms nolist 80ms nolist 128ms list:a@5 created@5 ended");
    assert_int_equal(rota_etcd_watch_deadline_ns(&f.watch) - f.now_ns, 50 * ROTA_MS);
    finish(&f);
}

/* A registry that confirms watches but gives no list must not be asked ten times a second. */
static void a_resumed_watch_without_a_list_does_not(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    play(&f, UP "ended 50ms created@5 nolist ended 128ms created@5 nolist");
    assert_int_equal(rota_etcd_watch_deadline_ns(&f.watch) - f.now_ns, 204800 * ROTA_US);
    finish(&f);
}

static void a_list_that_takes_too_long_has_longer(void **state)
{
    static const struct patience_case {
        const char *rule, *script;
        int64_t list_ms;
    } patience[] = {
        {"five seconds", "start", 5000},
        {"as long after another failure", "start nolist", 5000},
        {"twice that after one that was late", "start late", 10000},
        {"each time", "start late 2000ms late", 20000},
        {"a minute at most", "start late 2000ms late 2000ms late 2000ms late", 60000},
        {"and no longer", "start late 2000ms late 2000ms late 2000ms late 2000ms late 2000ms late", 60000},
        {"five again after one that came", "start late 2000ms late 2000ms list:a@5", 5000},
        {"twice what the last one took, if that is more", "start 4000ms list:a@5", 8000},
        {"a minute at most again", "start 40000ms list:a@5", 60000},
        {"a comparison too", UP "ended 50ms created@5 late", 10000},
        {"and the same", UP "ended 50ms created@5 4000ms list:ab@5", 8000},
        {"one that decides about a silent stream", UP "15000ms check@7 late 7000ms list:ab@7", 14000},
        {"a list that nobody wants tells nothing", UP "late", 5000},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(patience); i++) {
        struct fixture f;

        print_message("  %s\n", patience[i].rule);
        start(&f);
        play(&f, patience[i].script);
        assert_int_equal(f.watch.list_ms, patience[i].list_ms);
        finish(&f);
    }
}

/* While there is no memory to publish with the registry must not be asked for everything ten times a second, however well it answers. */
static void neither_does_a_list_that_cannot_be_published(void **state)
{
    static const struct growth_case {
        const char *script;
        int64_t wait_ms;
    } growth[] = {
        {UP "unpublished", 50},
        {UP "unpublished 50ms created@5 list:ab@5 unpublished", 80},
        {UP "unpublished 50ms created@5 list:ab@5 unpublished 80ms created@5 list:ab@6 unpublished", 128},
        {UP "unpublished 50ms created@5 list:ab@5 unpublished 80ms created@5 nolist", 128},
        {UP "unpublished 50ms created@5 list:ab@5 unpublished 80ms created@5 list:ab@6 published +c@7 unpublished", 50},
        {UP "ended unpublished", 50},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(growth); i++) {
        struct fixture f;

        print_message("  %s\n", growth[i].script);
        start(&f);
        play(&f, growth[i].script);
        assert_int_equal(rota_etcd_watch_deadline_ns(&f.watch) - f.now_ns, growth[i].wait_ms * ROTA_MS);
        finish(&f);
    }
}

static void reasons_are_told(void **state)
{
    static const struct reason_case {
        const char *rule, *script, *why;
    } reasons[] = {
        {"the list's failure", "start nolist", "refused"},
        {"the stream's", UP "ended", "refused"},
        {"a cancel without a reason", UP "canceled", "etcd canceled the watch: no reason given"},
        {"a member that stands still", UP QUIET "10000ms progress@5 check@7 10000ms progress@6",
         "the etcd member answers, but stands at revision 6 while the others are at 7"},
        {"a comparison's failure", UP "ended 50ms created@5 late", "late"},
        {"silence", ANSWERS "15000ms", "etcd does not answer on the watch any more"},
        {"silence that no check could explain", UP "15000ms nocheck nocheck", "etcd does not answer on the watch any more"},
        {"no confirmation", "start list:a@5 5000ms", "etcd did not confirm the watch in time"},
        {"two clusters", "start list:a@5#1 created@5#2 list:a@5#2 created@5#1", "another cluster answers"},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(reasons); i++) {
        struct fixture f;

        print_message("  %s\n", reasons[i].rule);
        start(&f);
        play(&f, reasons[i].script);
        assert_string_equal(f.watch.why.message, reasons[i].why);
        finish(&f);
    }
}

/* Whatever allocation fails, the list is right once the registry has been asked again. */
static rota_err short_of_memory(const struct rota_alloc *alloc, void *ctx)
{
    struct fixture f;

    (void)ctx;
    init(&f, alloc);
    play(&f, UP "+c@6 -b@7");
    for (int i = 0; i < 3 && f.watch.state != ROTA_ETCD_WATCH_WATCHING; i++)
        play(&f, "100ms list:ac@7 created@7");
    assert_int_equal(f.watch.state, ROTA_ETCD_WATCH_WATCHING);
    assert_int_equal(f.roster.live, 2);
    assert_int_equal(f.watch.revision, 7);
    rota_etcd_roster_fini(&f.roster);
    return 0;
}

static void out_of_memory_means_asking_again(void **state)
{
    (void)state;
    assert_true(rota_alloc_sweep_absorbing(short_of_memory, NULL) > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_cause_the_right_commands),
        cmocka_unit_test(a_patient_watch_asks_less_often_for_what_is_denied),
        cmocka_unit_test(waits_grow_to_a_bound_and_are_jittered),
        cmocka_unit_test(a_confirmed_watch_ends_the_growth), cmocka_unit_test(a_resumed_watch_without_a_list_does_not),
        cmocka_unit_test(a_list_that_takes_too_long_has_longer),
        cmocka_unit_test(neither_does_a_list_that_cannot_be_published),
        cmocka_unit_test(reasons_are_told),                  cmocka_unit_test(out_of_memory_means_asking_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
