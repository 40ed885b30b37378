/* tls_cert.c - what stands in a certificate, as text.
 *
 * Issuers and peers write these texts: bytes that are no UTF-8 become '?', names with a zero inside are left out, since they
 * are made to be read as another name.
 */
#include "base/text.h"
#include "net/tls_inside.h"
#include <arpa/inet.h>

static rota_err append_text(struct rota_buffer *to, const char *kind, const char *text, size_t size)
{
    rota_err err = rota_buffer_append(to, rota_slice_str(kind));

    if (err == 0)
        err = rota_buffer_append(to, rota_slice(text, size));
    if (err == 0)
        rota_text_mend((char *)to->data + to->tail - size, size);
    return err;
}

static rota_err append_ip(struct rota_buffer *to, const char *kind, const ASN1_OCTET_STRING *ip, bool *ret_shown)
{
    char text[INET6_ADDRSTRLEN];
    int size = ASN1_STRING_length(ip);

    *ret_shown = size == 4 || size == 16;
    if (!*ret_shown || inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip), text, sizeof(text)) == NULL)
        return 0;
    return append_text(to, kind, text, strlen(text));
}

static rota_err append_name(struct rota_buffer *to, const GENERAL_NAME *name, bool with_kind, bool *ret_shown)
{
    const struct {
        int type;
        const char *kind;
    } kinds[] = {{GEN_DNS, "DNS:"}, {GEN_URI, "URI:"}, {GEN_EMAIL, "email:"}};
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

    *ret_shown = false;
    if (type == GEN_IPADD)
        return append_ip(to, with_kind ? "IP:" : "", value, ret_shown);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t size;
        if (type != kinds[i].type)
            continue;
        size = (size_t)ASN1_STRING_length(value);
        if (size == 0 || memchr(ASN1_STRING_get0_data(value), '\0', size) != NULL)
            return 0;
        *ret_shown = true;
        return append_text(to, with_kind ? kinds[i].kind : "", (const char *)ASN1_STRING_get0_data(value), size);
    }
    return 0;
}

rota_err rota_tls_cert_names(const X509 *cert, bool with_kind, const char *after, size_t after_size, struct rota_buffer *to, size_t *ret_count)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t count = 0;
    rota_err err = 0;

    for (int i = 0; err == 0 && i < sk_GENERAL_NAME_num(names); i++) {
        bool shown;
        err = append_name(to, sk_GENERAL_NAME_value(names, i), with_kind, &shown);
        if (err == 0 && shown) {
            err = rota_buffer_append(to, rota_slice(after, after_size));
            count++;
        }
    }
    GENERAL_NAMES_free(names);
    *ret_count = count;
    return err;
}

rota_err rota_tls_cert_subject(const X509_NAME *name, struct rota_buffer *to)
{
    BIO *bio = BIO_new(BIO_s_mem());
    rota_err err = ROTA_ENOMEM;
    char *text;
    long size;

    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        size = BIO_get_mem_data(bio, &text);
        err = size > 0 ? append_text(to, "", text, (size_t)size) : 0;
        if (err == 0)
            err = rota_buffer_append(to, rota_slice("", 1));
    }
    BIO_free(bio);
    return err;
}

rota_err rota_tls_cert_identity(const X509 *cert, const struct rota_alloc *alloc, struct rota_identity **ret_identity)
{
    struct rota_buffer texts;
    size_t count = 0;
    rota_err err;

    rota_buffer_init(&texts, alloc, 0);
    err = rota_tls_cert_subject(X509_get_subject_name(cert), &texts);
    if (err == 0)
        err = rota_tls_cert_names(cert, true, "", 1, &texts, &count);
    if (err == 0)
        *ret_identity = rota_identity_new(alloc, (const char *)rota_buffer_peek(&texts).data, rota_buffer_peek(&texts).size, count);
    if (err == 0 && *ret_identity == NULL)
        err = ROTA_ENOMEM;
    rota_buffer_fini(&texts);
    return err;
}
