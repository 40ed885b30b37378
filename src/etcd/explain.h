/* explain.h - what etcd refuses, with what a user can do about it. Pure. */
#ifndef ROTA_ETCD_EXPLAIN_H
#define ROTA_ETCD_EXPLAIN_H

#include <rota/status.h>

/* The status; where etcd refuses for want of a login its message names the code and says so. */
void rota_etcd_explain(const struct rota_status *status, struct rota_status *ret_status);

#endif
