/* canned.c - the fixed server of all client measurements: it costs so little that what is measured is the client.
 *
 * It parses HTTP/2 frames and never HPACK: every request is taken for HelloService/Say, whose name it echoes. It answers with
 * HEADERS, DATA and HEADERS, in one write for all requests that one read has brought, and honours the connection's flow control
 * (a reply is smaller than any stream's window). One thread, epoll. A listener may have a time of service, spent asleep, and a
 * number of slots that work at a time.
 *
 * usage: canned [-a ADDRESS] [-p FIRST PORT] [-n LISTENERS] [-c CODE] [-I] [-s US] [-x LISTENER:US]... [-k SLOTS] [-O] [-N CONNECTIONS]
 *   -I  a listener's code is CODE plus its number     -s  time of service, -x that of one listener, -k slots (0: no limit)
 *   -O  trailers have a load report (ORCA)
 *   -N  tells on standard error when so many connections have acknowledged our SETTINGS
 * SIGUSR1 prints what each listener has served; SIGTERM does too, and ends it.
 */
#include "canned_frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PREFACE_SIZE 24
#define FIRST_WINDOW 65535
#define WINDOW_UPDATE_AFTER 16384
#define REPLY_ROOM 400 /* more than three frames of ours have */
#define NAME_SLOTS 4096 /* streams whose DATA came without END_STREAM, by number */
#define MAX_SLOTS 64
#define MAX_EVENTS 256
#define MAX_OVERRIDES 256
#define REPORT_EVERY_NS INT64_C(200000000)
#define NS_PER_US 1000
#define NS_PER_S INT64_C(1000000000)

struct bytes {
    uint8_t *data;
    size_t size, capacity;
};

struct connection {
    bool is_listener; /* first in struct listener too: epoll gives either */
    int fd;
    struct listener *listener;
    struct bytes in, out;
    size_t written; /* of out */
    int64_t window;
    uint32_t unacknowledged; /* bytes of DATA since our last WINDOW_UPDATE */
    bool greeted, acknowledged, indexed, wants_out, dead;
    unsigned jobs;
    struct request *unfinished; /* NAME_SLOTS of them, when first needed */
    struct request *waiting;    /* for the connection's window */
    size_t n_waiting, waiting_capacity;
};

struct job {
    struct connection *connection;
    struct request request;
    int64_t due_ns;
};

struct listener {
    struct connection base;
    int number;
    int64_t service_ns, slot_free_ns[MAX_SLOTS];
    struct job *jobs; /* a ring: capacity is a power of two */
    size_t first, end, capacity;
    uint64_t served, served_at_report;
    double busy_s, utilization, per_second;
    int64_t report_ns;
};

static struct {
    const char *address;
    int port, n_listeners, slots, code;
    bool reports, code_by_listener, any_service;
    int64_t service_us, overrides[MAX_OVERRIDES];
    int override_of[MAX_OVERRIDES], n_overrides;
    long notify, acknowledged, connections, requests;
    int epoll;
    struct listener *listeners;
} server = {.address = "127.0.0.1", .port = 50051, .n_listeners = 1, .code = 200};

static volatile sig_atomic_t want_figures, want_quit;

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void *checked(void *memory)
{
    if (memory == NULL)
        exit(1);
    return memory;
}

static void reserve(struct bytes *bytes, size_t more)
{
    if (bytes->size + more <= bytes->capacity)
        return;
    bytes->capacity = (bytes->size + more) * 2;
    bytes->data = checked(realloc(bytes->data, bytes->capacity));
}

/* --- Frames out --- */

static void send_frame(struct connection *c, enum frame_type type, int flags, const uint8_t *payload, size_t size)
{
    uint8_t *to;

    reserve(&c->out, FRAME_HEADER + size);
    to = canned_put_frame_header(c->out.data + c->out.size, size, type, flags, 0);
    if (size > 0)
        memcpy(to, payload, size);
    c->out.size += FRAME_HEADER + size;
}

