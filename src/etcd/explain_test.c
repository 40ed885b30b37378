/* explain_test.c - refusals for want of a login or a role, and others. */
#include "etcd/explain.h"

#include "base/assert.h"
#include "testing/cmocka.h"
#include <string.h>

static void refusals_say_what_to_do(void **state)
{
    static const struct explain_case {
        const char *rule;
        enum rota_code code;
        const char *message, *user, *says; /* says: "" nothing is added */
        bool token, denied;
    } explains[] = {
        {"denied to nobody", ROTA_PERMISSION_DENIED, "etcdserver: permission denied", NULL, "asks for a login", false, true},
        {"denied to somebody", ROTA_PERMISSION_DENIED, "etcdserver: permission denied", "zoe", "no role of etcd's user \"zoe\" permits it", false, true},
        {"a watch denied to nobody", ROTA_UNAVAILABLE, "etcd canceled the watch: rpc error: code = PermissionDenied desc = etcdserver: permission denied", NULL,
         "asks for a login", false, true},
        {"a token of nobody", ROTA_UNAUTHENTICATED, "etcdserver: invalid auth token", NULL, "asks for a login", true, false},
        {"a token that is over", ROTA_UNAUTHENTICATED, "etcdserver: invalid auth token", "zoe", "", true, false},
        {"the same, wrapped", ROTA_UNAVAILABLE, "etcd canceled the watch: etcdserver: invalid auth token", "zoe", "", true, false},
        {"no token where one is wanted", ROTA_INVALID_ARGUMENT, "etcdserver: user name is empty", NULL, "asks for a login", true, false},
        {"users have changed", ROTA_INVALID_ARGUMENT, "etcdserver: revision of auth store is old", "zoe", "", true, false},
        {"users have changed, as older etcds say", ROTA_UNKNOWN, "auth: revision in header is old", "zoe", "", true, false},
        {"anything else", ROTA_UNAVAILABLE, "connection refused", NULL, "", false, false},
        {"all is well", ROTA_OK, "", NULL, "", false, false},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(explains); i++) {
        struct rota_status status, got;

        print_message("  %s\n", explains[i].rule);
        rota_status_set(&status, explains[i].code, "%s", explains[i].message);
        rota_etcd_explain(&status, explains[i].user, &got);
        assert_int_equal(got.code, explains[i].code);
        assert_memory_equal(got.message, explains[i].message, strlen(explains[i].message));
        assert_non_null(strstr(got.message + strlen(explains[i].message), explains[i].says));
        assert_int_equal(strlen(got.message) > strlen(explains[i].message), explains[i].says[0] != '\0');
        assert_int_equal(rota_etcd_wants_token(&status), explains[i].token);
        assert_int_equal(rota_etcd_denies(&status), explains[i].denied);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refusals_say_what_to_do)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
