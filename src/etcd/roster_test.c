/* roster_test.c - which servers are in use after what etcd told, in virtual time: scripts of puts, deletes, lists and pauses. */
#include "etcd/roster.h"

#include "base/alloc.h"
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
    int64_t now_ns, revision;
    rota_err err;
};

static void start(struct fixture *f)
{
    rota_leak_alloc_init(&f->leak);
    f->now_ns = ROTA_VIRTUAL_START_NS;
    f->revision = 1;
    f->err = 0;
    rota_etcd_roster_init(&f->roster, &f->leak.alloc, NULL, &rota_etcd_grpclb, rota_slice_str(ROSTER_PREFIX), 1);
}

static void finish(struct fixture *f)
{
    rota_etcd_roster_fini(&f->roster);
    rota_leak_alloc_fini(&f->leak);
}

static void put(struct fixture *f, const char *name)
{
    struct rota_etcd_kv kv = roster_kv(name, ++f->revision);
    rota_err err = rota_etcd_roster_put(&f->roster, &kv);

    if (err < 0)
        f->err = err;
}

static void list(struct fixture *f, char *names)
{
    char *rest = NULL;

    rota_etcd_roster_list_begin(&f->roster);
    for (char *name = strtok_r(names, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest))
        put(f, name);
    rota_etcd_roster_list_end(&f->roster, f->now_ns);
}

/* A word: +a put; -a delete; ';' settle; 'list a,b' as list:a,b; @5 five seconds pass, the roster ticking when it asked to. */
static void play(struct fixture *f, const char *script)
{
    char words[256], *rest = NULL;

    snprintf(words, sizeof(words), "%s", script);
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (word[0] == '+') {
            put(f, word + 1);
        } else if (word[0] == '-') {
            rota_etcd_roster_delete(&f->roster, roster_kv(word + 1, ++f->revision).key);
        } else if (word[0] == ';') {
            rota_etcd_roster_settle(&f->roster, f->now_ns);
        } else if (word[0] == '@') {
            int64_t until_ns = f->now_ns + strtol(word + 1, NULL, 10) * ROTA_S;
            while (rota_etcd_roster_deadline_ns(&f->roster) <= until_ns) {
                assert_true(rota_etcd_roster_deadline_ns(&f->roster) >= f->now_ns);
                f->now_ns = rota_etcd_roster_deadline_ns(&f->roster);
                rota_etcd_roster_tick(&f->roster, f->now_ns);
                assert_true(rota_etcd_roster_deadline_ns(&f->roster) > f->now_ns);
            }
            f->now_ns = until_ns;
        } else if (strcmp(word, "replaced") == 0) {
            rota_etcd_roster_doubt(&f->roster);
        } else {
            assert_memory_equal(word, "list:", 5);
            list(f, word + 5);
        }
    }
}