static void wait_for_window(struct connection *c, const struct request *request)
{
    if (c->n_waiting == c->waiting_capacity) {
        c->waiting_capacity = c->waiting_capacity == 0 ? 64 : c->waiting_capacity * 2;
        c->waiting = checked(realloc(c->waiting, c->waiting_capacity * sizeof(*c->waiting)));
    }
    c->waiting[c->n_waiting++] = *request;
}

/* The first reply enters content-type and grpc-status into HPACK's dynamic table; the others name them by number. */
static void reply(struct connection *c, const struct request *request)
{
    int code = server.code + (server.code_by_listener ? c->listener->number : 0);
    uint8_t message[128], *headers, *to;
    size_t size = canned_put_message(message, code, request);

    if (c->window < (int64_t)size) {
        wait_for_window(c, request);
        return;
    }
    c->window -= (int64_t)size;
    reserve(&c->out, REPLY_ROOM);
    headers = c->out.data + c->out.size;
    to = headers + FRAME_HEADER;
    *to++ = 0x88; /* :status 200 */
    *to++ = c->indexed ? 0x80 | 63 : 0x40 | 31;
    if (!c->indexed)
        to = canned_put_text(to, "application/grpc", 16);
    canned_put_frame_header(headers, (size_t)(to - headers - FRAME_HEADER), HEADERS, END_HEADERS, request->stream);
    to = canned_put_frame_header(to, size, DATA, 0, request->stream);
    memcpy(to, message, size);
    headers = to + size;
    to = headers + FRAME_HEADER;
    *to++ = c->indexed ? 0x80 | 62 : 0x40;
    if (!c->indexed)
        to = canned_put_text(canned_put_text(to, "grpc-status", 11), "0", 1);
    if (server.reports)
        to = canned_put_load_report(to, c->listener->utilization, c->listener->per_second);
    canned_put_frame_header(headers, (size_t)(to - headers - FRAME_HEADER), HEADERS, END_HEADERS | END_STREAM, request->stream);
    c->indexed = true;
    c->out.size = (size_t)(to - c->out.data);
    server.requests++;
}

static void watch_writable(struct connection *c, bool yes)
{
    struct epoll_event event = {.events = EPOLLIN | (yes ? EPOLLOUT : 0), .data.ptr = c};

    if (c->wants_out != yes)
        epoll_ctl(server.epoll, EPOLL_CTL_MOD, c->fd, &event);
    c->wants_out = yes;
}

static void flush(struct connection *c)
{
    while (c->written < c->out.size) {
        ssize_t n = write(c->fd, c->out.data + c->written, c->out.size - c->written);
        if (n < 0 && errno == EAGAIN) {
            watch_writable(c, true);
            return;
        }
        if (n < 0) {
            c->dead = true;
            return;
        }
        c->written += (size_t)n;
    }
    c->written = c->out.size = 0;
    watch_writable(c, false);
}

/* --- The time of service --- */

static void measure_load(struct listener *l, int64_t now_ns)
{
    double seconds = (double)(now_ns - l->report_ns) / 1e9;

    if (now_ns - l->report_ns <= REPORT_EVERY_NS)
        return;
    l->per_second = (double)(l->served - l->served_at_report) / seconds;
    l->utilization = l->busy_s / seconds < 0.0001 ? 0.0001 : l->busy_s / seconds;
    l->served_at_report = l->served;
    l->busy_s = 0;
    l->report_ns = now_ns;
}

static void grow_jobs(struct listener *l)
{
    size_t capacity = l->capacity == 0 ? 256 : l->capacity * 2;
    struct job *jobs = checked(malloc(capacity * sizeof(*jobs)));

    for (size_t i = l->first; i < l->end; i++)
        jobs[i - l->first] = l->jobs[i & (l->capacity - 1)];
    free(l->jobs);
    l->jobs = jobs;
    l->end -= l->first;
    l->first = 0;
    l->capacity = capacity;
}

