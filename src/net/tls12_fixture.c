/* tls12_fixture.c - see tls12_fixture.h. RFC 5246 6.3 (keys), RFC 5288 (AES-GCM). */
#include "net/tls12_fixture.h"
#include "testing/cmocka.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

static void derive(SSL *client, uint8_t *out, size_t size)
{
    uint8_t master[48], seed[13 + 2 * SSL3_RANDOM_SIZE];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[4];

    memcpy(seed, "key expansion", 13);
    assert_int_equal(SSL_get_server_random(client, seed + 13, SSL3_RANDOM_SIZE), SSL3_RANDOM_SIZE);
    assert_int_equal(SSL_get_client_random(client, seed + 13 + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE), SSL3_RANDOM_SIZE);
    assert_int_equal(SSL_SESSION_get_master_key(SSL_get_session(client), master, sizeof(master)), sizeof(master));
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof(master));
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed));
    params[3] = OSSL_PARAM_construct_end();
    assert_int_equal(EVP_KDF_derive(context, out, size, params), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

void tls12_sealer_init(struct tls12_sealer *s, SSL *client)
{
    uint8_t keys[16 + 16 + 4 + 4]; /* of the client, of the server, and so with the salts */

    assert_string_equal(SSL_get_cipher_name(client), TLS12_CIPHER);
    assert_int_equal(SSL_version(client), TLS1_2_VERSION);
    derive(client, keys, sizeof(keys));
    memcpy(s->key, keys, 16);
    memcpy(s->salt, keys + 32, 4);
    s->sequence = 1; /* after Finished */
}

static void put_number(uint8_t *out, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        out[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
}

size_t tls12_seal(struct tls12_sealer *s, uint8_t type, struct rota_slice plain, uint8_t *out)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t nonce[12], extra[13];
    int size;

    put_number(extra, s->sequence, 8);
    extra[8] = type;
    put_number(extra + 9, TLS1_2_VERSION, 2);
    put_number(extra + 11, plain.size, 2);
    memcpy(out, extra + 8, 3);
    put_number(out + 3, plain.size + 8 + 16, 2);
    put_number(out + 5, ++s->sequence, 8);
    memcpy(nonce, s->salt, 4);
    memcpy(nonce + 4, out + 5, 8);
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, s->key, nonce), 1);
    assert_int_equal(EVP_EncryptUpdate(context, NULL, &size, extra, sizeof(extra)), 1);
    assert_int_equal(EVP_EncryptUpdate(context, out + 13, &size, plain.data, (int)plain.size), 1);
    assert_int_equal(EVP_EncryptFinal_ex(context, out + 13 + size, &size), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out + 13 + plain.size), 1);
    EVP_CIPHER_CTX_free(context);
    return plain.size + TLS12_OVERHEAD_BYTES;
}
