/* utf8.c - whether bytes are UTF-8, and making them so (base/text.h), by the table of RFC 3629 section 4. */
#include "base/assert.h"
#include "base/text.h"

/* Which lead bytes there are, how many bytes follow, and between what the first of those must lie; all later ones are 80..BF. */
static const struct utf8_row {
    uint8_t lead_low, lead_high, follow, low, high;
} rows[] = {
    {0x00, 0x7f, 0, 0x00, 0x00}, {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f},
    {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

/* How many bytes the character at p has, 0 when it is none. */
static size_t character_size(const uint8_t *p, size_t left)
{
    const struct utf8_row *row = rows;

    while (row < rows + ROTA_COUNT(rows) && p[0] > row->lead_high)
        row++;
    if (row == rows + ROTA_COUNT(rows) || p[0] < row->lead_low || left <= row->follow)
        return 0;
    if (row->follow > 0 && (p[1] < row->low || p[1] > row->high))
        return 0;
    for (size_t i = 2; i <= row->follow; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return 1u + row->follow;
}

bool rota_text_is_utf8(struct rota_slice text)
{
    for (size_t i = 0; i < text.size;) {
        size_t n = text.data[i] < 0x80 ? 1 : character_size(text.data + i, text.size - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

void rota_text_mend(char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t n = text[i] == '\0' ? 0 : character_size((const uint8_t *)text + i, size - i);
        if (n == 0) {
            text[i] = '?';
            n = 1;
        }
        i += n;
    }
}
