/* login.c - the part of login.h that asks; the rest is token.c. */
#include "etcd/login.h"

#include "base/alloc.h"
#include "etcd/client.h"
#include <etcd.rota.h>
#include <rota/call.h>

struct ask {
    struct rota_etcd_login *login;
    struct rota_call *call;
};

static void on_answer(void *arg, const struct rota_status *status, const Etcdserverpb__AuthenticateResponse *reply)
{
    struct ask *ask = arg;
    struct rota_etcd_login *login = ask->login;
    bool counts = login->ask == ask;
    struct rota_status why;

    rota_alloc_free(login->alloc, ask);
    if (!counts)
        return;
    login->ask = NULL;
    (void)rota_etcd_login_answered(login, status, status->code == ROTA_OK ? reply->token : "", rota_loop_now_ns(rota_channel_loop(login->client)), &why);
    login->done(login->arg, &why);
}

rota_err rota_etcd_login_ask(struct rota_etcd_login *login)
{
    struct rota_call_options options = {.size = sizeof(options), .timeout_ms = login->ask_ms > 0 ? login->ask_ms : ROTA_ETCD_CALL_MS};
    Etcdserverpb__AuthenticateRequest request = ETCDSERVERPB__AUTHENTICATE_REQUEST__INIT;
    struct ask *ask;
    rota_err err;

    if (login->ask != NULL)
        return 0;
    ask = rota_alloc_get(login->alloc, sizeof(*ask));
    if (ask == NULL)
        return ROTA_ENOMEM;
    ask->login = login;
    request.name = login->where->user;
    request.password = login->where->password;
    err = etcdserverpb_auth_authenticate_start(login->client, &options, &request, on_answer, ask, &ask->call);
    if (err < 0)
        rota_alloc_free(login->alloc, ask);
    else
        login->ask = ask;
    return err;
}

void rota_etcd_login_cancel(struct rota_etcd_login *login)
{
    struct ask *ask = login->ask;

    login->ask = NULL;
    if (ask != NULL)
        rota_call_cancel(ask->call);
}
