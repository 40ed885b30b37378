/* socket.c - one byte stream: reading, writing, ending.
 *
 * Vocabulary: what write could not send at once is kept. Ending: nothing more is delivered; what is kept is sent, then the
 * peer's end of file is awaited while its bytes are thrown away, all of it at most LINGER_NS. A plain close with unread bytes
 * would make the system reset the connection and take unsent answers with it (RFC 1122 4.2.2.13). That may be megabytes, which the system
 * has and the peer has not: a patient socket goes on while the peer takes some of them every STALL_NS, for PATIENCE_NS in all. One that is not
 * patient throws no more than THROWN_MAX_BYTES away: who goes on sending stands still for the rest of the time.
 * Invariants: on_closed comes from the report task, which is posted by finish() alone, exactly once; a socket's memory is
 * valid until then, so events may end the socket they come from. The watch is NULL before DIALING has succeeded and when OVER.
 * Elsewhere: getting connected (dial.c), accepting (listen.c).
 */
#include "net/socket.h"
#include "base/alloc.h"
#include "base/buffer.h"
#include "loop/loop.h"
#include "net/address.h"
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define LINGER_NS INT64_C(1000000000)
#define SHUNNED_LINGER_NS INT64_C(100000000)
#define STALL_NS INT64_C(10000000000)
#define PATIENCE_NS INT64_C(60000000000)

enum {
    READS_PER_EVENT = 1,   /* a buffer, before others get their turn: small frames in it are up to half a millisecond of work */
    READS_PER_SALVAGE = 64, /* after a failed write, and before the end */
    THROWN_MAX_BYTES = 1 << 20,
    ENDING_READ_BYTES = 65536, /* or the end wakes us while ENDING: who goes on flooding would do so with every frame */
    IDLE_BUFFER_BYTES = 65536, /* a drained buffer larger than this is given back */
    DETAIL_BYTES = ROTA_ADDRESS_TEXT_SIZE + 144,
};

enum socket_state { DIALING, OPEN, ENDING, OVER };

struct rota_socket {
    struct rota_loop *loop;
    struct rota_host *host;
    const struct rota_socket_events *events;
    void *owner;
    enum socket_state state;
    struct rota_dial_attempts *dial;
    struct rota_poll *watch;
    struct rota_buffer kept;
    struct rota_host_timer linger;
    int64_t patient_until_ns; /* ENDING; 0: not patient */
    int64_t moved_ns; /* when the peer last took something, as the timer found */
    size_t left_bytes; /* then */
    struct rota_host_task salvage; /* after a failed write: reads what the peer had sent, then finishes */
    struct rota_host_task report;
    size_t thrown_bytes; /* ENDING: read for nothing */
    bool paused;
    bool shunned; /* nothing is read any more */
    bool closed_here; /* by rota_socket_close */
    bool at_eof, shut;
    bool rename; /* once connected the peer has another name than what was dialed */
    int write_errno;
    rota_err err; /* with detail: what on_closed will say */
    char *detail; /* of a failure; NULL: no memory for it */
    char peer[];  /* room for an IP address where rename */
};

static const char *detail_of(const struct rota_socket *s)
{
    if (s->err == 0)
        return s->closed_here ? "closed from here" : "closed by the peer";
    return s->detail != NULL ? s->detail : "out of memory";
}

static void report(struct rota_host_task *task)
{
    struct rota_socket *s = ROTA_CONTAINER(task, struct rota_socket, report);
    struct rota_loop *loop = s->loop;

    s->events->on_closed(s->owner, s->err, detail_of(s));
    rota_buffer_fini(&s->kept);
    rota_alloc_free(s->host->alloc, s->detail);
    rota_alloc_free(s->host->alloc, s);
    rota_loop_release(loop);
}

/* The one way out: on_closed follows. detail: of a failure. */
static void finish(struct rota_socket *s, rota_err err, const char *detail)
{
    if (s->state == OVER)
        return;
    s->state = OVER;
    s->err = err;
    if (err != 0)
        s->detail = rota_alloc_text(s->host->alloc, rota_slice_str(detail));
    rota_dial_cancel(s->dial);
    s->dial = NULL;
    rota_poll_close(s->watch);
    s->watch = NULL;
    rota_host_timer_clear(s->host, &s->linger);
    rota_host_unpost(s->host, &s->salvage);
    rota_host_post(s->host, &s->report);
}

