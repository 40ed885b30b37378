/* assert.c - the last words of a program with a bug in it. */
#include "base/assert.h"
#include <stdio.h>
#include <stdlib.h>

_Noreturn void rota_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "rota: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
