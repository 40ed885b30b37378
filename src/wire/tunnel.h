/* tunnel.h - a connection through an HTTP proxy: the CONNECT request, and reading the answer to it. Pure.
 *
 * The answer's head is at most ROTA_TUNNEL_HEAD_MAX bytes, interim answers (1xx) included; any 2xx opens the tunnel, and what follows
 * the head is the server's. Header fields are passed over. Source: RFC 9110 9.3.6, RFC 9112 section 2.
 */
#ifndef ROTA_WIRE_TUNNEL_H
#define ROTA_WIRE_TUNNEL_H

#include <rota/err.h>
#include <rota/slice.h>

#define ROTA_TUNNEL_HEAD_MAX 8192
#define ROTA_TUNNEL_LINE_SIZE 128 /* of the status line, for messages; longer ones are cut */

/* The request for "host:port", with the login (base64) unless that is empty. Returns the length; writes at most cap bytes. */
size_t rota_tunnel_request(const char *host_port, const char *login, char *out, size_t cap);

struct rota_tunnel { /* zeroed at first */
    size_t n_read;   /* of the head */
    char line[ROTA_TUNNEL_LINE_SIZE];
    size_t line_size;    /* of the line being read, also beyond what is kept */
    bool in_fields;      /* the status line has been read */
    bool interim;        /* and it was 1xx */
};

/* Takes bytes of the answer. *ret_open: the tunnel is open, and *ret_used of the bytes belonged to the head. ROTA_EPROTO: a refusal, or no
 * answer to CONNECT; info is a sentence with the proxy's words. */
rota_err rota_tunnel_feed(struct rota_tunnel *tunnel, struct rota_slice bytes, size_t *ret_used, bool *ret_open, struct rota_errinfo *info);

#endif
