/* bulk_peer.c - long streams of bare bytes, read as slowly as is asked for; what that costs in memory is the test's question.
 *
 *     bulk_peer server [HOST:PORT [MAX_AGE_MS]]
 *     bulk_peer up HOST:PORT COUNT SIZE READ_US     the client writes, the server reads a message each READ_US
 *     bulk_peer down HOST:PORT COUNT SIZE READ_US   the other way round
 *
 * The server's first line says where it listens. A client runs WARM_UP messages first and prints `warm`; at the end it prints
 * `done BYTES SECONDS grown KIB`, the last being its peak of memory above what it had when warm. Up's first message is READ_US as
 * text, its reply the number of bytes; Down's request is "COUNT SIZE". tests/peers/go/gobulk is the same in Go.
 */
#include <rota/rota.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_S INT64_C(1000000000)
#define WARM_UP 64

static const struct rota_method up_method = {
    .path = "/bulk.Bulk/Up", .client_streaming = true, .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};
static const struct rota_method down_method = {
    .path = "/bulk.Bulk/Down", .server_streaming = true, .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};

static struct rota_loop *loop;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* --- Server --- */

struct bulk {
    struct rota_server_call *call;
    struct rota_timer *timer;
    int64_t read_ns, next_ns; /* Up: a message each read_ns */
    uint64_t bytes;
    bool asked;     /* Up: the first message has come */
    int64_t left;   /* Down */
    size_t size;
};

static void forget(struct bulk *b)
{
    rota_timer_free(b->timer);
    free(b);
}

static void on_timer(void *arg)
{
    rota_server_call_resume(((struct bulk *)arg)->call);
}

static struct bulk *begin(struct rota_server_call *call)
{
    struct bulk *b = calloc(1, sizeof(*b));

    if (b == NULL || rota_timer_new(loop, on_timer, b, &b->timer) < 0)
        die("server", "out of memory");
    b->call = call;
    rota_server_call_set_data(call, b);
    return b;
}

static void on_cancel(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)handlers;
    (void)user;
    if (rota_server_call_data(call) != NULL)
        forget(rota_server_call_data(call));
    rota_server_call_finish(call, NULL);
}

static void up_start(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)handlers;
    (void)user;
    begin(call);
}

static void up_message(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    const struct rota_slice *bytes = message;
    struct bulk *b = rota_server_call_data(call);

    (void)handlers;
    (void)user;
    if (!b->asked) {
        char text[24];
        snprintf(text, sizeof(text), "%.*s", (int)bytes->size, (const char *)bytes->data);
        b->asked = true;
        b->read_ns = strtoll(text, NULL, 10) * NS_PER_US;
        b->next_ns = rota_loop_now_ns(loop);
        return;
    }
    b->bytes += bytes->size;
    b->next_ns += b->read_ns;
    if (b->next_ns <= rota_loop_now_ns(loop))
        return;
    rota_server_call_hold(call);
    if (rota_timer_set(b->timer, b->next_ns) < 0)
        die("server", "out of memory");
}

static void up_end(struct rota_server_call *call, const void *handlers, void *user)
{
    struct bulk *b = rota_server_call_data(call);
    char text[24];
    struct rota_slice reply = rota_slice(text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)b->bytes));

    (void)handlers;
    (void)user;
    forget(b);
    rota_server_call_set_data(call, NULL);
    rota_server_call_reply(call, &reply);
}

static void down_more(struct rota_server_call *call, const void *handlers, void *user)
{
    static uint8_t zeros[1 << 20];
    struct bulk *b = rota_server_call_data(call);
    struct rota_slice reply = rota_slice(zeros, b->size);
    rota_err err = 0;

    (void)handlers;
    (void)user;
    while (b->left > 0 && (err = rota_server_call_send(call, &reply)) == 0)
        b->left--;
    if (err == ROTA_EAGAIN)
        return;
    forget(b);
    rota_server_call_set_data(call, NULL);
    rota_server_call_finish(call, NULL);
}

static void down_message(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    const struct rota_slice *bytes = message;
    struct bulk *b = begin(call);
    char text[48];
    long long count;

    snprintf(text, sizeof(text), "%.*s", (int)bytes->size, (const char *)bytes->data);
    if (sscanf(text, "%lld %zu", &count, &b->size) != 2 || b->size > 1 << 20)
        die("server", "what is asked for is not COUNT SIZE");
    b->left = count;
    down_more(call, handlers, user);
}

static const struct rota_handler handlers[] = {
    {.method = &up_method, .on_start = up_start, .on_message = up_message, .on_end = up_end, .on_cancel = on_cancel},
    {.method = &down_method, .on_message = down_message, .on_writable = down_more, .on_cancel = on_cancel},
};
static const struct rota_service service = {.name = "bulk.Bulk", .handlers = handlers, .n_handlers = 2};