static const struct roster_case {
    const char *rule, *script, *want;
    size_t unreadable;
} cases[] = {
    {"servers come in their order", "+b +a ;", "b a", 0},
    {"a new value takes the place of the old", "+a +b ; +a=10.0.0.3:80 ;", "c b", 0},
    {"one of three leaves", "+a +b +c ; -b ;", "a c", 0},
    {"one of two leaves", "+a +b ; -b ;", "a", 0},
    {"the only one stays as suspect", "+a ; -a ;", "a?", 0},
    {"two of three together stay", "+a +b +c ; -a -b ;", "a? b? c", 0},
    {"all of three together stay", "+a +b +c ; -a -b -c ;", "a? b? c?", 0},
    {"half of four together leave", "+a +b +c +d ; -a -b ;", "c d", 0},
    {"five of ten together leave", "list:a,b,c,d,e,f,g,h,i,j -a -b -c -d -e ;", "f g h i j", 0},
    {"six of ten together stay", "list:a,b,c,d,e,f,g,h,i,j -a -b -c -d -e -f ;", "a? b? c? d? e? f? g h i j", 0},
    {"leases that run out one by one bring the first back", "+a +b +c ; -a ; @2 -b ; @2 -c ;", "a? b? c?", 0},
    {"who left ten seconds before does not count", "+a +b +c ; -a ; @10 -b ;", "c", 0},
    {"who left nine seconds before does", "+a +b +c ; -a ; @9 -b ;", "a? b? c", 0},
    {"the last one stays however slowly they went", "+a +b +c ; -a ; @20 -b ; @20 -c ;", "c?", 0},
    {"a rolling restart moves nobody but the one", "+a +b +c ; -a ; +a ; -b ; +b ; -c ;", "a b", 0},
    {"replaced by as many new ones they leave", "+a +b +c ; +d +e +f ; -a -b -c ;", "d e f", 0},
    {"with a suspect about, those that leave become suspect too", "+a +b +c ; -a -b -c ; +a ; -a ;", "a? b? c?", 0},
    {"a suspect that returns is live", "+a +b ; -a -b ; +a ;", "a b?", 0},
    {"gone and back is live", "+a +b +c ; -a ; +a ;", "a b c", 0},
    {"suspects stay as long as nobody is live", "+a +b ; -a -b ; @1000", "a? b?", 0},
    {"suspects leave a minute after they became it", "+a +b +c ; -a -b ; @59", "a? b? c", 0},
    {"and not later", "+a +b +c ; -a -b ; @60", "c", 0},
    {"nor before a minute with a live one", "+a +b +c ; -a -b -c ; @300 +a ; @59", "a b? c?", 0},
    {"then they leave", "+a +b +c ; -a -b -c ; @300 +a ; @60", "a", 0},
    {"without live ones the minute ends", "+a +b ; -a -b ; @30 +a ; @30 -a ; @100", "a? b?", 0},
    {"put and deleted in one batch: gone", "+a +b ; +c -c ;", "a b", 0},
    {"deleted and put in one batch: there", "+a +b ; -a +a ;", "a b", 0},
    {"deleted twice", "+a +b +c ; -a -a ; -a ;", "b c", 0},
    {"deleting what was never there", "+a ; -q ;", "a", 0},
    {"a list takes the place of all", "+a +b +c ; list:b,c,d", "b c d", 0},
    {"an empty list keeps what was", "+a +b ; list:", "a? b?", 0},
    {"an empty list at the start is empty", "list:", "-", 0},
    {"a list that lost most keeps them", "+a +b +c ; list:b", "a? b c?", 0},
    {"a second such list as well", "+a +b +c ; list:b list:b", "a? b c?", 0},
    {"what a replaced registry lacks stays, be it one", "+a +b +c ; replaced list:a,b", "a b c?", 0},
    {"changes after that are believed", "+a +b +c ; replaced list:a,b,c -a ;", "b c", 0},
    {"what cannot be read is skipped and counted", "+a +b! +c ;", "a c", 1},
    {"once it can be read it is there", "+a +b! ; +b ;", "a b", 0},
    {"a value spoilt takes its server out", "+a +b ; +b! ;", "a", 1},
    {"a skipped one deleted counts no more", "+a +b! ; -b ;", "a", 0},
    {"skipped ones do not count as lost", "+a +b! +c! +d! ; -b -c -d ;", "a", 0},
    {"a skipped one missing from a list is forgotten", "+a +b! ; list:a", "a", 0},
    {"the only value spoilt: its server stays as suspect", "+a ; +a! ;", "a?", 1},
    {"values of more than half spoilt together: they stay", "+a +b +c ; +a! +b! ;", "a? b? c", 2},
    {"or one after the other", "+a +b +c ; +a! ; @9 +b! ;", "a? b? c", 2},
    {"or some spoilt and some deleted", "+a +b +c ; +a! -b ;", "a? b? c", 1},
    {"or in a list", "+a +b +c ; list:a!,b!,c", "a? b? c", 2},
    {"that is told again", "+a +b +c ; list:a!,b!,c list:a!,b!,c @59", "a? b? c", 2},
    {"they leave after a minute, but their keys are there yet", "+a +b +c ; +a! +b! ; @60", "c", 2},
    {"and may be deleted then", "+a +b +c ; +a! +b! ; @60 -a -b ;", "c", 0},
    {"so may that of one that left at once", "+a +b +c ; +a! ; -a ;", "b c", 0},
    {"or be forgotten first", "+a +b +c ; +a! ; @20 +c ; -a ;", "b c", 0},
    {"spoilt and then deleted: suspect still", "+a +b ; +a! +b! ; -a -b ;", "a? b?", 0},
    {"spoilt and missing from a list: likewise", "+a +b +c ; +a! +b! ; list:c", "a? b? c", 0},
    {"deleted and then back spoilt: likewise", "+a +b ; -a -b ; +a! ;", "a? b?", 1},
    {"deleted and put back spoilt in one batch", "+a +b ; -a +a! ;", "b", 1},
    {"suspects that can be read again are live", "+a +b ; +a! +b! ; +a +b ;", "a b", 0},
    {"one that left and can be read again too", "+a +b ; +b! ; @20 ; +b ;", "a b", 0},
    {"a live one hides the suspect of its address", "+a +b ; -a -b ; +x=10.0.0.1:80 ;", "b? a", 0},
    {"until it goes", "+a +b ; -a -b ; +x=10.0.0.1:80 ; -x ;", "a? b? a?", 0},
    {"another live one does not", "+a +b ; -a -b ; +x=10.0.0.1:81 ;", "a? b? a", 0},
    {"nor one that is to leave with its batch", "+a +b +x=10.0.0.1:80 ; -a -b -x ;", "a? b? a?", 0},
};

