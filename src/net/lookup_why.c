/* lookup_why.c - what failed lookups are called.
 *
 * c-ares says the same of name servers that cannot be reached and of sockets that cannot be made, and fails to begin where it cannot open its files:
 * so a socket is tried here, and a shortage of descriptors is what is told.
 */
#include "net/lookup.h"
#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct reason {
    int status;
    rota_err err;
    const char *text;
} reasons[] = {
    {ARES_ENOTFOUND, ROTA_ENOTFOUND, "no such host"},
    {ARES_ENONAME, ROTA_ENOTFOUND, "no such host"},
    {ARES_ENODATA, ROTA_ENOTFOUND, "the host has no address"},
    {ARES_EBADNAME, ROTA_ENOTFOUND, "not a host name"},
    {ARES_ETIMEOUT, ROTA_ETIMEDOUT, "the name servers did not answer in time"},
    {ARES_ECONNREFUSED, ROTA_ECONN, "no name server can be reached"},
    {ARES_EFILE, ROTA_EIO, "the name lookup could not be set up"},
};

/* The errno, or 0. */
static int shortage(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? errno : 0;
    close(fd);
    return 0;
}

rota_err rota_lookup_why(int status, char ret_text[static ROTA_LOOKUP_WHY_SIZE])
{
    int code = status == ARES_ECONNREFUSED || status == ARES_EFILE ? shortage() : 0;

    if (code != 0) {
        rota_errno_text(code, ret_text, ROTA_LOOKUP_WHY_SIZE);
        return ROTA_EIO;
    }
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status != status)
            continue;
        snprintf(ret_text, ROTA_LOOKUP_WHY_SIZE, "%s", reasons[i].text);
        return reasons[i].err;
    }
    snprintf(ret_text, ROTA_LOOKUP_WHY_SIZE, "%s", ares_strerror(status));
    return status == ARES_ENOMEM ? ROTA_ENOMEM : ROTA_ECONN;
}
