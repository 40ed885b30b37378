/* proxy_test.c - the environment's proxies: which is taken, and for whom there is none. */
#include "wire/proxy.h"

#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdio.h>

/* "name=value;name=value" */
static const char *variable_of(void *ctx, const char *name)
{
    static char value[2][256];
    static int turn;
    size_t size = strlen(name);

    for (const char *at = ctx; *at != '\0'; at += strcspn(at, ";"), at += *at == ';') {
        if (strncmp(at, name, size) != 0 || at[size] != '=')
            continue;
        turn = !turn;
        snprintf(value[turn], sizeof(value[turn]), "%.*s", (int)strcspn(at + size + 1, ";"), at + size + 1);
        return value[turn];
    }
    return NULL;
}

static const struct find_case {
    const char *rule, *environment, *host;
    uint16_t port;
    const char *proxy, *login; /* proxy NULL: none, "!": an error */
} finds[] = {
    {"nothing set", "", "a.example", 443, NULL, ""},
    {"grpc_proxy before https_proxy", "https_proxy=http://b:2;grpc_proxy=http://a:1", "x.example", 443, "a:1", ""},
    {"https_proxy before http_proxy", "http_proxy=http://b:2;https_proxy=http://a:1", "x.example", 443, "a:1", ""},
    {"http_proxy last", "http_proxy=http://b:2", "x.example", 80, "b:2", ""},
    {"lower case before upper", "HTTPS_PROXY=http://b:2;https_proxy=http://a:1", "x.example", 443, "a:1", ""},
    {"upper case too", "HTTPS_PROXY=http://b:2", "x.example", 443, "b:2", ""},
    {"and HTTP_PROXY", "HTTP_PROXY=http://b:2", "x.example", 443, "b:2", ""},
    {"but not in a CGI program, where it is a header", "HTTP_PROXY=http://b:2;REQUEST_METHOD=GET", "x.example", 443, NULL, ""},
    {"an empty one says: none", "grpc_proxy=;https_proxy=http://a:1", "x.example", 443, NULL, ""},
    {"without a scheme", "https_proxy=a:1", "x.example", 443, "a:1", ""},
    {"without a port", "https_proxy=http://a/", "x.example", 443, "a:80", ""},
    {"with a slash and more", "https_proxy=HTTP://a:1/x?y#z", "x.example", 443, "a:1", ""},
    {"an IPv6 address", "https_proxy=http://[::5]:1", "x.example", 443, "[::5]:1", ""},
    {"user and password", "https_proxy=http://user:pass@a:1", "x.example", 443, "a:1", "dXNlcjpwYXNz"},
    {"percent-decoded", "https_proxy=http://u%40:p%2F%3A@a:1", "x.example", 443, "a:1", "dUA6cC86"},
    {"padded as Basic wants it", "https_proxy=http://u:p@a:1", "x.example", 443, "a:1", "dTpw"},
    {"by two", "https_proxy=http://u:pw12@a:1", "x.example", 443, "a:1", "dTpwdzEy"},
    {"by one", "https_proxy=http://u:pw1@a:1", "x.example", 443, "a:1", "dTpwdzE="},
    {"a proxy by TLS is not known", "https_proxy=https://a:1", "x.example", 443, "!", ""},
    {"nor SOCKS", "https_proxy=socks5://a:1", "x.example", 443, "!", ""},
    {"nor nothing", "https_proxy=http://", "x.example", 443, "!", ""},
    {"nor a port that is none", "https_proxy=http://a:x", "x.example", 443, "!", ""},
    {"localhost needs none", "https_proxy=http://a:1", "localhost", 443, NULL, ""},
    {"nor a name below it", "https_proxy=http://a:1", "x.LOCALHOST", 443, NULL, ""},
    {"nor loopback addresses", "https_proxy=http://a:1", "127.9.9.9", 443, NULL, ""},
    {"nor that of IPv6", "https_proxy=http://a:1", "::1", 443, NULL, ""},
    {"nor an address that is none", "https_proxy=http://a:1", "0.0.0.0", 443, NULL, ""},
    {"a bad proxy does not matter then", "https_proxy=socks5://a:1", "localhost", 443, NULL, ""},
    {"no_proxy", "https_proxy=http://a:1;no_proxy=x.example", "x.example", 443, NULL, ""},
    {"NO_PROXY", "https_proxy=http://a:1;NO_PROXY=x.example", "x.example", 443, NULL, ""},
    {"no_grpc_proxy before no_proxy", "https_proxy=http://a:1;no_grpc_proxy=y.example;no_proxy=x.example", "x.example", 443, "a:1", ""},
};

