/* unix.c - unix: and unix-abstract: targets: one socket, published once. */
#include "base/errinfo.h"
#include "resolver/resolvers.h"
#include <stdio.h>

/* unix:///run/x is absolute, although the slash before "run" only ends the (empty) authority. */
static rota_err parse(const struct rota_target *target, char *text, struct rota_address *ret_address, struct rota_errinfo *info)
{
    bool has_authority = strncmp(target->text + strlen(target->scheme) + 1, "//", 2) == 0;
    bool is_path = strcmp(target->scheme, "unix") == 0;
    struct rota_errinfo why = {""};
    char whole[ROTA_ADDRESS_TEXT_SIZE];

    if (target->authority[0] != '\0')
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\": \"%.100s\" stands where no host may be; an absolute path is %s", target->text,
            target->authority, "unix:///path");
    if (target->n_params > 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\" takes no parameters; write ? as %%3F", target->text);
    if (snprintf(whole, sizeof(whole), "%s:%s%s", target->scheme, is_path && has_authority ? "/" : "", target->path) >= (int)sizeof(whole))
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s...\" is too long for a unix socket", target->text);
    if (target->path[0] == '\0')
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%.200s\" names no socket", target->text);
    if (rota_address_parse(rota_slice_str(whole), text, ret_address, &why) < 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "%s", why.text);
    return 0;
}

static rota_err check(const struct rota_target *target, struct rota_errinfo *info)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;

    return parse(target, text, &address, info);
}

static rota_err start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address;
    const struct rota_endpoint *endpoint;
    rota_err err = parse(target, text, &address, NULL);

    (void)state;
    (void)loop;
    if (err == 0)
        err = rota_endpoint_new(rota_resolver_sink_alloc(sink), &(struct rota_endpoint){.addresses = &address, .n_addresses = 1}, &endpoint);
    if (err < 0)
        return err;
    rota_resolver_sink_endpoints(sink, &endpoint, 1, NULL);
    rota_endpoint_unref(endpoint);
    return 0;
}

/* The socket is the target's own: there is nothing to look up again or to free. */
static void refresh(void *state)
{
    (void)state;
}

static void stop(void *state)
{
    (void)state;
}

const struct rota_resolver_class rota_resolver_unix = {
    .scheme = "unix", .check = check, .start = start, .refresh = refresh, .stop = stop};
const struct rota_resolver_class rota_resolver_unix_abstract = {
    .scheme = "unix-abstract", .check = check, .start = start, .refresh = refresh, .stop = stop};
