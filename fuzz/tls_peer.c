/* tls_peer.c - see tls_peer.h. Records and keys: RFC 8446 5.2, 7.1, 7.2. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_METHOD: what replaces it are providers, of much more code */
#define ROTA_LINK_OPENSSL
#include "fuzz/tls_peer.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "net/certs_fixture.h"
#include "net/tls_inside.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { TAG_BYTES = 16, HEAD_BYTES = 5, RECORD_MAX = 16384 + 256 };

struct rota_tls_config *tls_configs[2];
static uint8_t secrets[2][48]; /* client's, server's, of the latest handshake */

/* --- Random numbers --- */

static uint64_t at_first = 1, *random_state = &at_first;

static int random_bytes(unsigned char *out, int size)
{
    for (int i = 0; i < size; i++) {
        *random_state = *random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = (uint8_t)(*random_state >> 56);
    }
    return 1;
}

static int random_status(void)
{
    return 1;
}

void tls_peer_draw_from(uint64_t *random)
{
    random_state = random;
}

/* --- Configs --- */

static void on_secret(const SSL *ssl, const char *line)
{
    static const char *const labels[] = {"CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "};
    const char *hex = strrchr(line, ' ');

    (void)ssl;
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; strncmp(line, labels[side], strlen(labels[side])) == 0 && i < sizeof(secrets[side]); i++)
            ROTA_ASSERT(sscanf(hex + 1 + 2 * i, "%2hhx", &secrets[side][i]) == 1);
}

void tls_peer_set_up(void)
{
    static const RAND_METHOD method = {.bytes = random_bytes, .pseudorand = random_bytes, .status = random_status};
    static const struct cert_spec specs[] = {
        {.stem = "ca", .common_name = "Test CA", .always = true},
        {.stem = "server", .issuer = "ca", .common_name = "server", .names = "DNS:localhost", .always = true},
    };
    struct rota_tls_options client = ROTA_TLS_OPTIONS_INIT, server = ROTA_TLS_OPTIONS_INIT;
    static const struct rota_alloc *alloc;
    struct rota_errinfo info;
    char dir[CERTS_DIR_SIZE];

    ROTA_ASSERT(RAND_set_rand_method(&method) == 1);
    alloc = rota_alloc_or_default(NULL);
    certs_dir_make(dir);
    certs_write(dir, &specs[0]);
    certs_write(dir, &specs[1]);
    client.ca_file = certs_path(dir, "ca.pem");
    client.reload_ms = server.reload_ms = -1;
    server.cert_file = certs_path(dir, "server.pem");
    server.key_file = certs_path(dir, "server.key");
    ROTA_ASSERT(rota_tls_config_new(&client, false, alloc, NULL, &tls_configs[0], &info) == 0);
    ROTA_ASSERT(rota_tls_config_new(&server, true, alloc, NULL, &tls_configs[1], &info) == 0);
    SSL_CTX_set_keylog_callback(tls_configs[0]->context, on_secret);
    certs_dir_remove(dir);
}

void tls_peer_begin(void)
{
    rota_tls_sessions_clear(tls_configs[0]);
}

void tls_peer_limit(struct rota_tls *tls)
{
    ROTA_ASSERT(SSL_set_max_proto_version(tls->ssl, TLS1_2_VERSION) == 1);
}

/* --- Records --- */

/* HKDF-Expand-Label with an empty context, of at most a hash's size. */
static void expand(const uint8_t secret[48], const char *label, uint8_t *out, size_t size)
{
    uint8_t info[64] = {0, (uint8_t)size}, hash[48];
    int n = snprintf((char *)info + 3, sizeof(info) - 5, "tls13 %s", label);

    info[2] = (uint8_t)n;
    info[3 + n] = 0; /* the context's size */
    info[4 + n] = 1; /* the first block */
    ROTA_ASSERT(HMAC(EVP_sha384(), secret, 48, info, (size_t)n + 5, hash, NULL) != NULL);
    memcpy(out, hash, size);
}

static void derive(struct tls_peer *peer)
{
    expand(peer->secret, "key", peer->key, sizeof(peer->key));
    expand(peer->secret, "iv", peer->iv, sizeof(peer->iv));
    peer->n_records = 0;
}

void tls_peer_keys(struct tls_peer *peer, const struct rota_tls *tls, bool is_server)
{
    ROTA_ASSERT(SSL_version(tls->ssl) == TLS1_3_VERSION);
    ROTA_ASSERT(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(tls->ssl)) == 0x1302);
    memcpy(peer->secret, secrets[is_server], sizeof(peer->secret));
    derive(peer);
    peer->n_records = is_server ? 1 : 0; /* the ticket */
}

void tls_peer_next_keys(struct tls_peer *peer)
{
    uint8_t next[48];

    expand(peer->secret, "traffic upd", next, sizeof(next));
    memcpy(peer->secret, next, sizeof(next));
    derive(peer);
}

void tls_peer_record(struct tls_peer *peer, uint8_t type, struct rota_slice plain, struct rota_buffer *to)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    size_t size = plain.size + 1 + TAG_BYTES;
    uint8_t *out = rota_buffer_reserve(to, HEAD_BYTES + size), nonce[12];
    int n;

    ROTA_ASSERT(cipher != NULL && out != NULL && plain.size <= RECORD_MAX);
    memcpy(nonce, peer->iv, sizeof(nonce));
    for (size_t i = 0; i < 8; i++)
        nonce[4 + i] ^= (uint8_t)(peer->n_records >> (56 - 8 * i));
    peer->n_records++;
    memcpy(out, (uint8_t[]){TLS_DATA, 3, 3, (uint8_t)(size >> 8), (uint8_t)size}, HEAD_BYTES);
    ROTA_ASSERT(EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, peer->key, nonce) == 1);
    ROTA_ASSERT(EVP_EncryptUpdate(cipher, NULL, &n, out, HEAD_BYTES) == 1);
    if (plain.size > 0)
        ROTA_ASSERT(EVP_EncryptUpdate(cipher, out + HEAD_BYTES, &n, plain.data, (int)plain.size) == 1);
    ROTA_ASSERT(EVP_EncryptUpdate(cipher, out + HEAD_BYTES + plain.size, &n, &type, 1) == 1);
    ROTA_ASSERT(EVP_EncryptFinal_ex(cipher, out + HEAD_BYTES + size, &n) == 1 && n == 0);
    ROTA_ASSERT(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + HEAD_BYTES + plain.size + 1) == 1);
    EVP_CIPHER_CTX_free(cipher);
    rota_buffer_commit(to, HEAD_BYTES + size);
}
