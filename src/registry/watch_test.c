/* watch_test.c - watches as cursors: a row a rule. */
#include "base/assert.h"
#include "registry/store_fixture.h"
#include "testing/cmocka.h"

static const struct store_case cases[] = {
    {"from the next change on", "put a 1; watch A a; pull A; put a 2; pull A; pull A", "r2 nothing r3 +a@3 nothing"},
    {"only its key", "watch A a; put b 1; pull A; put a 1; pull A", "r2 nothing r3 +a@3"},
    {"only its range", "watch A b d; put a 1; put b 2; put c 3; put d 4; pull A", "r2 r3 r4 r5 +b@3 +c@4"},
    {"from a key on", "watch A b *; put a 1; put b 2; put z 3; pull A", "r2 r3 r4 +b@3 +z@4"},
    {"deletes come too", "put a 1; watch A a; del a; pull A", "r2 d1r3 -a@3"},
    {"a transaction of deletes comes whole", "put a 1; put b 2; watch A a *; del a *; pull A max=1", "r2 r3 d2r4 -a@4 -b@4"},
    {"previous values", "put a 1; watch A a prev; put a 2; del a; put a 3; pull A", "r2 r3 d1r4 r5 +a@3 a=1 -a@4 a=2 +a@5"},
    {"without puts", "watch A a * noput; watch B a noput; put a 1; del a; pull A; pull B", "r2 d1r3 -a@3 -a@3"},
    {"without deletes", "watch A a * nodel; watch B a nodel; put a 1; del a; put a 2; pull A; pull B", "r2 d1r3 r4 +a@2 +a@4 +a@2 +a@4"},
    {"from a past revision", "put a 1; put b 2; put a 3; watch A a * rev=3; watch B a rev=1; pull A; pull B", "r2 r3 r4 +b@3 +a@4 +a@2 +a@4"},
    {"from a future revision", "watch A a rev=4; watch B a * rev=4; put a 1; put a 2; pull A; ready; put a 3; pull A; pull B", "r2 r3 nothing quiet r4 +a@4 +a@4"},
    {"batches end with a revision", "watch A a *; put a 1; put b 2; put c 3; pull A max=1; pull A max=3; pull A", "r2 r3 r4 +a@2 +b@3 +c@4 nothing"},
    {"batches of one key", "watch A a; put a 1; put a 2; put a 3; pull A max=1; pull A", "r2 r3 r4 +a@2 +a@3 +a@4"},
    {"a pull taken back comes again, with what came since", "watch A a *; put a 1; pull A; unpull A; put b 1; pull A; pull A", "r2 +a@2 r3 +a@2 +b@3 nothing"},
    {"several watches of one key", "watch A a; watch B a; watch C a; close A; put a 1; pull B; close B; put a 2; pull C; close C; put a 3", "r2 +a@2 r3 +a@2 +a@3 r4"},
    {"ready once until taken", "watch A a; watch B a *; put a 1; put a 2; ready; ready; put b 1; ready", "r2 r3 A B quiet r4 B"},
    {"ready at once when the past holds something", "put a 1; watch A a rev=2; watch B a; ready", "r2 A"},
    {"a closed watch is not ready", "watch A a; put a 1; close A; ready", "r2 quiet"},
    {"compacted at the start", "put a 1; put a 2; put a 3; compact 4; watch A a rev=2; watch B a * rev=3; pull A; pull B; pull A",
     "r2 r3 r4 c compacted4 compacted4 compacted4"},
    {"from the compact revision itself", "put a 1; put b 2; compact 3; watch A a * rev=3; pull A", "r2 r3 c +b@3"},
    {"a delete at the compact revision is still told", "put a 1; del a; compact 3; watch A a * rev=3; watch B a rev=3; pull A; pull B; put c 1; compact 4; get a *",
     "r2 d1r3 c -a@3 -a@3 r4 c c=1"},
    {"one that fell behind is told", "watch A a; put a 1; put a 2; compact 3; pull A", "r2 r3 c compacted3"},
    {"compaction does not hurt one that has it all", "watch A a; put a 1; pull A; put b 1; put b 2; compact 4; put a 2; pull A", "r2 +a@2 r3 r4 c r5 +a@5"},
    {"nor one that nothing concerned", "watch A a; put b 1; put b 2; compact 3; put a 1; pull A", "r2 r3 c r4 +a@4"},
    {"a lease that ends is told", "grant 1 5; put a 1 lease=1; watch A a; now 5; pull A", "1:5 r2 never -a@3"},
    {"previous values end at the compact revision", "put a 1; put a 2; put a 3; compact 3; watch A a rev=3 prev; pull A", "r2 r3 r4 c +a@3 +a@4 a=2"},
};

static void the_rules_of_watches(void **unused)
{
    (void)unused;
    store_fixture_check(cases, ROTA_COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_rules_of_watches)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
