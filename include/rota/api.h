/* rota/api.h - marks what the shared library exports, and what the compiler should watch; what C and C++ write differently. */
#ifndef ROTA_API_H
#define ROTA_API_H

#if defined(__GNUC__)
#define ROTA_API __attribute__((visibility("default")))
#define ROTA_MUST_USE __attribute__((warn_unused_result))
#define ROTA_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define ROTA_API
#define ROTA_MUST_USE
#define ROTA_PRINTF(fmt, first)
#endif

/* g++ says of a function and a struct of one name, which C lets be, that one shadows the other. */
#if defined(__cplusplus) && defined(__GNUC__) && !defined(__clang__)
#define ROTA_BEGIN_DECLS _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"") extern "C" {
#define ROTA_END_DECLS } _Pragma("GCC diagnostic pop")
#elif defined(__cplusplus)
#define ROTA_BEGIN_DECLS extern "C" {
#define ROTA_END_DECLS }
#else
#define ROTA_BEGIN_DECLS
#define ROTA_END_DECLS
#endif

/* The initializer of a struct that starts with its size: everything else is zero. */
#ifdef __cplusplus
extern "C++" { /* whoever wraps the headers of C in extern "C" wraps this too */
template <class T> static inline T rota_sized()
{
    T sized = T(); /* no designated initializers: they are C++20's, and warned about there too */

    sized.size = sizeof(sized);
    return sized;
}
}
#define ROTA_SIZED(type) rota_sized<type>()
#else
#define ROTA_SIZED(type) {.size = sizeof(type)}
#endif

#endif
