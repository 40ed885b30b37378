/* link_tls.c - TLS between a connection's socket and its session.
 *
 * Invariants: `shaking` from the connected socket to the end of the handshake, when the session begins; the cipher buffer, which
 * all connections of a dialer or acceptor share, is empty when a function of this file returns; plaintext is put into `out`,
 * which is free until the session is pulled again.
 */
#include "assembly/link_inside.h"

/* Nothing is added to what waits of the session's (link.c: an out buffer and a GOAWAY's backlog at most), but OpenSSL answers by itself. */
#define PENDING_MAX_BYTES ((size_t)512 << 10)

size_t rota_net_link_pending(const struct rota_net_link *link)
{
    return rota_socket_pending(link->socket) + (link->tls != NULL ? rota_tls_pending(link->tls) : 0);
}

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

/* Ends the connection, and tells the log unless it is a client's, whose failure is told by its channel. */
static void break_off(struct rota_net_link *link, const char *why)
{
    if (!link->client)
        rota_net_link_complain(link, link->shaking ? "TLS handshake: " : "TLS: ", why);
    rota_net_link_fail(link, why);
}

/* What was read may have been no plaintext, and all the same have left something to write, or have let go what waited for it. */
static void look_at_pending(struct rota_net_link *link, bool waited)
{
    size_t pending = rota_net_link_pending(link);

    if (pending > PENDING_MAX_BYTES)
        break_off(link, "the peer reads nothing of what is answered");
    else if (waited || pending > 0)
        rota_net_link_touch(link);
}

void rota_net_link_read_tls(struct rota_net_link *link, struct rota_slice bytes)
{
    bool waited = rota_net_link_pending(link) > 0;
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
    if (err == ROTA_ECLOSED)
        rota_net_link_fail(link, info.text);
    else if (err < 0)
        break_off(link, info.text);
    else if (!link->closing)
        look_at_pending(link, waited);
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
