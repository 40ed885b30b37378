/* dial.c - getting connected: the addresses of a name, attempts at them, the first to connect wins (RFC 8305).
 *
 * Families alternate, the first answer's leads. Each attempt has ATTEMPT_DELAY_NS before the next one joins it; a failure
 * starts the next at once. Fails when the last has failed, with the failure that says most.
 * Invariants: no callback from within rota_dial_start, since everything begins in a task; running counts the attempts with
 * a watch.
 */
#include "base/alloc.h"
#include "loop/loop.h"
#include "net/address.h"
#include "net/socket.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define ATTEMPT_DELAY_NS INT64_C(250000000)

enum {
    ADDRESSES_MAX = 64, /* of one name; the rest is not tried */
    DETAIL_BYTES = 2 * ROTA_ADDRESS_TEXT_SIZE + 144,
    NOT_LOCAL = -1, /* beside errno's: the rules forbid the address */
};

struct attempt {
    struct rota_dial_attempts *dial;
    struct rota_poll *watch; /* NULL: not started, or failed */
    struct rota_address address; /* its text is the one below, or of the address as given */
    char text[ROTA_IP_TEXT_SIZE];
};

struct rota_dial_attempts {
    struct rota_loop *loop;
    struct rota_host *host;
    rota_dial_done *done;
    void *arg;
    struct rota_socket_rules rules;
    struct rota_address address; /* as given; its text is target */
    struct rota_host_task begin;
    struct rota_host_timer delay;
    struct rota_lookup *lookup;
    struct attempt *attempts;
    size_t count, next, running;
    bool says_much; /* the failure noted is about the peer and not about our own network */
    char *detail; /* of the failure noted; NULL: none, or no memory for it */
    char target[];
};

static void drop(struct rota_dial_attempts *dial)
{
    const struct rota_alloc *alloc = dial->host->alloc;

    if (dial->lookup != NULL)
        rota_lookup_cancel(dial->lookup);
    for (size_t i = 0; i < dial->count; i++)
        rota_poll_close(dial->attempts[i].watch);
    rota_host_unpost(dial->host, &dial->begin);
    rota_host_timer_clear(dial->host, &dial->delay);
    rota_alloc_free(alloc, dial->attempts);
    rota_alloc_free(alloc, dial->detail);
    rota_alloc_free(alloc, dial);
}

static void end(struct rota_dial_attempts *dial, struct rota_poll *watch, rota_err err, const char *detail)
{
    rota_dial_done *done = dial->done;
    void *arg = dial->arg;
    char kept[DETAIL_BYTES];

    snprintf(kept, sizeof(kept), "%s", detail);
    drop(dial);
    done(arg, watch, err, kept);
}

static bool is_ours(int code)
{
    return code == ENETUNREACH || code == EAFNOSUPPORT || code == EADDRNOTAVAIL || code == EPROTONOSUPPORT;
}

static void note_failure(struct attempt *attempt, int code)
{
    struct rota_dial_attempts *dial = attempt->dial;
    const struct rota_alloc *alloc = dial->host->alloc;
    char text[128], detail[DETAIL_BYTES];

    if (dial->detail != NULL && (dial->says_much || is_ours(code)))
        return;
    dial->says_much = !is_ours(code);
    if (code == NOT_LOCAL)
        snprintf(text, sizeof(text), "%s", ROTA_NOT_LOCAL);
    else
        rota_errno_text(code, text, sizeof(text));
    if (dial->address.kind == ROTA_ADDRESS_NAME)
        snprintf(detail, sizeof(detail), "%s (%s): %s", dial->target, attempt->text, text);
    else
        snprintf(detail, sizeof(detail), "%s: %s", dial->target, text);
    rota_alloc_free(alloc, dial->detail);
    dial->detail = rota_alloc_text(alloc, rota_slice_str(detail));
}

