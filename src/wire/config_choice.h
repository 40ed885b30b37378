/* config_choice.h - the service config that is meant for this client, out of a list of choices: the way to try one on a few first.
 *
 * [{"clientLanguage":["c"],"percentage":10,"clientHostname":["canary-1"],"serviceConfig":{...}}, {"serviceConfig":{...}}]
 * Rules: the first choice counts all of whose criteria fit; what is absent fits everybody, so do empty lists. Languages are compared without
 * case. percentage n takes in draws 1 to n, so that raising it adds clients and loses none. Unknown fields are ignored; one bad choice makes the
 * whole list invalid; serviceConfig is required, and read elsewhere (service_config.h). Pure.
 * Source: gRFC A2; the JSON form of doc/service_config.md in grpc/grpc.
 */
#ifndef ROTA_WIRE_CONFIG_CHOICE_H
#define ROTA_WIRE_CONFIG_CHOICE_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>
#include <stdbool.h>

#define ROTA_CONFIG_DRAWS 100

struct rota_config_client {
    const char *hostname; /* as the machine calls itself; compared exactly */
    uint32_t draw;        /* 1 to ROTA_CONFIG_DRAWS: drawn once and kept, else a client would change sides with every answer */
};

/* *ret_config: allocated and zero-terminated, or NULL: nothing is meant for this client. A JSON object instead of a list is a service config for
 * everybody, as it stands. ROTA_EPARSE (info: what and where), ROTA_ENOMEM. */
rota_err rota_config_choose(struct rota_slice json, const struct rota_config_client *client, const struct rota_alloc *alloc, char **ret_config,
                            struct rota_errinfo *info);

/* "grpc_config=[...]" without its beginning; false: the text is of something else. */
bool rota_config_choice_txt(struct rota_slice text, struct rota_slice *ret_json);

#endif
