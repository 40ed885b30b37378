/* tls.c - see tls.h. A connection: OpenSSL's state machine between two runs of bytes.
 *
 * Invariants: `in` is borrowed and used up before a read says that nothing more comes, unless the connection is over; `broken` is set once
 * and every later call says it again; plaintext is given out only when `ready`, which means that certificate, name and ALPN were right.
 * Handshake messages after the handshake (renewed keys, sessions, handshakes that are refused) cost us work and, often, an answer that
 * OpenSSL sends by itself, whether or not the peer reads it: MESSAGES_MAX of them for each RECORD_BYTES of the peer's data.
 * `kept`: while such a message is half in, OpenSSL writes nothing.
 */
#include "net/tls_inside.h"
#include "base/alloc.h"
#include "base/errinfo.h"
#include <arpa/inet.h>
#include <stdio.h>

enum {
    RECORD_BYTES = 16384,  /* RFC 8446 5.1 */
    MESSAGES_MAX = 32,
};

static const char too_many[] = "the peer sends one handshake message after the other, and hardly any data";
static const uint8_t h2[] = {2, 'h', '2'}; /* as in the ALPN extension, RFC 7301 3.1 */

/* --- Bytes in and out --- */

static bool sends_too_many(const struct rota_tls *tls)
{
    return tls->n_messages > MESSAGES_MAX;
}

/* The rest of a flood is not there: OpenSSL would answer all of it before it comes back to us. */
static int take_bytes(BIO *bio, char *data, int size)
{
    struct rota_tls *tls = BIO_get_data(bio);
    size_t taken = (size_t)size < tls->in.size ? (size_t)size : tls->in.size;

    BIO_clear_retry_flags(bio);
    if (taken == 0 || sends_too_many(tls)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(data, tls->in.data, taken);
    tls->in = rota_slice(tls->in.data + taken, tls->in.size - taken);
    return (int)taken;
}

static int give_bytes(BIO *bio, const char *data, int size)
{
    struct rota_tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (rota_buffer_append(tls->out, rota_slice(data, (size_t)size)) == 0)
        return size;
    tls->no_memory = true;
    return -1;
}

static long control_bytes(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH;
}

BIO_METHOD *rota_tls_bytes_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "rota");

    if (method == NULL)
        return NULL;
    BIO_meth_set_read(method, take_bytes);
    BIO_meth_set_write(method, give_bytes);
    BIO_meth_set_ctrl(method, control_bytes);
    return method;
}

/* --- Callbacks of a context --- */

static int on_verify(int good, X509_STORE_CTX *store)
{
    if (!good)
        rota_tls_why_cert(SSL_get_app_data((SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())), store);
    return good;
}

/* Clients without ALPN do not come as far as on_alpn. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct rota_tls *tls = SSL_get_app_data(ssl);
    const unsigned char *data;
    size_t size;

    (void)arg;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    (void)rota_errinfo_set(&tls->why, 0, "the client does not speak HTTP/2 (it offers nothing in ALPN)");
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int on_alpn(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_size, const unsigned char *offered, unsigned offered_size, void *arg)
{
    struct rota_tls *tls = SSL_get_app_data(ssl);

    (void)arg;
    for (unsigned at = 0; at < offered_size; at += 1u + offered[at]) {
        if (offered_size - at >= sizeof(h2) && memcmp(offered + at, h2, sizeof(h2)) == 0) {
            *ret_protocol = h2 + 1;
            *ret_size = h2[0];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    (void)rota_errinfo_set(&tls->why, 0, "the client does not speak HTTP/2 (it does not offer h2 in ALPN)");
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void on_message(int sent, int version, int type, const void *data, size_t size, SSL *ssl, void *arg)
{
    struct rota_tls *tls = SSL_get_app_data(ssl);

    (void)version;
    (void)data;
    (void)size;
    (void)arg;
    if (!sent && type == SSL3_RT_HANDSHAKE && tls->ready)
        tls->n_messages++;
}

void rota_tls_watch_context(struct rota_tls_config *config, SSL_CTX *context)
{
    int verify = config->server && config->ca_file == NULL ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;

    if (config->require_client_cert)
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, verify, on_verify);
    SSL_CTX_set_msg_callback(context, on_message);
    if (config->server) {
        SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
        SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    }
}

/* --- A connection --- */

