/* tls.c - a TLS engine against a peer who sends what he likes.
 *
 * The first byte says which engine and when, the second how much of the peer's bytes it is fed at a time (0: all). Then, in the modes
 * - RAW_TO_SERVER, RAW_TO_CLIENT (it has sent its first message), RAW_LATE (a server after a handshake): the rest are the peer's bytes. With
 *   the same random numbers each time (tls_peer.h) a recorded handshake is one that goes through;
 * - TO_SERVER, TO_CLIENT: after a handshake in TLS 1.3 the rest is a script, of records under the peer's keys and of what the owner does;
 * - OLD_TO_SERVER, OLD_TO_CLIENT: the same in TLS 1.2, where the peer's records are what its engine writes.
 * Checked: plaintext is what the peer sent as data, in order, and all of it unless something was wrong; what the engine wrote comes to
 * the peer as it was; after a failure there is a sentence, and nothing more comes. Bytes that no key was used for never are plaintext.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "fuzz/tls_peer.h"

enum { RAW_TO_SERVER, RAW_TO_CLIENT, RAW_LATE, TO_SERVER, TO_CLIENT, OLD_TO_SERVER, OLD_TO_CLIENT, MODES };
enum { STEP_DATA, STEP_MANY, STEP_RECORD, STEP_MESSAGE, STEP_KEYS, STEP_WRITE, STEP_RAW, STEP_CLOSE };

struct end {
    struct rota_tls *tls;
    struct rota_buffer out;
    uint64_t n_read;    /* bytes of plaintext; the byte at n is pattern(n) */
    uint64_t n_written;
    uint64_t random;
    rota_err err;
};

struct run {
    const uint8_t *at, *stop;
    struct end end, other; /* under test, and the peer */
    struct tls_peer peer;
    struct rota_buffer wire; /* of the peer, still to be fed */
    size_t cut;
    uint64_t n_sent; /* bytes of data that came in records of the peer's */
    bool old;        /* TLS 1.2 */
    bool closed;     /* the owner has said that no more comes */
    bool raw;        /* the handshake is the input's too: no data is expected, nor not */
    bool garbled;    /* something came that is no whole record, or not allowed */
};

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 131 >> 3);
}

static void open_end(struct end *end, bool server)
{
    end->random = server ? 2 : 1;
    tls_peer_draw_from(&end->random);
    rota_buffer_init(&end->out, NULL, 0);
    ROTA_ASSERT(rota_tls_new(tls_configs[server], rota_slice_str(server ? NULL : "localhost"), server ? NULL : "peer", &end->out, 0, &end->tls) == 0);
}

static void close_end(struct end *end)
{
    rota_tls_free(end->tls);
    rota_buffer_fini(&end->out);
}

/* Feeds what is there and reads until nothing more comes. */
static void feed(struct end *end, struct rota_slice bytes, bool any)
{
    struct rota_errinfo info = {""};
    uint8_t plain[64];
    size_t size;

    tls_peer_draw_from(&end->random);
    rota_tls_feed(end->tls, bytes);
    do {
        rota_err err = rota_tls_read(end->tls, plain, sizeof(plain), &size, &info);
        ROTA_ASSERT(err == 0 || (size == 0 && info.text[0] != '\0'));
        ROTA_ASSERT(end->err == 0 || (err == end->err && size == 0)); /* over is over */
        end->err = err;
        for (size_t i = 0; i < size && !any; i++)
            ROTA_ASSERT(plain[i] == pattern(end->n_read + i));
        end->n_read += size;
    } while (size > 0);
    ROTA_ASSERT(end->n_read == 0 || rota_tls_ready(end->tls));
}

/* What the engine has written, to the peer. */
static void answer(struct run *r)
{
    feed(&r->other, rota_buffer_peek(&r->end.out), false);
    rota_buffer_clear(&r->end.out);
    ROTA_ASSERT(r->other.n_read <= r->end.n_written);
    /* Only what ends the connection keeps back what was written. */
    if (r->end.err == 0 && rota_tls_pending(r->end.tls) == 0)
        ROTA_ASSERT(r->other.n_read == r->end.n_written || r->other.err != 0);
}

