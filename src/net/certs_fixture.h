/* certs_fixture.h - certificates for tests, made on the spot: PEM files in a directory of their own. */
#ifndef ROTA_NET_CERTS_FIXTURE_H
#define ROTA_NET_CERTS_FIXTURE_H

#include <stdbool.h>

struct cert_spec {
    const char *stem;   /* writes DIR/stem.pem and DIR/stem.key */
    const char *issuer; /* stem of one written before; NULL: its own, an authority */
    const char *common_name, *organization; /* NULL: none */
    const char *names;  /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
    const char *key_type; /* "ED25519"; NULL: on P-256 */
    const char *purpose; /* of one that is no authority; NULL: "serverAuth,clientAuth" */
    int from_days, until_days; /* of validity, from now; both 0: from yesterday for ten days */
    bool always; /* valid whenever it is looked at; with the same random numbers the same certificate comes out on any day */
};

/* Any failure ends the program. */
#define CERTS_DIR_SIZE 200
void certs_dir_make(char dir[CERTS_DIR_SIZE]); /* below TMPDIR, or /tmp */
void certs_dir_remove(const char *dir);
void certs_write(const char *dir, const struct cert_spec *spec);
const char *certs_path(const char *dir, const char *file); /* stays valid; of 64 files at most */
void certs_copy(const char *dir, const char *from, const char *to); /* puts the file in place at once, as rename does */

/* ca.pem; server.pem (localhost, *.example.test, 127.0.0.1, ::1); client.pem; expired, early, other.pem (other.test only), edwards.pem (the same, its key of another kind), for-clients.pem, for-servers.pem, rogue-ca.pem
 * and what it issued: rogue.pem; all with keys. */
void certs_write_usual(const char *dir);

/* Of a group of tests that share the usual ones. */
extern const char *certs_dir;
int certs_setup(void **unused);
int certs_teardown(void **unused);

#endif