/* A socket may meet itself when nobody listens on a port the system hands out to clients. */
static bool is_self(int fd)
{
    struct rota_sockaddr here = {.size = sizeof(here.u)}, there = {.size = sizeof(there.u)};

    return getsockname(fd, &here.u.any, &here.size) == 0 && getpeername(fd, &there.u.any, &there.size) == 0 &&
           here.u.any.sa_family != AF_UNIX && here.size == there.size && memcmp(&here.u, &there.u, here.size) == 0;
}

static int connect_result(int fd)
{
    int code = 0;
    socklen_t size = sizeof(code);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
        return errno;
    if (code == 0 && is_self(fd))
        return ECONNREFUSED;
    return code;
}

static void start_next(struct rota_dial_attempts *dial);

static void attempt_ready(void *arg, int what)
{
    struct attempt *attempt = arg;
    struct rota_dial_attempts *dial = attempt->dial;
    struct rota_poll *watch = attempt->watch;
    int code = connect_result(rota_poll_fd(watch));

    attempt->watch = NULL;
    dial->running--;
    if (code == 0 && (what & ROTA_WATCH_ERROR) == 0) {
        rota_stream_user_timeout(rota_poll_fd(watch), dial->rules.user_timeout_ms);
        end(dial, watch, 0, "");
        return;
    }
    rota_poll_close(watch);
    note_failure(attempt, code != 0 ? code : ECONNRESET);
    start_next(dial);
}

static bool stays_here(const struct rota_address *address)
{
    return rota_address_is_local(address) || rota_address_is_any(address);
}

/* 0, or the errno of a failure at once, or NOT_LOCAL. */
static int start_attempt(struct attempt *attempt)
{
    struct rota_sockaddr system;
    int fd, code;

    if (attempt->dial->rules.local_only && !stays_here(&attempt->address))
        return NOT_LOCAL;
    if (rota_address_to_system(&attempt->address, &system) < 0)
        return ENAMETOOLONG;
    fd = rota_stream_socket(system.u.any.sa_family);
    if (fd < 0)
        return errno;
    if (stays_here(&attempt->address))
        rota_stream_stays_here(fd, system.u.any.sa_family);
    if (connect(fd, &system.u.any, system.size) < 0 && errno != EINPROGRESS && errno != EINTR) {
        code = errno;
        close(fd);
        return code;
    }
    if (rota_poll_new(attempt->dial->loop, fd, &attempt->watch) < 0) {
        close(fd);
        return ENOMEM;
    }
    attempt->dial->running++;
    rota_poll_set(attempt->watch, ROTA_WATCH_WRITE, attempt_ready, attempt);
    return 0;
}

static void start_next(struct rota_dial_attempts *dial)
{
    rota_host_timer_clear(dial->host, &dial->delay);
    while (dial->next < dial->count) {
        struct attempt *attempt = &dial->attempts[dial->next++];
        int code = start_attempt(attempt);
        if (code != 0) {
            note_failure(attempt, code);
            continue;
        }
        /* Without memory for the timer the next one starts right away. */
        if (dial->next == dial->count || rota_host_timer_set(dial->host, &dial->delay, dial->host->now_ns + ATTEMPT_DELAY_NS) == 0)
            return;
    }
    if (dial->running == 0)
        end(dial, NULL, ROTA_ECONN, dial->detail != NULL ? dial->detail : "out of memory");
}

static void delay_over(struct rota_host_timer *timer, int64_t now_ns)
{
    (void)now_ns;
    start_next(ROTA_CONTAINER(timer, struct rota_dial_attempts, delay));
}

static size_t next_of_kind(const struct rota_address *addresses, size_t count, size_t from, enum rota_address_kind kind)
{
    while (from < count && addresses[from].kind != kind)
        from++;
    return from;
}