static void scripts_end_in_the_right_list(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct roster_case *c = &cases[i];
        struct fixture f;

        print_message("  %s\n", c->rule);
        start(&f);
        play(&f, c->script);
        assert_string_equal(roster_text(&f.roster), c->want);
        assert_int_equal(f.roster.unreadable, c->unreadable);
        finish(&f);
    }
}

/* Whether there is something to publish, after a script in which the last word is what is asked about. */
static const struct changed_case {
    const char *rule, *before, *step;
    bool want;
} changes[] = {
    {"a new server", "+a ;", "+b ;", true},
    {"a server that left", "+a +b ;", "-b ;", true},
    {"one that became suspect", "+a ;", "-a ;", true},
    {"one that left in time", "+a +b +c ; -a -b ; @59", "@1", true},
    {"nothing, while a minute passes", "+a +b +c ; -a -b ;", "@59", false},
    {"nothing, when the gone are forgotten", "+a +b +c ; -a ; @10", ";", false},
    {"a skipped one", "+a ;", "+b! ;", false},
    {"a skipped one deleted", "+a +b! ;", "-b ;", false},
    {"a value spoilt", "+a +b ;", "+b! ;", true},
    {"not when it is told again", "+a +b ; +b! ;", "+b! ;", false},
    {"nor of a suspect", "+a +b ; +a! +b! ;", "list:a!,b!", false},
    {"nor when its server is forgotten", "+a +b ; +b! ; @10", ";", false},
    {"a suspect of a spoilt value that left in time", "+a +b +c ; +a! +b! ; @59", "@1", true},
    {"deleting nobody", "+a ;", "-b ;", false},
};

static void changes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(changes); i++) {
        const struct changed_case *c = &changes[i];
        struct fixture f;

        print_message("  %s\n", c->rule);
        start(&f);
        play(&f, c->before);
        (void)rota_etcd_roster_take_changed(&f.roster);
        play(&f, c->step);
        assert_int_equal(rota_etcd_roster_take_changed(&f.roster), c->want);
        assert_false(rota_etcd_roster_take_changed(&f.roster));
        finish(&f);
    }
}

/* The same key again: is it news? */
static void a_put_is_news_when_something_differs(void **state)
{
    static const struct again_case {
        const char *rule, *name;
        int64_t revision, lease;
        bool want;
    } again[] = {
        {"all the same: no", "a", 5, 7, false},
        {"another revision", "a", 6, 7, true},
        {"another lease, as after a restart of an empty registry", "a", 5, 8, true},
        {"another value under the old revision", "a=10.0.0.9:80", 5, 7, true},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(again); i++) {
        struct rota_etcd_kv kv = roster_kv("a", 5);
        struct fixture f;

        print_message("  %s\n", again[i].rule);
        start(&f);
        assert_int_equal(rota_etcd_roster_put(&f.roster, &kv), 0);
        (void)rota_etcd_roster_take_changed(&f.roster);
        kv = roster_kv(again[i].name, again[i].revision);
        kv.lease = again[i].lease;
        assert_int_equal(rota_etcd_roster_put(&f.roster, &kv), 0);
        assert_int_equal(rota_etcd_roster_take_changed(&f.roster), again[i].want);
        finish(&f);
    }
}

static void endpoints_tell_where_they_come_from(void **state)
{
    struct rota_etcd_kv kv = roster_kv("a={\"metadata\":{\"dc\":\"x\",\"etcd.key\":\"forged\"},\"addr\":\"10.0.0.1:80\"}", 5);
    const struct rota_endpoint **list;
    struct fixture f;
    size_t count;

    (void)state;
    start(&f);
    kv.lease = 0x1f;
    assert_int_equal(rota_etcd_roster_put(&f.roster, &kv), 0);
    list = rota_etcd_roster_endpoints(&f.roster, &count);
    assert_int_equal(count, 1);
    assert_string_equal(rota_endpoint_attribute(list[0], "etcd.key"), ROSTER_PREFIX "a");
    assert_string_equal(rota_endpoint_attribute(list[0], "etcd.lease"), "1f");
    assert_string_equal(rota_endpoint_attribute(list[0], "etcd.mod_revision"), "5");
    assert_string_equal(rota_endpoint_attribute(list[0], "dc"), "x");
    assert_int_equal(list[0]->n_attributes, 4);
    rota_alloc_free(&f.leak.alloc, list);
    finish(&f);
}

