/* etcd_follower_test.c - what a watch is told of when it could not begin for want of a login. Here because calls need the whole library. */
#include "etcd/follower.h"

#include "base/assert.h"
#include "etcd/config_key.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <string.h>

static rota_err on_publish(void *owner)
{
    (void)owner;
    return 0;
}

static void on_error(void *owner, const struct rota_status *why)
{
    *(struct rota_status *)owner = *why;
}

static const struct rota_etcd_follower_events events = {on_publish, on_error};

/* A login that takes as long as it may says nothing of how long a list takes. */
static void a_late_login_gives_lists_no_more_time(void **state)
{
    struct rota_etcd_where where = {.user = (char *)(uintptr_t) "zoe"};
    struct rota_slice key = rota_slice_str("/config/s");
    struct rota_etcd_config_key keep;
    struct rota_status late, told = {0};
    struct rota_etcd_login login = {0};
    struct rota_etcd_follower f = {0};
    struct rota_leak_alloc memory;
    struct rota_rng rng;

    (void)state;
    rota_leak_alloc_init(&memory);
    rota_rng_init(&rng, 1);
    rota_etcd_login_init(&login, &where, NULL, &memory.alloc, NULL, NULL);
    login.ask = (struct ask *)(void *)&login; /* one is under way */
    rota_etcd_config_key_init(&keep, &memory.alloc, key);
    f.alloc = &memory.alloc;
    f.login = &login;
    f.events = &events;
    f.owner = &told;
    assert_int_equal(rota_loop_new(NULL, &f.loop), 0);
    assert_int_equal(rota_etcd_follower_init(&f, key, false, &rota_etcd_config_keep, &keep, &rng), 0);
    rota_etcd_follower_start(&f);
    assert_int_equal(f.deferred, ROTA_ETCD_CMD_LIST);
    rota_status_set(&late, ROTA_DEADLINE_EXCEEDED, "login: late");
    rota_etcd_follower_logged_in(&f, &late);
    assert_int_equal(told.code, ROTA_DEADLINE_EXCEEDED);
    assert_int_equal(f.watch.state, ROTA_ETCD_WATCH_WAITING);
    assert_int_equal(f.watch.list_ms, 5000);
    login.ask = NULL;
    rota_etcd_follower_stop(&f);
    rota_etcd_follower_fini(&f);
    rota_etcd_config_key_fini(&keep);
    rota_etcd_login_fini(&login);
    rota_loop_free(f.loop);
    rota_leak_alloc_fini(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_late_login_gives_lists_no_more_time)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
