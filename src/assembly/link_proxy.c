/* link_proxy.c - through an HTTP proxy to the server: CONNECT, before TLS or HTTP/2 begin.
 *
 * Invariant: `tunnel` from the connected socket until the proxy has opened the way, and nothing else is sent or read meanwhile.
 */
#include "assembly/link_inside.h"

#include "base/alloc.h"
#include <stdio.h>

#define REQUEST_BYTES (2 * ROTA_ADDRESS_TEXT_SIZE + ROTA_PROXY_LOGIN_SIZE + 128)

void rota_net_link_ask_proxy(struct rota_net_link *link)
{
    char request[REQUEST_BYTES];
    size_t size = rota_tunnel_request(link->peer, link->proxy->login, request, sizeof(request));

    link->tunnel = rota_alloc_zero(link->alloc, 1, sizeof(*link->tunnel));
    if (link->tunnel == NULL || rota_socket_write(link->socket, rota_slice(request, size)) < 0)
        rota_net_link_fail(link, "out of memory");
}

bool rota_net_link_read_proxy(struct rota_net_link *link, struct rota_slice *bytes)
{
    struct rota_errinfo info = {{0}};
    size_t used;
    bool open;

    if (rota_tunnel_feed(link->tunnel, *bytes, &used, &open, &info) < 0) {
        rota_net_link_fail(link, info.text);
        return false;
    }
    *bytes = rota_slice(bytes->data + used, bytes->size - used);
    if (!open)
        return false;
    rota_alloc_free(link->alloc, link->tunnel);
    link->tunnel = NULL;
    return true;
}
