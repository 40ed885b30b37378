/* version.c - the version that the library was built as. */
#include <rota/version.h>

const char *rota_version(void)
{
    return ROTA_VERSION_STRING;
}
