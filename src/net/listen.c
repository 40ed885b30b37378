/* listen.c - accepting connections.
 *
 * Everything that can go wrong with an address goes wrong in rota_listen_open. Out of descriptors or memory, or where accepting fails each
 * time (a sandbox forbids it, say), it pauses PAUSE_NS at a time: the connections wait in the system's queue, and the log says so once until one gets through.
 * Invariants: a listen is freed by its report task, posted once by rota_listen_close; a unix socket's file is removed only
 * while it is the one that was made here.
 */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/log.h"
#include "loop/loop.h"
#include "net/address.h"
#include "net/lookup.h"
#include "net/socket.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAUSE_NS INT64_C(100000000)

enum { ACCEPTS_PER_EVENT = 16, BACKLOG = 4096 /* the system cuts it to its own limit */ };

struct rota_listen {
    struct rota_loop *loop;
    struct rota_host *host;
    const struct rota_listen_events *events;
    void *owner;
    struct rota_socket_rules rules;
    struct rota_poll *watch; /* NULL when closed */
    struct rota_host_timer resume;
    struct rota_host_task report;
    bool failing;
    dev_t file_dev; /* of a unix socket's file; file_ino 0: there is none */
    ino_t file_ino;
    char text[ROTA_ADDRESS_TEXT_SIZE]; /* the bound address */
};

/* --- Binding --- */

static rota_err refuse(struct rota_errinfo *info, const char *address, int code)
{
    char text[128];
    rota_err err = code == EADDRINUSE ? ROTA_EADDRINUSE : code == ENOMEM || code == ENOBUFS ? ROTA_ENOMEM : ROTA_EIO;

    rota_errno_text(code, text, sizeof(text));
    return rota_errinfo_set(info, err, "cannot listen on %s: %s", address, text);
}

