/* explain.c - see explain.h. Refusals are known by code or, where etcd wraps them in others (a canceled watch, the call of nobody), by words. */
#include "etcd/explain.h"

#include <string.h>

void rota_etcd_explain(const struct rota_status *status, struct rota_status *ret_status)
{
    bool login = status->code == ROTA_PERMISSION_DENIED || status->code == ROTA_UNAUTHENTICATED ||
                 strstr(status->message, "user name is empty") != NULL || strstr(status->message, "permission denied") != NULL;

    if (login)
        rota_status_set(ret_status, status->code, "%s (%s; etcd asks for a login, which is not supported)", status->message, rota_code_name(status->code));
    else
        *ret_status = *status;
}
