/* tls_why.c - failures as sentences that name the cause: what is wrong with which certificate, what the peer does not speak. */
#include "base/errinfo.h"
#include "net/address.h"
#include "net/tls_inside.h"
#include <stdio.h>

enum { NAMES_SHOWN_BYTES = 240 };

/* --- Certificates --- */

static void write_time(const ASN1_TIME *time, char *ret_text, size_t cap)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) == 1)
        snprintf(ret_text, cap, "%04d-%02d-%02d %02d:%02d:%02d UTC", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    else
        snprintf(ret_text, cap, "a time that cannot be read");
}

static void write_subject(const struct rota_alloc *alloc, const X509_NAME *name, char *ret_text, size_t cap)
{
    struct rota_buffer text;

    rota_buffer_init(&text, alloc, 0);
    if (rota_tls_cert_subject(name, &text) < 0 || rota_buffer_peek(&text).size <= 1)
        snprintf(ret_text, cap, "no subject");
    else
        snprintf(ret_text, cap, "%s", (const char *)rota_buffer_peek(&text).data);
    rota_buffer_fini(&text);
}

static void write_names(const struct rota_alloc *alloc, const X509 *cert, char *ret_text, size_t cap)
{
    struct rota_buffer text;
    struct rota_slice shown;
    size_t count = 0;

    rota_buffer_init(&text, alloc, 0);
    if (rota_tls_cert_names(cert, false, ", ", 2, &text, &count) < 0 || count == 0) {
        snprintf(ret_text, cap, "no name");
    } else {
        shown = rota_buffer_peek(&text);
        if (shown.size - 2 < cap)
            snprintf(ret_text, cap, "%.*s", (int)(shown.size - 2), (const char *)shown.data);
        else
            snprintf(ret_text, cap, "%.*s ... %zu in all", (int)(cap - 40), (const char *)shown.data, count);
    }
    rota_buffer_fini(&text);
}

static bool is_untrusted(int code)
{
    return code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY || code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN || code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
           code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE || code == X509_V_ERR_CERT_UNTRUSTED || code == X509_V_ERR_CERT_SIGNATURE_FAILURE;
}

void rota_tls_why_cert(struct rota_tls *tls, X509_STORE_CTX *store)
{
    const struct rota_tls_config *config = tls->config;
    const char *whose = config->server ? "client certificate" : X509_STORE_CTX_get_error_depth(store) > 0 ? "issuer's certificate" : "certificate";
    int code = X509_STORE_CTX_get_error(store);
    const X509 *cert = X509_STORE_CTX_get_current_cert(store);
    char subject[128] = "", other[NAMES_SHOWN_BYTES] = "";

    if (cert == NULL) {
        (void)rota_errinfo_set(&tls->why, 0, "%s: %s", whose, X509_verify_cert_error_string(code));
        return;
    }
    write_subject(config->alloc, X509_get_subject_name(cert), subject, sizeof(subject));
    if (code == X509_V_ERR_CERT_HAS_EXPIRED) {
        write_time(X509_get0_notAfter(cert), other, sizeof(other));
        (void)rota_errinfo_set(&tls->why, 0, "%s has expired (%s, it was valid until %s)", whose, subject, other);
    } else if (code == X509_V_ERR_CERT_NOT_YET_VALID) {
        write_time(X509_get0_notBefore(cert), other, sizeof(other));
        (void)rota_errinfo_set(&tls->why, 0, "%s is not yet valid (%s, it will be from %s)", whose, subject, other);
    } else if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        write_names(config->alloc, cert, other, sizeof(other));
        (void)rota_errinfo_set(&tls->why, 0, "%s is not for \"%s\" (it names %s)", whose, tls->name, other);
    } else if (is_untrusted(code)) {
        write_subject(config->alloc, X509_get_issuer_name(cert), other, sizeof(other));
        (void)rota_errinfo_set(&tls->why, 0, "%s has an issuer that is not trusted (%s, issued by %s; trusted are those in %s)", whose, subject, other,
                               config->ca_file != NULL ? config->ca_file : "the system's list");
    } else if (code == X509_V_ERR_INVALID_PURPOSE) {
        (void)rota_errinfo_set(&tls->why, 0, "%s is not meant for %s (%s)", whose, config->server ? "clients" : "servers", subject);
    } else {
        (void)rota_errinfo_set(&tls->why, 0, "%s: %s (%s)", whose, X509_verify_cert_error_string(code), subject);
    }
}

/* --- Handshakes and records --- */

