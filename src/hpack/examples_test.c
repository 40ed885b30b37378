/* examples_test.c - RFC 7541, Appendix C: each sequence of blocks on one connection, in both directions. */
#include "base/assert.h"
#include "hpack/block_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

#define TEXT_CAP 1024
#define COOKIE "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n"
#define LOCATION "location: https://www.example.com\n"
#define DATE "date: Mon, 21 Oct 2013 20:13:21 GMT\n"

static const struct example {
    const char *rule;
    struct {
        const char *hex, *fields;
        uint32_t table_bytes;
        const char *sent; /* how our encoder says it: NULL: so, "": otherwise, and what it says is not looked at */
    } blocks[3];
    uint32_t table_max; /* said by a prefix to the first block; 0: nothing is said */
} examples[] = {
    {"C.2.1: literal with indexing",
        {{"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header\n", 55, ""}}, 0},
    {"C.2.2: literal without indexing", {{"040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n", 0, ""}}, 0},
    {"C.2.3: literal never indexed", {{"1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret\n", 0, ""}}, 0},
    {"C.2.4: indexed", {{"82", ":method: GET\n", 0, NULL}}, 0},
    {"C.3: requests",
        {{"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n", 57, ""},
            {"8286 84be 5808 6e6f 2d63 6163 6865",
                ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n", 110, ""},
            {"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
                ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n", 164, ""}},
        0},
    {"C.4: requests with Huffman coding",
        {{"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n", 57, NULL},
            {"8286 84be 5886 a8eb 1064 9cbf",
                ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n", 110, NULL},
            {"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
                ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n", 164, NULL}},
        0},
    {"C.5: responses, with eviction",
        {{"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 "
          "7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
             ":status: 302\ncache-control: private\n" DATE LOCATION, 222, ""},
            {"4803 3330 37c1 c0bf", ":status: 307\ncache-control: private\n" DATE LOCATION, 222, ""},
            {"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a "
             "4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
                ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n" LOCATION "content-encoding: gzip\n" COOKIE, 215,
                ""}},
        256},
    {"C.6: responses with Huffman coding, with eviction",
        {{"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae "
          "82ae 43d3",
             ":status: 302\ncache-control: private\n" DATE LOCATION, 222, NULL},
            /* The code of "307" is no shorter than itself, and so we do not use it. */
            {"4883 640e ffc1 c0bf", ":status: 307\ncache-control: private\n" DATE LOCATION, 222, "4803 3330 37c1 c0bf"},
            {"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 "
             "d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n" LOCATION "content-encoding: gzip\n" COOKIE, 215,
                NULL}},
        256},
};

static void examples_are_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(examples); i++) {
        const struct example *e = &examples[i];
        struct rota_hpack_decoder decoder;
        struct rota_leak_alloc leak;
        static struct block block;
        char text[TEXT_CAP] = "";

        print_message("  %s\n", e->rule);
        rota_leak_alloc_init(&leak);
        rota_hpack_decoder_init(&decoder, &leak.alloc);
        if (e->table_max != 0) {
            block_set_hex(&block, "3fe1 01");
            assert_int_equal(block_decode(&decoder, block_slice(&block), text, sizeof(text)), ROTA_HPACK_END);
            assert_int_equal(decoder.max_bytes, e->table_max);
        }
        for (size_t b = 0; b < ROTA_COUNT(e->blocks) && e->blocks[b].hex != NULL; b++) {
            text[0] = '\0';
            block_set_hex(&block, e->blocks[b].hex);
            assert_int_equal(block_decode(&decoder, block_slice(&block), text, sizeof(text)), ROTA_HPACK_END);
            assert_string_equal(text, e->blocks[b].fields);
            assert_int_equal(decoder.used_bytes, e->blocks[b].table_bytes);
        }
        rota_hpack_decoder_fini(&decoder);
        rota_leak_alloc_fini(&leak);
    }
}

static void examples_are_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(examples); i++) {
        const struct example *e = &examples[i];
        struct rota_hpack_encoder encoder;
        static struct block block;

        print_message("  %s\n", e->rule);
        rota_hpack_encoder_init(&encoder, NULL);
        if (e->table_max != 0) {
            rota_hpack_encoder_resize(&encoder, e->table_max);
            block_encode(&encoder, "", ROTA_HPACK_ADD, &block);
            assert_block(&block, "3fe1 01");
        }
        for (size_t b = 0; b < ROTA_COUNT(e->blocks) && e->blocks[b].hex != NULL; b++) {
            const char *sent = e->blocks[b].sent == NULL ? e->blocks[b].hex : e->blocks[b].sent;

            block_encode(&encoder, e->blocks[b].fields, ROTA_HPACK_ADD, &block);
            if (sent[0] != '\0')
                assert_block(&block, sent);
        }
        rota_hpack_encoder_fini(&encoder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_are_decoded),
        cmocka_unit_test(examples_are_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