static void finish_errno(struct rota_socket *s, int code)
{
    char text[128], sentence[DETAIL_BYTES];

    rota_errno_text(code, text, sizeof(text));
    snprintf(sentence, sizeof(sentence), "%s: %s", s->peer, text);
    finish(s, ROTA_ECONN, sentence);
}

static void finish_ending(struct rota_socket *s)
{
    finish(s, 0, NULL);
}

static bool has_kept(const struct rota_socket *s)
{
    return s->kept.head != s->kept.tail;
}

static void on_ready(void *arg, int what);

static void update_watch(struct rota_socket *s)
{
    int what = has_kept(s) ? ROTA_WATCH_WRITE : 0;

    if (s->watch == NULL)
        return;
    if (!s->at_eof && s->shunned)
        what |= ROTA_WATCH_GONE;
    else if (!s->at_eof && (s->state == ENDING || !s->paused))
        what |= ROTA_WATCH_READ;
    rota_poll_set(s->watch, what, on_ready, s);
}

/* Goes on with ending as far as it can at once. */
static void advance_ending(struct rota_socket *s)
{
    if (s->state != ENDING || has_kept(s))
        return;
    if (s->at_eof || s->write_errno != 0) {
        finish_ending(s);
    } else if (!s->shut) {
        s->shut = true;
        shutdown(rota_poll_fd(s->watch), SHUT_WR);
    }
}

size_t rota_socket_left(const struct rota_socket *s)
{
    int in_system = 0;

    if (s->watch == NULL)
        return 0;
    (void)ioctl(rota_poll_fd(s->watch), SIOCOUTQ, &in_system);
    return s->kept.tail - s->kept.head + (in_system > 0 ? (size_t)in_system : 0);
}

static bool may_linger_on(struct rota_socket *s, int64_t now_ns)
{
    size_t left;

    if (now_ns >= s->patient_until_ns)
        return false;
    left = rota_socket_left(s);
    if (left < s->left_bytes) {
        s->left_bytes = left;
        s->moved_ns = now_ns;
    }
    return now_ns - s->moved_ns < (left > 0 ? STALL_NS : LINGER_NS);
}

static void begin_ending(struct rota_socket *s)
{
    int at_least = ENDING_READ_BYTES;

    s->state = ENDING;
    if (!s->at_eof)
        (void)setsockopt(rota_poll_fd(s->watch), SOL_SOCKET, SO_RCVLOWAT, &at_least, sizeof(at_least));
    rota_host_enter(s->host);
    if (rota_host_timer_set(s->host, &s->linger, s->host->now_ns + (s->shunned ? SHUNNED_LINGER_NS : LINGER_NS)) < 0) {
        finish_ending(s);
        return;
    }
    if (s->patient_until_ns != 0) {
        s->patient_until_ns = s->host->now_ns + PATIENCE_NS;
        s->moved_ns = s->host->now_ns;
        s->left_bytes = rota_socket_left(s);
    }
    advance_ending(s);
    update_watch(s);
}

/* --- Reading --- */

static void throw_away(struct rota_socket *s, size_t size)
{
    s->thrown_bytes += size;
    if (s->patient_until_ns == 0 && s->thrown_bytes > THROWN_MAX_BYTES)
        rota_socket_shun(s);
}

/* One read. Returns whether there may be more at once. */
static bool read_once(struct rota_socket *s)
{
    uint8_t *buffer = rota_loop_read_buffer(s->loop);
    ssize_t size = recv(rota_poll_fd(s->watch), buffer, ROTA_LOOP_READ_BYTES, 0);

    if (size > 0) {
        if (s->state == OPEN)
            s->events->on_read(s->owner, rota_slice(buffer, (size_t)size));
        else
            throw_away(s, (size_t)size);
        return size == ROTA_LOOP_READ_BYTES;
    }
    if (size == 0) {
        s->at_eof = true;
        if (s->state == OPEN)
            begin_ending(s);
        else
            advance_ending(s);
        return false;
    }
    if (errno == EINTR)
        return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
        if (s->state == OPEN)
            finish_errno(s, errno);
        else
            finish_ending(s);
    }
    return false;
}

static bool may_read(const struct rota_socket *s)
{
    return s->watch != NULL && !s->at_eof && !s->shunned && (s->state == ENDING || (s->state == OPEN && !s->paused));
}