static int64_t due(struct listener *l, int64_t now_ns)
{
    int free_first = 0;

    if (server.slots == 0)
        return now_ns + l->service_ns;
    for (int i = 1; i < server.slots; i++)
        if (l->slot_free_ns[i] < l->slot_free_ns[free_first])
            free_first = i;
    if (l->slot_free_ns[free_first] < now_ns)
        l->slot_free_ns[free_first] = now_ns;
    return l->slot_free_ns[free_first] += l->service_ns;
}

static void serve(struct connection *c, const struct request *request)
{
    struct listener *l = c->listener;
    int64_t now_ns;

    l->served++;
    if (!server.any_service) {
        reply(c, request);
        return;
    }
    now_ns = clock_ns();
    measure_load(l, now_ns);
    l->busy_s += (double)l->service_ns / 1e9 / (server.slots > 0 ? server.slots : 1);
    if (l->end - l->first == l->capacity)
        grow_jobs(l);
    l->jobs[l->end++ & (l->capacity - 1)] = (struct job){c, *request, due(l, now_ns)};
    c->jobs++;
}

/* --- Frames in --- */

static void on_data(struct connection *c, int flags, uint32_t stream, const uint8_t *data, size_t size)
{
    struct request request = {.stream = stream}, *kept = c->unfinished == NULL ? NULL : &c->unfinished[stream / 2 % NAME_SLOTS];
    bool named;

    c->unacknowledged += (uint32_t)size;
    if ((flags & PADDED) != 0) {
        size -= 1u + data[0];
        data++;
    }
    named = size >= GRPC_PREFIX + 2 && data[5] == (1 << 3 | 2) && data[6] <= NAME_MAX_SIZE && size >= GRPC_PREFIX + 2u + data[6];
    if (named) {
        request.size = data[6];
        memcpy(request.name, data + GRPC_PREFIX + 2, request.size);
    } else if (kept != NULL && kept->stream == stream) {
        request = *kept;
    }
    if ((flags & END_STREAM) != 0) {
        serve(c, &request);
    } else if (named) {
        if (c->unfinished == NULL)
            c->unfinished = checked(calloc(NAME_SLOTS, sizeof(*c->unfinished)));
        c->unfinished[stream / 2 % NAME_SLOTS] = request;
    }
    if (c->unacknowledged > WINDOW_UPDATE_AFTER) {
        uint8_t update[4];
        canned_put_u32(update, c->unacknowledged);
        send_frame(c, WINDOW_UPDATE, 0, update, sizeof(update));
        c->unacknowledged = 0;
    }
}

static void on_window_update(struct connection *c, const uint8_t *payload)
{
    struct request *waiting = c->waiting;
    size_t n = c->n_waiting;

    c->window += (int64_t)(payload[0] & 127) << 24 | payload[1] << 16 | payload[2] << 8 | payload[3];
    c->waiting = NULL;
    c->n_waiting = c->waiting_capacity = 0;
    for (size_t i = 0; i < n; i++)
        reply(c, &waiting[i]);
    free(waiting);
}

static void on_settings(struct connection *c, int flags)
{
    if ((flags & ACK) == 0) {
        send_frame(c, SETTINGS, ACK, NULL, 0);
    } else if (!c->acknowledged) {
        c->acknowledged = true;
        if (++server.acknowledged == server.notify)
            fprintf(stderr, "ALLCONNS %ld t=%.6f\n", server.acknowledged, (double)clock_ns() / 1e9);
    }
}

static void on_frame(struct connection *c, const uint8_t *frame, size_t size)
{
    uint32_t stream = (uint32_t)(frame[5] & 127) << 24 | (uint32_t)frame[6] << 16 | (uint32_t)frame[7] << 8 | frame[8];
    const uint8_t *payload = frame + FRAME_HEADER;
    int flags = frame[4];

    if (frame[3] == DATA)
        on_data(c, flags, stream, payload, size);
    else if (frame[3] == SETTINGS)
        on_settings(c, flags);
    else if (frame[3] == PING && (flags & ACK) == 0)
        send_frame(c, PING, ACK, payload, size);
    else if (frame[3] == WINDOW_UPDATE && stream == 0)
        on_window_update(c, payload);
}

