/* explain_test.c - refusals for want of a login, and others. */
#include "etcd/explain.h"

#include "base/assert.h"
#include "testing/cmocka.h"
#include <string.h>

static void refusals_for_want_of_a_login_name_it(void **state)
{
    static const struct explain_case {
        enum rota_code code;
        const char *message;
        bool login;
    } explains[] = {
        {ROTA_PERMISSION_DENIED, "etcdserver: permission denied", true},
        {ROTA_UNAUTHENTICATED, "etcdserver: invalid auth token", true},
        {ROTA_INVALID_ARGUMENT, "etcdserver: user name is empty", true},
        {ROTA_UNAVAILABLE, "etcd canceled the watch: rpc error: code = PermissionDenied desc = etcdserver: permission denied", true},
        {ROTA_UNAVAILABLE, "connection refused", false},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(explains); i++) {
        struct rota_status status, got;

        rota_status_set(&status, explains[i].code, "%s", explains[i].message);
        rota_etcd_explain(&status, &got);
        assert_int_equal(got.code, explains[i].code);
        assert_memory_equal(got.message, explains[i].message, strlen(explains[i].message));
        assert_int_equal(strstr(got.message, "login") != NULL, explains[i].login);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refusals_for_want_of_a_login_name_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
