/* login.c - the part of login.h that asks; the rest is token.c. */
#include "etcd/login.h"

#include "etcd/client.h"
#include <etcd.rota.h>

static void on_answer(void *arg, const struct rota_status *status, const Etcdserverpb__AuthenticateResponse *reply)
{
    struct rota_etcd_login *login = arg;
    struct rota_status why;

    login->asking = false;
    (void)rota_etcd_login_answered(login, status, status->code == ROTA_OK ? reply->token : "", rota_loop_now_ns(rota_channel_loop(login->client)), &why);
    login->done(login->arg, &why);
}

rota_err rota_etcd_login_ask(struct rota_etcd_login *login)
{
    struct rota_call_options options = {.size = sizeof(options), .timeout_ms = ROTA_ETCD_CALL_MS};
    Etcdserverpb__AuthenticateRequest request = ETCDSERVERPB__AUTHENTICATE_REQUEST__INIT;
    rota_err err;

    if (login->asking)
        return 0;
    request.name = login->where->user;
    request.password = login->where->password;
    err = etcdserverpb_auth_authenticate_start(login->client, &options, &request, on_answer, login, NULL);
    login->asking = err == 0;
    return err;
}
