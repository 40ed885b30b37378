/* rota/api.h - marks what the shared library exports, and what the compiler should watch. */
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

#ifdef __cplusplus
#define ROTA_BEGIN_DECLS extern "C" {
#define ROTA_END_DECLS }
#else
#define ROTA_BEGIN_DECLS
#define ROTA_END_DECLS
#endif

#endif
