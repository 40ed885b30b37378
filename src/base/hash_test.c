/* hash_test.c - the values that another implementation of SipHash-1-3 gives under a key of zeros (CPython 3.11's
 * hash() with PYTHONHASHSEED=0), and that the seed counts. */
#include "base/assert.h"
#include "base/map.h"
#include "testing/cmocka.h"

static const struct hash_case {
    const char *text;
    uint64_t want;
} cases[] = {
    {"content-type", UINT64_C(0x478B25EB91CDDB6B)},
    {"grpc-accept-encoding", UINT64_C(0x07CDD04320864004)},
    {"/grpclb/grpclb_test1/localhost:8001", UINT64_C(0x1BA5C0E7AD25EF5A)},
};

/* Of the first 1, 2, ... letters of the alphabet: every length of the tail, after none, one and two whole words. */
static const uint64_t alphabet[] = {
    UINT64_C(0x407448D2B89B1813), UINT64_C(0x555508CBC6ADD439), UINT64_C(0xC03BC3A0042630F2),
    UINT64_C(0xE3D1D5FDD52AAE89), UINT64_C(0x251F3C725BD784A2), UINT64_C(0x62207E654289DF28),
    UINT64_C(0x6DB12AAE9070F506), UINT64_C(0x3F7B849C0B8E35EA), UINT64_C(0xF89B34A3D11EB6E5),
    UINT64_C(0xF47C264806C40FF1), UINT64_C(0x14215FC65E2C3BD4), UINT64_C(0x83275255F37565C1),
    UINT64_C(0x954AA964997AE4E6), UINT64_C(0xFDBD7FA99ACE11DA), UINT64_C(0x1FD27A29B0E9DC7A),
    UINT64_C(0x94F60D3D29E6A312), UINT64_C(0x61C47E6DA27EACCC), UINT64_C(0xB26BB0C0BA2D6627),
    UINT64_C(0x7AB5BE5C8AE7BEAA), UINT64_C(0xCAD1D77B2C973CD5), UINT64_C(0x44ECE035D1E476FA),
    UINT64_C(0xB679C8EF18BEA06A), UINT64_C(0xD9C26100B33EE39C), UINT64_C(0x42ACF3A099AFF2DC),
};

static void it_is_siphash_1_3(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        print_message("  %s\n", cases[i].text);
        assert_int_equal(rota_hash_bytes(rota_slice_str(cases[i].text), 0), cases[i].want);
    }
    for (size_t i = 0; i < ROTA_COUNT(alphabet); i++)
        assert_int_equal(rota_hash_bytes(rota_slice("abcdefghijklmnopqrstuvwxyz", i + 1), 0), alphabet[i]);
}

static void alignment_does_not_matter(void **state)
{
    static const char text[] = "content-type";
    char moved[32];

    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(moved + shift, text, sizeof(text));
        assert_int_equal(rota_hash_bytes(rota_slice(moved + shift, 12), 0), UINT64_C(0x478B25EB91CDDB6B));
    }
}

static void seed_size_and_every_bit_count(void **state)
{
    uint8_t bytes[24] = {0};
    uint64_t plain = rota_hash_bytes(rota_slice(bytes, 24), 1);

    (void)state;
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        uint64_t changed;
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        changed = rota_hash_bytes(rota_slice(bytes, 24), 1);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_in_range(__builtin_popcountll(plain ^ changed), 12, 52);
    }
    assert_int_not_equal(plain, rota_hash_bytes(rota_slice(bytes, 23), 1));
    assert_int_not_equal(plain, rota_hash_bytes(rota_slice(bytes, 24), 2));
    assert_int_equal(rota_hash_bytes(rota_slice(NULL, 0), 9), rota_hash_bytes(ROTA_SLICE(""), 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_siphash_1_3),
        cmocka_unit_test(alignment_does_not_matter),
        cmocka_unit_test(seed_size_and_every_bit_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
