/* flags.h - gRPC's standard flags of interop clients and servers, "--name=value" or "--name value". */
#ifndef INTEROP_FLAGS_H
#define INTEROP_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

/* One flag that a program takes. At most one of the last three is set: where the value goes. Without any the flag is taken and ignored, which
 * a line on standard error says. */
struct flag {
    const char *name; /* without the dashes */
    const char **text;
    long *number; /* whole, from 0 to 2147483647 */
    bool *truth;  /* true, 1, yes, or false, 0, no; "--name" alone is true */
};

/* Fills in what the arguments say. --help prints usage and exits with 0 (1 where that cannot be written); what is wrong is named, and the exit code is 2. */
void flags_read(const struct flag *flags, size_t n_flags, const char *usage, int argc, char **argv);

/* What is wrong with the command line, as printf has it; exits with 2. */
_Noreturn void flags_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
