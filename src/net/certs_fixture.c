/* certs_fixture.c - see certs_fixture.h. Keys are on elliptic curves, which are made in no time. */
#include "net/certs_fixture.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "certificates for tests: %s failed\n", what);
    abort();
}

void certs_dir_make(char dir[CERTS_DIR_SIZE])
{
    const char *top = getenv("TMPDIR");

    must(snprintf(dir, CERTS_DIR_SIZE, "%s/rota-certs-XXXXXX", top != NULL ? top : "/tmp") < CERTS_DIR_SIZE, "a shorter TMPDIR");
    must(mkdtemp(dir) != NULL, "mkdtemp");
}

void certs_dir_remove(const char *dir)
{
    DIR *files = opendir(dir);
    struct dirent *file;

    must(files != NULL, "opendir");
    while ((file = readdir(files)) != NULL)
        if (file->d_name[0] != '.')
            must(unlink(certs_path(dir, file->d_name)) == 0, "unlink");
    closedir(files);
    must(rmdir(dir) == 0, "rmdir");
}

const char *certs_path(const char *dir, const char *file)
{
    static char paths[64][CERTS_DIR_SIZE + 56];
    static unsigned n_paths;
    char path[sizeof(paths[0])];

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    for (unsigned i = 0; i < n_paths; i++)
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    must(n_paths < sizeof(paths) / sizeof(paths[0]), "one more path");
    return memcpy(paths[n_paths++], path, sizeof(path));
}

static FILE *open_file(const char *dir, const char *stem, const char *end, const char *mode)
{
    char name[128];
    FILE *file;

    snprintf(name, sizeof(name), "%s%s", stem, end);
    file = fopen(certs_path(dir, name), mode);
    must(file != NULL, name);
    return file;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL && X509_add_ext(cert, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

static void add_subject(X509 *cert, const char *field, const char *value)
{
    if (value != NULL)
        must(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1, field);
}

static void set_times(X509 *cert, const struct cert_spec *spec)
{
    int from_days = spec->from_days, until_days = spec->until_days;

    if (spec->always) {
        must(ASN1_TIME_set_string(X509_getm_notBefore(cert), "20000101000000Z") == 1, "notBefore");
        must(ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z") == 1, "notAfter");
        return;
    }
    if (from_days == 0 && until_days == 0) {
        from_days = -1;
        until_days = 10;
    }
    must(X509_time_adj_ex(X509_getm_notBefore(cert), from_days, 0, NULL) != NULL, "notBefore");
    must(X509_time_adj_ex(X509_getm_notAfter(cert), until_days, 0, NULL) != NULL, "notAfter");
}

static X509 *make_cert(const struct cert_spec *spec, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial = 1000;
    X509 *cert = X509_new();

    must(cert != NULL && X509_set_version(cert, 2) == 1, "X509_new");
    must(ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++) == 1, "serial");
    set_times(cert, spec);
    add_subject(cert, "O", spec->organization);
    add_subject(cert, "CN", spec->common_name);
    must(X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert)) == 1, "issuer");
    must(X509_set_pubkey(cert, key) == 1, "public key");
    add_extension(cert, cert, NID_subject_key_identifier, "hash");
    if (issuer == NULL) {
        add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
        add_extension(cert, issuer, NID_ext_key_usage, spec->purpose != NULL ? spec->purpose : "serverAuth,clientAuth");
    }
    if (spec->names != NULL)
        add_extension(cert, cert, NID_subject_alt_name, spec->names);
    must(X509_sign(cert, issuer_key, EVP_sha256()) > 0, "X509_sign");
    return cert;
}

void certs_write(const char *dir, const struct cert_spec *spec)
{
    EVP_PKEY *key = spec->key_type != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, spec->key_type) : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), *issuer_key = NULL;
    X509 *issuer = NULL, *cert;
    FILE *file;

    must(key != NULL, "EVP_PKEY_Q_keygen");
    if (spec->issuer != NULL) {
        file = open_file(dir, spec->issuer, ".pem", "r");
        issuer = PEM_read_X509(file, NULL, NULL, NULL);
        fclose(file);
        file = open_file(dir, spec->issuer, ".key", "r");
        issuer_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        fclose(file);
        must(issuer != NULL && issuer_key != NULL, spec->issuer);
    }
    cert = make_cert(spec, key, issuer, issuer_key != NULL ? issuer_key : key);
    file = open_file(dir, spec->stem, ".pem", "w");
    must(PEM_write_X509(file, cert) == 1 && fclose(file) == 0, "PEM_write_X509");
    file = open_file(dir, spec->stem, ".key", "w");
    must(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(file) == 0, "PEM_write_PKCS8PrivateKey");
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
}

void certs_copy(const char *dir, const char *from, const char *to)
{
    char bytes[8192];
    FILE *in = open_file(dir, from, "", "r"), *out = open_file(dir, "being-copied", "", "w");
    size_t size = fread(bytes, 1, sizeof(bytes), in);

    must(size < sizeof(bytes) && fwrite(bytes, 1, size, out) == size && fclose(out) == 0, "copy");
    fclose(in);
    must(rename(certs_path(dir, "being-copied"), certs_path(dir, to)) == 0, "rename");
}

void certs_write_usual(const char *dir)
{
    static const struct cert_spec usual[] = {
        {.stem = "ca", .common_name = "Test CA"},
        {.stem = "rogue-ca", .common_name = "Rogue CA"},
        {.stem = "server", .issuer = "ca", .common_name = "server", .names = "DNS:localhost,DNS:*.example.test,IP:127.0.0.1,IP:::1"},
        {.stem = "client", .issuer = "ca", .common_name = "Zoë", .organization = "Example",
         .names = "DNS:client.example.test,URI:spiffe://example.test/zoe,email:zoe@example.test,IP:10.0.0.7"},
        {.stem = "expired", .issuer = "ca", .common_name = "expired", .names = "DNS:localhost,IP:127.0.0.1", .from_days = -9, .until_days = -2},
        {.stem = "early", .issuer = "ca", .common_name = "early", .names = "DNS:localhost,IP:127.0.0.1", .from_days = 2, .until_days = 9},
        {.stem = "other", .issuer = "ca", .common_name = "localhost", .names = "DNS:other.test"},
        {.stem = "edwards", .issuer = "ca", .common_name = "edwards", .names = "DNS:other.test", .key_type = "ED25519"},
        {.stem = "for-clients", .issuer = "ca", .common_name = "for-clients", .names = "DNS:localhost", .purpose = "clientAuth"},
        {.stem = "for-servers", .issuer = "ca", .common_name = "for-servers", .names = "DNS:localhost", .purpose = "serverAuth"},
        {.stem = "rogue", .issuer = "rogue-ca", .common_name = "rogue", .names = "DNS:localhost,IP:127.0.0.1"},
    };

    for (unsigned i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        certs_write(dir, &usual[i]);
}

const char *certs_dir;

int certs_setup(void **unused)
{
    static char dir[CERTS_DIR_SIZE];

    (void)unused;
    certs_dir_make(dir);
    certs_write_usual(dir);
    certs_dir = dir;
    return 0;
}

int certs_teardown(void **unused)
{
    (void)unused;
    certs_dir_remove(certs_dir);
    return 0;
}