static void read_some(struct rota_socket *s, int at_most)
{
    for (int i = 0; i < at_most && may_read(s); i++)
        if (!read_once(s))
            return;
}

/* Few bytes have woken nobody; the system would reset the connection over them. */
static void linger_over(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_socket *s = ROTA_CONTAINER(timer, struct rota_socket, linger);

    read_some(s, READS_PER_SALVAGE);
    if (s->state != OVER && (!may_linger_on(s, now_ns) || rota_host_timer_set(s->host, &s->linger, now_ns + LINGER_NS) < 0))
        finish_ending(s);
}

static void salvage(struct rota_host_task *task)
{
    struct rota_socket *s = ROTA_CONTAINER(task, struct rota_socket, salvage);
    int code = s->write_errno;

    read_some(s, READS_PER_SALVAGE);
    if (s->state == OPEN)
        finish_errno(s, code);
    else if (s->state == ENDING)
        finish_ending(s);
}

/* --- Writing --- */

/* Returns how much was sent; all of it when the socket has failed, since nothing can be sent any more. */
static size_t send_some(struct rota_socket *s, struct rota_slice bytes)
{
    size_t sent = 0;

    while (sent < bytes.size) {
        ssize_t size = send(rota_poll_fd(s->watch), bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL);
        if (size >= 0) {
            sent += (size_t)size;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return sent;
        } else if (errno != EINTR) {
            s->write_errno = errno;
            rota_host_post(s->host, &s->salvage);
            return bytes.size;
        }
    }
    return sent;
}

static void flush_kept(struct rota_socket *s)
{
    if (s->watch == NULL || !has_kept(s))
        return;
    rota_buffer_consume(&s->kept, send_some(s, rota_buffer_peek(&s->kept)));
    if (has_kept(s))
        return;
    if (s->kept.cap > IDLE_BUFFER_BYTES) {
        rota_buffer_fini(&s->kept);
        rota_buffer_init(&s->kept, s->host->alloc, 0);
    }
    if (s->state == ENDING)
        advance_ending(s);
    else if (s->write_errno == 0)
        s->events->on_drained(s->owner);
}

rota_err rota_socket_write(struct rota_socket *s, struct rota_slice bytes)
{
    rota_err err;

    if (s->closed_here || s->state == OVER || s->write_errno != 0)
        return 0;
    if (s->watch != NULL && !has_kept(s)) {
        size_t sent = send_some(s, bytes);
        bytes = rota_slice(bytes.data + sent, bytes.size - sent);
    }
    if (bytes.size == 0)
        return 0;
    err = rota_buffer_append(&s->kept, bytes);
    update_watch(s);
    return err;
}

size_t rota_socket_pending(const struct rota_socket *s)
{
    return s->kept.tail - s->kept.head;
}

/* --- Events --- */

static void on_gone(struct rota_socket *s)
{
    s->at_eof = true;
    if (s->state == OPEN && s->events->on_gone != NULL)
        s->events->on_gone(s->owner);
    advance_ending(s);
}

