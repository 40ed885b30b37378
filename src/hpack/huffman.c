/* huffman.c - the code of RFC 7541, Appendix B, both ways.
 *
 * The code is canonical: codes of a length follow each other in the order of their bytes, and those of the next length follow them. Hence
 * bytes are numbered by their codes (their `place`), and a code is its place and what all codes of its length have in common. Codes of up
 * to 8 bits, which are all that text consists of, are decoded by one look at a table; longer ones are found by their length's row.
 * The decoder holds the complement of the bits to come: behind the last one are zeros, as if padding, which is ones, went on for ever.
 * huffman_test.c builds the tables once more, from the lengths alone.
 */
#include "hpack/huffman.h"

#define LONGEST_BITS 30
#define END_PLACE 256 /* EOS, which may not occur */
#define SHORT_PLACES 74 /* with a code of up to 8 bits */

static const uint8_t bits_of[256] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
     6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,
     5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
    13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
     7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
    15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
     6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
};

static const uint8_t place_of[256] = {
     84, 145, 224, 225, 226, 227, 228, 229, 230, 174, 253, 231, 232, 254, 233, 234,
    235, 236, 237, 238, 239, 240, 255, 241, 242, 243, 244, 245, 246, 247, 248, 249,
     10,  74,  75,  82,  85,  11,  68,  79,  76,  77,  69,  80,  70,  12,  13,  14,
      0,   1,   2,  15,  16,  17,  18,  19,  20,  21,  36,  71,  92,  22,  83,  78,
     86,  23,  37,  38,  39,  40,  41,  42,  43,  44,  45,  46,  47,  48,  49,  50,
     51,  52,  53,  54,  55,  56,  57,  58,  72,  59,  73,  87,  95,  88,  90,  24,
     93,   3,  25,   4,  26,   5,  27,  28,  29,   6,  60,  61,  30,  31,  32,   7,
     33,  62,  34,   8,   9,  35,  63,  64,  65,  66,  67,  94,  81,  91,  89, 250,
     98, 119,  99, 100, 120, 121, 122, 146, 123, 147, 148, 149, 150, 151, 175, 152,
    176, 177, 124, 153, 178, 154, 155, 156, 157, 106, 125, 158, 126, 159, 160, 179,
    127, 107, 101, 128, 129, 161, 162, 108, 163, 130, 131, 180, 109, 132, 164, 165,
    110, 111, 133, 112, 166, 134, 167, 168, 102, 135, 136, 137, 169, 138, 139, 170,
    190, 191, 103,  96, 140, 171, 141, 186, 192, 193, 194, 205, 206, 195, 181, 187,
     97, 113, 196, 207, 208, 197, 209, 182, 114, 115, 198, 199, 251, 210, 211, 212,
    104, 183, 105, 116, 142, 117, 118, 172, 143, 144, 188, 189, 184, 185, 200, 173,
    201, 213, 202, 203, 214, 215, 216, 217, 218, 252, 219, 220, 221, 222, 223, 204,
};

/* What a code of so many bits is beyond its place. */
static const uint32_t code_beyond_place[LONGEST_BITS + 1] = {
    [5] = 0x0, [6] = 0xa, [7] = 0x38, [8] = 0xb4, [10] = 0x3ae, [11] = 0x7ab,
    [12] = 0xfa8, [13] = 0x1fa4, [14] = 0x3fa2, [15] = 0x7fa0, [19] = 0x7ff91, [20] = 0xfff84,
    [21] = 0x1fff72, [22] = 0x3fff5b, [23] = 0x7fff47, [24] = 0xffff3c, [25] = 0x1ffff32, [26] = 0x3ffff22,
    [27] = 0x7ffff11, [28] = 0xfffff02, [30] = 0x3ffffeff,
};

