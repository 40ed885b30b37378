/* comma_locale.c - see comma_locale.h. Ours is glibc's C.utf8 with other bytes: in the few of its file for numbers, 0x2e is the point alone. */
#include "testing/comma_locale.h"

#include "testing/cmocka.h"
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAIN "/usr/lib/locale/C.utf8/LC_NUMERIC"
#define NAME "comma"

static bool has_comma(void)
{
    return strcmp(localeconv()->decimal_point, ",") == 0;
}

static bool installed(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "es_ES.UTF-8"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (setlocale(LC_NUMERIC, names[i]) != NULL && has_comma())
            return true;
    return false;
}

static bool copy(const char *path)
{
    char bytes[4096];
    FILE *from = fopen(PLAIN, "r"), *to;
    size_t size;

    if (from == NULL)
        return false;
    size = fread(bytes, 1, sizeof(bytes), from);
    fclose(from);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == '.')
            bytes[i] = ',';
    to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, size, to), size);
    assert_int_equal(fclose(to), 0);
    return true;
}

static bool made(void)
{
    const char *top = getenv("TMPDIR");
    char dir[400], locale[420], file[440];
    bool good;

    snprintf(dir, sizeof(dir), "%s/rota-locale-XXXXXX", top != NULL ? top : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(locale, sizeof(locale), "%s/" NAME, dir);
    snprintf(file, sizeof(file), "%s/LC_NUMERIC", locale);
    assert_int_equal(mkdir(locale, 0700), 0);
    assert_int_equal(setenv("LOCPATH", dir, 1), 0);
    good = copy(file) && setlocale(LC_NUMERIC, NAME) != NULL && has_comma();
    unsetenv("LOCPATH");
    (void)unlink(file);
    assert_int_equal(rmdir(locale), 0);
    assert_int_equal(rmdir(dir), 0);
    return good;
}

void rota_comma_locale_enter(void)
{
    if (installed() || made())
        return;
    rota_comma_locale_leave();
    print_message("  no locale with a comma\n");
    skip();
}

void rota_comma_locale_leave(void)
{
    assert_non_null(setlocale(LC_NUMERIC, "C"));
}
