/* bare_h2.c - the least that a client over nghttp2 and libuv can cost: a limit to compare with, not a design.
 *
 * Three connections, calls in turn, one write for each connection and turn of the loop; no protobuf, deadline timers, arenas or
 * policies. A full socket is retried by spinning.
 *
 * usage: bare_h2 OUTSTANDING SECONDS [FIRST PORT]     prints rps= cpu_us=
 */
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#define CONNECTIONS 3
#define READ_SIZE 65536
#define WRITE_SIZE (1 << 20)
#define REPLY_SIZE 128
#define WARM_MS 1000
#define FIELD(name, value)                                                                                                                 \
    {(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1, sizeof(value) - 1,                                     \
        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

struct call {
    uint8_t reply[REPLY_SIZE];
    size_t size;
    bool ok;
};

struct connection {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    nghttp2_session *session;
    char input[READ_SIZE], output[WRITE_SIZE];
};

static struct connection connections[CONNECTIONS];
static unsigned connected, outstanding, next;
static unsigned long done, done_before;
static uint64_t measured_ms, from_ns;
static struct rusage before;

static const nghttp2_nv fields[] = {
    FIELD(":method", "POST"),
    FIELD(":scheme", "http"),
    FIELD(":path", "/proto.HelloService/Say"),
    FIELD(":authority", "127.0.0.1:50051"),
    FIELD("te", "trailers"),
    FIELD("content-type", "application/grpc"),
    FIELD("user-agent", "bare"),
    FIELD("grpc-timeout", "5S"),
};

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bare_h2: %s\n", what);
        exit(1);
    }
}

static ssize_t give_message(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size, uint32_t *flags, nghttp2_data_source *source,
    void *user)
{
    static const uint8_t message[] = {0, 0, 0, 0, 7, 1 << 3 | 2, 5, 'w', 'o', 'r', 'l', 'd'};

    (void)session;
    (void)stream;
    (void)source;
    (void)user;
    check(size >= sizeof(message), "no room");
    memcpy(to, message, sizeof(message));
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return sizeof(message);
}

static void start_call(void)
{
    struct connection *c = &connections[next++ % CONNECTIONS];
    nghttp2_data_provider message = {.read_callback = give_message};
    struct call *call = malloc(sizeof(*call));

    check(call != NULL, "no memory");
    call->size = 0;
    call->ok = false;
    check(nghttp2_submit_request(c->session, NULL, fields, sizeof(fields) / sizeof(*fields), &message, call) > 0, "no stream");
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
    size_t value_size, uint8_t flags, void *user)
{
    (void)flags;
    (void)user;
    if (name_size == 11 && memcmp(name, "grpc-status", 11) == 0) {
        struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        call->ok = value_size == 1 && value[0] == '0';
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t size, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);

    (void)flags;
    (void)user;
    check(call->size + size <= REPLY_SIZE, "a long reply");
    memcpy(call->reply + call->size, data, size);
    call->size += size;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);

    (void)error;
    (void)user;
    check(call->ok && call->size > 0, "a call failed");
    free(call);
    done++;
    start_call();
    return 0;
}

static void flush(struct connection *c)
{
    const uint8_t *data;
    size_t size = 0, written = 0;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(c->session, &data)) > 0) {
        check(size + (size_t)n <= WRITE_SIZE, "too much to write");
        memcpy(c->output + size, data, (size_t)n);
        size += (size_t)n;
    }
    while (written < size) {
        uv_buf_t rest = uv_buf_init(c->output + written, (unsigned)(size - written));
        int result = uv_try_write((uv_stream_t *)&c->tcp, &rest, 1);
        check(result > 0 || result == UV_EAGAIN, "cannot write");
        written += result > 0 ? (size_t)result : 0;
    }
}

static void on_turn(uv_check_t *handle)
{
    (void)handle;
    for (int i = 0; i < CONNECTIONS; i++)
        if (nghttp2_session_want_write(connections[i].session))
            flush(&connections[i]);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_room)
{
    struct connection *c = handle->data;

    (void)suggested;
    *ret_room = uv_buf_init(c->input, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
    struct connection *c = stream->data;

    check(n >= 0, "the server has closed");
    if (n > 0)
        check(nghttp2_session_mem_recv(c->session, (const uint8_t *)data->base, (size_t)n) == n, "bad HTTP/2");
}

static void on_connected(uv_connect_t *request, int status)
{
    struct connection *c = request->handle->data;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}, {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};

    check(status >= 0, "cannot connect");
    uv_tcp_nodelay(&c->tcp, 1);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, 1 << 24);
    uv_read_start((uv_stream_t *)&c->tcp, give_room, on_read);
    if (++connected == CONNECTIONS)
        for (unsigned i = 0; i < outstanding; i++)
            start_call();
}

static double seconds_of(struct timeval now, struct timeval then)
{
    return (double)(now.tv_sec - then.tv_sec) + (double)(now.tv_usec - then.tv_usec) / 1e6;
}

static void on_end(uv_timer_t *timer)
{
    double calls = (double)(done - done_before), seconds = (double)(uv_hrtime() - from_ns) / 1e9, cpu;
    struct rusage now;

    (void)timer;
    getrusage(RUSAGE_SELF, &now);
    cpu = seconds_of(now.ru_utime, before.ru_utime) + seconds_of(now.ru_stime, before.ru_stime);
    printf("rps=%.0f cpu_us=%.2f\n", calls / seconds, cpu / calls * 1e6);
    exit(0);
}

static void on_warm(uv_timer_t *timer)
{
    getrusage(RUSAGE_SELF, &before);
    from_ns = uv_hrtime();
    done_before = done;
    uv_timer_start(timer, on_end, measured_ms, 0);
}

int main(int argc, char **argv)
{
    int first_port = argc > 3 ? atoi(argv[3]) : 50051;
    nghttp2_session_callbacks *callbacks;
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t timer;
    uv_check_t turn;

    check(argc > 2, "usage: bare_h2 OUTSTANDING SECONDS [FIRST PORT]");
    outstanding = (unsigned)atoi(argv[1]);
    measured_ms = (uint64_t)(atof(argv[2]) * 1e3);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &connections[i];
        struct sockaddr_in address;
        nghttp2_session_client_new(&c->session, callbacks, c);
        uv_tcp_init(loop, &c->tcp);
        c->tcp.data = c;
        uv_ip4_addr("127.0.0.1", first_port + i, &address);
        uv_tcp_connect(&c->connecting, &c->tcp, (struct sockaddr *)&address, on_connected);
    }
    uv_check_init(loop, &turn);
    uv_check_start(&turn, on_turn);
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, on_warm, WARM_MS, 0);
    return uv_run(loop, UV_RUN_DEFAULT);
}
