/* proxy.c - answers to CONNECT, whole and in two pieces, which must come to the same; and the environment's proxies and lists. */
#include "base/alloc.h"
#include "base/assert.h"
#include "wire/proxy.h"
#include "wire/tunnel.h"

static rota_err answer(struct rota_slice whole, size_t cut, size_t *ret_used, bool *ret_open)
{
    struct rota_errinfo info = {""};
    struct rota_tunnel tunnel = {0};
    size_t used = 0;
    rota_err err = rota_tunnel_feed(&tunnel, rota_slice(whole.data, cut), ret_used, ret_open, &info);

    if (err == 0 && !*ret_open) {
        ROTA_ASSERT(*ret_used == cut);
        err = rota_tunnel_feed(&tunnel, rota_slice(whole.data + cut, whole.size - cut), &used, ret_open, &info);
        *ret_used += used;
    }
    ROTA_ASSERT(err == 0 || info.text[0] != '\0');
    ROTA_ASSERT(err < 0 || *ret_used <= ROTA_TUNNEL_HEAD_MAX);
    for (const char *at = info.text; *at != '\0'; at++)
        ROTA_ASSERT(*at >= ' ' && *at <= '~');
    return err;
}

static const char *variable(void *ctx, const char *name)
{
    return strcmp(name, "https_proxy") == 0 || strcmp(name, "no_proxy") == 0 ? ctx : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_slice whole = rota_slice(data, size_bytes);
    size_t cut = size_bytes == 0 ? 0 : data[0] % (size_bytes + 1), used = 0, used_in_two = 0;
    bool open = false, open_in_two = false, found;
    struct rota_errinfo info = {""};
    struct rota_proxy proxy;
    rota_err err = answer(whole, size_bytes, &used, &open), err_in_two = answer(whole, cut, &used_in_two, &open_in_two);
    char *text = rota_alloc_text(NULL, whole);

    ROTA_ASSERT(err == err_in_two);
    if (err == 0)
        ROTA_ASSERT(open == open_in_two && used == used_in_two);
    (void)rota_proxy_list_has(text, ROTA_SLICE("a.example"), 443);
    (void)rota_proxy_list_has(text, ROTA_SLICE("10.0.0.7"), 443);
    (void)rota_proxy_list_has("example.com,10.0.0.0/8,fd00::/8", whole, 443);
    if (rota_proxy_find(ROTA_SLICE("a.example"), 443, variable, text, &proxy, &found, &info) == 0 && found)
        ROTA_ASSERT(proxy.address.port != 0 && strlen(proxy.login) < ROTA_PROXY_LOGIN_SIZE);
    rota_alloc_free(NULL, text);
    return 0;
}
