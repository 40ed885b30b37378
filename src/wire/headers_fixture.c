/* headers_fixture.c - see headers_fixture.h. */
#include "wire/headers_fixture.h"

size_t headers_of_lines(const char *lines, struct rota_header *out)
{
    size_t n = 0;

    while (*lines != '\0') {
        size_t line = strcspn(lines, "\n");
        const char *colon = strstr(lines + 1, ": ");

        out[n++] = (struct rota_header){rota_slice(lines, (size_t)(colon - lines)), rota_slice(colon + 2, line - (size_t)(colon + 2 - lines))};
        lines += line + (lines[line] == '\n');
    }
    return n;
}
