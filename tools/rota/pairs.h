/* pairs.h - metadata on the command line and on standard error; binary values are base64 in both. */
#ifndef ROTA_TOOL_PAIRS_H
#define ROTA_TOOL_PAIRS_H

#include "command.h"

/* From "key: value" or "key=value"; blanks before the value go. NULL after having said what is wrong. */
struct rota_metadata *rota_pairs_read(const char *verb, const char *const *texts, size_t n);

/* A line each on standard error. */
void rota_pairs_print(const char *before, const struct rota_metadata *metadata);

#endif
