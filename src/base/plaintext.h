/* plaintext.h - whether a program has asked for plaintext by name (rota/tls.h). */
#ifndef ROTA_BASE_PLAINTEXT_H
#define ROTA_BASE_PLAINTEXT_H

#include <rota/err.h>
#include <rota/tls.h>

/* *ret_asked: tls is rota_tls_insecure, or says the same. ROTA_EINVAL: it says so beside files or names. */
rota_err rota_plaintext_asked(const struct rota_tls_options *tls, bool *ret_asked, struct rota_errinfo *info);

#endif
