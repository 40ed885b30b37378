/* target.c - target URIs into their parts, and what stands in :authority for them.
 *
 * A target is one block: the struct, its parameters, then all its text. Each decoded part is no longer than it was
 * written, so the text needs at most the target's size and a zero per part. Userinfo may be a password: no message has it.
 * Source: RFC 3986; doc/naming.md in grpc/grpc.
 */
#include "wire/target.h"
#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/text.h"
#include "wire/text.h"
#include <stdio.h>

#define SHOWN(slice) (int)((slice).size < 200 ? (slice).size : 200), (const char *)(slice).data

/* --- Host and port --- */

static rota_err parse_port(struct rota_slice text, struct rota_slice digits, uint16_t *ret_port, struct rota_errinfo *info)
{
    uint32_t port = 0;

    if (digits.size == 0 || digits.size > 5)
        goto bad;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            goto bad;
        port = port * 10 + (uint32_t)(digits.data[i] - '0');
    }
    if (port > UINT16_MAX)
        goto bad;
    *ret_port = (uint16_t)port;
    return 0;
bad:
    return rota_errinfo_set(info, ROTA_EPARSE, "\"%.*s\": \"%.*s\" is no port, expected a number up to 65535", SHOWN(text), SHOWN(digits));
}

rota_err rota_host_port_split(struct rota_slice text, uint16_t default_port, struct rota_slice *ret_host, uint16_t *ret_port,
    struct rota_errinfo *info)
{
    const uint8_t *end = text.size == 0 ? NULL : text.data + text.size, *colon, *close;
    struct rota_slice host = text, port = {0};
    uint16_t number = default_port;

    if (text.size > 0 && text.data[0] == '[') {
        close = memchr(text.data, ']', text.size);
        if (close == NULL || (close + 1 != end && close[1] != ':'))
            return rota_errinfo_set(info, ROTA_EPARSE, "\"%.*s\": expected [IPV6] or [IPV6]:PORT", SHOWN(text));
        host = rota_slice(text.data + 1, (size_t)(close - text.data) - 1);
        colon = close + 1 == end ? NULL : close + 1;
    } else {
        colon = text.size == 0 ? NULL : memchr(text.data, ':', text.size);
        if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon) - 1) != NULL)
            return rota_errinfo_set(info, ROTA_EPARSE, "\"%.*s\" has more than one colon; IPv6 addresses stand in [], as in [::1]:80",
                SHOWN(text));
        if (colon != NULL)
            host.size = (size_t)(colon - text.data);
    }
    if (host.size == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%.*s\" names no host", SHOWN(text));
    if (colon != NULL) {
        rota_err err;

        port = rota_slice(colon + 1, (size_t)(end - colon) - 1);
        err = parse_port(text, port, &number, info);
        if (err < 0)
            return err;
    }
    *ret_host = host;
    *ret_port = number;
    return 0;
}

/* --- Parsing --- */

/* The parts of a URI as they are written. */
struct parts {
    struct rota_slice scheme, userinfo, authority, path, query;
    size_t n_params; /* non-empty pieces of the query */
};

static size_t scheme_size(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    char first = (char)(text[0] | 0x20);

    return text[size] == ':' && first >= 'a' && first <= 'z' ? size : 0;
}

static bool is_known(const char *text, size_t size, const char *const *known)
{
    char scheme[64];

    if (known == NULL || size == 0 || size >= sizeof(scheme))
        return false;
    memcpy(scheme, text, size);
    scheme[size] = '\0';
    for (; *known != NULL; known++)
        if (rota_text_equal_nocase(scheme, *known))
            return true;
    return false;
}

/* Up to and with the last '@' of the authority; the path may have others. */
static struct rota_slice userinfo_of(const char *text)
{
    const char *start = strstr(text, "://"), *at = NULL;

    for (const char *p = start == NULL ? "" : start + 3; *p != '\0' && *p != '/' && *p != '?'; p++)
        if (*p == '@')
            at = p;
    return at == NULL ? rota_slice(text, 0) : rota_slice(start + 3, (size_t)(at + 1 - (start + 3)));
}

const char *rota_target_show(const char *text, char *out, size_t cap)
{
    struct rota_slice secret = userinfo_of(text);

    snprintf(out, cap, "%.*s%s", (int)((const char *)secret.data - text), text, (const char *)secret.data + secret.size);
    return out;
}

static void cut(const char *text, size_t scheme, struct parts *ret_parts)
{
    const char *rest = text + scheme + 1;
    size_t size;

    *ret_parts = (struct parts){.scheme = rota_slice(text, scheme)};
    if (strncmp(rest, "//", 2) == 0) {
        rest += 2;
        ret_parts->userinfo = userinfo_of(text);
        rest += ret_parts->userinfo.size;
        size = strcspn(rest, "/?");
        ret_parts->authority = rota_slice(rest, size);
        rest += size;
        if (*rest == '/')
            rest++;
    }
    size = strcspn(rest, "?");
    ret_parts->path = rota_slice(rest, size);
    rest += size;
    if (*rest == '?')
        ret_parts->query = rota_slice_str(rest + 1);
}