static void the_environment_names_the_proxy(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(finds); i++) {
        const struct find_case *c = &finds[i];
        bool bad = c->proxy != NULL && c->proxy[0] == '!', found = false;
        struct rota_errinfo info = {{0}};
        struct rota_proxy proxy;

        print_message("  %s\n", c->rule);
        assert_int_equal(rota_proxy_find(rota_slice_str(c->host), c->port, variable_of, (void *)(uintptr_t)c->environment, &proxy, &found, &info),
                         bad ? ROTA_EINVAL : 0);
        assert_int_equal(found, c->proxy != NULL && !bad);
        assert_true(c->proxy == NULL || rota_proxy_wanted(variable_of, (void *)(uintptr_t)c->environment));
        if (found) {
            assert_string_equal(proxy.address.text, c->proxy);
            assert_string_equal(proxy.login, c->login);
        }
        if (bad)
            assert_non_null(strstr(info.text, "https_proxy in the environment names no proxy"));
    }
}

static void no_proxy_is_wanted_without_a_variable(void **state)
{
    static char none[] = "", empty[] = "grpc_proxy=;https_proxy=http://a:1", lists[] = "no_proxy=a";

    (void)state;
    assert_false(rota_proxy_wanted(variable_of, none));
    assert_false(rota_proxy_wanted(variable_of, empty));
    assert_false(rota_proxy_wanted(variable_of, lists));
}

static void errors_have_no_password(void **state)
{
    struct rota_errinfo info = {{0}};
    struct rota_proxy proxy;
    char environment[1200];
    bool found;

    (void)state;
    snprintf(environment, sizeof(environment), "https_proxy=http://u:secret@a:x");
    assert_int_equal(rota_proxy_find(ROTA_SLICE("x.example"), 443, variable_of, environment, &proxy, &found, &info), ROTA_EINVAL);
    assert_null(strstr(info.text, "secret"));
}

static const struct list_case {
    const char *rule, *list, *host;
    uint16_t port;
    bool has;
} lists[] = {
    {"nobody", "", "a.example", 443, false},
    {"everybody", "*", "a.example", 443, true},
    {"everybody among others", "b.example, *", "a.example", 443, true},
    {"a name", "a.example", "a.example", 443, true},
    {"names have no case", "A.Example", "a.eXAMPLE", 443, true},
    {"a last dot is none", "a.example", "a.example.", 443, true},
    {"another", "b.example", "a.example", 443, false},
    {"names below it", "example", "a.b.example", 443, true},
    {"not names that end alike", "example.com", "badexample.com", 443, false},
    {"with a dot before it", ".example", "a.example", 443, true},
    {"with a star before it", "*.example", "a.example", 443, true},
    {"with blanks around", "x ,\t a.example ,y", "a.example", 443, true},
    {"with its port", "a.example:443", "a.example", 443, true},
    {"with another's port", "a.example:80", "a.example", 443, false},
    {"an address", "10.0.0.7", "10.0.0.7", 443, true},
    {"another address", "10.0.0.7", "10.0.0.77", 443, false},
    {"with its port", "10.0.0.7:443", "10.0.0.7", 443, true},
    {"an address is no name", "0.7", "10.0.0.7", 443, false},
    {"IPv6", "fe80::1", "fe80::1", 443, true},
    {"IPv6, written otherwise", "fe80:0:0::1", "fe80::1", 443, true},
    {"IPv6 with its port", "[fe80::1]:443", "fe80::1", 443, true},
    {"IPv6 with another's port", "[fe80::1]:80", "fe80::1", 443, false},
    {"a network", "10.0.0.0/8", "10.1.2.3", 443, true},
    {"not beyond it", "10.0.0.0/8", "11.1.2.3", 443, false},
    {"of odd size", "10.0.0.0/9", "10.127.0.1", 443, true},
    {"not beyond that", "10.0.0.0/9", "10.128.0.1", 443, false},
    {"of all addresses", "0.0.0.0/0", "10.128.0.1", 443, true},
    {"but not of names", "0.0.0.0/0", "a.example", 443, false},
    {"of IPv6", "fd00::/8", "fd12::1", 443, true},
    {"IPv6 is no IPv4", "0.0.0.0/0", "fd12::1", 443, false},
    {"of too many bits", "10.0.0.0/33", "10.0.0.0", 443, false},
    {"of no bits", "10.0.0.0/", "10.0.0.0", 443, false},
    {"of nonsense", "10.0.0.0/x,[,:,//,,:9:", "10.0.0.0", 443, false},
};

static void lists_name_exceptions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(lists); i++) {
        print_message("  %s\n", lists[i].rule);
        assert_int_equal(rota_proxy_list_has(lists[i].list, rota_slice_str(lists[i].host), lists[i].port), lists[i].has);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_names_the_proxy),
        cmocka_unit_test(no_proxy_is_wanted_without_a_variable),
        cmocka_unit_test(errors_have_no_password),
        cmocka_unit_test(lists_name_exceptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
