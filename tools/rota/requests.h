/* requests.h - the messages that a call is to send: JSON values, one behind the other, from the command line, files or stdin. */
#ifndef ROTA_TOOL_REQUESTS_H
#define ROTA_TOOL_REQUESTS_H

#include "dynamic/json.h"

struct rota_requests {
    const char *verb; /* for what is said on standard error */
    struct rota_buffer *all; /* the bytes of one message each */
    size_t n, cap;
    enum rota_dyn_unknown unknown; /* fields in the JSON */
};

/* Each of `data` is JSON, "@file", or "-", "@" or "@-" for stdin. False after having said on standard error what is wrong. */
bool rota_requests_read(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, const char *const *data,
                        size_t n_data);
void rota_requests_fini(struct rota_requests *requests);

#endif