static int serve(const char *address, int64_t max_age_ms)
{
    struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_server *server;
    struct rota_errinfo info;

    loop_options.log = &rota_log_stderr;
    if (rota_loop_new(&loop_options, &loop) < 0)
        die("server", "no loop");
    options.loop = loop;
    options.tls = &rota_tls_insecure;
    options.max_connection_age_ms = max_age_ms;
    if (rota_server_new(&options, &server, &info) < 0 || rota_server_add(server, &service, NULL, NULL) < 0 ||
        rota_server_listen(server, address, bound, &info) < 0)
        die("server", info.text);
    printf("bulk listening on %s\n", bound);
    return rota_loop_run(loop) < 0;
}

/* --- Client --- */

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
    struct timespec at = {at_ns / NS_PER_S, at_ns % NS_PER_S};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) {
    }
}

/* A line of /proc/self/status. */
static long memory_kib(const char *what)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[200];
    long kib = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, what, strlen(what)) == 0)
            kib = strtol(line + strlen(what), NULL, 10);
    if (file != NULL)
        fclose(file);
    return kib;
}

struct wish {
    long count;
    size_t size;
    long read_us;
};

static void up(struct rota_channel *channel, const struct wish *wish, long count)
{
    static uint8_t zeros[1 << 20];
    struct rota_slice message = rota_slice(zeros, wish->size), first, *reply;
    struct rota_status status;
    struct rota_call *call;
    char text[24], want[24];

    snprintf(want, sizeof(want), "%llu", (unsigned long long)count * wish->size);
    first = rota_slice(text, (size_t)snprintf(text, sizeof(text), "%ld", wish->read_us));
    if (rota_call_open(channel, &up_method, NULL, &call) < 0 || rota_call_send(call, &first) < 0)
        die("up", "cannot begin");
    for (long i = 0; i < count && rota_call_send(call, &message) == 0; i++) {
    }
    rota_call_send_end(call);
    if (rota_call_recv(call, (void **)&reply)) {
        if (!rota_slice_equal(*reply, rota_slice_str(want)))
            die("up", "bytes were lost");
        rota_codec_bytes.free(NULL, reply, NULL);
    }
    status = rota_call_finish(call);
    if (status.code != ROTA_OK)
        die("up", status.message);
}

static void down(struct rota_channel *channel, const struct wish *wish, long count)
{
    int64_t next_ns = clock_ns();
    struct rota_slice request, *message;
    struct rota_status status;
    struct rota_call *call;
    size_t bytes = 0;
    char text[48];

    request = rota_slice(text, (size_t)snprintf(text, sizeof(text), "%ld %zu", count, wish->size));
    if (rota_call_open(channel, &down_method, NULL, &call) < 0 || rota_call_send(call, &request) < 0)
        die("down", "cannot begin");
    rota_call_send_end(call);
    while (rota_call_recv(call, (void **)&message)) {
        bytes += message->size;
        rota_codec_bytes.free(NULL, message, NULL);
        next_ns += wish->read_us * NS_PER_US;
        if (wish->read_us > 0)
            sleep_until(next_ns);
    }
    status = rota_call_finish(call);
    if (status.code != ROTA_OK || bytes != (size_t)count * wish->size)
        die("down", status.message);
}

static int ask(const char *mode, const char *addr, const struct wish *wish)
{
    void (*run)(struct rota_channel *channel, const struct wish *wish, long count) = strcmp(mode, "up") == 0 ? up : down;
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *channel;
    struct rota_errinfo info;
    int64_t start_ns;
    long warm_kib;

    options.tls = &rota_tls_insecure;
    options.max_reply_bytes = 8 << 20;
    if (rota_channel_open(addr, &options, &channel, &info) < 0)
        die(addr, info.text);
    run(channel, wish, WARM_UP);
    warm_kib = memory_kib("VmRSS:");
    printf("warm\n");
    start_ns = clock_ns();
    run(channel, wish, wish->count);
    printf("done %llu %.3f grown %ld\n", (unsigned long long)wish->count * wish->size, (double)(clock_ns() - start_ns) / 1e9,
        memory_kib("VmHWM:") - warm_kib);
    rota_channel_free(channel);
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc >= 2 && strcmp(argv[1], "server") == 0)
        return serve(argc > 2 ? argv[2] : "127.0.0.1:0", argc > 3 ? strtoll(argv[3], NULL, 10) : 0);
    if (argc == 6 && (strcmp(argv[1], "up") == 0 || strcmp(argv[1], "down") == 0)) {
        struct wish wish = {strtol(argv[3], NULL, 10), strtoul(argv[4], NULL, 10), strtol(argv[5], NULL, 10)};
        if (wish.size <= 1 << 20)
            return ask(argv[1], argv[2], &wish);
    }
    fprintf(stderr, "usage: bulk_peer server [HOST:PORT [MAX_AGE_MS]] | up|down HOST:PORT COUNT SIZE READ_US (SIZE at most 1 MiB)\n");
    return 2;
}
