/* additional.h - the interceptor that adds the metadata of the command line to every call. */
#ifndef INTEROP_ADDITIONAL_H
#define INTEROP_ADDITIONAL_H

#include "common.h"

/* Exits with 2 unless that is "key:value;key:value" of metadata that may be sent. */
void additional_check(const char *pairs);

extern const struct rota_client_interceptor_class additional_metadata; /* arg: the pairs, checked */

#endif
