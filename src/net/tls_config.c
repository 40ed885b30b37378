/* tls_config.c - options and files to OpenSSL contexts, and again when the files change.
 *
 * Invariants: `context` is always a whole one: a new one takes its place only when every file of it was read. Connections hold
 * their own context, so replacing it drops none. Stamps are taken before the files are read: a change in between is seen later.
 * A new context begins without sessions and with new ticket keys, so that nobody resumes what new certificates would not allow.
 */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/log.h"
#include "base/options.h"
#include "net/tls_inside.h"
#include <sys/stat.h>

#define NS_PER_MS INT64_C(1000000)
#define DEFAULT_RELOAD_MS 10000
/* RFC 8446 5.5: AES-GCM's bound is 2^24.5 records, whatever their size. */
#define RECORDS_PER_KEY (UINT64_C(1) << 23)

/* All that RFC 9113 appendix A leaves over of TLS 1.2, of the kinds that are in use. */
static const char ciphers_tls12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static struct rota_tls_stamp stamp_of(const char *file)
{
    struct rota_tls_stamp stamp = {0};
    struct stat st;

    if (file != NULL && stat(file, &st) == 0)
        stamp = (struct rota_tls_stamp){(int64_t)st.st_dev, (int64_t)st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
    return stamp;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stamp(const struct rota_tls_stamp *a, const struct rota_tls_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size_bytes == b->size_bytes && same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}

static void take_stamps(const struct rota_tls_config *config, struct rota_tls_stamp stamps[ROTA_TLS_FILES])
{
    const char *files[ROTA_TLS_FILES] = {config->ca_file, config->cert_file, config->key_file};

    for (int i = 0; i < ROTA_TLS_FILES; i++)
        stamps[i] = stamp_of(files[i]);
}

/* --- A context --- */

/* OpenSSL's own would ask at the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)arg = true;
    return -1;
}

static rota_err load_own(const struct rota_tls_config *config, SSL_CTX *context, struct rota_errinfo *info)
{
    bool encrypted = false;
    rota_err err = 0;

    if (config->cert_file == NULL)
        return 0;
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
    if (SSL_CTX_use_certificate_chain_file(context, config->cert_file) != 1)
        err = rota_tls_why_file("cert_file", config->cert_file, info);
    else if (SSL_CTX_use_PrivateKey_file(context, config->key_file, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(context) != 1) /* a key of another type finds no certificate */
        err = rota_tls_why_file("key_file", config->key_file, info);
    SSL_CTX_set_default_passwd_cb(context, NULL);
    if (err < 0 && encrypted)
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.key_file: %s is encrypted; expected a key without a passphrase", config->key_file);
    return err;
}

static rota_err load_authorities(const struct rota_tls_config *config, SSL_CTX *context, struct rota_errinfo *info)
{
    STACK_OF(X509_NAME) *names;

    if (config->ca_file == NULL) {
        if (!config->server && SSL_CTX_set_default_verify_paths(context) != 1)
            return rota_tls_why_file("ca_file", "the system's certificates", info);
        return 0;
    }
    if (SSL_CTX_load_verify_file(context, config->ca_file) != 1)
        return rota_tls_why_file("ca_file", config->ca_file, info);
    if (!config->server)
        return 0;
    /* Tells clients which of their certificates to show. */
    names = SSL_load_client_CA_file(config->ca_file);
    if (names == NULL)
        return rota_tls_why_file("ca_file", config->ca_file, info);
    SSL_CTX_set_client_CA_list(context, names);
    return 0;
}

static rota_err fill_context(struct rota_tls_config *config, SSL_CTX *context, struct rota_errinfo *info)
{
    rota_err err;

    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Idle connections keep no buffers. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(context, ciphers_tls12) != 1 ||
        SSL_CTX_set_session_id_context(context, (const uint8_t *)"rota", 4) != 1)
        return rota_tls_why_file("TLS", "OpenSSL", info);
    if (config->server && (SSL_CTX_set_num_tickets(context, 1) != 1 || !rota_tls_tickets_watch(context)))
        return rota_tls_why_file("TLS", "OpenSSL", info);
    if (!config->server)
        rota_tls_sessions_watch(context);
    rota_tls_watch_context(config, context);
    err = load_own(config, context, info);
    return err < 0 ? err : load_authorities(config, context, info);
}

static rota_err make_context(struct rota_tls_config *config, SSL_CTX **ret_context, struct rota_errinfo *info)
{
    SSL_CTX *context;
    rota_err err;

    ERR_clear_error();
    context = SSL_CTX_new(config->server ? TLS_server_method() : TLS_client_method());
    if (context == NULL) {
        ERR_clear_error();
        return rota_errinfo_set(info, ROTA_ENOMEM, "no memory for TLS");
    }
    err = fill_context(config, context, info);
    ERR_clear_error();
    if (err < 0)
        SSL_CTX_free(context);
    else
        *ret_context = context;
    return err;
}

