/* pingpong.c - the kernel's floor: bare epoll over TCP, with the byte counts of one gRPC exchange.
 *
 * usage: pingpong server PORT
 *        pingpong client PORT OUTSTANDING SECONDS     prints rps= cpu_us= p50= p99= p999= (us)
 * Each side answers all that one read has brought in one write.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_SIZE 64
#define REPLY_SIZE 51
#define MAX_OUTSTANDING 1024
#define MAX_SAMPLES 8000000
#define MAX_FILES 1024
#define WARM_NS INT64_C(1000000000)

static char buffer[1 << 17];

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static double cpu_us(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static struct sockaddr_in address_of(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* How many whole messages have come; -1: the end. */
static ssize_t read_messages(int fd, size_t size, size_t *rest)
{
    ssize_t n = read(fd, buffer, sizeof(buffer));

    if (n <= 0)
        return -1;
    *rest += (size_t)n;
    n = (ssize_t)(*rest / size);
    *rest %= size;
    return n;
}

static bool write_messages(int fd, size_t size, ssize_t n)
{
    return n == 0 || write(fd, buffer, size * (size_t)n) == (ssize_t)size * n;
}

static int serve(const char *port)
{
    static size_t rest[MAX_FILES];
    struct sockaddr_in address = address_of(port);
    int epoll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct epoll_event event;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 64) < 0) {
        perror(port);
        return 1;
    }
    watch(epoll, listener);
    fprintf(stderr, "READY\n");
    while (epoll_wait(epoll, &event, 1, -1) >= 0) {
        int fd = event.data.fd;
        ssize_t n;
        if (fd == listener) {
            watch(epoll, accept(listener, NULL, NULL));
            continue;
        }
        n = read_messages(fd, REQUEST_SIZE, &rest[fd]);
        if (n < 0 || !write_messages(fd, REPLY_SIZE, n)) {
            close(fd);
            rest[fd] = 0;
        }
    }
    return 0;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void report(float *samples, size_t n, int64_t elapsed_ns, double used_us)
{
    qsort(samples, n, sizeof(*samples), by_size);
    printf("rps=%.0f cpu_us=%.2f p50=%.0f p99=%.0f p999=%.0f\n", (double)n / (double)elapsed_ns * 1e9, used_us / (double)n, samples[n / 2],
           samples[n * 99 / 100], samples[n * 999 / 1000]);
}

static int ask(const char *port, size_t outstanding, double seconds)
{
    static int64_t sent_ns[MAX_OUTSTANDING];
    float *samples = malloc(MAX_SAMPLES * sizeof(*samples));
    int epoll = epoll_create1(0), fd = socket(AF_INET, SOCK_STREAM, 0);
    int64_t from_ns = clock_ns() + WARM_NS, until_ns = from_ns + (int64_t)(seconds * 1e9), now_ns;
    struct sockaddr_in address = address_of(port);
    size_t rest = 0, next = 0, n = 0;
    struct epoll_event event;
    double before_us = -1;

    if (samples == NULL || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return 1;
    watch(epoll, fd);
    for (size_t i = 0; i < outstanding; i++)
        sent_ns[i] = clock_ns();
    write_messages(fd, REQUEST_SIZE, (ssize_t)outstanding);
    do {
        ssize_t came;
        epoll_wait(epoll, &event, 1, -1);
        came = read_messages(fd, REPLY_SIZE, &rest);
        now_ns = clock_ns();
        if (before_us < 0 && now_ns >= from_ns) {
            before_us = cpu_us();
            from_ns = now_ns;
        }
        for (ssize_t i = 0; i < came; i++, next = (next + 1) % outstanding) {
            if (before_us >= 0 && n < MAX_SAMPLES)
                samples[n++] = (float)(now_ns - sent_ns[next]) / 1000;
            sent_ns[next] = now_ns;
        }
        if (came < 0 || !write_messages(fd, REQUEST_SIZE, came))
            return 1;
    } while (now_ns < until_ns);
    report(samples, n, now_ns - from_ns, cpu_us() - before_us);
    free(samples);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "server") == 0)
        return serve(argv[2]);
    if (argc == 5 && strcmp(argv[1], "client") == 0 && atol(argv[3]) > 0 && atol(argv[3]) <= MAX_OUTSTANDING)
        return ask(argv[2], (size_t)atol(argv[3]), atof(argv[4]));
    fprintf(stderr, "usage: pingpong server PORT | client PORT OUTSTANDING SECONDS\n");
    return 2;
}
