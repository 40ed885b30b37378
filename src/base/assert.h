/* assert.h - a caller's or our own bug ends the program at once, in every build. */
#ifndef ROTA_BASE_ASSERT_H
#define ROTA_BASE_ASSERT_H

#define ROTA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ROTA_ASSERT(condition) \
    ((condition) ? (void)0 : rota_assert_failed(#condition, __FILE__, __LINE__))

/* Writes one line to standard error and aborts. */
_Noreturn void rota_assert_failed(const char *condition, const char *file, int line);

#endif