static bool set_name(struct rota_tls *tls)
{
    uint8_t ip[sizeof(struct in6_addr)];

    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    /* No name would mean that any will do. */
    if (tls->name[0] == '\0') {
        tls->broken = rota_errinfo_set(&tls->why, ROTA_EPROTO, "it is not known which name the server's certificate must have; tls.server_name says it");
        return true;
    }
    if (inet_pton(AF_INET, tls->name, ip) == 1 || inet_pton(AF_INET6, tls->name, ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), tls->name) == 1;
    return SSL_set1_host(tls->ssl, tls->name) == 1 && SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1;
}

/* A zone (RFC 6874) says which of our interfaces; certificates know nothing of it. */
static void cut_zone(char *name)
{
    uint8_t ip[sizeof(struct in6_addr)];
    char *zone = strchr(name, '%');

    if (zone == NULL)
        return;
    *zone = '\0';
    if (inet_pton(AF_INET6, name, ip) != 1)
        *zone = '%';
}

static bool set_up_client(struct rota_tls *tls, struct rota_slice host, const char *peer)
{
    if (tls->config->server_name != NULL)
        host = rota_slice_str(tls->config->server_name);
    /* A name's last dot says that it is whole; certificates have none. */
    if (host.size > 1 && host.data[host.size - 1] == '.')
        host.size--;
    if (host.size < sizeof(tls->name))
        snprintf(tls->name, sizeof(tls->name), "%.*s", (int)host.size, (const char *)host.data);
    cut_zone(tls->name);
    snprintf(tls->peer, sizeof(tls->peer), "%s", peer);
    SSL_set_connect_state(tls->ssl);
    if (!set_name(tls) || SSL_set_alpn_protos(tls->ssl, h2, sizeof(h2)) != 0)
        return false;
    rota_tls_session_use(tls);
    return true;
}

static bool set_up(struct rota_tls *tls, struct rota_slice host, const char *peer)
{
    BIO *bio;

    tls->context = tls->config->context;
    tls->ssl = SSL_new(tls->context);
    bio = tls->ssl == NULL ? NULL : BIO_new(tls->config->bytes);
    if (bio == NULL)
        return false;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    if (!tls->config->server)
        return set_up_client(tls, host, peer);
    SSL_set_accept_state(tls->ssl);
    return true;
}

rota_err rota_tls_new(struct rota_tls_config *config, struct rota_slice host, const char *peer, struct rota_buffer *out, int64_t now_ns,
                      struct rota_tls **ret_tls)
{
    struct rota_tls *tls;
    bool good;

    rota_tls_config_look(config, now_ns);
    tls = rota_alloc_zero(config->alloc, 1, sizeof(*tls));
    if (tls == NULL)
        return ROTA_ENOMEM;
    tls->config = rota_tls_config_ref(config);
    tls->out = out;
    rota_buffer_init(&tls->kept, config->alloc, 0);
    ERR_clear_error();
    good = set_up(tls, host, peer);
    ERR_clear_error();
    if (!good) {
        rota_tls_free(tls);
        return ROTA_ENOMEM;
    }
    *ret_tls = tls;
    return 0;
}

void rota_tls_free(struct rota_tls *tls)
{
    struct rota_tls_config *config;

    if (tls == NULL)
        return;
    config = tls->config;
    /* A connection that just went away may be resumed all the same: HTTP/2 has its own way to tell that something is missing. */
    if (tls->ready && tls->broken == 0)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    ERR_clear_error();
    rota_identity_unref(tls->identity);
    rota_buffer_fini(&tls->kept);
    rota_alloc_free(config->alloc, tls);
    rota_tls_config_unref(config);
}

void rota_tls_feed(struct rota_tls *tls, struct rota_slice bytes)
{
    tls->in = bytes;
}

/* Says a failure for the first time, or again. */
static rota_err say(const struct rota_tls *tls, struct rota_errinfo *info)
{
    return rota_errinfo_set(info, tls->broken, "%s", tls->why.text);
}

static void break_off(struct rota_tls *tls, const char *why)
{
    tls->broken = rota_errinfo_set(&tls->why, ROTA_EPROTO, "%s", why);
}

/* The peer is who it should be; is it also one to speak HTTP/2 with? */
static void finish_handshake(struct rota_tls *tls)
{
    const unsigned char *protocol;
    const X509 *cert;
    unsigned size;

    SSL_get0_alpn_selected(tls->ssl, &protocol, &size);
    if (size != h2[0] || memcmp(protocol, h2 + 1, size) != 0) {
        (void)SSL_shutdown(tls->ssl);
        break_off(tls, "the server does not speak HTTP/2 (it does not agree to h2 in ALPN)");
        return;
    }
    cert = tls->config->server ? SSL_get0_peer_certificate(tls->ssl) : NULL;
    if (cert != NULL && rota_tls_cert_identity(cert, tls->config->alloc, &tls->identity) < 0)
        tls->broken = rota_errinfo_set(&tls->why, ROTA_ENOMEM, "out of memory");
    else
        tls->ready = true;
}

