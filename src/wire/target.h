/* target.h - reading target URIs and address lists (rota/target.h, rota/endpoint.h). */
#ifndef ROTA_WIRE_TARGET_H
#define ROTA_WIRE_TARGET_H

#include <rota/endpoint.h>
#include <rota/target.h>

/* known: schemes that make "x:y" a URI rather than host:port; NULL-terminated. ROTA_EPARSE (info: what and where), ROTA_ENOMEM. */
rota_err rota_target_parse(const char *text, const char *const *known, const struct rota_alloc *alloc, struct rota_target **ret_target,
                           struct rota_errinfo *info);
/* The text without its userinfo, cut to fit: what may be said of a target that is not parsed. Returns out. */
const char *rota_target_show(const char *text, char *out, size_t cap);
#define ROTA_TARGET_SHOW_SIZE 256
void rota_target_free(const struct rota_alloc *alloc, struct rota_target *target);

/* The :authority that calls to this target carry, as gRPC derives it: "localhost" for unix, the first address for ipv4, the host for dns,
 * the path's last part otherwise; percent-encoded where RFC 3986 asks for it. Writes at most cap bytes with the zero; ROTA_ELIMIT. */
rota_err rota_target_authority(const struct rota_target *target, char *out, size_t cap);

/* Host and port of "host:port", "[v6]:port", "host" (default_port). host points into text, without brackets. ROTA_EPARSE. */
rota_err rota_host_port_split(struct rota_slice text, uint16_t default_port, struct rota_slice *ret_host, uint16_t *ret_port, struct rota_errinfo *info);

/* "host", "host:port" or "[::1]:port" without port and brackets: an :authority's or an address's. */
struct rota_slice rota_authority_host(const char *authority);

#endif
