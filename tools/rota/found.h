/* found.h - an endpoint as text and as JSON, for the verbs that show what a target resolves to. */
#ifndef ROTA_TOOL_FOUND_H
#define ROTA_TOOL_FOUND_H

#include <jansson.h>
#include <rota/endpoint.h>

/* {"address":..., "weight":..., "zone":..., "key":..., "lease":..., "revision":..., "metadata":{...}}; what is not known is left out.
 * NULL: out of memory. */
json_t *rota_found_json(const struct rota_endpoint *endpoint);

/* The lease's number in hexadecimal; NULL: the entry is under none. */
const char *rota_found_lease(const struct rota_endpoint *endpoint);

/* "10.0.0.1:80 weight=5 zone=a" and so on: what is known, on standard output. */
void rota_found_print(const struct rota_endpoint *endpoint);

#endif
