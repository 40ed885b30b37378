/* token_test.c - when a token is used, when a new one is asked for, and that no message tells it. */
#include "etcd/login.h"

#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <string.h>

#define SECOND INT64_C(1000000000)

struct fixture {
    struct rota_leak_alloc memory;
    struct rota_etcd_where where;
    struct rota_etcd_login login;
};

static void init(struct fixture *f, char *user)
{
    memset(f, 0, sizeof(*f));
    rota_leak_alloc_init(&f->memory);
    f->where.user = user;
    f->where.password = (char *)(uintptr_t) "pass";
    rota_etcd_login_init(&f->login, &f->where, NULL, &f->memory.alloc, NULL, NULL);
}

static void fini(struct fixture *f)
{
    rota_etcd_login_fini(&f->login);
    rota_leak_alloc_fini(&f->memory);
}

static bool answer(struct fixture *f, enum rota_code code, const char *message, int64_t now_ns, struct rota_status *ret_why)
{
    struct rota_status status;

    rota_status_set(&status, code, "%s", message);
    return rota_etcd_login_answered(&f->login, &status, "token-1", now_ns, ret_why);
}

static bool refused(struct fixture *f, enum rota_code code, const char *message, int64_t now_ns)
{
    struct rota_status status;

    rota_status_set(&status, code, "%s", message);
    return rota_etcd_login_refused(&f->login, &status, now_ns);
}

static const struct age_case {
    const char *rule;
    int64_t age_ns;
    bool call, stream;
} ages[] = {
    {"a new token does for all", 0, true, true},
    {"also for the next try of a stream", 15 * SECOND, true, true},
    {"then no stream is opened with it", 15 * SECOND + 1, true, false},
    {"but calls are made for minutes", 240 * SECOND, true, false},
    {"until it is near its end", 240 * SECOND + 1, false, false},
};

static void tokens_grow_old(void **state)
{
    char user[] = "zoe";

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(ages); i++) {
        struct rota_status why;
        struct fixture f;

        print_message("  %s\n", ages[i].rule);
        init(&f, user);
        assert_false(rota_etcd_login_good(&f.login, false, 100 * SECOND));
        assert_true(answer(&f, ROTA_OK, "", 100 * SECOND, &why));
        assert_int_equal(rota_etcd_login_good(&f.login, false, 100 * SECOND + ages[i].age_ns), ages[i].call);
        assert_int_equal(rota_etcd_login_good(&f.login, true, 100 * SECOND + ages[i].age_ns), ages[i].stream);
        fini(&f);
    }
}

static const struct refusal_case {
    const char *rule;
    enum rota_code code;
    const char *message;
    int64_t age_ns;
    bool again, kept;
} refusals[] = {
    {"an old token that does not hold: again with a new one", ROTA_UNAUTHENTICATED, "etcdserver: invalid auth token", 2 * SECOND, true, false},
    {"a fresh one: not at once, or it would be for ever", ROTA_UNAUTHENTICATED, "etcdserver: invalid auth token", SECOND, false, false},
    {"login came to be wanted", ROTA_INVALID_ARGUMENT, "etcdserver: user name is empty", 2 * SECOND, true, false},
    {"a permission is not missing for the token's sake", ROTA_PERMISSION_DENIED, "etcdserver: permission denied", 2 * SECOND, false, true},
    {"nor is a member", ROTA_UNAVAILABLE, "connection refused", 2 * SECOND, false, true},
};

static void refused_tokens_are_forgotten(void **state)
{
    char user[] = "zoe";

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(refusals); i++) {
        const struct refusal_case *c = &refusals[i];
        struct rota_status why;
        struct fixture f;

        print_message("  %s\n", c->rule);
        init(&f, user);
        assert_true(answer(&f, ROTA_OK, "", 0, &why));
        assert_int_equal(refused(&f, c->code, c->message, c->age_ns), c->again);
        assert_int_equal(rota_etcd_login_good(&f.login, false, c->age_ns), c->kept);
        fini(&f);
    }
}