void rota_tls_config_look(struct rota_tls_config *config, int64_t now_ns)
{
    struct rota_tls_stamp stamps[ROTA_TLS_FILES];
    struct rota_errinfo info = {{0}};
    SSL_CTX *context;
    bool same = true;

    if (config->reload_ns == INT64_MAX || now_ns < config->next_look_ns)
        return;
    config->next_look_ns = now_ns + config->reload_ns;
    take_stamps(config, stamps);
    for (int i = 0; i < ROTA_TLS_FILES; i++)
        same = same && same_stamp(&stamps[i], &config->stamps[i]);
    if (same)
        return;
    /* Stamps stay old after a failure, so the files are tried again at the next look: certificate and key may be changed one by one. */
    if (make_context(config, &context, &info) < 0) {
        rota_log_write(config->log, ROTA_LOG_WARN, "net", "%s; the certificates of before stay in use", info.text);
        return;
    }
    SSL_CTX_free(config->context);
    config->context = context;
    memcpy(config->stamps, stamps, sizeof(stamps));
    rota_tls_sessions_clear(config);
    rota_log_write(config->log, ROTA_LOG_INFO, "net", "TLS files have changed: %s is used for new connections",
                   config->cert_file != NULL ? config->cert_file : config->ca_file);
}

/* --- Options --- */

static rota_err check_server(const struct rota_tls_options *o, struct rota_errinfo *info)
{
    if (o->cert_file == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.cert_file is missing; a server needs a certificate");
    if (o->require_client_cert && o->ca_file == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.require_client_cert needs tls.ca_file: who issues the clients' certificates");
    if (o->server_name != NULL || o->check_address)
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.%s is for clients", o->server_name != NULL ? "server_name" : "check_address");
    return 0;
}

static rota_err check_client(const struct rota_tls_options *o, struct rota_errinfo *info)
{
    if (o->key_file != NULL && o->cert_file == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.key_file is %s, and tls.cert_file is missing", o->key_file);
    if (o->require_client_cert)
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.require_client_cert is for servers");
    if (o->server_name != NULL && (o->server_name[0] == '\0' || strlen(o->server_name) >= ROTA_TLS_NAME_SIZE))
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.server_name has %zu bytes; expected 1 to %d", strlen(o->server_name), ROTA_TLS_NAME_SIZE - 1);
    return 0;
}

static rota_err copy_text(const struct rota_tls_config *config, const char *text, char **ret_text)
{
    if (text == NULL)
        return 0;
    *ret_text = rota_alloc_text(config->alloc, rota_slice_str(text));
    return *ret_text == NULL ? ROTA_ENOMEM : 0;
}

static rota_err fill(struct rota_tls_config *config, const struct rota_tls_options *o, struct rota_errinfo *info)
{
    int64_t reload_ms = o->reload_ms == 0 ? DEFAULT_RELOAD_MS : o->reload_ms;

    config->require_client_cert = o->require_client_cert;
    config->check_address = o->check_address;
    config->reload_ns = reload_ms < 0 || reload_ms > INT64_MAX / NS_PER_MS / 2 ? INT64_MAX : reload_ms * NS_PER_MS;
    config->bytes = rota_tls_bytes_new();
    if (config->bytes == NULL || copy_text(config, o->ca_file, &config->ca_file) < 0 || copy_text(config, o->cert_file, &config->cert_file) < 0 ||
        copy_text(config, o->key_file != NULL ? o->key_file : o->cert_file, &config->key_file) < 0 ||
        copy_text(config, o->server_name, &config->server_name) < 0)
        return rota_errinfo_set(info, ROTA_ENOMEM, "no memory for TLS");
    take_stamps(config, config->stamps);
    return make_context(config, &config->context, info);
}

rota_err rota_tls_config_new(const struct rota_tls_options *options, bool server, const struct rota_alloc *alloc, const struct rota_log *log,
                             struct rota_tls_config **ret_config, struct rota_errinfo *info)
{
    struct rota_tls_options o = ROTA_TLS_OPTIONS_INIT;
    struct rota_tls_config *config;
    rota_err err;

    err = rota_options_take(&o, sizeof(o), options, "ROTA_TLS_OPTIONS_INIT", info);
    if (err < 0)
        return err;
    err = server ? check_server(&o, info) : check_client(&o, info);
    if (err == 0 && o.reload_ms < -1)
        err = rota_errinfo_set(info, ROTA_EINVAL, "tls.reload_ms is %lld; expected at least -1", (long long)o.reload_ms);
    if (err == 0)
        err = rota_openssl_load(info);
    if (err < 0)
        return err;
    config = rota_alloc_zero(alloc, 1, sizeof(*config));
    if (config == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "no memory for TLS");
    config->alloc = alloc;
    config->log = log;
    config->refs = 1;
    config->server = server;
    config->next_look_ns = INT64_MIN;
    config->records_per_key = RECORDS_PER_KEY;
    rota_list_init(&config->sessions);
    err = fill(config, &o, info);
    ERR_clear_error();
    if (err < 0)
        rota_tls_config_unref(config);
    else
        *ret_config = config;
    return err;
}

bool rota_tls_checks_address(const struct rota_tls_config *config)
{
    return config->check_address;
}

struct rota_tls_config *rota_tls_config_ref(struct rota_tls_config *config)
{
    config->refs++;
    return config;
}

void rota_tls_config_unref(struct rota_tls_config *config)
{
    if (config == NULL || --config->refs > 0)
        return;
    rota_tls_sessions_clear(config);
    SSL_CTX_free(config->context);
    BIO_meth_free(config->bytes);
    rota_alloc_free(config->alloc, config->ca_file);
    rota_alloc_free(config->alloc, config->cert_file);
    rota_alloc_free(config->alloc, config->key_file);
    rota_alloc_free(config->alloc, config->server_name);
    rota_alloc_free(config->alloc, config);
}