/* The next non-empty piece between ampersands; false at the end. */
static bool next_piece(struct rota_slice *query, struct rota_slice *ret_piece)
{
    while (query->size > 0) {
        const uint8_t *amp = memchr(query->data, '&', query->size);
        size_t size = amp == NULL ? query->size : (size_t)(amp - query->data), used = amp == NULL ? size : size + 1;

        *ret_piece = rota_slice(query->data, size);
        *query = rota_slice(query->data + used, query->size - used);
        if (size > 0)
            return true;
    }
    return false;
}

static rota_err check_text(const char *text, struct rota_errinfo *info)
{
    char shown[ROTA_TARGET_SHOW_SIZE];

    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return rota_errinfo_set(info, ROTA_EPARSE, "target: byte 0x%02x at %zu is a control character", (unsigned char)*at, (size_t)(at - text));
        if (*at == '#')
            return rota_errinfo_set(info, ROTA_EPARSE, "target \"%.200s\" has a fragment (#), which targets do not have; write %%23",
                                    rota_target_show(text, shown, sizeof(shown)));
    }
    return 0;
}

/* Writes the decoded part with its zero at *at. */
static rota_err put(char **at, struct rota_slice part, const char **ret_text, const char *target, struct rota_errinfo *info)
{
    for (size_t i = 0; i < part.size; i++) {
        struct rota_slice escape = rota_slice(part.data + i, part.size - i < 3 ? part.size - i : 3);
        char bytes[3] = {0};

        if (part.data[i] != '%')
            continue;
        if (escape.size < 3 || rota_percent_decode(escape, bytes) != 1)
            return rota_errinfo_set(info, ROTA_EPARSE, "target \"%.200s\": \"%.*s\" is no percent escape, expected %%XX", target, SHOWN(escape));
        if (bytes[0] == '\0')
            return rota_errinfo_set(info, ROTA_EPARSE, "target \"%.200s\": %%00 is not allowed", target);
    }
    *ret_text = *at;
    *at += rota_percent_decode(part, *at);
    *(*at)++ = '\0';
    return 0;
}

static rota_err put_params(char **at, struct rota_slice query, struct rota_target *target, struct rota_target_param *params, struct rota_errinfo *info)
{
    struct rota_slice piece;

    while (next_piece(&query, &piece)) {
        const uint8_t *equals = memchr(piece.data, '=', piece.size);
        size_t key_size = equals == NULL ? piece.size : (size_t)(equals - piece.data);
        struct rota_slice value = equals == NULL ? rota_slice(piece.data + piece.size, 0) : rota_slice(equals + 1, piece.size - key_size - 1);
        struct rota_target_param param;
        rota_err err;

        if (key_size == 0)
            return rota_errinfo_set(info, ROTA_EPARSE, "target \"%.200s\": the parameter \"%.*s\" has no name", target->text, SHOWN(piece));
        err = put(at, rota_slice(piece.data, key_size), &param.key, target->text, info);
        if (err == 0)
            err = put(at, value, &param.value, target->text, info);
        if (err < 0)
            return err;
        if (rota_target_param(target, param.key) != NULL)
            return rota_errinfo_set(info, ROTA_EPARSE, "target \"%.200s\": the parameter \"%.100s\" is given twice", target->text, param.key);
        params[target->n_params++] = param;
    }
    return 0;
}

/* A text that is no URI with a scheme of ours: gRPC reads it as dns:///text. */
static void as_dns(const char *text, struct parts *ret_parts)
{
    *ret_parts = (struct parts){.scheme = ROTA_SLICE("dns"), .path = rota_slice_str(text)};
}

static rota_err fill(struct rota_target *target, const struct parts *parts, bool decode, struct rota_errinfo *info)
{
    struct rota_target_param *params = (struct rota_target_param *)(target + 1);
    char *at = (char *)(params + parts->n_params), *scheme = at;
    struct rota_slice secret = parts->userinfo;
    size_t head = secret.size == 0 ? 0 : (size_t)((const char *)secret.data - target->text), tail = strlen(target->text) - head - secret.size + 1;
    rota_err err;

    for (size_t i = 0; i < parts->scheme.size; i++)
        *at++ = (char)(parts->scheme.data[i] >= 'A' && parts->scheme.data[i] <= 'Z' ? parts->scheme.data[i] | 0x20 : parts->scheme.data[i]);
    *at++ = '\0';
    memcpy(at, target->text, head);
    memcpy(at + head, target->text + head + secret.size, tail);
    target->text = at;
    at += head + tail;
    target->userinfo = at;
    if (secret.size > 1)
        memcpy(at, secret.data, secret.size - 1); /* without the @ */
    at += secret.size + 1;
    target->scheme = scheme;
    target->params = parts->n_params == 0 ? NULL : params;
    target->authority = "";
    if (!decode) {
        target->path = target->text;
        return 0;
    }
    err = put(&at, parts->authority, &target->authority, target->text, info);
    if (err == 0)
        err = put(&at, parts->path, &target->path, target->text, info);
    return err < 0 ? err : put_params(&at, parts->query, target, params, info);
}