/* What reading and writing did not bring to light, the system may still know. */
static void look_for_error(struct rota_socket *s)
{
    int code = 0;
    socklen_t size = sizeof(code);

    if (s->watch == NULL || s->write_errno != 0)
        return;
    if (getsockopt(rota_poll_fd(s->watch), SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code != 0)
        finish_errno(s, code);
}

static void on_ready(void *arg, int what)
{
    struct rota_socket *s = arg;

    if ((what & ROTA_WATCH_ERROR) == 0) {
        if (what & ROTA_WATCH_WRITE)
            flush_kept(s);
        if (what & ROTA_WATCH_READ)
            read_some(s, READS_PER_EVENT);
        if (what & ROTA_WATCH_GONE)
            on_gone(s);
    } else {
        /* Bytes that came before the error are read before a write can meet it. */
        read_some(s, READS_PER_SALVAGE);
        flush_kept(s);
        look_for_error(s);
    }
    update_watch(s);
}

void rota_socket_pause(struct rota_socket *s)
{
    s->paused = true;
    update_watch(s);
}

void rota_socket_resume(struct rota_socket *s)
{
    s->paused = false;
    update_watch(s);
}

/* What has come is kept; what comes beyond that is dropped, and sent again by the peer's system, ever more slowly. */
void rota_socket_shun(struct rota_socket *s)
{
    int little = 1;

    s->shunned = true;
    if (s->watch != NULL)
        (void)setsockopt(rota_poll_fd(s->watch), SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    update_watch(s);
}

void rota_socket_close(struct rota_socket *s)
{
    if (s->state == OVER || s->closed_here)
        return;
    s->closed_here = true;
    if (s->state == DIALING)
        finish_ending(s);
    else if (s->state == OPEN)
        begin_ending(s);
}

void rota_socket_finish(struct rota_socket *s)
{
    if (s->state == OPEN)
        s->patient_until_ns = INT64_MAX;
    rota_socket_close(s);
}

/* The timer is never set to more than LINGER_NS ahead, and ends it when it finds no patience left. */
void rota_socket_hurry(struct rota_socket *s)
{
    s->patient_until_ns = 0;
}

void rota_socket_abort(struct rota_socket *s)
{
    s->closed_here = true;
    finish_ending(s);
}

const char *rota_socket_peer(const struct rota_socket *s)
{
    return s->peer;
}

/* --- Beginning --- */

/* at_least: room for a peer's text, beside that of this one. */
static struct rota_socket *make(struct rota_loop *loop, const char *peer, size_t at_least)
{
    struct rota_host *host = rota_loop_host(loop);
    size_t size = strlen(peer) + 1;
    struct rota_socket *s = rota_alloc_zero(host->alloc, 1, sizeof(*s) + (size > at_least ? size : at_least));

    if (s == NULL)
        return NULL;
    s->loop = loop;
    s->host = host;
    s->linger.fire = linger_over;
    s->salvage.run = salvage;
    s->report.run = report;
    rota_buffer_init(&s->kept, host->alloc, 0);
    memcpy(s->peer, peer, size);
    rota_loop_hold(loop);
    return s;
}

static void unmake(struct rota_socket *s)
{
    rota_loop_release(s->loop);
    rota_buffer_fini(&s->kept);
    rota_alloc_free(s->host->alloc, s);
}

/* A name was dialed, or an address with more than one text; an address answered. */
static bool has_other_name(const struct rota_address *address)
{
    return address->kind == ROTA_ADDRESS_NAME || address->kind == ROTA_ADDRESS_IPV6 || rota_address_is_any(address);
}

static void name_peer(struct rota_socket *s)
{
    struct rota_sockaddr peer = {.size = sizeof(peer.u)};
    struct rota_address address;
    char text[ROTA_IP_TEXT_SIZE];

    if (getpeername(rota_poll_fd(s->watch), &peer.u.any, &peer.size) == 0 && rota_address_from_system(&peer.u.any, text, &address))
        memcpy(s->peer, text, strlen(text) + 1);
}

static void dialed(void *arg, struct rota_poll *watch, rota_err err, const char *detail)
{
    struct rota_socket *s = arg;

    s->dial = NULL;
    if (watch == NULL) {
        finish(s, err, detail);
        return;
    }
    s->watch = watch;
    s->state = OPEN;
    if (s->rename)
        name_peer(s);
    s->events->on_connected(s->owner);
    flush_kept(s);
    update_watch(s);
}

rota_err rota_socket_dial(struct rota_loop *loop, const struct rota_address *address, const struct rota_socket_rules *rules,
                          const struct rota_socket_events *events, void *owner, struct rota_socket **ret_socket)
{
    bool rename = has_other_name(address);
    struct rota_socket *s = make(loop, address->text, rename ? ROTA_IP_TEXT_SIZE : 0);
    rota_err err;

    if (s == NULL)
        return ROTA_ENOMEM;
    s->state = DIALING;
    s->rename = rename;
    s->events = events;
    s->owner = owner;
    err = rota_dial_start(loop, address, rules, dialed, s, &s->dial);
    if (err < 0) {
        unmake(s);
        return err;
    }
    *ret_socket = s;
    return 0;
}

rota_err rota_socket_accept(struct rota_loop *loop, struct rota_poll *watch, const char *peer, struct rota_socket **ret_socket)
{
    struct rota_socket *s = make(loop, peer, 0);

    if (s == NULL)
        return ROTA_ENOMEM;
    s->state = OPEN;
    s->watch = watch;
    *ret_socket = s;
    return 0;
}

void rota_socket_adopt(struct rota_socket *s, const struct rota_socket_events *events, void *owner)
{
    s->events = events;
    s->owner = owner;
    update_watch(s);
}

void rota_socket_reject(struct rota_socket *s)
{
    rota_poll_close(s->watch);
    unmake(s);
}
