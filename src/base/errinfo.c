/* errinfo.c - the sentence that goes with an error code. */
#include "base/errinfo.h"
#include "base/text.h"
#include <string.h>

rota_err rota_errinfo_set(struct rota_errinfo *info, rota_err err, const char *format, ...)
{
    char text[ROTA_ERRINFO_SIZE]; /* apart, because an argument may be the old text */
    va_list args;
    size_t size;

    if (info == NULL)
        return err;
    va_start(args, format);
    size = rota_text_format(text, sizeof(text), format, args);
    va_end(args);
    memcpy(info->text, text, size + 1);
    return err;
}
