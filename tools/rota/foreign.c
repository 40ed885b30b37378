/* foreign.c - see foreign.h. */
#include "foreign.h"

#include "base/text.h"
#include <stdlib.h>

#define CHUNK_BYTES 256

static uint8_t shown(uint8_t c)
{
    if (c == '\t' || c == '\n' || c == '\r')
        return ' ';
    return c < ' ' || c == 0x7f ? '?' : c;
}

/* Whole characters of UTF-8, so that the two bytes of a C1 stand together. */
static size_t print_chunk(FILE *out, const char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++, n++) {
        bool c1 = (uint8_t)text[i] == 0xc2 && i + 1 < size && (uint8_t)text[i + 1] < 0xa0;

        fputc(c1 ? '?' : shown((uint8_t)text[i]), out);
        i += c1;
    }
    return n;
}

size_t rota_print_foreign(FILE *out, struct rota_slice text)
{
    char chunk[CHUNK_BYTES];
    size_t n = 0;

    while (text.size > 0) {
        size_t size = text.size <= CHUNK_BYTES ? text.size : rota_text_cut((const char *)text.data, CHUNK_BYTES);

        memcpy(chunk, text.data, size);
        rota_text_mend(chunk, size);
        n += print_chunk(out, chunk, size);
        text.data += size;
        text.size -= size;
    }
    return n;
}

void rota_print_foreign_column(const char *text, size_t width)
{
    for (size_t n = rota_print_foreign(stdout, rota_slice_str(text)); n < width; n++)
        putchar(' ');
}

json_t *rota_foreign_json(const char *text)
{
    char *mended = strdup(text);
    json_t *json = NULL;

    if (mended != NULL) {
        rota_text_mend(mended, strlen(mended));
        json = json_string(mended);
    }
    free(mended);
    return json;
}
