/* lookup.c - all addresses of a host name, or its TXT records, by c-ares on the loop.
 *
 * A lookup owns its c-ares channel: names are looked up seldom, a new channel reads the system's present configuration, and
 * cancelling is destroying it. Literals and localhost are answered here.
 * Time: QUERY_TIMEOUT_MS for the first try, c-ares doubles it for the next ones; all of it at most LOOKUP_MAX_NS, or
 * TXT_MAX_NS, since addresses wait for what the records say.
 * Both families are one question to c-ares, which puts the addresses in order (RFC 6724) and answers when it has heard of both, or has given one up
 * after many seconds. So what is not answered in APART_NS is asked again, each family apart. The first that has addresses waits OTHER_NS for the
 * other (RFC 8305 3, there for AAAA alone): what went unanswered once may have been one lost packet. In that time the common question's
 * answer, which has the order, replaces what was gathered; of what was asked apart, the family that answered first stands first.
 * Elsewhere: what a failure is called (lookup_why.c).
 * Invariants: the answer is given by the finish task alone, so never from within rota_lookup_start, and c-ares is never
 * destroyed from inside one of its callbacks.
 */
#include "net/lookup.h"
#include "base/alloc.h"
#include "base/list.h"
#include "base/text.h"
#include "loop/loop.h"
#include "net/poll.h"
#include <ares.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>

#define LOOKUP_MAX_NS INT64_C(20000000000)
#define TXT_MAX_NS INT64_C(5000000000)
#define APART_NS INT64_C(500000000)
#define OTHER_NS INT64_C(50000000)
#define CLASS_IN 1
#define TYPE_TXT 16

enum {
    HOST_MAX_BYTES = 255,
    QUERY_TIMEOUT_MS = 2000,
    QUERY_TRIES = 3,
    DETAIL_BYTES = HOST_MAX_BYTES + 160,
};

/* A socket of c-ares. */
struct query_socket {
    struct rota_link link;
    struct rota_lookup *lookup;
    struct rota_poll *watch;
    ares_socket_t fd;
    int want;
};

struct rota_lookup {
    struct rota_loop *loop;
    struct rota_host *host;
    rota_lookup_done done; /* NULL: */
    rota_lookup_txt_done txt_done;
    void *arg;
    uint16_t port;
    bool has_channel, over;
    bool answering; /* inside `done` */
    ares_channel channel;
    struct rota_link sockets;
    struct rota_host_timer retry; /* when c-ares wants to look at its clock */
    struct rota_host_timer limit;
    struct rota_host_timer apart; /* when the families are asked for one by one; then, when the second has been waited for */
    uint32_t n_apart;             /* families that were asked for so and have answered */
    struct rota_host_task finish;
    struct rota_address *addresses;
    char *texts; /* ROTA_IP_TEXT_SIZE bytes each */
    struct rota_slice *values; /* of TXT: in `texts` */
    size_t count;
    rota_err err;
    char detail[DETAIL_BYTES];
    char name[HOST_MAX_BYTES + 1];
};

static void init_ares_once(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

/* Its counter is not made for threads, and there is nothing to undo here. */
static bool init_channel(ares_channel *ret_channel, struct ares_options *options, int mask)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_ares_once);
    return ares_init_options(ret_channel, options, mask) == ARES_SUCCESS;
}

static void drop(struct rota_lookup *lookup)
{
    const struct rota_alloc *alloc = lookup->host->alloc;

    /* It calls back with what is under way, which `over` makes harmless, and closes its sockets through on_socket_state. */
    lookup->over = true;
    if (lookup->has_channel)
        ares_destroy(lookup->channel);
    rota_host_timer_clear(lookup->host, &lookup->retry);
    rota_host_timer_clear(lookup->host, &lookup->limit);
    rota_host_timer_clear(lookup->host, &lookup->apart);
    rota_host_unpost(lookup->host, &lookup->finish);
    rota_loop_release(lookup->loop);
    rota_alloc_free(alloc, lookup->addresses);
    rota_alloc_free(alloc, lookup->texts);
    rota_alloc_free(alloc, lookup->values);
    rota_alloc_free(alloc, lookup);
}

static void finish(struct rota_host_task *task)
{
    struct rota_lookup *lookup = ROTA_CONTAINER(task, struct rota_lookup, finish);

    lookup->answering = true;
    if (lookup->done != NULL)
        lookup->done(lookup->arg, lookup->err, lookup->detail, lookup->addresses, lookup->count);
    else
        lookup->txt_done(lookup->arg, lookup->err, lookup->detail, lookup->values, lookup->count);
    drop(lookup);
}

