/* tls_session.c - what shortens the next handshakes (RFC 8446 2.2, RFC 5077): a client keeps the latest session for each
 * name and peer, in memory, of the current context only; a server's are in its tickets.
 *
 * A TLS 1.3 session is used once, since a second use would show an onlooker that it is the same client (RFC 8446 C.4).
 * Resumption looks at no certificate, and each resumed connection may be given a new session: without a look here, a certificate
 * would serve for ever. One that has expired since is not resumed on; the whole handshake that follows says why it fails.
 */
#include "base/alloc.h"
#include "net/tls_inside.h"

enum { SESSIONS_MAX = 256 };

struct session {
    struct rota_link link;
    SSL_SESSION *session;
    char key[]; /* name, space, peer */
};

static bool has_expired_peer(const SSL_SESSION *session)
{
    /* OpenSSL only reads it. */
    const X509 *cert = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);

    return cert != NULL && X509_cmp_time(X509_get0_notAfter(cert), NULL) <= 0;
}

static void drop(struct rota_tls_config *config, struct session *s)
{
    rota_list_remove(&s->link);
    config->n_sessions--;
    SSL_SESSION_free(s->session);
    rota_alloc_free(config->alloc, s);
}

static struct session *find(const struct rota_tls *tls)
{
    struct rota_tls_config *config = tls->config;
    size_t name_size = strlen(tls->name);

    for (struct rota_link *link = config->sessions.prev; link != &config->sessions; link = link->prev) {
        struct session *s = ROTA_CONTAINER(link, struct session, link);
        if (strncmp(s->key, tls->name, name_size) == 0 && s->key[name_size] == ' ' && strcmp(s->key + name_size + 1, tls->peer) == 0)
            return s;
    }
    return NULL;
}

/* OpenSSL has a session of the connection's to keep. Returns 1 when it is kept. Without memory it is not: a longer handshake. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct rota_tls *tls = SSL_get_app_data(ssl);
    struct rota_tls_config *config = tls->config;
    size_t name_size = strlen(tls->name), peer_size = strlen(tls->peer);
    struct session *s = find(tls);

    if (tls->context != config->context)
        return 0;
    if (s != NULL)
        drop(config, s);
    else if (config->n_sessions == SESSIONS_MAX)
        drop(config, ROTA_CONTAINER(config->sessions.next, struct session, link));
    s = rota_alloc_get(config->alloc, sizeof(*s) + name_size + peer_size + 2);
    if (s == NULL)
        return 0;
    s->session = session;
    memcpy(s->key, tls->name, name_size);
    s->key[name_size] = ' ';
    memcpy(s->key + name_size + 1, tls->peer, peer_size + 1);
    rota_list_append(&config->sessions, &s->link);
    config->n_sessions++;
    return 1;
}

static int on_ticket_made(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return 1;
}

/* A client shows a ticket. Everything but an expired certificate goes as it would without this. */
static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_size, SSL_TICKET_STATUS status, void *arg)
{
    (void)ssl;
    (void)name;
    (void)name_size;
    (void)arg;
    if ((status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW) && !has_expired_peer(session))
        return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
    return SSL_TICKET_RETURN_IGNORE_RENEW;
}

bool rota_tls_tickets_watch(SSL_CTX *context)
{
    return SSL_CTX_set_session_ticket_cb(context, on_ticket_made, on_ticket, NULL) == 1;
}

void rota_tls_sessions_watch(SSL_CTX *context)
{
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
}

void rota_tls_session_use(struct rota_tls *tls)
{
    struct session *s = find(tls);

    if (s == NULL)
        return;
    if (has_expired_peer(s->session)) {
        drop(tls->config, s);
        return;
    }
    /* Refused, the connection just makes a whole handshake. */
    (void)SSL_set_session(tls->ssl, s->session);
    if (SSL_SESSION_get_protocol_version(s->session) >= TLS1_3_VERSION)
        drop(tls->config, s);
}

void rota_tls_sessions_clear(struct rota_tls_config *config)
{
    while (!rota_list_empty(&config->sessions))
        drop(config, ROTA_CONTAINER(config->sessions.next, struct session, link));
}
