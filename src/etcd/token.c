/* token.c - the pure part of login.h: when a token is used, forgotten, and sent. */
#include "etcd/login.h"

#include "base/alloc.h"
#include "etcd/explain.h"
#include <string.h>

void rota_etcd_login_init(struct rota_etcd_login *login, const struct rota_etcd_where *where, struct rota_channel *client, const struct rota_alloc *alloc,
                          void (*done)(void *arg, const struct rota_status *why), void *arg)
{
    *login = (struct rota_etcd_login){.alloc = alloc, .where = where, .client = client, .done = done, .arg = arg};
}

static void forget(struct rota_etcd_login *login)
{
    if (login->token != NULL)
        explicit_bzero(login->token, strlen(login->token));
    rota_alloc_free(login->alloc, login->token);
    login->token = NULL;
    login->known = false;
    login->denied = false;
}

void rota_etcd_login_fini(struct rota_etcd_login *login)
{
    forget(login);
}

static bool wanted(const struct rota_etcd_login *login)
{
    return login->where != NULL && login->where->user != NULL;
}

bool rota_etcd_login_good(const struct rota_etcd_login *login, bool stream, int64_t now_ns)
{
    return !wanted(login) || (login->known && now_ns - login->got_ns <= (stream ? ROTA_ETCD_TOKEN_STREAM_NS : ROTA_ETCD_TOKEN_KEEP_NS));
}

bool rota_etcd_login_answered(struct rota_etcd_login *login, const struct rota_status *status, const char *token, int64_t now_ns, struct rota_status *ret_why)
{
    bool needless = status->code != ROTA_OK && strstr(status->message, "authentication is not enabled") != NULL;

    forget(login);
    if (status->code != ROTA_OK && !needless) {
        rota_status_set(ret_why, status->code, "login as \"%s\": %s", login->where->user, status->message);
        return false;
    }
    if (!needless) {
        login->token = rota_alloc_text(login->alloc, rota_slice_str(token));
        if (login->token == NULL) {
            rota_status_set(ret_why, ROTA_UNAVAILABLE, "login: out of memory");
            return false;
        }
    }
    login->known = true;
    login->got_ns = now_ns;
    rota_status_set(ret_why, ROTA_OK, "%s", "");
    return true;
}

bool rota_etcd_login_refused(struct rota_etcd_login *login, const struct rota_status *status, int64_t now_ns)
{
    bool fresh = login->known && now_ns - login->got_ns <= ROTA_ETCD_TOKEN_FRESH_NS;

    if (!wanted(login) || !rota_etcd_wants_token(status))
        return false;
    forget(login);
    return !fresh;
}

void rota_etcd_login_denied(struct rota_etcd_login *login, int64_t now_ns)
{
    if (!wanted(login) || !login->known)
        return;
    if (now_ns - login->got_ns <= ROTA_ETCD_TOKEN_FRESH_NS)
        login->denied = true;
    if (login->denied || now_ns < login->believed_ns)
        return;
    login->believed_ns = now_ns + ROTA_ETCD_TOKEN_STREAM_NS;
    forget(login);
}

rota_err rota_etcd_login_metadata(const struct rota_etcd_login *login, bool leader, struct rota_metadata **ret_metadata)
{
    struct rota_metadata *metadata = NULL;
    rota_err err;

    *ret_metadata = NULL;
    if (!leader && login->token == NULL)
        return 0;
    err = rota_metadata_new(login->alloc, &metadata);
    if (err == 0 && leader)
        err = rota_metadata_add_text(metadata, "hasleader", "true");
    if (err == 0 && login->token != NULL)
        err = rota_metadata_add_text(metadata, "token", login->token);
    if (err < 0) {
        rota_metadata_free(metadata);
        return err;
    }
    *ret_metadata = metadata;
    return 0;
}
