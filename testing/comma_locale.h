/* comma_locale.h - a locale that writes 0,5, whatever locales the machine has: what reads or writes numbers is tested under it, too. */
#ifndef ROTA_TESTING_COMMA_LOCALE_H
#define ROTA_TESTING_COMMA_LOCALE_H

/* Skips the test where the C library takes no locale of our making (glibc with its C.utf8 does) and none is installed. */
void rota_comma_locale_enter(void);
void rota_comma_locale_leave(void);

#endif