static void deliver(struct run *r)
{
    struct rota_slice wire = rota_buffer_peek(&r->wire);

    for (size_t at = 0, part; at < wire.size && r->end.err == 0; at += part) {
        part = wire.size - at < r->cut ? wire.size - at : r->cut;
        feed(&r->end, rota_slice(wire.data + at, part), r->raw);
    }
    rota_buffer_clear(&r->wire);
    if (r->raw)
        return;
    ROTA_ASSERT(r->end.n_read <= r->n_sent);
    ROTA_ASSERT(r->end.n_read == r->n_sent || r->end.err != 0 || r->garbled);
    answer(r);
}

static void shake(struct run *r)
{
    while (!rota_tls_ready(r->end.tls) || !rota_tls_ready(r->other.tls) || rota_buffer_peek(&r->other.out).size > 0) {
        feed(&r->end, rota_buffer_peek(&r->other.out), false);
        rota_buffer_clear(&r->other.out);
        feed(&r->other, rota_buffer_peek(&r->end.out), false);
        rota_buffer_clear(&r->end.out);
        ROTA_ASSERT(r->end.err == 0 && r->other.err == 0);
    }
}

/* --- The script --- */

static uint8_t take(struct run *r)
{
    return r->at < r->stop ? *r->at++ : 0;
}

static struct rota_slice take_bytes(struct run *r)
{
    size_t size = take(r), left = (size_t)(r->stop - r->at);
    const uint8_t *bytes = r->at;

    size = size < left ? size : left;
    r->at += size;
    return rota_slice(bytes, size);
}

static void put_raw(struct run *r, struct rota_slice bytes)
{
    ROTA_ASSERT(rota_buffer_append(&r->wire, bytes) == 0);
    r->garbled = r->garbled || bytes.size > 0;
}

static void put_record(struct run *r, uint8_t type, struct rota_slice plain)
{
    if (!r->old)
        tls_peer_record(&r->peer, type, plain, &r->wire);
    else
        put_raw(r, plain);
}

static void put_data(struct run *r, size_t size)
{
    uint8_t plain[16384];

    for (size_t i = 0; i < size; i++)
        plain[i] = pattern(r->n_sent + i);
    if (r->old) {
        tls_peer_draw_from(&r->other.random);
        if (r->other.err != 0 || rota_tls_write(r->other.tls, rota_slice(plain, size), NULL) < 0)
            return;
        ROTA_ASSERT(rota_buffer_append(&r->wire, rota_buffer_peek(&r->other.out)) == 0);
        rota_buffer_clear(&r->other.out);
    } else {
        put_record(r, TLS_DATA, rota_slice(plain, size));
    }
    r->n_sent += size;
}

/* In one record or in two; of a type and with bytes that the script gives. */
static void put_message(struct run *r)
{
    uint8_t type = take(r), cut = take(r), bytes[4 + 255];
    struct rota_slice body = take_bytes(r);
    size_t size = 4 + body.size;

    memcpy(bytes, (uint8_t[]){type, 0, 0, (uint8_t)body.size}, 4);
    memcpy(bytes + 4, body.size > 0 ? body.data : bytes, body.size);
    if (cut == 0 || cut >= size) {
        put_record(r, TLS_HANDSHAKE, rota_slice(bytes, size));
        return;
    }
    put_record(r, TLS_HANDSHAKE, rota_slice(bytes, cut));
    deliver(r); /* what is written now has to wait */
    if (type % 2 == 0)
        return;
    put_record(r, TLS_HANDSHAKE, rota_slice(bytes + cut, size - cut));
}

/* Zeros are padding (RFC 8446, 5.4): what stands before them is the type then. */
static uint8_t type_before_padding(uint8_t type, struct rota_slice *plain)
{
    while (type == 0 && plain->size > 0)
        type = plain->data[--plain->size];
    return type;
}

static void put_any(struct run *r)
{
    uint8_t type = take(r);
    struct rota_slice plain = take_bytes(r), unpadded = plain;

    if (type_before_padding(type, &unpadded) == TLS_DATA)
        put_data(r, unpadded.size);
    else
        put_record(r, type, plain);
}

