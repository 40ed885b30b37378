/* builtin.h - what every channel knows without being told: the built-in policies and resolvers. */
#ifndef ROTA_ASSEMBLY_BUILTIN_H
#define ROTA_ASSEMBLY_BUILTIN_H

#include <rota/lb.h>
#include <rota/resolver.h>

extern const struct rota_lb_class *const rota_builtin_policies[];        /* NULL-terminated */
extern const struct rota_resolver_class *const rota_builtin_resolvers[]; /* NULL-terminated */

/* The caller's classes, then the built-in ones, NULL-terminated, in one allocation. `own` may be NULL. NULL: out of memory. */
const void **rota_builtin_join(const struct rota_alloc *alloc, const void *const *own, const void *const *builtin);

#endif
