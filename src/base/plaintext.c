/* plaintext.c - see plaintext.h. */
#include "base/plaintext.h"

#include "base/errinfo.h"
#include "base/options.h"
#include <stddef.h>

/* A program linked with the shared library may have a copy of this, no longer than it was then: no field after `plaintext` counts, ever. */
const struct rota_tls_options rota_tls_insecure = {.size = offsetof(struct rota_tls_options, plaintext) + sizeof(bool), .plaintext = true};

rota_err rota_plaintext_asked(const struct rota_tls_options *tls, bool *ret_asked, struct rota_errinfo *info)
{
    struct rota_tls_options given = ROTA_TLS_OPTIONS_INIT;
    rota_err err = rota_options_take(&given, sizeof(given), tls, "ROTA_TLS_OPTIONS_INIT", info);

    if (err < 0)
        return err;
    if (given.plaintext && (given.ca_file != NULL || given.cert_file != NULL || given.key_file != NULL || given.server_name != NULL ||
                            given.require_client_cert || given.check_address))
        return rota_errinfo_set(info, ROTA_EINVAL, "tls: plaintext beside what TLS needs; give one of the two");
    *ret_asked = given.plaintext;
    return 0;
}
