/* file_resolver.h - a resolver written outside the library: file:///etc/orders.txt names a file with an address a line. */
#ifndef FILE_RESOLVER_H
#define FILE_RESOLVER_H

#include <rota/resolver.h>

extern const struct rota_resolver_class file_resolver;

#endif