static void conclude(struct rota_lookup *lookup, rota_err err, const char *why)
{
    if (lookup->over)
        return;
    lookup->over = true;
    lookup->err = err;
    if (err < 0) {
        lookup->count = 0;
        snprintf(lookup->detail, sizeof(lookup->detail), "%s: %s", lookup->name, why);
    }
    rota_host_post(lookup->host, &lookup->finish);
}

/* What has been gathered is better than this failure. */
static void give_up(struct rota_lookup *lookup, rota_err err, const char *why)
{
    conclude(lookup, lookup->count > 0 ? 0 : err, why);
}

/* Room for `more` addresses behind those there are, whose texts move along. */
static rota_err reserve(struct rota_lookup *lookup, size_t more)
{
    const struct rota_alloc *alloc = lookup->host->alloc;
    struct rota_address *addresses = rota_alloc_zero(alloc, lookup->count + more, sizeof(*addresses));
    char *texts = rota_alloc_zero(alloc, lookup->count + more, ROTA_IP_TEXT_SIZE);

    if (addresses == NULL || texts == NULL) {
        rota_alloc_free(alloc, addresses);
        rota_alloc_free(alloc, texts);
        return ROTA_ENOMEM;
    }
    for (size_t i = 0; i < lookup->count; i++) {
        addresses[i] = lookup->addresses[i];
        addresses[i].text = memcpy(texts + i * ROTA_IP_TEXT_SIZE, lookup->addresses[i].text, ROTA_IP_TEXT_SIZE);
    }
    rota_alloc_free(alloc, lookup->addresses);
    rota_alloc_free(alloc, lookup->texts);
    lookup->addresses = addresses;
    lookup->texts = texts;
    return 0;
}

static char *next_text(struct rota_lookup *lookup)
{
    return lookup->texts + lookup->count * ROTA_IP_TEXT_SIZE;
}

/* --- What c-ares wants --- */

static void look_at_clock_later(struct rota_lookup *lookup)
{
    struct timeval wait;

    if (lookup->over || ares_timeout(lookup->channel, NULL, &wait) == NULL)
        return;
    int64_t wait_ns = (int64_t)wait.tv_sec * 1000000000 + (int64_t)wait.tv_usec * 1000;
    if (rota_host_timer_set(lookup->host, &lookup->retry, lookup->host->now_ns + wait_ns) < 0)
        conclude(lookup, ROTA_ENOMEM, "out of memory");
}

