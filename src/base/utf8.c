/* utf8.c - whether bytes are UTF-8 (base/text.h). */
#include "base/text.h"

/* How many bytes the character at p has, 0 when it is none. */
static size_t character_size(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (left >= 3 && (p[0] & 0xf0) == 0xe0) {
        uint8_t low = p[0] == 0xe0 ? 0xa0 : 0x80, high = p[0] == 0xed ? 0x9f : 0xbf;
        return p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (left >= 4 && p[0] >= 0xf0 && p[0] <= 0xf4) {
        uint8_t low = p[0] == 0xf0 ? 0x90 : 0x80, high = p[0] == 0xf4 ? 0x8f : 0xbf;
        return p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80 ? 4 : 0;
    }
    return 0;
}

bool rota_text_is_utf8(struct rota_slice text)
{
    for (size_t i = 0; i < text.size;) {
        size_t n = character_size(text.data + i, text.size - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}
