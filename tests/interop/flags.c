/* flags.c - see flags.h. */
#include "flags.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void flags_refuse(const char *format, ...)
{
    va_list args;

    fputs("interop: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

static const struct flag *find(const struct flag *flags, size_t n_flags, const char *arg, size_t length)
{
    for (size_t i = 0; i < n_flags; i++)
        if (strlen(flags[i].name) == length && strncmp(flags[i].name, arg, length) == 0)
            return &flags[i];
    return NULL;
}

static void set(const struct flag *flag, const char *value)
{
    char *end;

    if (flag->text != NULL) {
        *flag->text = value;
    } else if (flag->number != NULL) {
        errno = 0;
        *flag->number = strtol(value, &end, 10);
        if (errno != 0 || end == value || *end != '\0' || *flag->number < 0 || *flag->number > INT_MAX)
            flags_refuse("--%s=%s: expected a whole number from 0 to %d", flag->name, value, INT_MAX);
    } else if (strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0) {
        *flag->truth = strcasecmp(value, "true") == 0;
    } else {
        flags_refuse("--%s=%s: expected true or false", flag->name, value);
    }
}

void flags_read(const struct flag *flags, size_t n_flags, const char *usage, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i] + strspn(argv[i], "-"), *equals = strchr(arg, '=');
        const struct flag *flag = find(flags, n_flags, arg, equals == NULL ? strlen(arg) : (size_t)(equals - arg));

        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if (flag == NULL || arg == argv[i])
            flags_refuse("unknown argument %s\n%s", argv[i], usage);
        if (equals != NULL)
            set(flag, equals + 1);
        else if (flag->truth != NULL)
            *flag->truth = true;
        else if (i + 1 < argc)
            set(flag, argv[++i]);
        else
            flags_refuse("--%s: the value is missing", flag->name);
    }
}