/* Feeds whole frames and returns how much that was. */
static size_t feed(struct connection *c, const uint8_t *data, size_t size)
{
    size_t at = 0;

    if (!c->greeted) {
        if (size < PREFACE_SIZE)
            return 0;
        at = PREFACE_SIZE;
        c->greeted = true;
    }
    while (size - at >= FRAME_HEADER) {
        size_t length = (size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2];
        if (size - at < FRAME_HEADER + length)
            break;
        on_frame(c, data + at, length);
        at += FRAME_HEADER + length;
    }
    return at;
}

static void on_readable(struct connection *c)
{
    static uint8_t chunk[1 << 18];
    ssize_t n;

    do {
        const uint8_t *data = chunk;
        size_t size, used;
        n = read(c->fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            c->dead = true;
            return;
        }
        size = (size_t)n;
        if (c->in.size > 0) {
            reserve(&c->in, size);
            memcpy(c->in.data + c->in.size, chunk, size);
            data = c->in.data;
            size += c->in.size;
        }
        used = feed(c, data, size);
        c->in.size = 0;
        reserve(&c->in, size - used);
        if (size > used)
            memmove(c->in.data, data == chunk ? data + used : c->in.data + used, size - used);
        c->in.size = size - used;
    } while (n == (ssize_t)sizeof(chunk));
    if (c->out.size > c->written)
        flush(c);
}

/* --- Connections --- */

static void close_connection(struct connection *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
        server.connections--;
    }
    if (c->jobs > 0)
        return;
    free(c->in.data);
    free(c->out.data);
    free(c->unfinished);
    free(c->waiting);
    free(c);
}

static void accept_all(struct listener *l)
{
    int fd, on = 1;

    while ((fd = accept4(l->base.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *c = checked(calloc(1, sizeof(*c)));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        c->fd = fd;
        c->listener = l;
        c->window = FIRST_WINDOW;
        server.connections++;
        epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event);
        send_frame(c, SETTINGS, 0, NULL, 0);
        flush(c);
    }
}

static void on_event(const struct epoll_event *event)
{
    struct connection *c = event->data.ptr;

    if (c->is_listener) {
        accept_all(c->listener);
        return;
    }
    if ((event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        on_readable(c);
    if (!c->dead && (event->events & EPOLLOUT) != 0)
        flush(c);
    if (c->dead)
        close_connection(c);
}

/* --- Sleeping service --- */

static void finish_jobs(struct listener *l, int64_t now_ns)
{
    for (; l->first != l->end; l->first++) {
        struct job *job = &l->jobs[l->first & (l->capacity - 1)];
        struct connection *c = job->connection;
        if (job->due_ns > now_ns)
            return;
        c->jobs--;
        if (c->fd >= 0) {
            reply(c, &job->request);
            flush(c);
        } else if (c->jobs == 0) {
            close_connection(c);
        }
    }
}

/* How long to wait; false: for ever. */
static bool until_next_job(struct timespec *ret_wait)
{
    int64_t now_ns = clock_ns(), first_ns = INT64_MAX, wait_ns;

    for (int i = 0; i < server.n_listeners; i++) {
        struct listener *l = &server.listeners[i];
        if (l->first != l->end && l->jobs[l->first & (l->capacity - 1)].due_ns < first_ns)
            first_ns = l->jobs[l->first & (l->capacity - 1)].due_ns;
    }
    if (first_ns == INT64_MAX)
        return false;
    wait_ns = first_ns > now_ns ? first_ns - now_ns : 0;
    *ret_wait = (struct timespec){wait_ns / NS_PER_S, wait_ns % NS_PER_S};
    return true;
}

/* --- The program --- */

static void on_signal(int signum)
{
    if (signum == SIGUSR1)
        want_figures = 1;
    else
        want_quit = 1;
}

static void print_figures(void)
{
    struct rusage used;
    double cpu_us;

    getrusage(RUSAGE_SELF, &used);
    cpu_us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    fprintf(stderr, "STAT conns=%ld reqs=%ld cpu_us=%.0f hwm_kb=%ld served=", server.connections, server.requests, cpu_us, used.ru_maxrss);
    for (int i = 0; i < server.n_listeners && i < 16; i++)
        fprintf(stderr, "%s%llu", i == 0 ? "" : ",", (unsigned long long)server.listeners[i].served);
    fputc('\n', stderr);
}

static void read_override(const char *text)
{
    if (server.n_overrides < MAX_OVERRIDES &&
        sscanf(text, "%d:%" SCNd64, &server.override_of[server.n_overrides], &server.overrides[server.n_overrides]) == 2)
        server.n_overrides++;
}

static bool read_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "a:p:n:c:Is:x:k:ON:")) > 0) {
        switch (option) {
        case 'a': server.address = optarg; break;
        case 'p': server.port = atoi(optarg); break;
        case 'n': server.n_listeners = atoi(optarg); break;
        case 'c': server.code = atoi(optarg); break;
        case 'I': server.code_by_listener = true; break;
        case 's': server.service_us = atol(optarg); break;
        case 'k': server.slots = atoi(optarg); break;
        case 'O': server.reports = true; break;
        case 'N': server.notify = atol(optarg); break;
        case 'x': read_override(optarg); break;
        default: return false;
        }
    }
    return server.slots <= MAX_SLOTS && server.n_listeners > 0;
}

