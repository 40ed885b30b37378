/* login.h - who we are to etcd: a name and password turned into a token that calls carry, fetched anew before it fails.
 *
 * Rules (etcd's API; its issues 11954 and 13413): a simple token lives 300 s from its last use at a member, so one older than KEEP_NS is not
 * used; a stream that is opened gets one no older than STREAM_NS, since a stream with an old token hangs or dies, but not a new one for each
 * try: of two members that are turned to in turns, one hanging, the other would always get the login, and the hanging one the stream. What etcd
 * says of a token that does not hold makes it forgotten; after a call with one older than FRESH_NS it is worth trying another at once.
 * "permission denied" is what a watch is told also when etcd has forgotten its token, so a token is forgotten for it, but not one that
 * was told so when it was fresh, and once in STREAM_NS at most, however slow etcd is: a login costs it more processor than anything else, and what is
 * denied indeed stays denied.
 * An etcd that needs no login says so, which counts as a token. Neither password nor token is ever part of a message. Pure but for asking.
 */
#ifndef ROTA_ETCD_LOGIN_H
#define ROTA_ETCD_LOGIN_H

#include "etcd/where.h"
#include <rota/channel.h>
#include <rota/metadata.h>
#include <rota/status.h>

#define ROTA_ETCD_TOKEN_KEEP_NS INT64_C(240000000000)
#define ROTA_ETCD_TOKEN_STREAM_NS INT64_C(15000000000)
#define ROTA_ETCD_TOKEN_FRESH_NS INT64_C(1000000000)

struct ask;

struct rota_etcd_login {
    const struct rota_alloc *alloc;
    const struct rota_etcd_where *where; /* borrowed; user NULL: nothing to do */
    struct rota_channel *client;         /* borrowed */
    char *token;    /* NULL: none, or none needed */
    bool known;     /* there is a token, or none is needed, since got_ns */
    int64_t got_ns;
    bool denied;         /* a watch, when the token was fresh */
    int64_t believed_ns; /* until then denials are believed */
    struct ask *ask;  /* the one under way that counts; NULL: none */
    int64_t ask_ms;   /* how long etcd may take; 0: as others */
    void (*done)(void *arg, const struct rota_status *why); /* of each ask that began and was not canceled: OK, or why there is no token */
    void *arg;
};

/* For a zeroed login. Both outlive the login, which outlives the client: an ask under way is reported when that closes. */
void rota_etcd_login_init(struct rota_etcd_login *login, const struct rota_etcd_where *where, struct rota_channel *client, const struct rota_alloc *alloc,
                          void (*done)(void *arg, const struct rota_status *why), void *arg);
void rota_etcd_login_fini(struct rota_etcd_login *login);

/* Whether a call may be made now (stream: a stream be opened) or the login must be asked for first. */
bool rota_etcd_login_good(const struct rota_etcd_login *login, bool stream, int64_t now_ns);

/* Asks etcd, unless that is being done. ROTA_ENOMEM, ROTA_ECLOSED: done is not called. */
ROTA_MUST_USE rota_err rota_etcd_login_ask(struct rota_etcd_login *login);

/* Ends the ask under way, if there is one: the next meets another member. */
void rota_etcd_login_cancel(struct rota_etcd_login *login);

/* What an ask was answered with; for `ask` and tests. True: there is a token, or none is needed. */
bool rota_etcd_login_answered(struct rota_etcd_login *login, const struct rota_status *status, const char *token, int64_t now_ns, struct rota_status *ret_why);

/* A call has failed so. Forgets the token if it was for that; true: and it was no fresh one, so the call is worth making again at once. */
bool rota_etcd_login_refused(struct rota_etcd_login *login, const struct rota_status *status, int64_t now_ns);

/* A watch was denied: forgets the token if it may be for that. */
void rota_etcd_login_denied(struct rota_etcd_login *login, int64_t now_ns);

/* The metadata of a call, freed by the caller; NULL when there is none to send. leader: with "hasleader". ROTA_ENOMEM. */
ROTA_MUST_USE rota_err rota_etcd_login_metadata(const struct rota_etcd_login *login, bool leader, struct rota_metadata **ret_metadata);

#endif
