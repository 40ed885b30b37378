/* lookup.h - names known without the network; lookups at given name servers; what their failures are called. */
#ifndef ROTA_NET_LOOKUP_H
#define ROTA_NET_LOOKUP_H

#include "net/address.h"
#include "net/net.h"

/* "localhost" and everything below it (RFC 6761), in any case, with or without a dot at the end. */
bool rota_lookup_is_localhost(const char *host);

/* The name's first address in the hosts file, read at once. ROTA_ENOTFOUND, ROTA_ENOMEM. */
rota_err rota_lookup_in_hosts(const char *host, uint16_t port, char text[static ROTA_IP_TEXT_SIZE], struct rota_address *ret_address);

/* As rota_lookup_start, asking these name servers ("10.0.0.1:53,[::1]:5353"); NULL: the system's. */
rota_err rota_lookup_start_at(struct rota_loop *loop, const char *servers, struct rota_slice host, uint16_t port, rota_lookup_done done, void *arg,
                              struct rota_lookup **ret_lookup);
rota_err rota_lookup_txt_start_at(struct rota_loop *loop, const char *servers, const char *name, rota_lookup_txt_done done, void *arg,
                                  struct rota_lookup **ret_lookup);

/* Of a failure of c-ares. */
#define ROTA_LOOKUP_WHY_SIZE 128
rota_err rota_lookup_why(int ares_status, char ret_text[static ROTA_LOOKUP_WHY_SIZE]);

#endif
