/* config_key_test.c - one key followed by a watch: put, deleted, forgotten by a registry that was replaced. */
#include "etcd/config_key.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

#define KEY "/rota/config/s"

/* Words: "p1" puts value 1, "q1" puts it at another key, "d" deletes, "e" deletes another; "(" begins a list, ")" ends it, "?" doubts it;
 * "=" expects a change since the last and takes it, "-" expects none. */
static const struct follow_case {
    const char *rule, *script;
    const char *value; /* NULL: none */
} follow_cases[] = {
    {"none listed is news, once", "()=()-", NULL},
    {"listed", "(p1)=", "1"},
    {"put", "()=p1=", "1"},
    {"put again, the same and no newer: no news", "()=p1=p1-", "1"},
    {"put anew", "()=p1=p2=", "2"},
    {"deleted", "(p1)=d=", NULL},
    {"deleted twice is once", "(p1)=d=d-", NULL},
    {"other keys do not count", "(p1)=q2-e-", "1"},
    {"a list without it", "(p1)=()=", NULL},
    {"a list with it", "(p1)=(p1)-", "1"},
    {"a registry that was replaced has forgotten it: it stays", "(p1)=(?)-", "1"},
    {"a registry that was replaced and has another", "(p1)=(p2?)=", "2"},
    {"and stays in the lists that come after", "(p1)=(?)-()-()-", "1"},
    {"until it is deleted", "(p1)=(?)-d=()-", NULL},
    {"or put: from then on lists count again", "(p1)=(?)-p1-()=", NULL},
    {"likewise when a list has it", "(p1)=(?)-(p1)-()=", NULL},
    {"doubt is for one list", "(p1)=(p1?)-()=", NULL},
};

static struct rota_etcd_kv kv(const char *key, char value)
{
    static const char *const values[] = {"0", "1", "2"};

    return (struct rota_etcd_kv){.key = rota_slice_str(key), .value = rota_slice_str(values[value - '0']), .mod_revision = value};
}

static void play(struct rota_etcd_config_key *c, const char *script)
{
    const struct rota_etcd_keep_class *keep = &rota_etcd_config_keep;
    struct rota_etcd_kv pair;

    for (; *script != '\0'; script++) {
        switch (*script) {
        case 'p':
        case 'q':
            pair = kv(*script == 'p' ? KEY : KEY "x", script[1]);
            assert_int_equal(keep->put(c, &pair), 0);
            script++;
            break;
        case 'd': keep->delete(c, ROTA_SLICE(KEY)); break;
        case 'e': keep->delete(c, ROTA_SLICE(KEY "x")); break;
        case '(': keep->list_begin(c); break;
        case '?': keep->doubt(c); break;
        case ')': keep->list_end(c, 0); break;
        default:
            assert_int_equal(c->changed, *script == '=');
            c->changed = false;
        }
    }
}

static void the_key_is_followed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(follow_cases); i++) {
        struct rota_etcd_config_key c;
        struct rota_leak_alloc leak;

        print_message("  %s\n", follow_cases[i].rule);
        rota_leak_alloc_init(&leak);
        rota_etcd_config_key_init(&c, &leak.alloc, ROTA_SLICE(KEY));
        play(&c, follow_cases[i].script);
        if (follow_cases[i].value == NULL)
            assert_null(c.value);
        else
            assert_string_equal(c.value, follow_cases[i].value);
        rota_etcd_config_key_fini(&c);
        rota_leak_alloc_fini(&leak);
    }
}

static void without_memory_the_old_value_stays(void **state)
{
    struct rota_etcd_kv next = kv(KEY, '2');
    struct rota_etcd_config_key c;
    struct rota_leak_alloc leak;

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_etcd_config_key_init(&c, &leak.alloc, ROTA_SLICE(KEY));
    play(&c, "(p1)=");
    rota_leak_alloc_fail_nth(&leak, 1);
    assert_int_equal(rota_etcd_config_keep.put(&c, &next), ROTA_ENOMEM);
    assert_string_equal(c.value, "1");
    play(&c, "-");
    rota_etcd_config_key_fini(&c);
    rota_leak_alloc_fini(&leak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_followed),
        cmocka_unit_test(without_memory_the_old_value_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
