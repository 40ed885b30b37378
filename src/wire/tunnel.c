/* tunnel.c - see tunnel.h. */
#include "wire/tunnel.h"

#include "base/errinfo.h"
#include <stdio.h>

size_t rota_tunnel_request(const char *host_port, const char *login, char *out, size_t cap)
{
    int size = snprintf(out, cap, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", host_port, host_port, login[0] == '\0' ? "" : "Proxy-Authorization: Basic ",
                        login, login[0] == '\0' ? "" : "\r\n");

    return size < 0 ? 0 : (size_t)size;
}

/* What was kept of the line, with what could steer a terminal or break UTF-8 as '?'. */
static const char *shown(struct rota_tunnel *tunnel)
{
    size_t size = tunnel->line_size < ROTA_TUNNEL_LINE_SIZE ? tunnel->line_size : ROTA_TUNNEL_LINE_SIZE - 1;

    tunnel->line[size] = '\0';
    for (size_t i = 0; i < size; i++)
        if (tunnel->line[i] < ' ' || tunnel->line[i] > '~')
            tunnel->line[i] = '?';
    return tunnel->line;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 reason": the code, or -1. */
static int status_of(const struct rota_tunnel *tunnel)
{
    const char *line = tunnel->line;

    if (tunnel->line_size < 12 || memcmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) || line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) ||
        !is_digit(line[11]) || (tunnel->line_size > 12 && line[12] != ' '))
        return -1;
    return (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
}

static rota_err end_status_line(struct rota_tunnel *tunnel, struct rota_errinfo *info)
{
    int code = status_of(tunnel);

    tunnel->interim = code >= 100 && code < 200 && code != 101;
    if (tunnel->interim || (code >= 200 && code < 300))
        return 0;
    if (code < 0)
        return rota_errinfo_set(info, ROTA_EPROTO, "the proxy's answer is no HTTP/1.1: \"%s\"", shown(tunnel));
    return rota_errinfo_set(info, ROTA_EPROTO, "the proxy refuses the connection: \"%s\"%s", shown(tunnel),
                            code == 407 ? " (its user and password go into the proxy's URL)" : "");
}

/* At the end of a line; *ret_open at that of the head. */
static rota_err end_line(struct rota_tunnel *tunnel, bool *ret_open, struct rota_errinfo *info)
{
    bool empty;
    rota_err err = 0;

    if (tunnel->line_size > 0 && tunnel->line_size <= ROTA_TUNNEL_LINE_SIZE && tunnel->line[tunnel->line_size - 1] == '\r')
        tunnel->line_size--;
    empty = tunnel->line_size == 0;
    if (!tunnel->in_fields) {
        err = end_status_line(tunnel, info);
        tunnel->in_fields = true;
    } else if (empty) {
        *ret_open = !tunnel->interim;
        tunnel->in_fields = false;
    }
    tunnel->line_size = 0;
    return err;
}

rota_err rota_tunnel_feed(struct rota_tunnel *tunnel, struct rota_slice bytes, size_t *ret_used, bool *ret_open, struct rota_errinfo *info)
{
    bool open = false;
    size_t i;

    for (i = 0; i < bytes.size && !open; i++) {
        rota_err err = 0;
        if (++tunnel->n_read > ROTA_TUNNEL_HEAD_MAX)
            return rota_errinfo_set(info, ROTA_EPROTO, "the proxy's answer has no end within %d bytes", ROTA_TUNNEL_HEAD_MAX);
        if (bytes.data[i] == '\n')
            err = end_line(tunnel, &open, info);
        else if (tunnel->line_size++ < ROTA_TUNNEL_LINE_SIZE)
            tunnel->line[tunnel->line_size - 1] = (char)bytes.data[i];
        if (err < 0)
            return err;
        /* What begins otherwise is no HTTP, and need not be waited for. */
        if (!tunnel->in_fields && !open && tunnel->line_size > 0 && tunnel->line_size <= 7 && memcmp(tunnel->line, "HTTP/1.", tunnel->line_size) != 0)
            return rota_errinfo_set(info, ROTA_EPROTO, "the proxy's answer is no HTTP/1.1: \"%s\"", shown(tunnel));
    }
    *ret_used = i;
    *ret_open = open;
    return 0;
}