rota_err rota_target_parse(const char *text, const char *const *known, const struct rota_alloc *alloc, struct rota_target **ret_target,
    struct rota_errinfo *info)
{
    struct rota_slice query, piece;
    struct rota_target *target;
    struct parts parts;
    size_t scheme, size;
    bool is_uri;
    rota_err err;

    if (text == NULL || text[0] == '\0')
        return rota_errinfo_set(info, ROTA_EPARSE, "the target is empty, expected SCHEME:... or HOST:PORT");
    err = check_text(text, info);
    if (err < 0)
        return err;
    scheme = scheme_size(text);
    /* "x://" can be nothing but a URI; whoever opens it says that no resolver takes that scheme. */
    is_uri = is_known(text, scheme, known) || (scheme > 0 && strncmp(text + scheme, "://", 3) == 0);
    if (is_uri)
        cut(text, scheme, &parts);
    else
        as_dns(text, &parts);
    for (query = parts.query; next_piece(&query, &piece);)
        parts.n_params++;
    /* Scheme, text, userinfo, authority, path and two texts a parameter. */
    size = sizeof(*target) + parts.n_params * sizeof(*target->params) + parts.scheme.size + 2 * strlen(text) + 5 + 2 * parts.n_params;
    target = rota_alloc_zero(alloc, 1, size);
    if (target == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for a target");
    target->text = text;
    err = fill(target, &parts, is_uri, info);
    if (err < 0) {
        rota_alloc_free(alloc, target);
        return err;
    }
    *ret_target = target;
    return 0;
}

void rota_target_free(const struct rota_alloc *alloc, struct rota_target *target)
{
    rota_alloc_free(alloc, target);
}

const char *rota_target_param(const struct rota_target *target, const char *key)
{
    if (target == NULL || key == NULL)
        return NULL;
    for (size_t i = 0; i < target->n_params; i++)
        if (strcmp(target->params[i].key, key) == 0)
            return target->params[i].value;
    return NULL;
}

/* --- Authority --- */

static bool is_scheme(const struct rota_target *target, const char *scheme)
{
    return strcmp(target->scheme, scheme) == 0;
}

static struct rota_slice authority_text(const struct rota_target *target)
{
    struct rota_slice path = rota_slice_str(target->path);

    if (is_scheme(target, "unix") || is_scheme(target, "unix-abstract"))
        return ROTA_SLICE("localhost");
    if (is_scheme(target, "ipv4") || is_scheme(target, "ipv6"))
        return rota_slice(path.data, strcspn(target->path, ","));
    if (!is_scheme(target, "dns")) {
        while (path.size > 0 && path.data[path.size - 1] == '/')
            path.size--;
        for (size_t i = path.size; i > 0; i--)
            if (path.data[i - 1] == '/') {
                path = rota_slice(path.data + i, path.size - i);
                break;
            }
    }
    return path.size == 0 ? ROTA_SLICE("localhost") : path;
}

/* RFC 3986 section 3.2: userinfo, host and port with their delimiters. */
static bool may_stand(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("-._~!$&'()*+,;=:[]@", byte) != NULL);
}

rota_err rota_target_authority(const struct rota_target *target, char *out, size_t cap)
{
    static const char hex[] = "0123456789ABCDEF";
    struct rota_slice text = authority_text(target);
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        size_t need = may_stand(byte) ? 1 : 3;

        if (size + need >= cap)
            return ROTA_ELIMIT;
        if (need == 1) {
            out[size] = (char)byte;
        } else {
            out[size] = '%';
            out[size + 1] = hex[byte >> 4];
            out[size + 2] = hex[byte & 15];
        }
        size += need;
    }
    if (size >= cap)
        return ROTA_ELIMIT;
    out[size] = '\0';
    return 0;
}

struct rota_slice rota_authority_host(const char *authority)
{
    const char *colon = strrchr(authority, ':'), *bracket = strchr(authority, ']');

    if (authority[0] == '[' && bracket != NULL)
        return rota_slice(authority + 1, (size_t)(bracket - authority) - 1);
    /* More than one colon: an IPv6 address without brackets. */
    if (colon != NULL && strchr(authority, ':') == colon)
        return rota_slice(authority, (size_t)(colon - authority));
    return rota_slice_str(authority);
}