/* Families in turn as long as both have some left (RFC 8305 section 4). */
static void interleave(struct rota_dial_attempts *dial, const struct rota_address *addresses, size_t count)
{
    enum rota_address_kind kind = addresses[0].kind;
    size_t place[2] = {0, 0}; /* of IPv4, of IPv6 */

    for (size_t i = 0; i < dial->count; i++) {
        size_t at = next_of_kind(addresses, count, place[kind == ROTA_ADDRESS_IPV6], kind);
        enum rota_address_kind other = kind == ROTA_ADDRESS_IPV4 ? ROTA_ADDRESS_IPV6 : ROTA_ADDRESS_IPV4;
        if (at == count) {
            kind = other;
            at = next_of_kind(addresses, count, place[kind == ROTA_ADDRESS_IPV6], kind);
        }
        struct attempt *attempt = &dial->attempts[i];
        attempt->address = addresses[at];
        place[kind == ROTA_ADDRESS_IPV6] = at + 1;
        kind = kind == ROTA_ADDRESS_IPV4 ? ROTA_ADDRESS_IPV6 : ROTA_ADDRESS_IPV4;
    }
}

static void attempt_all(struct rota_dial_attempts *dial, const struct rota_address *addresses, size_t count)
{
    size_t tried = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;

    dial->attempts = rota_alloc_zero(dial->host->alloc, tried, sizeof(*dial->attempts));
    if (dial->attempts == NULL) {
        end(dial, NULL, ROTA_ENOMEM, "out of memory");
        return;
    }
    dial->count = tried;
    if (count == 1)
        dial->attempts[0].address = addresses[0];
    else
        interleave(dial, addresses, count);
    for (size_t i = 0; i < tried; i++) {
        struct attempt *attempt = &dial->attempts[i];
        attempt->dial = dial;
        if (addresses == &dial->address)
            continue;
        snprintf(attempt->text, sizeof(attempt->text), "%s", attempt->address.text);
        attempt->address.text = attempt->text;
    }
    start_next(dial);
}

static void looked_up(void *arg, rota_err err, const char *detail, const struct rota_address *addresses, size_t count)
{
    struct rota_dial_attempts *dial = arg;

    dial->lookup = NULL;
    if (err < 0)
        end(dial, NULL, err, detail);
    else
        attempt_all(dial, addresses, count);
}

static void begin(struct rota_host_task *task)
{
    struct rota_dial_attempts *dial = ROTA_CONTAINER(task, struct rota_dial_attempts, begin);
    rota_err err;

    if (dial->address.kind != ROTA_ADDRESS_NAME) {
        attempt_all(dial, &dial->address, 1);
        return;
    }
    err = rota_lookup_start(dial->loop, rota_address_host(&dial->address), dial->address.port, looked_up, dial, &dial->lookup);
    if (err < 0) {
        char detail[DETAIL_BYTES];
        snprintf(detail, sizeof(detail), "%s: %s", dial->target, rota_err_text(err));
        end(dial, NULL, err, detail);
    }
}

rota_err rota_dial_start(struct rota_loop *loop, const struct rota_address *address, const struct rota_socket_rules *rules,
                         rota_dial_done *done, void *arg, struct rota_dial_attempts **ret_dial)
{
    struct rota_host *host = rota_loop_host(loop);
    size_t target_size = strlen(address->text) + 1;
    struct rota_dial_attempts *dial = rota_alloc_zero(host->alloc, 1, sizeof(*dial) + target_size);

    if (dial == NULL)
        return ROTA_ENOMEM;
    dial->loop = loop;
    dial->host = host;
    if (rules != NULL)
        dial->rules = *rules;
    dial->done = done;
    dial->arg = arg;
    dial->begin.run = begin;
    dial->delay.fire = delay_over;
    memcpy(dial->target, address->text, target_size);
    dial->address = *address;
    dial->address.text = dial->target;
    rota_host_post(host, &dial->begin);
    *ret_dial = dial;
    return 0;
}

void rota_dial_cancel(struct rota_dial_attempts *dial)
{
    if (dial != NULL)
        drop(dial);
}
