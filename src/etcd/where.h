/* where.h - a target or registrar URI taken apart: which members, which service, how written. Pure but for the environment.
 *
 * etcd://member1:2379,member2:2379/service?dialect=grpclb&prefix=/some/prefix/
 * Members without a port are on 2379, 32 at most. No members: the environment's ETCDCTL_ENDPOINTS (a comma-separated list, http://, https:// and
 * a last slash allowed), else 127.0.0.1:2379. Slashes around the service do not count. prefix= names the key prefix outright, with the slash
 * that it should end in, and takes the service's place.
 * The service config of a service stands under /rota/config/ and the service's prefix without the slashes around that, outside the prefix, where
 * no dialect's readers look; config= names another key, and config= with nothing behind it says that there is none.
 * Login: userinfo before the members (etcd://user:password@member1,member2/service, percent-encoded where it must be), or the environment's
 * ETCDCTL_USER (user or user:password) and ETCDCTL_PASSWORD.
 * TLS: when the members of the environment are https://, or the URI has cacert=, cert=, key=, servername= or tls=true. Files that the URI
 * does not name come from ETCDCTL_CACERT, ETCDCTL_CERT and ETCDCTL_KEY; authorities, else, from the system.
 */
#ifndef ROTA_ETCD_WHERE_H
#define ROTA_ETCD_WHERE_H

#include "etcd/dialect.h"
#include <rota/target.h>

#define ROTA_ETCD_MAX_MEMBERS 32
#define ROTA_ETCD_MEMBERS_SCHEME "etcd-members"

struct rota_etcd_where {
    const struct rota_alloc *alloc;
    const struct rota_etcd_dialect *dialect;
    char *members; /* "a:2379,b:2379", each checked to be an address */
    bool secure;
    char *ca_file, *cert_file, *key_file, *server_name; /* with secure; NULL: not given */
    char *user, *password; /* user NULL: no login. Not for messages */
    char *prefix;  /* all keys of the service begin with it */
    char *config_key; /* where its service config stands; "": nowhere */
};

/* ROTA_EINVAL (info: which part and what was expected), ROTA_ENOMEM. */
rota_err rota_etcd_where_read(const struct rota_target *target, const struct rota_alloc *alloc, struct rota_etcd_where *ret_where, struct rota_errinfo *info);
void rota_etcd_where_fini(struct rota_etcd_where *where);

/* A target whose path is `members`: of the channel to them. NULL: no memory. */
char *rota_etcd_where_members_target(const struct rota_etcd_where *where, const struct rota_alloc *alloc);

/* The end of a range that holds every key with that prefix: the prefix with its last byte that is not 0xff one larger, cut there;
 * one zero byte (everything) when there is none. out: at least prefix.size + 1 bytes. Returns the size. */
size_t rota_etcd_range_end(struct rota_slice prefix, uint8_t *out);

#endif
