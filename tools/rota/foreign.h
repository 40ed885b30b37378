/* foreign.h - text that servers and registries have chosen, on its way to a terminal or into JSON.
 *
 * On a terminal '?' stands for what could steer it (C0, DEL, C1) and for bytes that are no UTF-8, ' ' for blanks of any kind. In JSON '?'
 * stands for the latter only: the rest is jansson's to escape.
 */
#ifndef ROTA_TOOL_FOREIGN_H
#define ROTA_TOOL_FOREIGN_H

#include <jansson.h>
#include <rota/slice.h>
#include <stdio.h>

/* Returns how many bytes were written. */
size_t rota_print_foreign(FILE *out, struct rota_slice text);
/* The same on standard output, with blanks behind it up to that many bytes in all. */
void rota_print_foreign_column(const char *text, size_t width);

/* A string in any case; NULL: out of memory. */
json_t *rota_foreign_json(const char *text);

#endif
