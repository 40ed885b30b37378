/* death.c - a forked child with a pipe for what it writes. */
#include "testing/death.h"
#include "testing/cmocka.h"
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    pid_t pid;
    int out_fd;
    char words[8192];
    int status; /* as from waitpid */
};

/* Returns true in the child. */
static bool start(struct child *child)
{
    const struct rlimit no_core = {0, 0};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    child->pid = fork();
    assert_true(child->pid >= 0);
    child->out_fd = ends[child->pid == 0 ? 1 : 0];
    close(ends[child->pid == 0 ? 0 : 1]);
    if (child->pid != 0)
        return false;
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    dup2(child->out_fd, STDERR_FILENO);
    dup2(child->out_fd, STDOUT_FILENO);
    return true;
}

static void finish(struct child *child)
{
    char rest[512];
    size_t size = 0;
    ssize_t got;

    while ((got = read(child->out_fd, rest, sizeof(rest))) > 0) {
        size_t fits = sizeof(child->words) - 1 - size;
        fits = (size_t)got < fits ? (size_t)got : fits;
        memcpy(child->words + size, rest, fits);
        size += fits;
    }
    child->words[size] = '\0';
    close(child->out_fd);
    assert_int_equal(waitpid(child->pid, &child->status, 0), child->pid);
}

static void expect_words(const struct child *child, const char *words)
{
    if (strstr(child->words, words) == NULL)
        fail_msg("ended without saying \"%s\": %s", words, child->words);
}

void rota_assert_aborts(void (*act)(void *ctx), void *ctx, const char *words)
{
    struct child child;

    if (start(&child)) {
        act(ctx);
        _exit(0);
    }
    finish(&child);
    if (!WIFSIGNALED(child.status) || WTERMSIG(child.status) != SIGABRT)
        fail_msg("did not abort (status %#x): %s", (unsigned)child.status, child.words);
    expect_words(&child, words);
}

void rota_assert_test_fails(void (*test)(void **state), const char *words)
{
    struct child child;

    if (start(&child)) {
        const struct CMUnitTest tests[] = {{.name = "expected to fail", .test_func = test}};
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        fflush(NULL);
        _exit(failed);
    }
    finish(&child);
    if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != 1)
        fail_msg("did not fail (status %#x): %s", (unsigned)child.status, child.words);
    expect_words(&child, words);
}
