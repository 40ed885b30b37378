/* options.h - option structs as programs give them: they begin with their size, which their ROTA_X_INIT sets. */
#ifndef ROTA_BASE_OPTIONS_H
#define ROTA_BASE_OPTIONS_H

#include <rota/err.h>
#include <stddef.h>

/* Copies as much of *given as there is of it, and as this version knows, over *options: a program built against an older header has less. given
 * NULL: nothing. ROTA_EINVAL: its size is 0, so it began without its initializer `init`, and all that was set in it would count for nothing. */
rota_err rota_options_take(void *options, size_t size_bytes, const void *given, const char *init, struct rota_errinfo *info);

#endif
