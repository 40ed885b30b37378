/* where.c - see where.h. */
#include "etcd/where.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/text.h"
#include "wire/text.h"
#include <stdio.h>
#include <stdlib.h>

#define MAX_PREFIX 1024
#define CONFIG_KEYS "/rota/config/"
#define DEFAULT_PORT ":2379"
#define DEFAULT_MEMBERS "127.0.0.1:2379"

static bool has_port(struct rota_slice member)
{
    const uint8_t *colon = memchr(member.data, ':', member.size);

    if (member.data[0] == '[')
        return member.size > 1 && memchr(member.data, ']', member.size) != NULL && member.data[member.size - 1] != ']';
    return colon != NULL;
}

static bool cut_scheme(struct rota_slice *member, const char *scheme)
{
    size_t size = strlen(scheme);

    if (member->size <= size || memcmp(member->data, scheme, size) != 0)
        return false;
    *member = rota_slice(member->data + size, member->size - size);
    return true;
}

/* Takes "http://" or "https://" away; all members are of one kind, or some would be spoken to in plaintext. */
static rota_err take_scheme(struct rota_etcd_where *where, struct rota_slice *member, struct rota_errinfo *info)
{
    struct rota_slice whole = *member;

    if (cut_scheme(member, "https://")) {
        if (!where->secure && where->members[0] != '\0')
            return rota_errinfo_set(info, ROTA_EINVAL, "etcd member \"%.*s\" after one without https; expected all of them to be", (int)whole.size,
                                    (const char *)whole.data);
        where->secure = true;
    } else if (cut_scheme(member, "http://") && where->secure) {
        return rota_errinfo_set(info, ROTA_EINVAL, "etcd member \"%.*s\" beside TLS; expected https", (int)whole.size, (const char *)whole.data);
    }
    return 0;
}

