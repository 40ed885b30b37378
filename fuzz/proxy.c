/* proxy.c - answers to CONNECT, whole, byte by byte and cut in two, which must come to the same; and the environment's proxies and lists. */
#include "base/alloc.h"
#include "base/assert.h"
#include "wire/proxy.h"
#include "wire/tunnel.h"

#define CUTS 64 /* of an answer in two; shorter ones are cut everywhere */

struct answer {
    size_t used;
    bool open;
};

/* The first piece, then pieces of `step` bytes. */
static rota_err feed(struct rota_slice whole, size_t first, size_t step, struct answer *answer)
{
    struct rota_errinfo info = {""};
    struct rota_tunnel tunnel = {0};
    rota_err err = 0;
    size_t used;

    *answer = (struct answer){0};
    for (size_t at = 0, end = first; err == 0 && !answer->open; at = end, end = whole.size - end < step ? whole.size : end + step) {
        err = rota_tunnel_feed(&tunnel, rota_slice(whole.data + at, end - at), &used, &answer->open, &info);
        ROTA_ASSERT(err < 0 || answer->open || used == end - at);
        answer->used += err < 0 ? 0 : used;
        if (end == whole.size)
            break;
    }
    ROTA_ASSERT(err == 0 || info.text[0] != '\0');
    ROTA_ASSERT(err < 0 || answer->used <= ROTA_TUNNEL_HEAD_MAX);
    for (const char *at = info.text; *at != '\0'; at++)
        ROTA_ASSERT(*at >= ' ' && *at <= '~');
    return err;
}

static void compare(struct rota_slice whole, rota_err err, const struct answer *answer, size_t first, size_t step)
{
    struct answer in_pieces;

    ROTA_ASSERT(feed(whole, first, step, &in_pieces) == err);
    if (err == 0)
        ROTA_ASSERT(in_pieces.open == answer->open && in_pieces.used == answer->used);
}

static void answers(struct rota_slice whole)
{
    size_t apart = 1 + whole.size / CUTS;
    struct answer answer;
    rota_err err = feed(whole, whole.size, 1, &answer);

    compare(whole, err, &answer, 0, 1);
    for (size_t cut = 0; cut < whole.size; cut += apart)
        compare(whole, err, &answer, cut, whole.size);
}

static const char *variable(void *ctx, const char *name)
{
    return strcmp(name, "https_proxy") == 0 || strcmp(name, "no_proxy") == 0 ? ctx : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_slice whole = rota_slice(data, size_bytes);
    struct rota_errinfo info = {""};
    struct rota_proxy proxy;
    bool found;
    char *text = rota_alloc_text(NULL, whole);

    answers(whole);
    (void)rota_proxy_list_has(text, ROTA_SLICE("a.example"), 443);
    (void)rota_proxy_list_has(text, ROTA_SLICE("10.0.0.7"), 443);
    (void)rota_proxy_list_has("example.com,10.0.0.0/8,fd00::/8", whole, 443);
    if (rota_proxy_find(ROTA_SLICE("a.example"), 443, variable, text, &proxy, &found, &info) == 0 && found)
        ROTA_ASSERT(proxy.address.port != 0 && strlen(proxy.login) < ROTA_PROXY_LOGIN_SIZE);
    rota_alloc_free(NULL, text);
    return 0;
}
