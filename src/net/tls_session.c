/* tls_session.c - what a client keeps to shorten its next handshakes (RFC 8446 2.2, RFC 5077): the latest session for each
 * name and peer, in memory, of the current context only.
 *
 * A TLS 1.3 session is used once, since a second use would show an onlooker that it is the same client (RFC 8446 C.4).
 */
#include "base/alloc.h"
#include "net/tls_inside.h"

enum { SESSIONS_MAX = 256 };

struct session {
    struct rota_link link;
    SSL_SESSION *session;
    char key[]; /* name, space, peer */
};

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
