/* address.c - addresses in and out of the system's form. */
#include "net/address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static rota_err unix_to_system(const struct rota_address *address, struct rota_sockaddr *out)
{
    bool abstract = address->kind == ROTA_ADDRESS_UNIX_ABSTRACT;
    const char *name = address->text + (abstract ? strlen("unix-abstract:") : strlen("unix:"));
    size_t size = strlen(name);

    /* A path needs its zero, an abstract name has one in front and none behind. */
    if (size == 0 || size + 1 > sizeof(out->u.un.sun_path))
        return ROTA_EINVAL;
    out->u.un.sun_family = AF_UNIX;
    memcpy(out->u.un.sun_path + abstract, name, size);
    out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    return 0;
}

rota_err rota_address_to_system(const struct rota_address *address, struct rota_sockaddr *ret_system)
{
    struct rota_sockaddr out = {.size = 0};
    rota_err err = 0;

    switch (address->kind) {
    case ROTA_ADDRESS_IPV4: {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&in.sin_addr, address->ip, 4);
        memcpy(&out.u, &in, sizeof(in));
        out.size = sizeof(in);
        break;
    }
    case ROTA_ADDRESS_IPV6: {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(address->port), .sin6_scope_id = address->scope_id};
        memcpy(&in.sin6_addr, address->ip, 16);
        memcpy(&out.u, &in, sizeof(in));
        out.size = sizeof(in);
        break;
    }
    case ROTA_ADDRESS_UNIX:
    case ROTA_ADDRESS_UNIX_ABSTRACT:
        err = unix_to_system(address, &out);
        break;
    case ROTA_ADDRESS_NAME:
        err = ROTA_EINVAL;
        break;
    }
    if (err == 0)
        *ret_system = out;
    return err;
}

/* IPv4 on a socket for both families (RFC 4291 2.5.5.2). */
static bool is_mapped(const uint8_t ip[16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(ip, prefix, sizeof(prefix)) == 0;
}

static void write_text(struct rota_address *address, char *text)
{
    char digits[INET6_ADDRSTRLEN];

    inet_ntop(address->kind == ROTA_ADDRESS_IPV4 ? AF_INET : AF_INET6, address->ip, digits, sizeof(digits));
    if (address->kind == ROTA_ADDRESS_IPV4)
        snprintf(text, ROTA_IP_TEXT_SIZE, "%s:%u", digits, (unsigned)address->port);
    else if (address->scope_id == 0)
        snprintf(text, ROTA_IP_TEXT_SIZE, "[%s]:%u", digits, (unsigned)address->port);
    else
        snprintf(text, ROTA_IP_TEXT_SIZE, "[%s%%%u]:%u", digits, (unsigned)address->scope_id, (unsigned)address->port);
    address->text = text;
}

bool rota_address_from_system(const struct sockaddr *system, char text[static ROTA_IP_TEXT_SIZE], struct rota_address *ret_address)
{
    struct rota_address out = {.kind = ROTA_ADDRESS_IPV4};

    if (system->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, system, sizeof(in));
        out.port = ntohs(in.sin_port);
        memcpy(out.ip, &in.sin_addr, 4);
    } else if (system->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, system, sizeof(in));
        out.kind = ROTA_ADDRESS_IPV6;
        out.port = ntohs(in.sin6_port);
        out.scope_id = in.sin6_scope_id;
        memcpy(out.ip, &in.sin6_addr, 16);
        if (is_mapped(out.ip)) {
            out.kind = ROTA_ADDRESS_IPV4;
            memmove(out.ip, out.ip + 12, 4);
            memset(out.ip + 4, 0, 12);
        }
    } else {
        return false;
    }
    write_text(&out, text);
    *ret_address = out;
    return true;
}

bool rota_address_from_literal(const char *host, uint16_t port, char text[static ROTA_IP_TEXT_SIZE], struct rota_address *ret_address)
{
    struct rota_address out = {.kind = ROTA_ADDRESS_IPV4, .port = port};
    const char *percent = strchr(host, '%');
    char digits[INET6_ADDRSTRLEN];
    size_t size = percent != NULL ? (size_t)(percent - host) : strlen(host);

    if (size >= sizeof(digits))
        return false;
    memcpy(digits, host, size);
    digits[size] = '\0';
    if (percent != NULL) {
        char *end;
        unsigned long scope = strtoul(percent + 1, &end, 10);
        if (percent[1] < '0' || percent[1] > '9' || *end != '\0' || scope > UINT32_MAX)
            return false;
        out.scope_id = (uint32_t)scope;
    }
    if (percent != NULL || inet_pton(AF_INET, digits, out.ip) != 1) {
        out.kind = ROTA_ADDRESS_IPV6;
        if (inet_pton(AF_INET6, digits, out.ip) != 1)
            return false;
    }
    write_text(&out, text);
    *ret_address = out;
    return true;
}

struct rota_slice rota_address_host(const struct rota_address *address)
{
    const char *text = address->text;
    const char *colon = strrchr(text, ':');
    size_t size = colon != NULL ? (size_t)(colon - text) : strlen(text);

    if (size >= 2 && text[0] == '[' && text[size - 1] == ']')
        return rota_slice(text + 1, size - 2);
    return rota_slice(text, size);
}

bool rota_address_is_local(const struct rota_address *address)
{
    static const uint8_t one[16] = {[15] = 1};

    switch (address->kind) {
    case ROTA_ADDRESS_IPV4: return address->ip[0] == 127;
    case ROTA_ADDRESS_IPV6: return memcmp(address->ip, one, sizeof(one)) == 0 || (is_mapped(address->ip) && address->ip[12] == 127);
    case ROTA_ADDRESS_NAME: return false;
    default: return true;
    }
}

bool rota_address_is_any(const struct rota_address *address)
{
    static const uint8_t zero[16];

    return memcmp(address->ip, zero, sizeof(zero)) == 0 && (address->kind == ROTA_ADDRESS_IPV4 || address->kind == ROTA_ADDRESS_IPV6);
}

void rota_errno_text(int code, char *ret_text, size_t cap)
{
    uv_strerror_r(-code, ret_text, cap);
}

void rota_stream_nodelay(int fd, int family)
{
    int on = 1;

    /* What is written is written once a turn: waiting for more would only be waiting. */
    if (family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* BBR sends as fast as it has measured, by a timer for each piece: between two sockets of one machine that measures how soon the other
 * program was given its processor, and the timers cost as much as all the copying (docs/decisions/0014-loopback.md). */
void rota_stream_stays_here(int fd, int family)
{
    static const char pacing[] = "bbr", plain[] = "reno"; /* the one that is always there */
    char name[16] = {0};
    socklen_t size = sizeof(name);

    if (family != AF_UNIX && getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) == 0 && strncmp(name, pacing, strlen(pacing)) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, plain, strlen(plain));
}

void rota_stream_user_timeout(int fd, uint32_t timeout_ms)
{
    unsigned value = timeout_ms;

    /* On a unix socket it fails, and is not needed. */
    if (timeout_ms > 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof(value));
}

int rota_stream_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        rota_stream_nodelay(fd, family);
    return fd;
}