/* Reasons of OpenSSL's, what they mean at a client and at a server; the alerts among them were sent by the peer. */
static const struct reason {
    int code;
    const char *at_client, *at_server;
} reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the server does not speak TLS", "the client does not speak TLS"},
    {SSL_R_HTTP_REQUEST, "the server does not speak TLS", "the client does not speak TLS but plain HTTP"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the server does not speak TLS", "the client does not speak TLS but asks for a proxy"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the server speaks TLS, but not 1.2 or later", "the client speaks TLS, but not 1.2 or later"},
    {SSL_R_VERSION_TOO_LOW, "the server speaks TLS, but not 1.2 or later", "the client speaks TLS, but not 1.2 or later"},
    {SSL_R_NO_SHARED_CIPHER, NULL, "the client offers no cipher that is accepted here"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, NULL, "the client shows no certificate"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the server wants a client certificate, and none was shown", NULL},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the server refuses the handshake: it wants a client certificate, or accepts no cipher offered",
     "the client refuses the handshake"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the server does not trust the issuer of our certificate", "the client does not trust the issuer of our certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the server does not accept our certificate", "the client does not accept our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the server says that our certificate has expired", "the client says that our certificate has expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the server does not accept our certificate", "the client does not accept our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the server says that our certificate is revoked", "the client says that our certificate is revoked"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "the server says that our certificate is not meant for clients",
     "the client says that our certificate is not meant for servers"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the server speaks TLS, but not 1.2 or later", "the client speaks TLS, but not 1.2 or later"},
    {SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, "the server does not speak HTTP/2 (it refuses h2 in ALPN)", NULL},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "the server knows no such name (SNI)", NULL},
};

static const char *meaning_of(int code, bool server)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].code == code)
            return server ? reasons[i].at_server : reasons[i].at_client;
    return NULL;
}

rota_err rota_tls_why_failed(struct rota_tls *tls, struct rota_errinfo *info)
{
    unsigned long code = ERR_peek_error();
    const char *meaning = ERR_GET_LIB(code) == ERR_LIB_SSL ? meaning_of(ERR_GET_REASON(code), tls->config->server) : NULL;
    const char *text = ERR_reason_error_string(code);
    bool no_memory = tls->no_memory || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;

    ERR_clear_error();
    if (no_memory)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    if (tls->why.text[0] != '\0')
        return rota_errinfo_set(info, ROTA_EPROTO, "%s", tls->why.text);
    if (meaning != NULL && tls->name[0] != '\0' && ERR_GET_REASON(code) == SSL_R_TLSV1_UNRECOGNIZED_NAME)
        return rota_errinfo_set(info, ROTA_EPROTO, "%s: \"%s\"", meaning, tls->name);
    if (meaning != NULL)
        return rota_errinfo_set(info, ROTA_EPROTO, "%s", meaning);
    return rota_errinfo_set(info, ROTA_EPROTO, "TLS: %s", text != NULL ? text : "the connection broke");
}

/* --- Files --- */

/* Of another pair, or of another type, for which there is then no certificate. */
static bool is_other_key(unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    if (ERR_GET_LIB(code) == ERR_LIB_SSL)
        return reason == SSL_R_NO_CERTIFICATE_ASSIGNED;
    return ERR_GET_LIB(code) == ERR_LIB_X509 && (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH);
}

rota_err rota_tls_why_file(const char *option, const char *file, struct rota_errinfo *info)
{
    unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(last);
    char system[128];

    ERR_clear_error();
    if (ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE)
        return rota_errinfo_set(info, ROTA_ENOMEM, "no memory for TLS");
    if (ERR_SYSTEM_ERROR(first)) {
        rota_errno_text(ERR_GET_REASON(first), system, sizeof(system));
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.%s: %s: %s", option, file, system);
    }
    if (is_other_key(last))
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.%s: %s is not the key of the certificate", option, file);
    if (ERR_GET_LIB(first) == ERR_LIB_PEM && ERR_GET_REASON(first) == PEM_R_NO_START_LINE)
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.%s: %s has no PEM block of that kind", option, file);
    if (ERR_GET_LIB(first) == ERR_LIB_OSSL_DECODER && ERR_GET_REASON(first) == ERR_R_UNSUPPORTED) /* so it says of a damaged key too */
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.%s: %s has no private key that can be read", option, file);
    if (ERR_GET_REASON(last) == ERR_R_PEM_LIB)
        return rota_errinfo_set(info, ROTA_EINVAL, "tls.%s: %s is damaged or cut off", option, file);
    return rota_errinfo_set(info, ROTA_EINVAL, "tls.%s: %s: %s", option, file, text != NULL ? text : "cannot be read");
}