/* A registry that lets itself be listed and denies each watch, tried again as fast as it says so. */
static void a_denial_costs_a_login_now_and_then(void **state)
{
    static const struct denial_case {
        const char *rule;
        int64_t from_s, to_s, slow_s; /* watches are denied, after so long */
        int n_logins;
    } denials[] = {
        {"a fresh token is believed", 0, 15, 0, 1},
        {"one that is older may have been forgotten", 3, 4, 0, 2},
        {"but the next has not", 3, 15, 0, 2},
        {"also where etcd is slow to say so", 0, 15, 2, 2},
        {"each is used for a quarter of a minute", 0, 60, 0, 4},
    };
    char user[] = "zoe";

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(denials); i++) {
        struct rota_status why;
        struct fixture f;
        int n_logins = 0;

        print_message("  %s\n", denials[i].rule);
        init(&f, user);
        for (int64_t now_ns = 0; now_ns <= denials[i].to_s * SECOND; now_ns += SECOND / 10) {
            if (!rota_etcd_login_good(&f.login, true, now_ns)) {
                assert_true(answer(&f, ROTA_OK, "", now_ns, &why));
                n_logins++;
            }
            if (now_ns >= denials[i].from_s * SECOND && now_ns - f.login.got_ns >= denials[i].slow_s * SECOND)
                rota_etcd_login_denied(&f.login, now_ns);
        }
        assert_int_equal(n_logins, denials[i].n_logins);
        fini(&f);
    }
}

static void without_a_user_there_is_nothing_to_do(void **state)
{
    struct rota_metadata *metadata;
    struct fixture f;

    (void)state;
    init(&f, NULL);
    assert_true(rota_etcd_login_good(&f.login, true, 0));
    assert_false(refused(&f, ROTA_UNAUTHENTICATED, "etcdserver: invalid auth token", 0));
    assert_int_equal(rota_etcd_login_metadata(&f.login, false, &metadata), 0);
    assert_null(metadata);
    fini(&f);
}

static void an_etcd_without_users_needs_no_token(void **state)
{
    struct rota_metadata *metadata;
    struct rota_status why;
    char user[] = "zoe";
    struct fixture f;

    (void)state;
    init(&f, user);
    assert_true(answer(&f, ROTA_FAILED_PRECONDITION, "etcdserver: authentication is not enabled", 0, &why));
    assert_true(rota_etcd_login_good(&f.login, true, 0));
    assert_int_equal(rota_etcd_login_metadata(&f.login, false, &metadata), 0);
    assert_null(metadata);
    fini(&f);
}

static void a_failed_login_names_the_user_alone(void **state)
{
    struct rota_status why;
    char user[] = "zoe";
    struct fixture f;

    (void)state;
    init(&f, user);
    assert_false(answer(&f, ROTA_INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password", 0, &why));
    assert_int_equal(why.code, ROTA_INVALID_ARGUMENT);
    assert_non_null(strstr(why.message, "login as \"zoe\""));
    assert_non_null(strstr(why.message, "invalid user ID or password"));
    assert_false(rota_etcd_login_good(&f.login, false, 0));
    fini(&f);
}

static void calls_carry_the_token(void **state)
{
    struct rota_metadata *metadata;
    struct rota_slice value;
    struct rota_status why;
    char user[] = "zoe";
    struct fixture f;

    (void)state;
    init(&f, user);
    assert_true(answer(&f, ROTA_OK, "", 0, &why));
    for (int leader = 0; leader < 2; leader++) {
        assert_int_equal(rota_etcd_login_metadata(&f.login, leader == 1, &metadata), 0);
        assert_true(rota_metadata_get(metadata, "token", &value));
        assert_true(rota_slice_equal(value, ROTA_SLICE("token-1")));
        assert_int_equal(rota_metadata_get(metadata, "hasleader", &value), leader == 1);
        rota_metadata_free(metadata);
    }
    fini(&f);
}

static rota_err one_metadata(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_etcd_where where = {.user = ctx, .password = ctx};
    struct rota_metadata *metadata;
    struct rota_status ok, why;
    struct rota_etcd_login login;
    rota_err err;

    rota_etcd_login_init(&login, &where, NULL, alloc, NULL, NULL);
    rota_status_set(&ok, ROTA_OK, "%s", "");
    err = rota_etcd_login_answered(&login, &ok, "token-1", 0, &why) ? 0 : ROTA_ENOMEM;
    if (err == 0)
        err = rota_etcd_login_metadata(&login, true, &metadata);
    if (err == 0)
        rota_metadata_free(metadata);
    rota_etcd_login_fini(&login);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    char user[] = "zoe";

    (void)state;
    assert_true(rota_alloc_sweep(one_metadata, user) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_grow_old),
        cmocka_unit_test(refused_tokens_are_forgotten),
        cmocka_unit_test(a_denial_costs_a_login_now_and_then),
        cmocka_unit_test(without_a_user_there_is_nothing_to_do),
        cmocka_unit_test(an_etcd_without_users_needs_no_token),
        cmocka_unit_test(a_failed_login_names_the_user_alone),
        cmocka_unit_test(calls_carry_the_token),
        cmocka_unit_test(out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