static void write_plain(struct run *r)
{
    size_t size = take(r) * (take(r) % 2 == 0 ? (size_t)1 : 200);
    uint8_t *plain = rota_alloc_get(NULL, size + 1);
    struct rota_errinfo info = {""};
    rota_err err;

    ROTA_ASSERT(plain != NULL);
    for (size_t i = 0; i < size; i++)
        plain[i] = pattern(r->end.n_written + i);
    tls_peer_draw_from(&r->end.random);
    err = rota_tls_write(r->end.tls, rota_slice(plain, size), &info);
    ROTA_ASSERT(err == 0 || info.text[0] != '\0');
    ROTA_ASSERT(err == 0 || r->closed || (r->end.err != 0 && r->end.err != ROTA_ECLOSED));
    r->end.n_written += err == 0 ? size : 0;
    rota_alloc_free(NULL, plain);
}

static void close_own(struct run *r)
{
    tls_peer_draw_from(&r->end.random);
    rota_tls_close(r->end.tls);
    r->closed = true;
}

static void step(struct run *r)
{
    static const uint8_t update[] = {24, 0, 0, 1};
    uint8_t what = take(r), bytes[5];

    switch (what % 8) {
    case STEP_DATA: put_data(r, take(r)); break;
    case STEP_MANY: put_data(r, take(r) * (size_t)64); break;
    case STEP_RECORD: put_any(r); break;
    case STEP_MESSAGE: put_message(r); break;
    case STEP_KEYS:
        memcpy(bytes, update, sizeof(update));
        bytes[4] = take(r);
        put_record(r, TLS_HANDSHAKE, rota_slice(bytes, sizeof(bytes)));
        tls_peer_next_keys(&r->peer);
        break;
    case STEP_WRITE: write_plain(r); break;
    case STEP_RAW: put_raw(r, take_bytes(r)); break;
    default: /* the owner closes, or the peer does */
        if (what / 8 % 2 == 0)
            close_own(r);
        else
            put_record(r, TLS_ALERT, rota_slice((const uint8_t[]){1, 0}, 2));
    }
    if (what / 128 == 0)
        deliver(r);
}

/* --- An input --- */

static void run_script(struct run *r, int mode)
{
    bool server = mode == TO_SERVER || mode == OLD_TO_SERVER;

    r->old = mode >= OLD_TO_SERVER;
    open_end(&r->other, !server);
    if (r->old)
        tls_peer_limit(r->other.tls);
    shake(r);
    if (!r->old)
        tls_peer_keys(&r->peer, r->end.tls, !server);
    while (r->at < r->stop)
        step(r);
    deliver(r);
    close_end(&r->other);
}

static void run_raw(struct run *r, int mode)
{
    if (mode == RAW_LATE) {
        open_end(&r->other, false);
        shake(r);
        close_end(&r->other);
    }
    r->raw = true;
    ROTA_ASSERT(rota_buffer_append(&r->wire, rota_slice(r->at, (size_t)(r->stop - r->at))) == 0);
    deliver(r);
    ROTA_ASSERT(mode != RAW_LATE || r->end.n_read == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {0};
    int mode;

    if (tls_configs[0] == NULL)
        tls_peer_set_up();
    if (size < 2)
        return 0;
    tls_peer_begin();
    mode = data[0] % MODES;
    r.at = data + 2;
    r.stop = data + size;
    r.cut = data[1] == 0 ? SIZE_MAX : data[1];
    rota_buffer_init(&r.wire, NULL, 0);
    open_end(&r.end, mode != RAW_TO_CLIENT && mode != TO_CLIENT && mode != OLD_TO_CLIENT);
    if (mode == RAW_TO_CLIENT)
        feed(&r.end, rota_slice(NULL, 0), true);
    if (mode >= TO_SERVER)
        run_script(&r, mode);
    else
        run_raw(&r, mode);
    close_end(&r.end);
    rota_buffer_fini(&r.wire);
    return 0;
}
