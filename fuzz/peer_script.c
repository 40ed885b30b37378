/* peer_script.c - see peer_script.h. */
#include "fuzz/peer_script.h"
#include "base/assert.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

struct field {
    const char *name, *value;
};

#define GOOD_ANSWER 0x0003 /* bits of `answers` */
#define GOOD_TRAILERS 0x0004
static const struct field answers[16] = {
    {":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "0"}, {":status", "103"},
    {":status", "503"}, {"content-type", "text/html"}, {"grpc-status", "14"}, {"grpc-status", "99x"},
    {"grpc-message", "a%20b%zz%ff"}, {"grpc-encoding", "gzip"}, {"x-a-bin", "AQ, *"}, {"grpc-retry-pushback-ms", "1"},
    {"grpc-status-details-bin", "CAUSAWE"}, {"endpoint-load-metrics-bin", "CQAAAAAAAPA/"}, {"content-length", "9"}, {"connection", "close"},
};
#define GOOD_QUESTION 0x003f /* bits of `questions` */
static const struct field questions[16] = {
    {":method", "POST"}, {":scheme", "http"}, {":path", NULL}, {":authority", "x"},
    {"te", "trailers"}, {"content-type", "application/grpc"}, {"grpc-timeout", "1S"}, {"grpc-timeout", "99999999H"},
    {"grpc-timeout", "0n"}, {"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "gzip,identity"}, {"x-a-bin", "AQ, *"},
    {"content-length", "9"}, {":method", "HEAD"}, {"content-type", "text/html"}, {"connection", "close"},
};
static const char *const paths[] = {"/t.S/Echo", "/t.S/Chat", "/t.S/Later", "/t.S/None", "/none.N/None", "/", "*", "http://x/t.S/Echo"};

uint8_t peer_take(struct peer_script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static uint32_t take_number(struct peer_script *s)
{
    static const uint32_t odd[] = {0, 1, 2, 100, 16383, 16384, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
    uint8_t what = peer_take(s);

    return what < 128 ? what : odd[what % COUNT(odd)];
}

static void put(struct rota_socket *socket, const void *bytes, size_t size)
{
    if (size > 0)
        ROTA_ASSERT(rota_buffer_append(&socket->inbox, rota_slice(bytes, size)) == 0);
}

static void put_frame(struct rota_socket *socket, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *payload, size_t size)
{
    uint8_t head[9] = {(uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size, type, flags,
                       (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

    put(socket, head, sizeof(head));
    put(socket, payload, size);
}

static void put_u32(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* Bytes of the script itself. */
static size_t take_raw(struct peer_script *s, const uint8_t **ret_bytes, size_t most)
{
    size_t size = peer_take(s) % (most + 1), left = (size_t)(s->end - s->at);

    size = size < left ? size : left;
    *ret_bytes = s->at;
    s->at += size;
    return size;
}

static uint32_t take_stream(struct peer_script *s, const struct rota_socket *socket)
{
    uint8_t what = peer_take(s);

    if (what >= 224)
        return what % 32;
    return socket->newest < 2 * (what % 8u) ? socket->newest : socket->newest - 2 * (what % 8u);
}

static uint8_t *put_text(uint8_t *out, const char *text, size_t size)
{
    *out++ = (uint8_t)size;
    memcpy(out, text, size);
    return out + size;
}

/* The fields of a mask, each a literal, in the table or not. */
static size_t make_block(struct peer_script *s, uint32_t mask, uint8_t *out)
{
    const struct field *fields = s->server ? questions : answers;
    bool indexed = (mask & 0x10000) != 0;
    uint8_t *at = out;
    const uint8_t *raw;

    for (size_t i = 0; i < 16; i++) {
        const char *value = fields[i].value;

        if ((mask & 1u << i) == 0)
            continue;
        if (value == NULL)
            value = paths[peer_take(s) % COUNT(paths)];
        *at++ = indexed ? 0x40 : 0x00;
        at = put_text(at, fields[i].name, strlen(fields[i].name));
        at = put_text(at, value, strlen(value));
    }
    if (mask & 0x20000) { /* as it stands */
        size_t size = take_raw(s, &raw, 64);
        memcpy(at, raw, size);
        at += size;
    }
    return (size_t)(at - out);
}

static uint32_t take_mask(struct peer_script *s)
{
    uint8_t what = peer_take(s);
    uint32_t mask = what & 4 ? 0x10000 : 0;

    if ((what & 3) == 0)
        return mask | (s->server ? GOOD_QUESTION : GOOD_ANSWER);
    if ((what & 3) == 1)
        return mask | (s->server ? 0 : GOOD_TRAILERS);
    mask |= what & 8 ? 0x20000 : 0;
    /* Good ones with single bits changed. */
    if ((what & 3) == 2)
        return mask | ((s->server ? GOOD_QUESTION : GOOD_ANSWER) ^ (1u << (peer_take(s) % 16)) ^ (1u << (peer_take(s) % 16)));
    return mask | peer_take(s) | (uint32_t)peer_take(s) << 8;
}

static void put_headers(struct peer_script *s, struct rota_socket *socket, uint32_t id, uint32_t mask, uint8_t flags)
{
    uint8_t block[1024];
    size_t size = make_block(s, mask, block), half = size / 2;

    if ((flags & END_HEADERS) == 0) {
        put_frame(socket, HEADERS, flags, id, block, half);
        put_frame(socket, CONTINUATION, END_HEADERS, id, block + half, size - half);
    } else {
        put_frame(socket, HEADERS, flags, id, block, size);
    }
}

/* A client's streams are opened in order, or the script chooses. */
static void headers(struct peer_script *s, struct rota_socket *socket)
{
    uint8_t what = peer_take(s);
    uint8_t flags = (uint8_t)((what & 1 ? END_STREAM : 0) | (what & 2 ? 0 : END_HEADERS));
    uint32_t id;

    if (s->server && (what & 4) == 0)
        id = socket->newest += socket->newest == 0 ? 1 : 2;
    else
        id = take_stream(s, socket);
    put_headers(s, socket, id, take_mask(s), flags);
}

static void put_message(struct peer_script *s, struct rota_socket *socket, uint32_t id, uint8_t what)
{
    static const uint8_t zipped[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0}; /* "a" */
    uint8_t body[5 + 255] = {0};
    const uint8_t *bytes = zipped;
    size_t size = what & 1 ? sizeof(zipped) : take_raw(s, &bytes, 250);

    body[0] = what & 2 ? peer_take(s) : what & 1;
    put_u32(body + 1, what & 4 ? take_number(s) : (uint32_t)size);
    memcpy(body + 5, bytes, size);
    if (what & 8) { /* in two frames */
        put_frame(socket, DATA, 0, id, body, 3);
        put_frame(socket, DATA, what & 16 ? END_STREAM : 0, id, body + 3, size + 2);
    } else {
        put_frame(socket, DATA, what & 16 ? END_STREAM : 0, id, body, size + 5);
    }
}

static void number_frame(struct peer_script *s, struct rota_socket *socket, uint8_t type)
{
    uint32_t id = peer_take(s) % 4 == 0 && type == WINDOW_UPDATE ? 0 : take_stream(s, socket);
    uint8_t payload[4];

    put_u32(payload, take_number(s));
    put_frame(socket, type, 0, id, payload, sizeof(payload));
}

static void goaway(struct peer_script *s, struct rota_socket *socket)
{
    uint8_t payload[8 + 14] = {0};
    uint8_t what = peer_take(s);

    put_u32(payload, what & 1 ? take_number(s) : take_stream(s, socket));
    put_u32(payload + 4, what & 2 ? peer_take(s) % 16 : what & 4 ? 11 : 0);
    memcpy(payload + 8, "too_many_pings", 14);
    put_frame(socket, GOAWAY, 0, 0, payload, what & 4 ? sizeof(payload) : 8);
}

static void settings(struct peer_script *s, struct rota_socket *socket)
{
    uint8_t payload[6 * 3] = {0};
    size_t count = peer_take(s) % 4;

    for (size_t i = 0; i < count; i++) {
        payload[6 * i + 1] = peer_take(s) % 8;
        put_u32(payload + 6 * i + 2, take_number(s));
    }
    put_frame(socket, SETTINGS, 0, 0, payload, 6 * count);
}

static void any_frame(struct peer_script *s, struct rota_socket *socket)
{
    uint8_t type = peer_take(s) % 12, flags = peer_take(s);
    uint32_t id = take_stream(s, socket);
    const uint8_t *payload;
    size_t size = take_raw(s, &payload, 255);

    put_frame(socket, type, flags, id, payload, size);
}

void peer_hello(struct peer_script *s, struct rota_socket *socket)
{
    if (s->server)
        put(socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    put_frame(socket, SETTINGS, 0, 0, NULL, 0);
    put_frame(socket, SETTINGS, ACK, 0, NULL, 0);
}

void peer_good(struct peer_script *s, struct rota_socket *socket)
{
    uint32_t id;

    if (s->server)
        socket->newest += socket->newest == 0 ? 1 : 2;
    id = s->server ? socket->newest : take_stream(s, socket);
    put_headers(s, socket, id, s->server ? GOOD_QUESTION : GOOD_ANSWER, END_HEADERS);
    put_message(s, socket, id, s->server ? 16 : 0);
    if (!s->server)
        put_headers(s, socket, id, GOOD_TRAILERS, END_HEADERS | END_STREAM);
}

void peer_frame(struct peer_script *s, struct rota_socket *socket)
{
    const uint8_t *raw;
    size_t size;

    switch (peer_take(s) % 16) {
    case 0:
    case 1:
    case 2: headers(s, socket); break;
    case 3:
    case 4:
    case 5: put_message(s, socket, take_stream(s, socket), peer_take(s)); break;
    case 6: number_frame(s, socket, RST_STREAM); break;
    case 7: number_frame(s, socket, WINDOW_UPDATE); break;
    case 8: goaway(s, socket); break;
    case 9: settings(s, socket); break;
    case 10: put_frame(socket, PING, peer_take(s) & ACK, 0, (const uint8_t *)"12345678", 8); break;
    case 11: put_frame(socket, DATA, peer_take(s) & END_STREAM, take_stream(s, socket), NULL, 0); break;
    case 12:
        size = take_raw(s, &raw, 255);
        put(socket, raw, size);
        break;
    case 13: any_frame(s, socket); break;
    default: peer_good(s, socket);
    }
}

void peer_step(struct peer_script *s, struct rota_loop *loop)
{
    uint8_t what = peer_take(s);
    struct rota_socket *socket = loop->sockets[(what >> 4) % 4];

    if (socket == NULL || socket->closing)
        return;
    switch (what % 16) {
    case 0: fake_net_connect(socket); break;
    case 1: fake_net_lose(socket, peer_take(s) % 2 == 0 ? 0 : ROTA_EIO); break;
    case 2: socket->stalled = true; break;
    case 3: fake_net_drain(socket); break;
    case 4: fake_net_deliver(socket, peer_take(s)); break;
    case 5:
        if (!socket->connected)
            fake_net_connect(socket);
        else
            peer_hello(s, socket);
        break;
    case 6:
    case 7:
    case 8: fake_net_deliver(socket, SIZE_MAX); break;
    case 9:
        peer_good(s, socket);
        fake_net_deliver(socket, SIZE_MAX);
        break;
    default: peer_frame(s, socket);
    }
}