static void odd_keys_do_no_harm(void **state)
{
    static const struct key_case {
        const char *rule;
        struct rota_slice key;
        size_t live;
        const char *text;
    } keys[] = {
        {"no key at all", {NULL, 0}, 0, NULL},
        {"shorter than the prefix", ROTA_SLICE("/grp"), 0, NULL},
        {"outside of the prefix", ROTA_SLICE("/grpclb/t/10.0.0.1:80"), 0, NULL},
        {"the prefix itself", ROTA_SLICE(ROSTER_PREFIX), 1, ROSTER_PREFIX},
        {"binary bytes are mended in the attribute", ROTA_SLICE("/grpclb/s/\xff\0x"), 1, "/grpclb/s/??x"},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(keys); i++) {
        struct rota_etcd_kv kv = {.key = keys[i].key, .value = ROTA_SLICE("10.0.0.1:80"), .mod_revision = 3};
        const struct rota_endpoint **list;
        struct fixture f;
        size_t count;

        print_message("  %s\n", keys[i].rule);
        start(&f);
        assert_int_equal(rota_etcd_roster_put(&f.roster, &kv), 0);
        assert_int_equal(f.roster.live, keys[i].live);
        list = rota_etcd_roster_endpoints(&f.roster, &count);
        if (count > 0)
            assert_string_equal(rota_endpoint_attribute(list[0], "etcd.key"), keys[i].text);
        rota_alloc_free(&f.leak.alloc, list);
        rota_etcd_roster_delete(&f.roster, kv.key);
        finish(&f);
    }
}

static void an_entry_may_say_that_its_server_is_gone(void **state)
{
    static const char *const values[] = {"a={\"Op\":0,\"Addr\":\"10.0.0.1:80\"}", "b={\"Op\":0,\"Addr\":\"10.0.0.2:80\"}",
                                         "a={\"Op\":1,\"Addr\":\"10.0.0.1:80\"}", "c={\"Op\":1,\"Addr\":\"10.0.0.3:80\"}"};
    struct fixture f;

    (void)state;
    start(&f);
    f.roster.dialect = &rota_etcd_official;
    for (size_t i = 0; i < ROTA_COUNT(values); i++)
        put(&f, values[i]);
    play(&f, ";");
    assert_string_equal(roster_text(&f.roster), "b");
    assert_int_equal(f.roster.unreadable, 0);
    finish(&f);
}

static rota_err a_life(const struct rota_alloc *alloc, void *ctx)
{
    struct fixture f = {.now_ns = ROTA_VIRTUAL_START_NS, .revision = 1};

    (void)ctx;
    rota_etcd_roster_init(&f.roster, alloc, NULL, &rota_etcd_grpclb, rota_slice_str(ROSTER_PREFIX), 1);
    play(&f, "+a +b={\"addr\":\"10.0.0.2:80\",\"weight\":3} +c! ; -a -b ; +a ;");
    if (f.err == 0 && roster_text(&f.roster) == NULL) /* with a suspect */
        f.err = ROTA_ENOMEM;
    play(&f, "list:a,d @100");
    if (f.err == 0 && roster_text(&f.roster) == NULL)
        f.err = ROTA_ENOMEM;
    rota_etcd_roster_fini(&f.roster);
    return f.err;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    /* Marking a suspect may fail without harm. */
    assert_true(rota_alloc_sweep_absorbing(a_life, NULL) > 10);
}

static void services_below_are_passed_over(void **state)
{
    static const struct below_case {
        const char *rule, *script, *list;
        bool nested;
    } belows[] = {
        {"another service's servers are not this one's", "list:a,s/b", "a", false},
        {"nor those that come later", "list:a +s/b ;", "a", false},
        {"and what they leave takes nothing along", "list:a,b,c +s/d -s/d ;", "a b c", false},
        {"one that nobody can read is not counted here", "list:a +s/b! ;", "a", false},
        {"a prefix that is no service's has all", "list:a,s/b=10.0.0.2:80 ;", "a b", true},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(belows); i++) {
        struct fixture f;

        print_message("  %s\n", belows[i].rule);
        start(&f);
        f.roster.nested = belows[i].nested;
        play(&f, belows[i].script);
        assert_string_equal(roster_text(&f.roster), belows[i].list);
        assert_int_equal(f.roster.unreadable, 0);
        finish(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_end_in_the_right_list),   cmocka_unit_test(changes_are_told),
        cmocka_unit_test(a_put_is_news_when_something_differs), cmocka_unit_test(endpoints_tell_where_they_come_from),
        cmocka_unit_test(odd_keys_do_no_harm),             cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(an_entry_may_say_that_its_server_is_gone), cmocka_unit_test(services_below_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