static void on_retry(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_lookup *lookup = ROTA_CONTAINER(timer, struct rota_lookup, retry);

    (void)now_ns;
    ares_process_fd(lookup->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    look_at_clock_later(lookup);
}

static void on_limit(struct rota_host_timer *timer, int64_t now_ns)
{
    (void)now_ns;
    give_up(ROTA_CONTAINER(timer, struct rota_lookup, limit), ROTA_ETIMEDOUT, "the name servers did not answer in time");
}

static struct query_socket *find_socket(struct rota_lookup *lookup, ares_socket_t fd)
{
    for (struct rota_link *link = lookup->sockets.next; link != &lookup->sockets; link = link->next) {
        struct query_socket *socket = ROTA_CONTAINER(link, struct query_socket, link);
        if (socket->fd == fd)
            return socket;
    }
    return NULL;
}

static void on_query_ready(void *arg, int what)
{
    struct query_socket *socket = arg;
    struct rota_lookup *lookup = socket->lookup;
    ares_socket_t fd = socket->fd;

    /* An error is met by reading. The socket may be gone afterwards; if not, it must be watched again. */
    ares_process_fd(lookup->channel, what & (ROTA_WATCH_READ | ROTA_WATCH_ERROR) ? fd : ARES_SOCKET_BAD,
        what & ROTA_WATCH_WRITE ? fd : ARES_SOCKET_BAD);
    socket = find_socket(lookup, fd);
    if (socket != NULL)
        rota_poll_set(socket->watch, socket->want, on_query_ready, socket);
    look_at_clock_later(lookup);
}

static struct query_socket *add_socket(struct rota_lookup *lookup, ares_socket_t fd)
{
    struct query_socket *socket = rota_alloc_zero(lookup->host->alloc, 1, sizeof(*socket));

    if (socket == NULL)
        return NULL;
    socket->lookup = lookup;
    socket->fd = fd;
    if (rota_poll_new(lookup->loop, fd, &socket->watch) < 0) {
        rota_alloc_free(lookup->host->alloc, socket);
        return NULL;
    }
    rota_list_append(&lookup->sockets, &socket->link);
    return socket;
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct rota_lookup *lookup = arg;
    struct query_socket *socket = find_socket(lookup, fd);

    if (!readable && !writable) {
        if (socket == NULL)
            return;
        rota_list_remove(&socket->link);
        rota_poll_drop(socket->watch); /* c-ares closes it after this */
        rota_alloc_free(lookup->host->alloc, socket);
        return;
    }
    if (socket == NULL)
        socket = add_socket(lookup, fd);
    if (socket == NULL) {
        conclude(lookup, ROTA_ENOMEM, "out of memory");
        return;
    }
    socket->want = (readable ? ROTA_WATCH_READ : 0) | (writable ? ROTA_WATCH_WRITE : 0);
    rota_poll_set(socket->watch, socket->want, on_query_ready, socket);
}

/* Behind those there are. ROTA_ENOMEM. */
static rota_err add_answers(struct rota_lookup *lookup, const struct ares_addrinfo *info)
{
    size_t count = 0;

    for (const struct ares_addrinfo_node *node = info->nodes; node != NULL; node = node->ai_next)
        count++;
    if (reserve(lookup, count) < 0)
        return ROTA_ENOMEM;
    for (const struct ares_addrinfo_node *node = info->nodes; node != NULL; node = node->ai_next)
        if (rota_address_from_system(node->ai_addr, next_text(lookup), &lookup->addresses[lookup->count]))
            lookup->count++;
    return 0;
}

static void conclude_common(struct rota_lookup *lookup, int status, const struct ares_addrinfo *info)
{
    if (status == ARES_SUCCESS && info->nodes == NULL)
        status = ARES_ENODATA;
    if (status != ARES_SUCCESS) {
        char why[ROTA_LOOKUP_WHY_SIZE];
        rota_err err = rota_lookup_why(status, why);
        give_up(lookup, err, why);
        return;
    }
    lookup->count = 0;
    conclude(lookup, add_answers(lookup, info), "out of memory");
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct rota_lookup *lookup = arg;

    (void)timeouts;
    if (!lookup->over)
        conclude_common(lookup, status, info);
    if (info != NULL)
        ares_freeaddrinfo(info);
}

/* An error is the other family's chance, and the common question's to tell. */
static void take_family(struct rota_lookup *lookup, int status, const struct ares_addrinfo *info)
{
    lookup->n_apart++;
    if (status == ARES_SUCCESS && info->nodes != NULL && add_answers(lookup, info) < 0)
        conclude(lookup, ROTA_ENOMEM, "out of memory");
    if (lookup->count == 0)
        return;
    if (lookup->n_apart > 1 || rota_host_timer_set(lookup->host, &lookup->apart, lookup->host->now_ns + OTHER_NS) < 0)
        conclude(lookup, 0, "");
}

static void answered_apart(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct rota_lookup *lookup = arg;

    (void)timeouts;
    if (!lookup->over)
        take_family(lookup, status, info);
    if (info != NULL)
        ares_freeaddrinfo(info);
}

static void ask_family(struct rota_lookup *lookup, int family, ares_addrinfo_callback on_answer)
{
    struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NUMERICSERV};
    char service[8];

    snprintf(service, sizeof(service), "%u", (unsigned)lookup->port);
    ares_getaddrinfo(lookup->channel, lookup->name, service, &hints, on_answer, lookup);
}

static void on_apart(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_lookup *lookup = ROTA_CONTAINER(timer, struct rota_lookup, apart);

    (void)now_ns;
    if (lookup->over || lookup->count > 0) { /* the other family has been waited for */
        conclude(lookup, 0, "");
        return;
    }
    ask_family(lookup, AF_INET, answered_apart);
    ask_family(lookup, AF_INET6, answered_apart);
    look_at_clock_later(lookup);
}

/* --- TXT records --- */

