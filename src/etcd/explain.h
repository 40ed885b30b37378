/* explain.h - what etcd refuses, with what a user can do about it. Pure. */
#ifndef ROTA_ETCD_EXPLAIN_H
#define ROTA_ETCD_EXPLAIN_H

#include <rota/status.h>

/* The status; where etcd refuses for want of a login, or of a role, its message names the code and says what to do. user: as whom we have
 * logged in; NULL: not at all. */
void rota_etcd_explain(const struct rota_status *status, const char *user, struct rota_status *ret_status);

/* Whether it says that the call came without a token that holds, so that a new one may help. */
bool rota_etcd_wants_token(const struct rota_status *status);

/* Whether it says that a permission is missing. */
bool rota_etcd_denies(const struct rota_status *status);

#endif
