/* flags.c - see flags.h. */
#include "flags.h"
#include "common.h"

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

/* Some are known only so that those who give them to every implementation need not know which one does without. */
static bool is_needed(const struct flag *flag)
{
    return flag->text != NULL || flag->number != NULL || flag->truth != NULL;
}

static bool read_truth(const char *value, bool *ret_truth)
{
    static const char *const no[] = {"false", "0", "no"}, *const yes[] = {"true", "1", "yes"};

    for (int i = 0; i < 3; i++) {
        if (strcasecmp(value, no[i]) == 0 || strcasecmp(value, yes[i]) == 0) {
            *ret_truth = strcasecmp(value, yes[i]) == 0;
            return true;
        }
    }
    return false;
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
    } else if (flag->truth != NULL) {
        if (!read_truth(value, flag->truth))
            flags_refuse("--%s=%s: expected true or false", flag->name, value);
    } else {
        fprintf(stderr, "interop: --%s is ignored: no case here needs it\n", flag->name);
    }
}

/* Whether the flag, which came without "=", takes the next argument too. */
static bool takes_next(const struct flag *flag, const char *next)
{
    bool unused;

    if (flag->truth != NULL)
        return read_truth(next, &unused);
    return is_needed(flag) || strncmp(next, "--", 2) != 0;
}

void flags_read(const struct flag *flags, size_t n_flags, const char *usage, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i] + strspn(argv[i], "-"), *equals = strchr(arg, '=');
        const struct flag *flag = find(flags, n_flags, arg, equals == NULL ? strlen(arg) : (size_t)(equals - arg));

        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(flush_output(0));
        }
        if (flag == NULL || arg == argv[i])
            flags_refuse("unknown argument %s\n%s", argv[i], usage);
        if (equals != NULL)
            set(flag, equals + 1);
        else if (i + 1 < argc && takes_next(flag, argv[i + 1]))
            set(flag, argv[++i]);
        else if (flag->truth != NULL || !is_needed(flag))
            set(flag, "true");
        else
            flags_refuse("--%s: the value is missing", flag->name);
    }
}
