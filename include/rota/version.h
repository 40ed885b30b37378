/* rota/version.h - the version of these headers, and the only place that states it: the build reads it here. What versions promise:
 * docs/versions.md.
 */
#ifndef ROTA_VERSION_H
#define ROTA_VERSION_H

#include <rota/api.h>

#define ROTA_VERSION_MAJOR 0
#define ROTA_VERSION_MINOR 1
#define ROTA_VERSION_PATCH 0

/* Compares in order: 0x000100 is version 0.1.0. */
#define ROTA_VERSION ((ROTA_VERSION_MAJOR << 16) | (ROTA_VERSION_MINOR << 8) | ROTA_VERSION_PATCH)

#define ROTA_VERSION_STRING_1(number) #number
#define ROTA_VERSION_STRING_2(major, minor, patch) \
    ROTA_VERSION_STRING_1(major) "." ROTA_VERSION_STRING_1(minor) "." ROTA_VERSION_STRING_1(patch)
#define ROTA_VERSION_STRING ROTA_VERSION_STRING_2(ROTA_VERSION_MAJOR, ROTA_VERSION_MINOR, ROTA_VERSION_PATCH)

ROTA_BEGIN_DECLS

/* That of the library that runs, "0.1.0". Any thread. */
ROTA_API const char *rota_version(void);

ROTA_END_DECLS
#endif