/* Strings that continue a record are joined to it. ROTA_ENOMEM. */
static rota_err join(struct rota_lookup *lookup, const struct ares_txt_ext *list)
{
    size_t count = 0, size = 0;
    char *at;

    for (const struct ares_txt_ext *string = list; string != NULL; string = string->next) {
        count += string->record_start != 0;
        size += string->length;
    }
    lookup->values = rota_alloc_zero(lookup->host->alloc, count, sizeof(*lookup->values));
    lookup->texts = at = rota_alloc_get(lookup->host->alloc, size + 1);
    if (lookup->values == NULL || at == NULL)
        return ROTA_ENOMEM;
    for (const struct ares_txt_ext *string = list; string != NULL; string = string->next) {
        if (string->record_start)
            lookup->values[lookup->count++] = rota_slice(at, 0);
        if (lookup->count == 0)
            continue;
        memcpy(at, string->txt, string->length);
        at += string->length;
        lookup->values[lookup->count - 1].size += string->length;
    }
    return 0;
}

static void conclude_txt(struct rota_lookup *lookup, int status, const uint8_t *packet, int size)
{
    struct ares_txt_ext *list = NULL;
    char why[ROTA_LOOKUP_WHY_SIZE];
    rota_err err;

    if (status == ARES_SUCCESS)
        status = ares_parse_txt_reply_ext(packet, size, &list);
    if (status == ARES_ENODATA || (status == ARES_SUCCESS && list == NULL))
        conclude(lookup, ROTA_ENOTFOUND, "there is no such record");
    else if (status != ARES_SUCCESS && (err = rota_lookup_why(status, why)) < 0)
        conclude(lookup, err, why);
    else if (join(lookup, list) < 0)
        conclude(lookup, ROTA_ENOMEM, "out of memory");
    else
        conclude(lookup, 0, "");
    if (list != NULL)
        ares_free_data(list);
}

static void answered_txt(void *arg, int status, int timeouts, unsigned char *packet, int size)
{
    struct rota_lookup *lookup = arg;

    (void)timeouts;
    if (!lookup->over)
        conclude_txt(lookup, status, packet, size);
}

