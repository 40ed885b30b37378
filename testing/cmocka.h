/* cmocka.h - cmocka with the standard headers that it wants to see first. */
#ifndef ROTA_TESTING_CMOCKA_H
#define ROTA_TESTING_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
