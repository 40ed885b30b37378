/* connect.h - the channel of a verb that calls a server: the flags that say how to reach it, and opening it. */
#ifndef ROTA_TOOL_CONNECT_H
#define ROTA_TOOL_CONNECT_H

#include "command.h"

struct rota_connect {
    bool tls, plaintext, gzip;
    const char *ca, *cert, *key, *server_name, *authority;
    const char *max_reply_bytes; /* NULL: the channel's default */
    size_t max_reply;            /* that number, once it has been checked */
    const char *service_config;  /* no flag of its own; NULL: none */
};

#define ROTA_CONNECT_FLAGS 9
/* Writes that many flags, which fill in `connect`. */
void rota_connect_flags(struct rota_connect *connect, struct rota_flag *flags);

#define ROTA_CONNECT_USAGE \
    "  --plaintext         connect without TLS beyond this machine too; within it that is the default\n" \
    "  --tls               connect by TLS, with the system's certificates; --ca, --cert, --key and --server-name ask for it too\n" \
    "  --ca FILE           certificates of those who may issue the server's\n" \
    "  --cert FILE         our certificate, and --key FILE its key, unless that is in the same file\n" \
    "  --server-name NAME  the host name that the server's certificate must have\n" \
    "  --authority NAME    the host that is asked for; default: from the target\n" \
    "  --max-reply-bytes N what a reply may have, but for those by reflection; default 4 MiB\n" \
    "  --gzip              compress what is sent\n"

/* Whether any of them came. */
bool rota_connect_given(const struct rota_connect *connect);

/* Whether the flags make sense; false after having said on standard error what is wrong. Goes before opening. */
bool rota_connect_check(const char *verb, struct rota_connect *connect);

/* A channel on the loop; NULL after having said on standard error what is wrong. */
struct rota_channel *rota_connect_open(const char *verb, const char *target, const struct rota_connect *connect, struct rota_loop *loop);

/* What to add to a failure's message that names the library's options: the flag that sets them, or "". */
const char *rota_connect_hint(const struct rota_status *status);

#endif
