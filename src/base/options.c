/* options.c - see options.h. */
#include "base/options.h"

#include "base/errinfo.h"
#include <string.h>

rota_err rota_options_take(void *options, size_t size_bytes, const void *given, const char *init, struct rota_errinfo *info)
{
    size_t given_bytes;

    if (given == NULL)
        return 0;
    memcpy(&given_bytes, given, sizeof(given_bytes));
    if (given_bytes == 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "options of size 0: begin with %s", init);
    memcpy(options, given, given_bytes < size_bytes ? given_bytes : size_bytes);
    return 0;
}
