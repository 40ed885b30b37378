/* command.c - see command.h. */
#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int rota_fail(const char *verb, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "rota %s: ", verb);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return ROTA_EXIT_FAILED;
}

/* --- Standard output --- */

static int output_errno; /* of the first flush that failed, or 0 */

bool rota_output_flush(void)
{
    if (fflush(stdout) != 0 && output_errno == 0)
        output_errno = errno;
    return !ferror(stdout);
}

int rota_output_end(const char *verb, int code)
{
    return rota_output_flush() ? code : rota_fail(verb, "standard output: %s", output_errno != 0 ? strerror(output_errno) : "cannot be written");
}

/* --- Flags --- */

bool rota_flag_number(const char *name, const char *text, long long low, long long high, long long *ret_number)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < low || value > high) {
        fprintf(stderr, "rota: --%s=%s: expected a whole number from %lld to %lld\n", name, text, low, high);
        return false;
    }
    *ret_number = value;
    return true;
}

static const struct rota_flag *find_flag(const struct rota_flag *flags, size_t n, const char *name, size_t size)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(flags[i].name) == size && memcmp(flags[i].name, name, size) == 0)
            return &flags[i];
    return NULL;
}

/* Takes the flag at argv[*at], with its value; false after a message. */
static bool take_flag(const struct rota_command *c, int argc, char **argv, int *at, const struct rota_flag *flags, size_t n)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    const struct rota_flag *flag =
        argv[*at][1] == '-' ? find_flag(flags, n, name, equals != NULL ? (size_t)(equals - name) : strlen(name)) : NULL;

    if (flag == NULL || (flag->value == NULL && equals != NULL)) {
        fprintf(stderr, "rota %s: unknown flag %s; `rota %s --help` lists them\n", c->verb, argv[*at], c->verb);
        return false;
    }
    if (flag->present != NULL)
        *flag->present = true;
    if (flag->value == NULL)
        return true;
    if (equals != NULL) {
        *flag->value = equals + 1;
        return true;
    }
    if (*at + 1 == argc) {
        fprintf(stderr, "rota %s: --%s needs a value\n", c->verb, flag->name);
        return false;
    }
    *flag->value = argv[++*at];
    return true;
}

/* The value of argv[*at] if it is that flag; NULL: it is not, or it has none. */
static const char *value_of(int argc, char **argv, int *at, const char *flag)
{
    size_t size = strlen(flag);

    if (strcmp(argv[*at], flag) == 0)
        return *at + 1 < argc ? argv[++*at] : NULL;
    return strncmp(argv[*at], flag, size) == 0 && argv[*at][size] == '=' ? argv[*at] + size + 1 : NULL;
}

bool rota_flags_take_all(const struct rota_command *c, int *argc, char **argv, const char *flag, const char **values, size_t max_values,
                         size_t *ret_values)
{
    int kept = 1;
    size_t n = 0;

    for (int i = 1; i < *argc; i++) {
        bool bare = strcmp(argv[i], flag) == 0;
        const char *value = value_of(*argc, argv, &i, flag);

        if (value == NULL && !bare) {
            argv[kept++] = argv[i];
        } else if (value == NULL || n == max_values) {
            fprintf(stderr, "rota %s: %s %s\n", c->verb, flag, value == NULL ? "needs a value" : "comes too often");
            return false;
        } else {
            values[n++] = value;
        }
    }
    *argc = kept;
    *ret_values = n;
    return true;
}

bool rota_flags_read(const struct rota_command *c, int argc, char **argv, const struct rota_flag *flags, size_t n_flags, const char **words,
                     size_t max_words, size_t *ret_words)
{
    size_t n = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(c->usage, stdout);
            exit(rota_output_end(c->verb, ROTA_EXIT_OK));
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take_flag(c, argc, argv, &i, flags, n_flags))
                return false;
        } else if (n == max_words) {
            fprintf(stderr, "rota %s: unexpected argument %s; `rota %s --help` tells what there is\n", c->verb, argv[i], c->verb);
            return false;
        } else {
            words[n++] = argv[i];
        }
    }
    *ret_words = n;
    return true;
}
