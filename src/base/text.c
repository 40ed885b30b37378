/* text.c - where a text that does not fit is cut; what is compared and written whatever the locale.
 *
 * A cut falls on a character so that what we send (grpc-message) and show stays valid UTF-8 (RFC 3629) whenever
 * the whole was. Elsewhere: checking that bytes are UTF-8 at all.
 */
#include "base/text.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool continues(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

static size_t char_size(unsigned char lead)
{
    if (lead >= 0xF0)
        return 4;
    if (lead >= 0xE0)
        return 3;
    return lead >= 0xC0 ? 2 : 1;
}

size_t rota_text_cut(const char *text, size_t size)
{
    size_t lead = size;

    while (lead > 0 && size - lead < 3 && continues((unsigned char)text[lead - 1]))
        lead--;
    if (lead == 0)
        return size;
    lead--;
    return char_size((unsigned char)text[lead]) > size - lead ? lead : size;
}

size_t rota_text_format(char *ret_text, size_t cap_bytes, const char *format, va_list args)
{
    int want = vsnprintf(ret_text, cap_bytes, format, args);
    size_t size = want < 0 ? 0 : (size_t)want;

    if (size >= cap_bytes)
        size = rota_text_cut(ret_text, cap_bytes - 1);
    ret_text[size] = '\0';
    return size;
}

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool rota_text_equal_nocase(const char *a, const char *b)
{
    for (; fold(*a) == fold(*b); a++, b++)
        if (*a == '\0')
            return true;
    return false;
}

/* Digits, signs, and letters as in 1e5 and inf. */
static bool locale_free(char c)
{
    return (c >= '0' && c <= '9') || (fold(c) >= 'a' && fold(c) <= 'z') || c == '+' || c == '-' || c == '.';
}

void rota_text_point(char *number)
{
    char *out = number;

    while (*number != '\0') {
        if (locale_free(*number)) {
            *out++ = *number++;
            continue;
        }
        while (*number != '\0' && !locale_free(*number))
            number++;
        *out++ = '.';
    }
    *out = '\0';
}

bool rota_text_number(const char *text, double *ret_number)
{
    locale_t plain;
    double number;
    char *end;

    if (strspn(text, "0123456789.eE+-") != strlen(text))
        return false;
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return false;
    number = strtod_l(text, &end, plain);
    freelocale(plain);
    if (end == text || *end != '\0' || !isfinite(number))
        return false;
    *ret_number = number;
    return true;
}
