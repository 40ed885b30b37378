/* link_tls.c - TLS between a connection's socket and its session.
 *
 * Invariants: `shaking` from the connected socket to the end of the handshake, when the session begins; the cipher buffer, which
 * all connections of a dialer or acceptor share, is empty when a function of this file returns; plaintext is put into `out`,
 * which is free until the session is pulled again.
 */
#include "assembly/link_inside.h"

/* Sends what the engine has put together; false when there is no memory for it. */
static bool send_cipher(struct rota_net_link *link)
{
    struct rota_buffer *cipher = &link->out->cipher;
    struct rota_slice bytes = rota_buffer_peek(cipher);
    rota_err err = bytes.size == 0 ? 0 : rota_socket_write(link->socket, bytes);

    link->written_bytes += bytes.size;
    rota_buffer_clear(cipher);
    return err == 0;
}

bool rota_net_link_write(struct rota_net_link *link, struct rota_slice plain)
{
    struct rota_errinfo info = {{0}};
    bool sent;

    if (link->tls == NULL) {
        sent = rota_socket_write(link->socket, plain) == 0;
        link->written_bytes += plain.size;
    } else {
        rota_err err = rota_tls_write(link->tls, plain, &info);
        sent = send_cipher(link) && err == 0;
    }
    if (!sent)
        rota_net_link_fail(link, info.text[0] != '\0' ? info.text : "out of memory");
    return sent;
}

static void end_handshake(struct rota_net_link *link)
{
    link->shaking = false;
    link->ready = !link->client;
    if (rota_net_link_start(link) < 0)
        rota_net_link_fail(link, "out of memory");
    else if (link->drain_at_once)
        rota_h2_drain(link->h2, link->host->now_ns);
}

void rota_net_link_read_tls(struct rota_net_link *link, struct rota_slice bytes)
{
    struct rota_errinfo info = {{0}};
    size_t size;
    rota_err err;

    rota_tls_feed(link->tls, bytes);
    do {
        err = rota_tls_read(link->tls, link->out->data, ROTA_OUT_BUFFER_BYTES, &size, &info);
        if (!send_cipher(link)) {
            rota_net_link_fail(link, "out of memory");
            return;
        }
        if (link->shaking && rota_tls_ready(link->tls))
            end_handshake(link);
        if (size > 0 && !link->closing)
            rota_net_link_take(link, rota_slice(link->out->data, size));
    } while (err == 0 && size > 0 && !link->closing);
    /* A client's failure is told by its channel. */
    if (err < 0 && err != ROTA_ECLOSED && !link->client)
        rota_net_link_complain(link, link->shaking ? "TLS handshake: " : "TLS: ", info.text);
    if (err < 0)
        rota_net_link_fail(link, info.text);
}

void rota_net_link_shake(struct rota_net_link *link)
{
    link->shaking = true;
    rota_net_link_read_tls(link, rota_slice(NULL, 0));
}

void rota_net_link_bye(struct rota_net_link *link)
{
    if (link->tls == NULL)
        return;
    rota_tls_close(link->tls);
    (void)send_cipher(link); /* the socket closes anyhow */
}
