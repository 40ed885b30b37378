/* proxy.c - see proxy.h. */
#include "wire/proxy.h"

#include "base/errinfo.h"
#include "base/text.h"
#include "wire/target.h"
#include "wire/text.h"
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_PORT 80
#define HOST_SIZE 256

/* --- Hosts and lists --- */

/* An IP address as 16 bytes, IPv4 mapped; false: it is a name. */
static bool read_ip(struct rota_slice text, uint8_t ip[static 16])
{
    char whole[HOST_SIZE + 8], out[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;
    int size = snprintf(whole, sizeof(whole), memchr(text.data, ':', text.size) != NULL ? "[%.*s]:1" : "%.*s:1", (int)(text.size < HOST_SIZE ? text.size : HOST_SIZE),
                        (const char *)text.data);

    if (text.size == 0 || text.size >= HOST_SIZE || rota_address_parse(rota_slice(whole, (size_t)size), out, &address, NULL) < 0)
        return false;
    memset(ip, 0, 16);
    if (address.kind == ROTA_ADDRESS_IPV4) {
        ip[10] = ip[11] = 0xff;
        memcpy(ip + 12, address.ip, 4);
    } else if (address.kind == ROTA_ADDRESS_IPV6) {
        memcpy(ip, address.ip, 16);
    } else {
        return false;
    }
    return true;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned n_bits)
{
    unsigned rest = n_bits % 8, mask = 0xffu << (8 - rest) & 0xffu;

    return memcmp(a, b, n_bits / 8) == 0 && (rest == 0 || ((a[n_bits / 8] ^ b[n_bits / 8]) & mask) == 0);
}

/* "10.0.0.0/8" or an address alone. */
static bool network_has(struct rota_slice entry, const uint8_t ip[static 16])
{
    const uint8_t *slash = memchr(entry.data, '/', entry.size);
    struct rota_slice base = rota_slice(entry.data, slash == NULL ? entry.size : (size_t)(slash - entry.data));
    bool is_v4 = memchr(base.data, ':', base.size) == NULL;
    unsigned n_bits = 0, most = is_v4 ? 32 : 128;
    uint8_t network[16];

    if (!read_ip(base, network))
        return false;
    if (slash == NULL)
        return memcmp(network, ip, 16) == 0;
    for (const uint8_t *at = slash + 1; at < entry.data + entry.size; at++) {
        if (*at < '0' || *at > '9' || n_bits > most)
            return false;
        n_bits = n_bits * 10 + (unsigned)(*at - '0');
    }
    return slash + 1 < entry.data + entry.size && n_bits <= most && same_bits(network, ip, n_bits + 128 - most);
}

static bool equal_nocase(const uint8_t *a, const uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t x = a[i] >= 'A' && a[i] <= 'Z' ? a[i] | 0x20 : a[i], y = b[i] >= 'A' && b[i] <= 'Z' ? b[i] | 0x20 : b[i];
        if (x != y)
            return false;
    }
    return true;
}

/* The name itself and all below it: "example.com", ".example.com" and "*.example.com" are the same. */
static bool domain_has(struct rota_slice entry, struct rota_slice host)
{
    size_t skip = entry.size > 1 && entry.data[0] == '*' && entry.data[1] == '.' ? 2 : entry.size > 0 && entry.data[0] == '.' ? 1 : 0;
    const uint8_t *tail;

    entry = rota_slice(entry.data + skip, entry.size - skip);
    if (host.size > 0 && host.data[host.size - 1] == '.')
        host.size--;
    if (entry.size == 0 || host.size < entry.size)
        return false;
    tail = host.data + host.size - entry.size;
    return equal_nocase(tail, entry.data, entry.size) && (tail == host.data || tail[-1] == '.');
}

