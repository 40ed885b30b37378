/* text.h - printf into a fixed array, cut at a UTF-8 character; names compared without case; numbers written and read without locale. */
#ifndef ROTA_BASE_TEXT_H
#define ROTA_BASE_TEXT_H

#include <rota/api.h>
#include <rota/slice.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* The longest prefix, at most `size` bytes, that does not end inside a character. Bytes that are no UTF-8 count as
 * characters of their own. */
size_t rota_text_cut(const char *text, size_t size);

/* Writes at most cap_bytes with the terminator (cap_bytes > 0) and returns the length. */
size_t rota_text_format(char *ret_text, size_t cap_bytes, const char *format, va_list args) ROTA_PRINTF(3, 0);

/* ASCII only, whatever the locale says of i and I. */
bool rota_text_equal_nocase(const char *a, const char *b);

/* In a number as printf writes it: a point for what the program's locale has between whole numbers and parts, be it several bytes. */
void rota_text_point(char *number);

/* A finite decimal number and nothing else. False: it is none. Its point is a point, whatever the program's locale has between whole numbers and parts. */
bool rota_text_number(const char *text, double *ret_number);

/* Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
bool rota_text_is_utf8(struct rota_slice text);

/* Replaces zeros, and every byte that belongs to no UTF-8 character, by '?'. */
void rota_text_mend(char *text, size_t size);

#endif
