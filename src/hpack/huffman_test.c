/* huffman_test.c - the code rebuilt from its lengths, texts there and back, and what is no code. */
#include "hpack/huffman.h"
#include "base/assert.h"
#include "base/rng.h"
#include "hpack/block_fixture.h"
#include "testing/cmocka.h"

#define SYMBOLS 257
#define LONGEST_BITS 30
#define RANDOM_TEXTS 20000

/* A run-length list of the code lengths of 7541's Appendix B, EOS last: written down apart from huffman.c. */
static const struct {
    uint8_t bits, count;
} lengths[] = {{13, 1}, {23, 1}, {28, 7}, {24, 1}, {30, 1}, {28, 2}, {30, 1}, {28, 8}, {30, 1}, {28, 9}, {6, 1}, {10, 2}, {12, 1}, {13, 1},
    {6, 1}, {8, 1}, {11, 1}, {10, 2}, {8, 1}, {11, 1}, {8, 1}, {6, 3}, {5, 3}, {6, 7}, {7, 1}, {8, 1}, {15, 1}, {6, 1}, {12, 1}, {10, 1},
    {13, 1}, {6, 1}, {7, 22}, {8, 1}, {7, 1}, {8, 1}, {13, 1}, {19, 1}, {13, 1}, {14, 1}, {6, 1}, {15, 1}, {5, 1}, {6, 1}, {5, 1}, {6, 1},
    {5, 1}, {6, 3}, {5, 1}, {7, 2}, {6, 3}, {5, 1}, {6, 1}, {7, 1}, {6, 1}, {5, 2}, {6, 1}, {7, 5}, {15, 1}, {11, 1}, {14, 1}, {13, 1},
    {28, 1}, {20, 1}, {22, 1}, {20, 2}, {22, 3}, {23, 1}, {22, 1}, {23, 5}, {24, 1}, {23, 1}, {24, 2}, {22, 1}, {23, 1}, {24, 1}, {23, 4},
    {21, 1}, {22, 1}, {23, 1}, {22, 1}, {23, 2}, {24, 1}, {22, 1}, {21, 1}, {20, 1}, {22, 2}, {23, 2}, {21, 1}, {23, 1}, {22, 2}, {24, 1},
    {21, 1}, {22, 1}, {23, 2}, {21, 2}, {22, 1}, {21, 1}, {23, 1}, {22, 1}, {23, 2}, {20, 1}, {22, 3}, {23, 1}, {22, 2}, {23, 1}, {26, 2},
    {20, 1}, {19, 1}, {22, 1}, {23, 1}, {22, 1}, {25, 1}, {26, 3}, {27, 2}, {26, 1}, {24, 1}, {25, 1}, {19, 1}, {21, 1}, {26, 1}, {27, 2},
    {26, 1}, {27, 1}, {24, 1}, {21, 2}, {26, 2}, {28, 1}, {27, 3}, {20, 1}, {24, 1}, {20, 1}, {21, 1}, {22, 1}, {21, 2}, {23, 1}, {22, 2},
    {25, 2}, {24, 2}, {26, 1}, {23, 1}, {26, 1}, {27, 1}, {26, 2}, {27, 5}, {28, 1}, {27, 5}, {26, 1}, {30, 1}};

struct code {
    uint32_t bits;
    unsigned n_bits;
};

/* Canonical: by length, then by symbol, each one more than the one before. */
static void build(struct code codes[SYMBOLS])
{
    uint32_t next = 0;
    size_t n_symbols = 0;

    for (size_t run = 0; run < ROTA_COUNT(lengths); run++) {
        for (unsigned i = 0; i < lengths[run].count; i++)
            codes[n_symbols++].n_bits = lengths[run].bits;
    }
    assert_int_equal(n_symbols, SYMBOLS);
    for (unsigned n_bits = 1; n_bits <= LONGEST_BITS; n_bits++) {
        next <<= 1;
        for (size_t i = 0; i < SYMBOLS; i++) {
            if (codes[i].n_bits == n_bits)
                codes[i].bits = next++;
        }
    }
    assert_int_equal(next, UINT32_C(1) << LONGEST_BITS); /* every string of bits begins with a code */
}

