/* text.c - timeouts, percent-encoding, base64: bytes to text and back, nothing kept. */
#include "wire/text.h"
#include "base/assert.h"

/* --- Timeouts --- */

#define TIMEOUT_DIGITS 8
#define TIMEOUT_MAX INT64_C(99999999)

static const struct unit {
    char letter;
    int64_t ns;
} units[] = {
    {'n', 1},
    {'u', 1000},
    {'m', 1000000},
    {'S', INT64_C(1000000000)},
    {'M', INT64_C(60000000000)},
    {'H', INT64_C(3600000000000)},
};

size_t rota_timeout_format(int64_t timeout_ns, char *out)
{
    const struct unit *unit = units;
    char digits[TIMEOUT_DIGITS];
    int64_t count = timeout_ns > 0 ? timeout_ns : 1;
    size_t n_digits = 0, size = 0;

    /* Hours always fit: int64 holds 2.6 million of them. */
    while (count > TIMEOUT_MAX) {
        unit++;
        count = timeout_ns / unit->ns + (timeout_ns % unit->ns != 0);
    }
    for (; count > 0; count /= 10)
        digits[n_digits++] = (char)('0' + count % 10);
    while (n_digits > 0)
        out[size++] = digits[--n_digits];
    out[size++] = unit->letter;
    out[size] = '\0';
    return size;
}

rota_err rota_timeout_parse(struct rota_slice text, int64_t *ret_timeout_ns)
{
    int64_t count = 0;

    if (text.size < 2 || text.size > TIMEOUT_DIGITS + 1)
        return ROTA_EPARSE;
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ROTA_EPARSE;
        count = count * 10 + (text.data[i] - '0');
    }
    for (size_t i = 0; i < ROTA_COUNT(units); i++)
        if (text.data[text.size - 1] == (uint8_t)units[i].letter) {
            *ret_timeout_ns = count > INT64_MAX / units[i].ns ? INT64_MAX : count * units[i].ns;
            return 0;
        }
    return ROTA_EPARSE;
}

/* --- Percent-encoding --- */

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

size_t rota_percent_encode(struct rota_slice text, char *out, size_t cap)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t need = 0;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        size_t size = byte < ' ' || byte > '~' || byte == '%' ? 3 : 1;

        if (need + size > cap) {
            cap = 0; /* nothing after a gap */
        } else if (size == 1) {
            out[need] = (char)byte;
        } else {
            out[need] = '%';
            out[need + 1] = hex[byte >> 4];
            out[need + 2] = hex[byte & 15];
        }
        need += size;
    }
    return need;
}

size_t rota_percent_decode(struct rota_slice text, char *out)
{
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        int high = -1, low = -1;

        if (text.data[i] == '%' && text.size - i > 2) {
            high = hex_value(text.data[i + 1]);
            low = hex_value(text.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            out[size++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[size++] = (char)text.data[i];
        }
    }
    return size;
}

/* --- Base64 --- */

size_t rota_base64_encoded_size(size_t size)
{
    return size / 3 * 4 + (size % 3 == 0 ? 0 : size % 3 + 1);
}

void rota_base64_encode(struct rota_slice bytes, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int n_bits = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        bits = bits << 8 | bytes.data[i];
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            *out++ = digits[bits >> (n_bits - 6) & 63];
    }
    if (n_bits > 0)
        *out = digits[bits << (6 - n_bits) & 63];
}

static int base64_value(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

rota_err rota_base64_decode(struct rota_slice text, uint8_t *out, size_t *ret_size)
{
    size_t n_digits = text.size, size = 0;
    uint32_t bits = 0;
    int n_bits = 0;

    while (n_digits > 0 && text.size - n_digits < 2 && text.data[n_digits - 1] == '=')
        n_digits--;
    if (n_digits % 4 == 1 || (n_digits != text.size && text.size % 4 != 0))
        return ROTA_EPARSE;
    for (size_t i = 0; i < n_digits; i++) {
        int value = base64_value(text.data[i]);

        if (value < 0)
            return ROTA_EPARSE;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[size++] = (uint8_t)(bits >> n_bits);
        }
    }
    *ret_size = size;
    return 0;
}