static void ask(struct rota_lookup *lookup, const char *servers)
{
    struct ares_options options = {
        .timeout = QUERY_TIMEOUT_MS, .tries = QUERY_TRIES, .sock_state_cb = on_socket_state, .sock_state_cb_data = lookup};
    int64_t now_ns = lookup->host->now_ns;

    lookup->has_channel =
        init_channel(&lookup->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (!lookup->has_channel) {
        char why[ROTA_LOOKUP_WHY_SIZE];
        rota_err err = rota_lookup_why(ARES_EFILE, why);
        conclude(lookup, err, why);
        return;
    }
    if (servers != NULL && ares_set_servers_ports_csv(lookup->channel, servers) != ARES_SUCCESS) {
        conclude(lookup, ROTA_EINVAL, "the name servers given are no addresses");
        return;
    }
    if (rota_host_timer_set(lookup->host, &lookup->limit, now_ns + (lookup->done != NULL ? LOOKUP_MAX_NS : TXT_MAX_NS)) < 0 ||
        (lookup->done != NULL && rota_host_timer_set(lookup->host, &lookup->apart, now_ns + APART_NS) < 0)) {
        conclude(lookup, ROTA_ENOMEM, "out of memory");
        return;
    }
    if (lookup->done != NULL)
        ask_family(lookup, AF_UNSPEC, answered);
    else
        ares_query(lookup->channel, lookup->name, CLASS_IN, TYPE_TXT, answered_txt, lookup);
    look_at_clock_later(lookup);
}

/* --- Names known here --- */

bool rota_lookup_is_localhost(const char *host)
{
    char name[HOST_MAX_BYTES + 1];
    size_t size = strlen(host), local = strlen("localhost");

    if (size > 0 && host[size - 1] == '.')
        size--;
    if (size < local || size >= sizeof(name) || (size > local && host[size - local - 1] != '.'))
        return false;
    memcpy(name, host + size - local, local);
    name[local] = '\0';
    return rota_text_equal_nocase(name, "localhost");
}

static void add_literal(struct rota_lookup *lookup, const char *literal)
{
    if (rota_address_from_literal(literal, lookup->port, next_text(lookup), &lookup->addresses[lookup->count]))
        lookup->count++;
}

/* Returns whether the answer is known. */
static bool answer_here(struct rota_lookup *lookup)
{
    bool local = rota_lookup_is_localhost(lookup->name);
    struct rota_address address;
    char text[ROTA_IP_TEXT_SIZE];

    if (!local && !rota_address_from_literal(lookup->name, lookup->port, text, &address))
        return false;
    if (reserve(lookup, 2) < 0) {
        conclude(lookup, ROTA_ENOMEM, "out of memory");
        return true;
    }
    add_literal(lookup, local ? "127.0.0.1" : lookup->name);
    if (local)
        add_literal(lookup, "::1");
    conclude(lookup, 0, "");
    return true;
}

rota_err rota_lookup_in_hosts(const char *host, uint16_t port, char text[static ROTA_IP_TEXT_SIZE], struct rota_address *ret_address)
{
    static const int families[] = {AF_INET, AF_INET6};
    struct ares_options options = {.flags = 0};
    char digits[INET6_ADDRSTRLEN];
    struct hostent *entry = NULL;
    ares_channel channel;
    bool found = false;

    if (!init_channel(&channel, &options, 0))
        return ROTA_ENOMEM;
    for (size_t i = 0; !found && i < 2; i++) {
        if (ares_gethostbyname_file(channel, host, families[i], &entry) != ARES_SUCCESS)
            continue;
        found = entry->h_addr_list[0] != NULL && ares_inet_ntop(families[i], entry->h_addr_list[0], digits, sizeof(digits)) != NULL &&
                rota_address_from_literal(digits, port, text, ret_address);
        ares_free_hostent(entry);
    }
    ares_destroy(channel);
    return found ? 0 : ROTA_ENOTFOUND;
}

rota_err rota_lookup_start(struct rota_loop *loop, struct rota_slice host, uint16_t port, rota_lookup_done done, void *arg,
                           struct rota_lookup **ret_lookup)
{
    return rota_lookup_start_at(loop, NULL, host, port, done, arg, ret_lookup);
}

static rota_err make(struct rota_loop *loop, struct rota_slice host, struct rota_lookup **ret_lookup)
{
    struct rota_host *rota_host = rota_loop_host(loop);
    struct rota_lookup *lookup;

    if (host.size == 0 || host.size > HOST_MAX_BYTES || memchr(host.data, '\0', host.size) != NULL)
        return ROTA_EINVAL;
    lookup = rota_alloc_zero(rota_host->alloc, 1, sizeof(*lookup));
    if (lookup == NULL)
        return ROTA_ENOMEM;
    rota_host_enter(rota_host);
    rota_loop_hold(loop);
    lookup->loop = loop;
    lookup->host = rota_host;
    lookup->retry.fire = on_retry;
    lookup->limit.fire = on_limit;
    lookup->apart.fire = on_apart;
    lookup->finish.run = finish;
    rota_list_init(&lookup->sockets);
    memcpy(lookup->name, host.data, host.size);
    *ret_lookup = lookup;
    return 0;
}

rota_err rota_lookup_start_at(struct rota_loop *loop, const char *servers, struct rota_slice host, uint16_t port, rota_lookup_done done, void *arg,
                              struct rota_lookup **ret_lookup)
{
    struct rota_lookup *lookup;
    rota_err err = make(loop, host, &lookup);

    if (err < 0)
        return err;
    lookup->done = done;
    lookup->arg = arg;
    lookup->port = port;
    if (!answer_here(lookup))
        ask(lookup, servers);
    *ret_lookup = lookup;
    return 0;
}

rota_err rota_lookup_txt_start_at(struct rota_loop *loop, const char *servers, const char *name, rota_lookup_txt_done done, void *arg,
                                  struct rota_lookup **ret_lookup)
{
    struct rota_lookup *lookup;
    rota_err err = make(loop, rota_slice_str(name), &lookup);

    if (err < 0)
        return err;
    lookup->txt_done = done;
    lookup->arg = arg;
    if (rota_lookup_is_localhost(name)) /* nobody is to be asked about it (RFC 6761) */
        conclude(lookup, ROTA_ENOTFOUND, "there is no such record");
    else
        ask(lookup, servers);
    *ret_lookup = lookup;
    return 0;
}

rota_err rota_lookup_txt_start(struct rota_loop *loop, const char *name, rota_lookup_txt_done done, void *arg, struct rota_lookup **ret_lookup)
{
    return rota_lookup_txt_start_at(loop, NULL, name, done, arg, ret_lookup);
}

void rota_lookup_cancel(struct rota_lookup *lookup)
{
    /* Whoever is told the answer may give up all it has, this included. */
    if (lookup != NULL && !lookup->answering)
        drop(lookup);
}