static void open_listener(int number)
{
    struct listener *l = &server.listeners[number];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(server.port + number))};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &l->base};
    int on = 1;

    l->base = (struct connection){.is_listener = true, .listener = l};
    l->number = number;
    l->report_ns = clock_ns();
    l->utilization = 0.0001;
    l->service_ns = server.service_us * NS_PER_US;
    for (int i = 0; i < server.n_overrides; i++)
        if (server.override_of[i] == number)
            l->service_ns = server.overrides[i] * NS_PER_US;
    server.any_service = server.any_service || l->service_ns > 0 || server.reports;
    l->base.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(l->base.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    inet_pton(AF_INET, server.address, &address.sin_addr);
    if (bind(l->base.fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(l->base.fd, 1024) < 0) {
        fprintf(stderr, "%s:%d: %s\n", server.address, server.port + number, strerror(errno));
        exit(1);
    }
    epoll_ctl(server.epoll, EPOLL_CTL_ADD, l->base.fd, &event);
}

static void run(void)
{
    struct epoll_event events[MAX_EVENTS];

    while (!want_quit) {
        struct timespec wait;
        bool limited = server.any_service && until_next_job(&wait);
        int n = epoll_pwait2(server.epoll, events, MAX_EVENTS, limited ? &wait : NULL, NULL);
        if (want_figures)
            print_figures();
        want_figures = 0;
        for (int i = 0; i < n; i++)
            on_event(&events[i]);
        for (int i = 0; server.any_service && i < server.n_listeners; i++)
            finish_jobs(&server.listeners[i], clock_ns());
    }
    print_figures();
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct rlimit files;

    if (!read_options(argc, argv)) {
        fprintf(stderr, "usage: canned [-a ADDRESS] [-p FIRST PORT] [-n LISTENERS] [-c CODE] [-I] [-s US] [-x LISTENER:US] [-k SLOTS] [-O] [-N CONNECTIONS]\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    server.listeners = checked(calloc((size_t)server.n_listeners, sizeof(*server.listeners)));
    for (int i = 0; i < server.n_listeners; i++)
        open_listener(i);
    fprintf(stderr, "READY %d\n", server.port);
    run();
    return 0;
}