static int bind_once(const struct rota_sockaddr *system, bool shared)
{
    int family = system->u.any.sa_family, on = 1, off = 0, code;
    int fd = rota_stream_socket(family);

    if (fd < 0)
        return -1;
    if (family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family != AF_UNIX && shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, &system->u.any, system->size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    code = errno;
    close(fd);
    errno = code;
    return -1;
}

/* A socket file that nobody listens on was left by a program that ended badly. */
static bool is_stale_file(const struct rota_sockaddr *system)
{
    struct stat file;
    bool refused;
    int fd;

    if (system->u.any.sa_family != AF_UNIX || system->u.un.sun_path[0] == '\0')
        return false;
    if (lstat(system->u.un.sun_path, &file) < 0 || !S_ISSOCK(file.st_mode))
        return false;
    fd = rota_stream_socket(AF_UNIX);
    if (fd < 0)
        return false;
    refused = connect(fd, &system->u.any, system->size) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* -1 and errno, or a listening descriptor. */
static int bind_and_listen(const struct rota_sockaddr *system, bool shared)
{
    int fd = bind_once(system, shared);

    if (fd < 0 && errno == EADDRINUSE) {
        if (is_stale_file(system) && unlink(system->u.un.sun_path) == 0)
            return bind_once(system, shared);
        errno = EADDRINUSE;
    }
    return fd;
}

static int open_address(const struct rota_address *address, bool shared)
{
    struct rota_sockaddr system;
    int fd;

    if (rota_address_to_system(address, &system) < 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = bind_and_listen(&system, shared);
    /* Where there is no IPv6, all addresses are those of IPv4. */
    if (fd < 0 && address->kind == ROTA_ADDRESS_IPV6 && rota_address_is_any(address) && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        struct rota_address any4 = {.kind = ROTA_ADDRESS_IPV4, .port = address->port, .text = address->text};
        if (rota_address_to_system(&any4, &system) == 0)
            fd = bind_and_listen(&system, shared);
    }
    if (fd >= 0 && rota_address_is_local(address))
        rota_stream_stays_here(fd, system.u.any.sa_family); /* what is accepted inherits it */
    return fd;
}

/* A name must be known on this machine: listening does not wait for the network. */
static rota_err resolve(const struct rota_address *address, char text[static ROTA_IP_TEXT_SIZE], struct rota_address *ret_address,
                        struct rota_errinfo *info)
{
    struct rota_slice host = rota_address_host(address);
    char name[ROTA_ADDRESS_TEXT_SIZE];
    rota_err err;

    snprintf(name, sizeof(name), "%.*s", (int)host.size, (const char *)host.data);
    if (rota_lookup_is_localhost(name)) {
        rota_address_from_literal("127.0.0.1", address->port, text, ret_address);
        return 0;
    }
    err = rota_lookup_in_hosts(name, address->port, text, ret_address);
    if (err == ROTA_ENOTFOUND)
        return rota_errinfo_set(info, err, "cannot listen on %s: \"%s\" is not in the hosts file, expected an address of this machine",
            address->text, name);
    return err < 0 ? rota_errinfo_set(info, err, "cannot listen on %s: %s", address->text, rota_err_text(err)) : 0;
}

static void note_bound(struct rota_listen *l, int fd, const struct rota_address *address)
{
    struct rota_sockaddr system = {.size = sizeof(system.u)};
    struct rota_address bound;
    char text[ROTA_IP_TEXT_SIZE];
    struct stat file;

    snprintf(l->text, sizeof(l->text), "%s", address->text);
    if (getsockname(fd, &system.u.any, &system.size) == 0 && rota_address_from_system(&system.u.any, text, &bound))
        snprintf(l->text, sizeof(l->text), "%s", text);
    if (address->kind == ROTA_ADDRESS_UNIX && lstat(address->text + strlen("unix:"), &file) == 0) {
        l->file_dev = file.st_dev;
        l->file_ino = file.st_ino;
    }
}

/* --- Accepting --- */

static void on_ready(void *arg, int what);

static void go_on(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_listen *l = ROTA_CONTAINER(timer, struct rota_listen, resume);

    (void)now_ns;
    rota_poll_set(l->watch, ROTA_WATCH_READ, on_ready, l);
}

/* accept(2): errors of the connection at hand, or of its network, which come with it. */
static bool is_of_connection(int code)
{
    static const int codes[] = {ECONNABORTED, EINTR, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ETIMEDOUT};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i] == code)
            return true;
    return false;
}

static bool is_shortage(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

static void pause_accepting(struct rota_listen *l, int code)
{
    const struct rota_log *log = l->rules.log != NULL ? l->rules.log : l->host->log;
    char text[128];

    if (!l->failing) {
        rota_errno_text(code, text, sizeof(text));
        rota_log_write(log, ROTA_LOG_WARN, "net", "%s: %s; new connections wait until %s", l->text, text,
                       is_shortage(code) ? "there are some again" : "accepting them works again");
    }
    l->failing = true;
    if (rota_host_timer_set(l->host, &l->resume, l->host->now_ns + PAUSE_NS) == 0)
        rota_poll_set(l->watch, 0, on_ready, l);
}

static void take(struct rota_listen *l, int fd, const struct rota_sockaddr *from)
{
    const struct rota_socket_events *events = NULL;
    struct rota_socket *socket;
    struct rota_poll *watch;
    struct rota_address peer;
    char text[ROTA_IP_TEXT_SIZE];
    void *owner;

    rota_stream_nodelay(fd, from->u.any.sa_family);
    rota_stream_user_timeout(fd, l->rules.user_timeout_ms);
    if (rota_poll_new(l->loop, fd, &watch) < 0) {
        close(fd);
        return;
    }
    /* Clients of unix sockets have no name. */
    if (!rota_address_from_system(&from->u.any, text, &peer))
        peer.text = l->text;
    else if (rota_address_is_local(&peer))
        rota_stream_stays_here(fd, from->u.any.sa_family);
    if (rota_socket_accept(l->loop, watch, peer.text, &socket) < 0) {
        rota_poll_close(watch);
        return;
    }
    owner = l->events->on_accept(l->owner, socket, &events);
    if (owner == NULL)
        rota_socket_reject(socket);
    else
        rota_socket_adopt(socket, events, owner);
}

static void on_ready(void *arg, int what)
{
    struct rota_listen *l = arg;
    bool accepted = false;
    int lasting = 0; /* an error that may come for ever, as long as nothing was accepted */

    (void)what;
    for (int i = 0; i < ACCEPTS_PER_EVENT && l->watch != NULL; i++) {
        struct rota_sockaddr from = {.size = sizeof(from.u)};
        int fd = accept4(rota_poll_fd(l->watch), &from.u.any, &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            accepted = true;
            l->failing = false;
            take(l, fd, &from);
        } else if (is_shortage(errno)) {
            pause_accepting(l, errno);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            lasting = 0;
            break;
        } else if (!is_of_connection(errno)) {
            lasting = errno;
        }
    }
    if (l->watch != NULL && !accepted && lasting != 0)
        pause_accepting(l, lasting);
    else if (l->watch != NULL)
        rota_poll_set(l->watch, ROTA_WATCH_READ, on_ready, l);
}

/* --- Beginning and end --- */

static void report(struct rota_host_task *task)
{
    struct rota_listen *l = ROTA_CONTAINER(task, struct rota_listen, report);
    struct rota_loop *loop = l->loop;

    l->events->on_closed(l->owner);
    rota_alloc_free(l->host->alloc, l);
    rota_loop_release(loop);
}

static rota_err watch_listener(struct rota_listen *l, const struct rota_address *address, struct rota_errinfo *info)
{
    int fd = open_address(address, l->rules.share_port);
    rota_err err;

    if (fd < 0)
        return refuse(info, address->text, errno);
    err = rota_poll_new(l->loop, fd, &l->watch);
    if (err < 0) {
        close(fd);
        return rota_errinfo_set(info, err, "cannot listen on %s: %s", address->text, rota_err_text(err));
    }
    note_bound(l, fd, address);
    return 0;
}

rota_err rota_listen_open(struct rota_loop *loop, const struct rota_address *address, const struct rota_socket_rules *rules,
                          const struct rota_listen_events *events, void *owner, char *bound, struct rota_listen **ret_listen, struct rota_errinfo *info)
{
    struct rota_host *host = rota_loop_host(loop);
    char text[ROTA_IP_TEXT_SIZE];
    struct rota_address resolved = *address;
    struct rota_listen *l;
    rota_err err;

    if (address->kind == ROTA_ADDRESS_NAME && (err = resolve(address, text, &resolved, info)) < 0)
        return err;
    if (rules != NULL && rules->local_only && !rota_address_is_local(&resolved))
        return rota_errinfo_set(info, ROTA_EINVAL, "cannot listen on %s: %s", address->text, ROTA_NOT_LOCAL);
    l = rota_alloc_zero(host->alloc, 1, sizeof(*l));
    if (l == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "cannot listen on %s: out of memory", address->text);
    *l = (struct rota_listen){.loop = loop, .host = host, .events = events, .owner = owner};
    if (rules != NULL)
        l->rules = *rules;
    l->resume.fire = go_on;
    l->report.run = report;
    err = watch_listener(l, &resolved, info);
    if (err < 0) {
        rota_alloc_free(host->alloc, l);
        return err;
    }
    rota_poll_set(l->watch, ROTA_WATCH_READ, on_ready, l);
    rota_loop_hold(loop);
    if (bound != NULL)
        snprintf(bound, ROTA_ADDRESS_TEXT_SIZE, "%s", l->text);
    *ret_listen = l;
    return 0;
}

void rota_listen_close(struct rota_listen *l)
{
    const char *path = l->text + strlen("unix:");
    struct stat file;

    if (l->watch == NULL)
        return;
    if (l->file_ino != 0 && lstat(path, &file) == 0 && file.st_dev == l->file_dev && file.st_ino == l->file_ino)
        unlink(path);
    rota_poll_close(l->watch);
    l->watch = NULL;
    rota_host_timer_clear(l->host, &l->resume);
    rota_host_post(l->host, &l->report);
}
