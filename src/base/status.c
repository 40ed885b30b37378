/* status.c - names of gRPC's status codes, and filling in a status. */
#include "base/assert.h"
#include "base/text.h"
#include <rota/status.h>
#include <string.h>

static const char *const names[] = {
#define NAME(name, number) [number] = #name,
    ROTA_CODE_MAP(NAME)
#undef NAME
};

const char *rota_code_name(enum rota_code code)
{
    return (unsigned)code < ROTA_COUNT(names) ? names[code] : names[ROTA_UNKNOWN];
}

int rota_code_parse(const char *name)
{
    if (name == NULL)
        return -1;
    for (size_t i = 0; i < ROTA_COUNT(names); i++)
        if (rota_text_equal_nocase(name, names[i]))
            return (int)i;
    return -1;
}

void rota_status_set(struct rota_status *status, enum rota_code code, const char *format, ...)
{
    char text[ROTA_STATUS_MESSAGE_SIZE]; /* apart, because an argument may be the old message */
    va_list args;
    size_t size;

    va_start(args, format);
    size = rota_text_format(text, sizeof(text), format, args);
    va_end(args);
    rota_text_mend(text, size);
    status->code = code;
    memcpy(status->message, text, size + 1);
}
