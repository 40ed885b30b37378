/* list_test.c - order, taking over, removing twice. */
#include "base/list.h"
#include "testing/cmocka.h"

struct item {
    char name;
    struct rota_link link;
};

static void assert_order(const struct rota_link *head, const char *want)
{
    const struct rota_link *link = head->next;

    for (; *want != '\0'; want++, link = link->next) {
        assert_ptr_not_equal(link, head);
        assert_int_equal(ROTA_CONTAINER(link, struct item, link)->name, *want);
        assert_ptr_equal(link->next->prev, link);
    }
    assert_ptr_equal(link, head);
}

static void links_keep_their_order(void **state)
{
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    struct rota_link head;

    (void)state;
    rota_list_init(&head);
    assert_true(rota_list_empty(&head));
    assert_null(rota_list_pop(&head));
    rota_list_append(&head, &a.link);
    rota_list_append(&head, &b.link);
    rota_list_append(&head, &c.link);
    assert_order(&head, "abc");
    rota_list_remove(&b.link);
    rota_list_remove(&b.link);
    assert_order(&head, "ac");
    assert_ptr_equal(rota_list_pop(&head), &a.link);
    assert_true(rota_list_empty(&a.link));
    assert_order(&head, "c");
}

static void one_list_takes_another(void **state)
{
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    struct rota_link to, from;

    (void)state;
    rota_list_init(&to);
    rota_list_init(&from);
    rota_list_take(&to, &from);
    assert_order(&to, "");
    rota_list_append(&from, &a.link);
    rota_list_take(&to, &from);
    assert_order(&to, "a");
    rota_list_append(&from, &b.link);
    rota_list_append(&from, &c.link);
    rota_list_take(&to, &from);
    assert_order(&to, "abc");
    assert_order(&from, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_keep_their_order),
        cmocka_unit_test(one_list_takes_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