/* By the next 8 bits: the length of their first code and its byte; 0: the code is longer. */
static const uint16_t short_codes[256] = {
    0x530, 0x530, 0x530, 0x530, 0x530, 0x530, 0x530, 0x530, 0x531, 0x531, 0x531, 0x531, 0x531, 0x531, 0x531, 0x531,
    0x532, 0x532, 0x532, 0x532, 0x532, 0x532, 0x532, 0x532, 0x561, 0x561, 0x561, 0x561, 0x561, 0x561, 0x561, 0x561,
    0x563, 0x563, 0x563, 0x563, 0x563, 0x563, 0x563, 0x563, 0x565, 0x565, 0x565, 0x565, 0x565, 0x565, 0x565, 0x565,
    0x569, 0x569, 0x569, 0x569, 0x569, 0x569, 0x569, 0x569, 0x56f, 0x56f, 0x56f, 0x56f, 0x56f, 0x56f, 0x56f, 0x56f,
    0x573, 0x573, 0x573, 0x573, 0x573, 0x573, 0x573, 0x573, 0x574, 0x574, 0x574, 0x574, 0x574, 0x574, 0x574, 0x574,
    0x620, 0x620, 0x620, 0x620, 0x625, 0x625, 0x625, 0x625, 0x62d, 0x62d, 0x62d, 0x62d, 0x62e, 0x62e, 0x62e, 0x62e,
    0x62f, 0x62f, 0x62f, 0x62f, 0x633, 0x633, 0x633, 0x633, 0x634, 0x634, 0x634, 0x634, 0x635, 0x635, 0x635, 0x635,
    0x636, 0x636, 0x636, 0x636, 0x637, 0x637, 0x637, 0x637, 0x638, 0x638, 0x638, 0x638, 0x639, 0x639, 0x639, 0x639,
    0x63d, 0x63d, 0x63d, 0x63d, 0x641, 0x641, 0x641, 0x641, 0x65f, 0x65f, 0x65f, 0x65f, 0x662, 0x662, 0x662, 0x662,
    0x664, 0x664, 0x664, 0x664, 0x666, 0x666, 0x666, 0x666, 0x667, 0x667, 0x667, 0x667, 0x668, 0x668, 0x668, 0x668,
    0x66c, 0x66c, 0x66c, 0x66c, 0x66d, 0x66d, 0x66d, 0x66d, 0x66e, 0x66e, 0x66e, 0x66e, 0x670, 0x670, 0x670, 0x670,
    0x672, 0x672, 0x672, 0x672, 0x675, 0x675, 0x675, 0x675, 0x73a, 0x73a, 0x742, 0x742, 0x743, 0x743, 0x744, 0x744,
    0x745, 0x745, 0x746, 0x746, 0x747, 0x747, 0x748, 0x748, 0x749, 0x749, 0x74a, 0x74a, 0x74b, 0x74b, 0x74c, 0x74c,
    0x74d, 0x74d, 0x74e, 0x74e, 0x74f, 0x74f, 0x750, 0x750, 0x751, 0x751, 0x752, 0x752, 0x753, 0x753, 0x754, 0x754,
    0x755, 0x755, 0x756, 0x756, 0x757, 0x757, 0x759, 0x759, 0x76a, 0x76a, 0x76b, 0x76b, 0x771, 0x771, 0x776, 0x776,
    0x777, 0x777, 0x778, 0x778, 0x779, 0x779, 0x77a, 0x77a, 0x826, 0x82a, 0x82c, 0x83b, 0x858, 0x85a, 0x000, 0x000,
};

static const uint8_t long_bytes[END_PLACE - SHORT_PLACES] = {
    0x21, 0x22, 0x28, 0x29, 0x3f, 0x27, 0x2b, 0x7c, 0x23, 0x3e, 0x00, 0x24, 0x40, 0x5b, 0x5d, 0x7e,
    0x5e, 0x7d, 0x3c, 0x60, 0x7b, 0x5c, 0xc3, 0xd0, 0x80, 0x82, 0x83, 0xa2, 0xb8, 0xc2, 0xe0, 0xe2,
    0x99, 0xa1, 0xa7, 0xac, 0xb0, 0xb1, 0xb3, 0xd1, 0xd8, 0xd9, 0xe3, 0xe5, 0xe6, 0x81, 0x84, 0x85,
    0x86, 0x88, 0x92, 0x9a, 0x9c, 0xa0, 0xa3, 0xa4, 0xa9, 0xaa, 0xad, 0xb2, 0xb5, 0xb9, 0xba, 0xbb,
    0xbd, 0xbe, 0xc4, 0xc6, 0xe4, 0xe8, 0xe9, 0x01, 0x87, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8f, 0x93,
    0x95, 0x96, 0x97, 0x98, 0x9b, 0x9d, 0x9e, 0xa5, 0xa6, 0xa8, 0xae, 0xaf, 0xb4, 0xb6, 0xb7, 0xbc,
    0xbf, 0xc5, 0xe7, 0xef, 0x09, 0x8e, 0x90, 0x91, 0x94, 0x9f, 0xab, 0xce, 0xd7, 0xe1, 0xec, 0xed,
    0xc7, 0xcf, 0xea, 0xeb, 0xc0, 0xc1, 0xc8, 0xc9, 0xca, 0xcd, 0xd2, 0xd5, 0xda, 0xdb, 0xee, 0xf0,
    0xf2, 0xf3, 0xff, 0xcb, 0xcc, 0xd3, 0xd4, 0xd6, 0xdd, 0xde, 0xdf, 0xf1, 0xf4, 0xf5, 0xf6, 0xf7,
    0xf8, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0b, 0x0c, 0x0e,
    0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
    0x7f, 0xdc, 0xf9, 0x0a, 0x0d, 0x16,
};