/* Appends one member to the list, which has room for it. */
static rota_err add_member(struct rota_etcd_where *where, struct rota_slice member, struct rota_errinfo *info)
{
    char text[ROTA_ADDRESS_TEXT_SIZE], full[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;
    rota_err err = take_scheme(where, &member, info);

    if (err < 0)
        return err;
    if (member.size > 1 && member.data[member.size - 1] == '/')
        member.size--;
    if (member.size == 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "etcd members: an empty name between commas");
    if (member.size > 256)
        return rota_errinfo_set(info, ROTA_EINVAL, "etcd member: a name of %zu bytes", member.size);
    snprintf(full, sizeof(full), "%.*s%s", (int)member.size, (const char *)member.data, has_port(member) ? "" : DEFAULT_PORT);
    if (rota_address_parse(rota_slice_str(full), text, &address, info) < 0 || address.port == 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "etcd member \"%s\" is no host:port", full);
    strcat(where->members, where->members[0] == '\0' ? "" : ",");
    strcat(where->members, full);
    return 0;
}

static rota_err read_members(struct rota_etcd_where *where, const char *list, struct rota_errinfo *info)
{
    size_t commas = 1, size = strlen(list);

    if (size > 4096)
        return rota_errinfo_set(info, ROTA_EINVAL, "etcd members: a list of %zu bytes", size);
    for (const char *p = list; *p != '\0'; p++)
        commas += *p == ',';
    if (commas > ROTA_ETCD_MAX_MEMBERS)
        return rota_errinfo_set(info, ROTA_EINVAL, "%zu etcd members, at most %d are used", commas, ROTA_ETCD_MAX_MEMBERS);
    where->members = rota_alloc_zero(where->alloc, 1, size + commas * (sizeof(DEFAULT_PORT) + 1) + 1);
    if (where->members == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    for (;;) {
        size_t n = strcspn(list, ",");
        rota_err err = add_member(where, rota_slice(list, n), info);
        if (err < 0 || list[n] == '\0')
            return err;
        list += n + 1;
    }
}

static rota_err read_prefix(struct rota_etcd_where *where, const struct rota_target *target, struct rota_errinfo *info)
{
    const char *prefix = rota_target_param(target, "prefix"), *service = target->path;
    char text[MAX_PREFIX], name[MAX_PREFIX];
    size_t size;

    while (*service == '/')
        service++;
    size = strlen(service);
    while (size > 0 && service[size - 1] == '/')
        size--;
    snprintf(name, sizeof(name), "%.*s", (int)(size < MAX_PREFIX ? size : MAX_PREFIX), service);
    if (prefix != NULL && prefix[0] != '\0')
        where->prefix = rota_alloc_text(where->alloc, rota_slice_str(prefix));
    else if (*service == '\0')
        return rota_errinfo_set(info, ROTA_EINVAL, "%s: no service; expected etcd://members/service", target->text);
    else if (size >= sizeof(name) || where->dialect->prefix(name, text, sizeof(text)) < 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "the service's name is too long: %zu bytes", size);
    else
        where->prefix = rota_alloc_text(where->alloc, rota_slice_str(text));
    return where->prefix == NULL ? rota_errinfo_set(info, ROTA_ENOMEM, "out of memory") : 0;
}

static rota_err read_config_key(struct rota_etcd_where *where, const struct rota_target *target, struct rota_errinfo *info)
{
    const char *given = rota_target_param(target, "config"), *name = where->prefix;
    size_t room = sizeof(CONFIG_KEYS) + strlen(where->prefix), size;

    if (given != NULL) {
        where->config_key = rota_alloc_text(where->alloc, rota_slice_str(given));
        return where->config_key == NULL ? rota_errinfo_set(info, ROTA_ENOMEM, "out of memory") : 0;
    }
    while (*name == '/')
        name++;
    size = strlen(name);
    while (size > 0 && name[size - 1] == '/')
        size--;
    where->config_key = rota_alloc_get(where->alloc, room);
    if (where->config_key == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    snprintf(where->config_key, room, CONFIG_KEYS "%.*s", (int)size, name);
    return 0;
}

static bool is_known(const char *key)
{
    static const char *const known[] = {"dialect", "prefix", "config", "tls", "cacert", "cert", "key", "servername"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(key, known[i]) == 0)
            return true;
    return false;
}

static rota_err read_params(struct rota_etcd_where *where, const struct rota_target *target, struct rota_errinfo *info)
{
    const char *name = rota_target_param(target, "dialect");

    for (size_t i = 0; i < target->n_params; i++) {
        const char *key = target->params[i].key;
        if (!is_known(key))
            return rota_errinfo_set(info, ROTA_EINVAL, "%s: unknown parameter \"%s\"; there are dialect, prefix, config, tls, cacert, cert, key, servername",
                                    target->text, key);
    }
    where->dialect = name == NULL ? &rota_etcd_grpclb : rota_etcd_dialect_named(name);
    if (where->dialect == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "%s: unknown dialect \"%s\"; there are %s", target->text, name, rota_etcd_dialect_names());
    return 0;
}

/* What the URI says, or else the environment. */
static rota_err read_file(const struct rota_etcd_where *where, const struct rota_target *target, const char *param, const char *variable, char **ret_text)
{
    const char *text = rota_target_param(target, param);

    if ((text == NULL || text[0] == '\0') && variable != NULL)
        text = secure_getenv(variable);
    if (text == NULL || text[0] == '\0')
        return 0;
    *ret_text = rota_alloc_text(where->alloc, rota_slice_str(text));
    return *ret_text == NULL ? ROTA_ENOMEM : 0;
}

static rota_err read_files(struct rota_etcd_where *where, const struct rota_target *target, struct rota_errinfo *info)
{
    if (!where->secure)
        return 0;
    if (read_file(where, target, "cacert", "ETCDCTL_CACERT", &where->ca_file) < 0 || read_file(where, target, "cert", "ETCDCTL_CERT", &where->cert_file) < 0 ||
        read_file(where, target, "key", "ETCDCTL_KEY", &where->key_file) < 0 || read_file(where, target, "servername", NULL, &where->server_name) < 0)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    return 0;
}

static rota_err read_secure(struct rota_etcd_where *where, const struct rota_target *target, struct rota_errinfo *info)
{
    static const char *const implied_by[] = {"cacert", "cert", "key", "servername"};
    const char *tls = rota_target_param(target, "tls");

    for (size_t i = 0; i < sizeof(implied_by) / sizeof(implied_by[0]); i++)
        where->secure = where->secure || rota_target_param(target, implied_by[i]) != NULL;
    if (tls == NULL)
        return 0;
    if (strcmp(tls, "true") != 0 && (strcmp(tls, "false") != 0 || where->secure))
        return rota_errinfo_set(info, ROTA_EINVAL, "%s: tls=%s; expected true, or false and none of cacert, cert, key, servername", target->text, tls);
    where->secure = strcmp(tls, "true") == 0;
    return 0;
}

/* A text of its own, percent-decoded if it is of a URI; NULL: no memory. */
static char *take_text(const struct rota_etcd_where *where, struct rota_slice text, bool encoded)
{
    char *copy = rota_alloc_get(where->alloc, text.size + 1);

    if (copy == NULL)
        return NULL;
    if (encoded)
        text.size = rota_percent_decode(text, copy);
    else if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static rota_err read_login(struct rota_etcd_where *where, const struct rota_target *target, struct rota_errinfo *info)
{
    bool encoded = target->userinfo[0] != '\0';
    const char *both = encoded ? target->userinfo : secure_getenv("ETCDCTL_USER"), *colon, *password;

    if (both == NULL || both[0] == '\0')
        return 0;
    colon = strchr(both, ':');
    password = colon != NULL ? colon + 1 : secure_getenv("ETCDCTL_PASSWORD");
    where->user = take_text(where, rota_slice(both, colon != NULL ? (size_t)(colon - both) : strlen(both)), encoded);
    where->password = take_text(where, rota_slice_str(password != NULL ? password : ""), encoded && colon != NULL);
    if (where->user == NULL || where->password == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    if (!rota_text_is_utf8(rota_slice_str(where->user)) || !rota_text_is_utf8(rota_slice_str(where->password)))
        return rota_errinfo_set(info, ROTA_EINVAL, "etcd login: user or password is no UTF-8");
    if (where->user[0] == '\0')
        return rota_errinfo_set(info, ROTA_EINVAL, "etcd login: no user before the password");
    return 0;
}

/* What stands for the members may be the beginning of a password then. */
static void hide_password(const struct rota_target *target, struct rota_errinfo *why)
{
    if (why->text[0] != '\0' && target->authority[0] != '\0' && strchr(target->path, '@') != NULL)
        rota_errinfo_set(why, ROTA_EINVAL, "etcd members: expected host:port,...; in a user or password before them / ? # %% and @ are written %%2F %%3F %%23 %%25 %%40");
}

rota_err rota_etcd_where_read(const struct rota_target *target, const struct rota_alloc *alloc, struct rota_etcd_where *ret_where, struct rota_errinfo *info)
{
    struct rota_etcd_where where = {.alloc = rota_alloc_or_default(alloc)};
    const char *members = target->authority[0] != '\0' ? target->authority : secure_getenv("ETCDCTL_ENDPOINTS");
    struct rota_errinfo why = {""};
    rota_err err = read_params(&where, target, info);

    if (err == 0)
        err = read_prefix(&where, target, info);
    if (err == 0)
        err = read_config_key(&where, target, info);
    if (err == 0)
        err = read_secure(&where, target, info);
    if (err == 0)
        err = read_members(&where, members == NULL || members[0] == '\0' ? DEFAULT_MEMBERS : members, &why);
    hide_password(target, &why);
    if (why.text[0] != '\0')
        rota_errinfo_set(info, err, "%s%s", target->authority[0] != '\0' ? "" : "ETCDCTL_ENDPOINTS in the environment: ", why.text);
    if (err == 0)
        err = read_files(&where, target, info);
    if (err == 0)
        err = read_login(&where, target, info);
    if (err < 0) {
        rota_etcd_where_fini(&where);
        return err;
    }
    *ret_where = where;
    return 0;
}

void rota_etcd_where_fini(struct rota_etcd_where *where)
{
    if (where->password != NULL)
        explicit_bzero(where->password, strlen(where->password));
    rota_alloc_free(where->alloc, where->user);
    rota_alloc_free(where->alloc, where->password);
    rota_alloc_free(where->alloc, where->members);
    rota_alloc_free(where->alloc, where->prefix);
    rota_alloc_free(where->alloc, where->config_key);
    rota_alloc_free(where->alloc, where->ca_file);
    rota_alloc_free(where->alloc, where->cert_file);
    rota_alloc_free(where->alloc, where->key_file);
    rota_alloc_free(where->alloc, where->server_name);
    *where = (struct rota_etcd_where){.alloc = where->alloc};
}

/* A zone stands behind a percent sign, and targets are percent-decoded; no other byte of a member means anything to them. */
char *rota_etcd_where_members_target(const struct rota_etcd_where *where, const struct rota_alloc *alloc)
{
    static const char scheme[] = ROTA_ETCD_MEMBERS_SCHEME ":";
    char *target = rota_alloc_get(alloc, sizeof(scheme) + 3 * strlen(where->members)), *at = target;

    if (target == NULL)
        return NULL;
    at = stpcpy(at, scheme);
    for (const char *member = where->members; *member != '\0'; member++) {
        *at++ = *member;
        if (*member == '%')
            at = stpcpy(at, "25");
    }
    *at = '\0';
    return target;
}

size_t rota_etcd_range_end(struct rota_slice prefix, uint8_t *out)
{
    size_t n = prefix.size;

    while (n > 0 && prefix.data[n - 1] == 0xff)
        n--;
    if (n == 0) {
        out[0] = 0;
        return 1;
    }
    memcpy(out, prefix.data, n);
    out[n - 1]++;
    return n;
}