static void look_at_result(struct rota_tls *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);

    if (error == SSL_ERROR_ZERO_RETURN)
        tls->broken = rota_errinfo_set(&tls->why, ROTA_ECLOSED, "closed by the peer");
    else if (error != SSL_ERROR_WANT_READ)
        tls->broken = rota_tls_why_failed(tls, &tls->why);
    else if (sends_too_many(tls))
        break_off(tls, too_many);
}

static void count_data(struct rota_tls *tls, size_t size)
{
    if (sends_too_many(tls)) {
        break_off(tls, too_many);
        return;
    }
    tls->data_bytes += size;
    if (tls->data_bytes < RECORD_BYTES)
        return;
    tls->data_bytes = 0;
    tls->n_messages = 0;
}

static size_t read_plain(struct rota_tls *tls, uint8_t *plain, size_t cap)
{
    size_t filled = 0;

    while (tls->ready && tls->broken == 0 && filled < cap) {
        size_t size;
        int result = SSL_read_ex(tls->ssl, plain + filled, cap - filled, &size);
        if (result == 1) {
            filled += size;
            count_data(tls, size);
            continue;
        }
        look_at_result(tls, result);
        break;
    }
    return filled;
}

/* All of the bytes, or none (false): something has to be read first, or it is `broken`. */
static bool write_plain(struct rota_tls *tls, struct rota_slice plain)
{
    size_t size;

    if (plain.size > 0 && SSL_write_ex(tls->ssl, plain.data, plain.size, &size) != 1) {
        if (SSL_get_error(tls->ssl, 0) != SSL_ERROR_WANT_READ)
            tls->broken = rota_tls_why_failed(tls, &tls->why);
        return false;
    }
    tls->records += 1 + plain.size / RECORD_BYTES;
    if (tls->records >= tls->config->records_per_key && SSL_version(tls->ssl) >= TLS1_3_VERSION) {
        (void)SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        tls->records = 0;
    }
    return true;
}

static void write_kept(struct rota_tls *tls)
{
    struct rota_slice plain = rota_buffer_peek(&tls->kept);

    if (plain.size == 0 || tls->broken != 0 || !write_plain(tls, plain))
        return;
    rota_buffer_fini(&tls->kept);
    rota_buffer_init(&tls->kept, tls->config->alloc, 0);
}

rota_err rota_tls_read(struct rota_tls *tls, uint8_t *plain, size_t cap, size_t *ret_size, struct rota_errinfo *info)
{
    *ret_size = 0;
    ERR_clear_error();
    if (!tls->ready && tls->broken == 0) {
        int result = SSL_do_handshake(tls->ssl);
        if (result == 1)
            finish_handshake(tls);
        else
            look_at_result(tls, result);
    }
    *ret_size = read_plain(tls, plain, cap);
    write_kept(tls);
    return *ret_size > 0 || tls->broken == 0 ? 0 : say(tls, info);
}

static rota_err keep(struct rota_tls *tls, struct rota_slice plain, struct rota_errinfo *info)
{
    if (rota_buffer_append(&tls->kept, plain) == 0)
        return 0;
    tls->broken = rota_errinfo_set(&tls->why, ROTA_ENOMEM, "out of memory");
    return say(tls, info);
}

rota_err rota_tls_write(struct rota_tls *tls, struct rota_slice plain, struct rota_errinfo *info)
{
    if (tls->broken < 0 && tls->broken != ROTA_ECLOSED)
        return say(tls, info);
    ERR_clear_error();
    if (rota_tls_pending(tls) == 0 && write_plain(tls, plain))
        return 0;
    return tls->broken < 0 && tls->broken != ROTA_ECLOSED ? say(tls, info) : keep(tls, plain, info);
}

size_t rota_tls_pending(const struct rota_tls *tls)
{
    return tls->kept.tail - tls->kept.head;
}

void rota_tls_close(struct rota_tls *tls)
{
    if (!tls->ready || (tls->broken < 0 && tls->broken != ROTA_ECLOSED))
        return;
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

bool rota_tls_ready(const struct rota_tls *tls)
{
    return tls->ready;
}

bool rota_tls_resumed(const struct rota_tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

struct rota_identity *rota_tls_identity(const struct rota_tls *tls)
{
    return tls->identity;
}
