/* names.h - names of the .proto turned into names in C: protobuf-c's for its types, our own for functions. */
#ifndef ROTA_CODEGEN_NAMES_H
#define ROTA_CODEGEN_NAMES_H

#include "base/arena.h"
#include <stdbool.h>

/* All return NULL when out of memory. A dotted name may begin with a dot; empty parts count for nothing. */

/* As protobuf-c names a message's struct: "foo.bar_baz.Qux" is Foo__BarBaz__Qux. */
char *rota_name_type(struct rota_arena *arena, const char *dotted);

/* As protobuf-c names its functions and descriptors: "foo.HTTPServer.BarBaz" is foo__httpserver__bar_baz. */
char *rota_name_lower(struct rota_arena *arena, const char *dotted);

/* Snake case, dots as underscores, an acronym as one word: "foo.HTTPServer" is foo_http_server. */
char *rota_name_snake(struct rota_arena *arena, const char *dotted);

/* A file's path as part of an identifier: each byte that is no letter or digit is _ and its code, "a/b.proto" a_2fb_2eproto. */
char *rota_name_file(struct rota_arena *arena, const char *path);

/* Identifiers joined by dots; the whole may begin with a dot. */
bool rota_name_is_dotted(const char *text);

/* A keyword of C or C++ or a usual macro, which no struct member may be called. */
bool rota_name_is_reserved(const char *name);

#endif
