/* make_certs.c - make_certs DIR: the certificates of the tests for programs: ca.pem, and server.pem with its key, valid for years. */
#include "net/certs_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    static const struct cert_spec specs[] = {
        {.stem = "ca", .common_name = "Test CA", .from_days = -1, .until_days = 3650},
        /* The names that gRPC's own test server goes by, and where tests find ours. */
        {.stem = "server", .issuer = "ca", .common_name = "*.test.google.com", .from_days = -1, .until_days = 3650,
         .names = "DNS:*.test.google.fr,DNS:waterzooi.test.google.be,DNS:*.test.youtube.com,DNS:localhost,IP:127.0.0.1,IP:::1"},
        {.stem = "client", .issuer = "ca", .common_name = "client", .from_days = -1, .until_days = 3650},
    };

    if (argc != 2) {
        fprintf(stderr, "usage: make_certs DIR\n");
        return 2;
    }
    if (mkdir(argv[1], 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "make_certs: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
        certs_write(argv[1], &specs[i]);
    return 0;
}
