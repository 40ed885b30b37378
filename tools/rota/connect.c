/* connect.c - see connect.h. */
#include "connect.h"

void rota_connect_flags(struct rota_connect *connect, struct rota_flag *flags)
{
    const struct rota_flag all[ROTA_CONNECT_FLAGS] = {
        {"tls", NULL, &connect->tls},           {"ca", &connect->ca, &connect->tls},
        {"cert", &connect->cert, &connect->tls}, {"key", &connect->key, &connect->tls},
        {"server-name", &connect->server_name, &connect->tls}, {"authority", &connect->authority, NULL},
        {"max-reply-bytes", &connect->max_reply_bytes, NULL}, {"plaintext", NULL, &connect->plaintext},
        {"gzip", NULL, &connect->gzip},
    };

    memcpy(flags, all, sizeof(all));
}

const char *rota_connect_hint(const struct rota_status *status)
{
    return strstr(status->message, "&rota_tls_insecure") != NULL ? "; --plaintext asks for it" : "";
}

bool rota_connect_given(const struct rota_connect *connect)
{
    return connect->tls || connect->plaintext || connect->gzip || connect->authority != NULL || connect->max_reply_bytes != NULL;
}

bool rota_connect_check(const char *verb, struct rota_connect *connect)
{
    long long max_reply_bytes = 0;

    if (connect->max_reply_bytes != NULL && !rota_flag_number("max-reply-bytes", connect->max_reply_bytes, 1, UINT32_MAX, &max_reply_bytes))
        return false;
    connect->max_reply = (size_t)max_reply_bytes;
    if (connect->tls && connect->plaintext) {
        rota_fail(verb, "--plaintext beside a flag that asks for TLS; give one of the two");
        return false;
    }
    return true;
}

struct rota_channel *rota_connect_open(const char *verb, const char *target, const struct rota_connect *connect, struct rota_loop *loop)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
    struct rota_channel *channel = NULL;
    struct rota_errinfo info = {""};

    tls.ca_file = connect->ca;
    tls.cert_file = connect->cert;
    tls.key_file = connect->key;
    tls.server_name = connect->server_name;
    options.loop = loop;
    options.compression = connect->gzip ? ROTA_COMPRESSION_GZIP : ROTA_COMPRESSION_DEFAULT;
    options.authority = connect->authority;
    options.service_config = connect->service_config;
    options.max_reply_bytes = connect->max_reply;
    if (connect->tls || connect->plaintext)
        options.tls = connect->tls ? &tls : &rota_tls_insecure;
    if (rota_channel_open(target, &options, &channel, &info) == 0)
        return channel;
    rota_fail(verb, "%s", info.text);
    return NULL;
}
