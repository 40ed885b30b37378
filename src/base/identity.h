/* identity.h - whom a connection's peer has proved to be, shared by the connection and its calls.
 *
 * The count is not atomic: connection and calls live on one thread.
 */
#ifndef ROTA_BASE_IDENTITY_H
#define ROTA_BASE_IDENTITY_H

#include <rota/alloc.h>
#include <rota/tls.h>

struct rota_identity {
    struct rota_peer_identity peer; /* its texts lie behind the struct */
    const struct rota_alloc *alloc;
    uint32_t refs;
};

/* texts: the subject, then n_names names, each with its terminating zero; copied. One reference; NULL when out of memory. */
struct rota_identity *rota_identity_new(const struct rota_alloc *alloc, const char *texts, size_t texts_size, size_t n_names);
struct rota_identity *rota_identity_ref(struct rota_identity *identity); /* NULL is fine, in both */
void rota_identity_unref(struct rota_identity *identity);

#endif
