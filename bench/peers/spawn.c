/* spawn.c - spawn N COMMAND...: runs it N times, one after the other, and prints a line each: ms= cpu= (milliseconds) rss= (KiB) rc=.
 * A small parent, so that the peak of memory is the child's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(const struct rusage *used)
{
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1e3 + (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e3;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    for (int i = atoi(argv[1]); i > 0; i--) {
        double started_ms = clock_ms();
        struct rusage used;
        pid_t child = fork();
        int status;
        if (child == 0) {
            execvp(argv[2], argv + 2);
            _exit(127);
        }
        if (child < 0 || wait4(child, &status, 0, &used) < 0)
            return 1;
        printf("ms=%.3f cpu=%.3f rss=%ld rc=%d\n", clock_ms() - started_ms, cpu_ms(&used), used.ru_maxrss, status);
    }
    return 0;
}
