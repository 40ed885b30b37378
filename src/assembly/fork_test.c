/* fork_test.c - a process that forks: the child can use nothing that it inherited and is told so; the parent goes on undisturbed. */
#include "assembly/assembly_fixture.h"
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct fork_case {
    const char *rule;
    bool threaded; /* the channel's loop has a thread of its own */
} cases[] = {
    {"a channel with a thread of its own", true},
    {"one on a loop that the caller turns", false},
};

/* In the child; what is wrong, or 0. */
static int use_all(struct rota_loop *loop, struct test_server *s, struct rota_channel *channel)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *mine;
    struct rota_call *call;
    struct rota_errinfo info = {{0}};
    struct rota_status status = test_unary(channel, &test_echo, 1000, "child");

    if (status.code != ROTA_FAILED_PRECONDITION || strstr(status.message, "after fork()") == NULL)
        return 1;
    if (rota_call_open(channel, &test_chat, NULL, &call) != ROTA_ESTATE)
        return 2;
    options.loop = loop;
    if (rota_channel_open("ipv4:127.0.0.1:1", &options, &mine, &info) != ROTA_ESTATE || strstr(info.text, "after fork()") == NULL)
        return 3;
    rota_channel_close(channel, NULL, NULL);
    rota_channel_free(channel);
    rota_server_close(s->server, NULL, NULL);
    rota_server_free(s->server);
    if (rota_loop_run(loop) != ROTA_ESTATE || rota_loop_turn(loop) != ROTA_ESTATE)
        return 4;
    rota_loop_free(loop);
    if (rota_loop_new(NULL, &options.loop) < 0 || rota_channel_open("ipv4:127.0.0.1:1", &options, &mine, &info) < 0)
        return 5;
    rota_channel_free(mine);
    rota_loop_free(options.loop);
    return 0;
}

static void the_child_is_told_and_harms_nobody(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_channel *channel;
        struct rota_loop *loop;
        struct test_server s;
        int status = -1;
        pid_t child;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(cases[i].threaded ? rota_loop_thread_new(NULL, &loop) : rota_loop_new(NULL, &loop), 0);
        test_server_open(&s, loop, "127.0.0.1:0", NULL);
        channel = test_channel(cases[i].threaded ? NULL : loop, s.bound, NULL);
        assert_true(test_echoes(channel, "before"));
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20);
            _exit(use_all(loop, &s, channel));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_true(test_echoes(channel, "after"));
        if (!cases[i].threaded)
            assert_int_equal(rota_server_stats(s.server).connections_accepted, 1);
        rota_channel_free(channel);
        test_server_close(&s);
        rota_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_child_is_told_and_harms_nobody)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