static bool entry_has(struct rota_slice entry, struct rota_slice host, uint16_t port)
{
    const uint8_t *colon = memchr(entry.data, ':', entry.size);
    bool is_v6 = colon != NULL && entry.data[0] != '[' && memchr(colon + 1, ':', entry.size - (size_t)(colon - entry.data) - 1) != NULL;
    struct rota_slice name = entry;
    uint16_t its_port = port;
    uint8_t ip[16];

    if (!is_v6 && memchr(entry.data, '/', entry.size) == NULL && rota_host_port_split(entry, port, &name, &its_port, NULL) < 0)
        return false;
    if (its_port != port)
        return false;
    return read_ip(host, ip) ? network_has(name, ip) : domain_has(name, host);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool rota_proxy_list_has(const char *list, struct rota_slice host, uint16_t port)
{
    while (*list != '\0') {
        size_t size = strcspn(list, ","), used = list[size] == ',' ? size + 1 : size;
        const char *entry = list;

        while (size > 0 && is_blank(*entry)) {
            entry++;
            size--;
        }
        while (size > 0 && is_blank(entry[size - 1]))
            size--;
        if (size == 1 && *entry == '*')
            return true;
        if (size > 0 && entry_has(rota_slice(entry, size), host, port))
            return true;
        list += used;
    }
    return false;
}

/* --- The environment --- */

/* The first of these names that is set, in lower case or in upper. */
static const char *first_set(const char *const *names, rota_proxy_variable *variable, void *ctx, char ret_name[static 32])
{
    for (; *names != NULL; names++) {
        const char *value = variable(ctx, *names);

        snprintf(ret_name, 32, "%s", *names);
        if (value != NULL)
            return value;
        for (char *at = ret_name; *at != '\0'; at++)
            if (*at >= 'a' && *at <= 'z')
                *at = (char)(*at - 'a' + 'A');
        if (strcmp(ret_name, "HTTP_PROXY") == 0 && variable(ctx, "REQUEST_METHOD") != NULL)
            continue;
        value = variable(ctx, ret_name);
        if (value != NULL)
            return value;
    }
    return NULL;
}

static bool encode_login(struct rota_slice userinfo, char out[static ROTA_PROXY_LOGIN_SIZE])
{
    char plain[ROTA_PROXY_LOGIN_SIZE];
    size_t size, encoded;

    if (userinfo.size > ROTA_PROXY_LOGIN_SIZE / 4 * 3 - 6)
        return false;
    size = rota_percent_decode(userinfo, plain);
    encoded = rota_base64_encoded_size(size);
    rota_base64_encode(rota_slice(plain, size), out);
    while (encoded % 4 != 0)
        out[encoded++] = '=';
    out[encoded] = '\0';
    return true;
}

/* "http://user:password@host:port/", all but the host optional. */
static bool read_url(const char *url, struct rota_proxy *proxy)
{
    const char *authority = strstr(url, "://"), *at = NULL;
    struct rota_slice host, rest;
    char text[ROTA_ADDRESS_TEXT_SIZE];
    uint16_t port;
    size_t size;

    if (authority != NULL && (authority - url != 4 || !equal_nocase((const uint8_t *)url, (const uint8_t *)"http", 4)))
        return false;
    authority = authority == NULL ? url : authority + 3;
    size = strcspn(authority, "/?#");
    for (size_t i = 0; i < size; i++)
        if (authority[i] == '@')
            at = authority + i;
    proxy->login[0] = '\0';
    if (at != NULL && !encode_login(rota_slice(authority, (size_t)(at - authority)), proxy->login))
        return false;
    rest = at == NULL ? rota_slice(authority, size) : rota_slice(at + 1, size - (size_t)(at + 1 - authority));
    if (rota_host_port_split(rest, DEFAULT_PORT, &host, &port, NULL) < 0 || port == 0)
        return false;
    size = (size_t)snprintf(text, sizeof(text), memchr(host.data, ':', host.size) != NULL ? "[%.*s]:%u" : "%.*s:%u", (int)(host.size < HOST_SIZE ? host.size : HOST_SIZE),
                            (const char *)host.data, (unsigned)port);
    return host.size < HOST_SIZE && rota_address_parse(rota_slice(text, size), proxy->text, &proxy->address, NULL) == 0;
}

static bool is_here(struct rota_slice host)
{
    return domain_has(ROTA_SLICE("localhost"), host) || rota_proxy_list_has("127.0.0.0/8,::1,0.0.0.0,::", host, 0);
}

static const char *const proxies[] = {"grpc_proxy", "https_proxy", "http_proxy", NULL};
static const char *const exceptions[] = {"no_grpc_proxy", "no_proxy", NULL};

bool rota_proxy_wanted(rota_proxy_variable *variable, void *ctx)
{
    char unused[32];
    const char *url = first_set(proxies, variable, ctx, unused);

    return url != NULL && url[0] != '\0';
}

rota_err rota_proxy_find(struct rota_slice host, uint16_t port, rota_proxy_variable *variable, void *ctx, struct rota_proxy *ret_proxy, bool *ret_found,
                         struct rota_errinfo *info)
{
    char name[32], unused[32];
    const char *url = first_set(proxies, variable, ctx, name), *list;

    *ret_found = false;
    if (url == NULL || url[0] == '\0' || is_here(host))
        return 0;
    list = first_set(exceptions, variable, ctx, unused);
    if (list != NULL && rota_proxy_list_has(list, host, port))
        return 0;
    if (!read_url(url, ret_proxy))
        return rota_errinfo_set(info, ROTA_EINVAL, "%s in the environment names no proxy; expected http://[user:password@]host:port", name);
    *ret_found = true;
    return 0;
}
