/* additional.h - the interceptor that adds the metadata of the command line to every call. */
#ifndef INTEROP_ADDITIONAL_H
#define INTEROP_ADDITIONAL_H

#include "common.h"

/* "key:value;key:value" with its keys in lower case, to be freed. Exits with 2 unless it is metadata that may be sent. */
char *additional_read(const char *pairs);

extern const struct rota_client_interceptor_class additional_metadata; /* arg: the pairs that were read */

#endif