/* The longer codes by length: the first 30 bits that are beyond them, and the first one's place. */
static const struct row {
    uint32_t end;
    uint8_t bits, place;
} rows[] = {
    {0x3fd00000, 10, 74},
    {0x3fe80000, 11, 79},
    {0x3ff00000, 12, 82},
    {0x3ffc0000, 13, 84},
    {0x3ffe0000, 14, 90},
    {0x3fff8000, 15, 92},
    {0x3fff9800, 19, 95},
    {0x3fffb800, 20, 98},
    {0x3fffd200, 21, 106},
    {0x3fffec00, 22, 119},
    {0x3ffffa80, 23, 145},
    {0x3ffffd80, 24, 174},
    {0x3ffffe00, 25, 186},
    {0x3ffffef0, 26, 190},
    {0x3fffff88, 27, 205},
    {0x3ffffffc, 28, 224},
    {0x40000000, 30, 253},
};

size_t rota_huffman_size(struct rota_slice text)
{
    size_t bits = 0;

    for (size_t i = 0; i < text.size; i++)
        bits += bits_of[text.data[i]];
    return (bits + 7) / 8;
}

uint8_t *rota_huffman_encode(struct rota_slice text, uint8_t *out)
{
    uint64_t bits = 0; /* the last n_bits of it are still to be written */
    unsigned n_bits = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned more = bits_of[text.data[i]];

        bits = bits << more | (code_beyond_place[more] + place_of[text.data[i]]);
        n_bits += more;
        if (n_bits >= 32) {
            n_bits -= 32;
            *out++ = (uint8_t)(bits >> (n_bits + 24));
            *out++ = (uint8_t)(bits >> (n_bits + 16));
            *out++ = (uint8_t)(bits >> (n_bits + 8));
            *out++ = (uint8_t)(bits >> n_bits);
        }
    }
    for (; n_bits >= 8; n_bits -= 8)
        *out++ = (uint8_t)(bits >> (n_bits - 8));
    if (n_bits > 0)
        *out++ = (uint8_t)(bits << (8 - n_bits) | 0xff >> n_bits);
    return out;
}

struct reader {
    const uint8_t *at, *end;
    uint64_t rest; /* the complement of the bits to come, from the top */
    unsigned have; /* so many of them are there */
};

static uint64_t get_big_endian(const uint8_t *at)
{
    return (uint64_t)at[0] << 56 | (uint64_t)at[1] << 48 | (uint64_t)at[2] << 40 | (uint64_t)at[3] << 32 |
        (uint64_t)at[4] << 24 | (uint64_t)at[5] << 16 | (uint64_t)at[6] << 8 | (uint64_t)at[7];
}

/* Makes it at least 32 bits, or all there are. */
static void refill(struct reader *r)
{
    if (r->end - r->at >= 8) {
        unsigned whole = (63 - r->have) / 8;

        /* Bits of the byte after the last whole one get in too, where they belong; they are merely not counted yet. */
        r->rest |= ~get_big_endian(r->at) >> r->have;
        r->at += whole;
        r->have += whole * 8;
        return;
    }
    for (; r->at < r->end && r->have <= 56; r->have += 8)
        r->rest |= (uint64_t)(uint8_t)~*r->at++ << (56 - r->have);
}

/* The code at the top, which is a long one; as in short_codes. */
static unsigned find_long(uint64_t rest, bool *ret_end)
{
    uint32_t top = (uint32_t)(~rest >> (64 - LONGEST_BITS));
    const struct row *row = rows;
    uint32_t place;

    while (top >= row->end)
        row++;
    place = (top >> (LONGEST_BITS - row->bits)) - code_beyond_place[row->bits];
    *ret_end = place == END_PLACE;
    return (unsigned)row->bits << 8 | (*ret_end ? 0 : long_bytes[place - SHORT_PLACES]);
}

size_t rota_huffman_decode(struct rota_slice code, uint8_t *out, size_t cap)
{
    struct reader r = {.at = code.data, .end = code.data + code.size};
    size_t size = 0;

    for (;;) {
        bool end = false;
        unsigned found;

        if (r.have < 32)
            refill(&r);
        found = short_codes[(uint8_t)~(r.rest >> 56)];
        if (found == 0)
            found = find_long(r.rest, &end);
        if (found >> 8 > r.have)
            return r.have < 8 && r.rest == 0 ? size : ROTA_HUFFMAN_BAD;
        if (end)
            return ROTA_HUFFMAN_BAD;
        if (size == cap)
            return ROTA_HUFFMAN_LONG;
        out[size++] = (uint8_t)found;
        r.rest <<= found >> 8;
        r.have -= found >> 8;
    }
}
