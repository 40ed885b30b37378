/* explain.c - see explain.h. Refusals are known by code or, where etcd wraps them in others (a canceled watch, the call of nobody), by words. */
#include "etcd/explain.h"

#include <string.h>

static bool says(const struct rota_status *status, const char *words)
{
    return strstr(status->message, words) != NULL;
}

bool rota_etcd_wants_token(const struct rota_status *status)
{
    return status->code == ROTA_UNAUTHENTICATED || says(status, "invalid auth token") || says(status, "user name is empty") ||
           says(status, "auth: revision in header is old") || says(status, "revision of auth store is old");
}

bool rota_etcd_denies(const struct rota_status *status)
{
    return status->code == ROTA_PERMISSION_DENIED || says(status, "permission denied");
}

void rota_etcd_explain(const struct rota_status *status, const char *user, struct rota_status *ret_status)
{
    bool denied = rota_etcd_denies(status);

    if (status->code == ROTA_OK || (!denied && (user != NULL || !rota_etcd_wants_token(status))))
        *ret_status = *status;
    else if (user == NULL)
        rota_status_set(ret_status, status->code, "%s (%s; etcd asks for a login: etcd://user:password@member/..., or ETCDCTL_USER)", status->message,
                        rota_code_name(status->code));
    else
        rota_status_set(ret_status, status->code, "%s (%s; no role of etcd's user \"%s\" permits it)", status->message, rota_code_name(status->code), user);
}
