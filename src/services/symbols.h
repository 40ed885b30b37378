/* symbols.h - what a .proto file declares, looked up in its serialised descriptor without unpacking it.
 *
 * Names are full and without a leading dot. The descriptors are those that generated code carries: they are trusted.
 */
#ifndef ROTA_SERVICES_SYMBOLS_H
#define ROTA_SERVICES_SYMBOLS_H

#include <rota/server.h>

/* A message, enum, service, or a field, oneof, extension, enum value or method in one of those. */
bool rota_symbols_declare(const struct rota_file *file, struct rota_slice name);

/* Calls `found` with the number of each extension of that message which the file declares. */
void rota_symbols_extensions(const struct rota_file *file, struct rota_slice message, void (*found)(void *arg, int32_t number), void *arg);

#endif