/* The code, filled up with ones. */
static size_t write_code(const struct code *code, uint8_t out[4])
{
    uint32_t bits = code->bits << (32 - code->n_bits) | UINT32_MAX >> code->n_bits;

    for (size_t i = 0; i < 4; i++)
        out[i] = (uint8_t)(bits >> (24 - 8 * i));
    return (code->n_bits + 7) / 8;
}

static void every_byte_has_its_code(void **state)
{
    struct code codes[SYMBOLS];
    uint8_t want[4], got[4], back[8];

    (void)state;
    build(codes);
    for (unsigned i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        size_t size = write_code(&codes[i], want);

        assert_int_equal(rota_huffman_size(rota_slice(&byte, 1)), size);
        assert_ptr_equal(rota_huffman_encode(rota_slice(&byte, 1), got), got + size);
        assert_memory_equal(got, want, size);
        assert_int_equal(rota_huffman_decode(rota_slice(want, size), back, sizeof(back)), 1);
        assert_int_equal(back[0], i);
    }
}

static void texts_come_back(void **state)
{
    uint8_t text[100], code[400], back[100];
    struct rota_rng rng;

    (void)state;
    print_message("  seed 5\n");
    rota_rng_init(&rng, 5);
    for (int round = 0; round < RANDOM_TEXTS; round++) {
        size_t size = rota_rng_below(&rng, sizeof(text) + 1), coded;
        bool bytes = rota_rng_below(&rng, 4) == 0;

        for (size_t i = 0; i < size; i++)
            text[i] = (uint8_t)(bytes ? rota_rng_below(&rng, 256) : ' ' + rota_rng_below(&rng, 95));
        coded = (size_t)(rota_huffman_encode(rota_slice(text, size), code) - code);
        assert_int_equal(coded, rota_huffman_size(rota_slice(text, size)));
        assert_true(size <= ROTA_HUFFMAN_BOUND(coded));
        assert_int_equal(rota_huffman_decode(rota_slice(code, coded), back, size), size);
        assert_memory_equal(back, text, size);
        if (size > 0)
            assert_true(rota_huffman_decode(rota_slice(code, coded), back, size - 1) == ROTA_HUFFMAN_LONG);
    }
}

static const struct code_case {
    const char *rule, *hex, *text; /* NULL: bad */
} cases[] = {
    {"nothing", "", ""},
    {"no padding", "f8", "&"},
    {"a short code", "1f", "a"},
    {"seven bits of padding", "002e 7f", "00:"},
    {"three bits of padding", "07", "0"},
    {"padding with a zero in it", "06", NULL},
    {"padding of zeros", "00", NULL},
    {"a whole byte of padding", "1fff", NULL},
    {"a byte of padding and nothing else", "ff", NULL},
    {"eight bits of padding after codes that end with the byte", "f8ff", NULL},
    {"a long code that is cut", "ffff", NULL},
    {"EOS alone", "ffff ffff", NULL},
    {"EOS between others", "1fff ffff ff1f", NULL},
    {"the longest code", "ffff fff3", "\n"},
    {"the longest code after another", "07ff ffff 9f", "0\n"},
    {"codes of 8 bits fill their bytes", "f8f9", "&*"},
};

static void what_is_no_code_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        static struct block block;
        uint8_t text[16];
        size_t size;

        print_message("  %s\n", cases[i].rule);
        block_set_hex(&block, cases[i].hex);
        size = rota_huffman_decode(block_slice(&block), text, sizeof(text));
        if (cases[i].text == NULL) {
            assert_true(size == ROTA_HUFFMAN_BAD);
        } else {
            assert_int_equal(size, strlen(cases[i].text));
            assert_memory_equal(text, cases[i].text, size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_has_its_code),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(what_is_no_code_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
