/* log.h - writing to the sink an application gave; NULL is silence. */
#ifndef ROTA_BASE_LOG_H
#define ROTA_BASE_LOG_H

#include <rota/log.h>
#include <stdbool.h>

bool rota_log_on(const struct rota_log *log, enum rota_log_level level);

/* Formats only when the level is on. Control characters become spaces; text beyond 1023 bytes is cut at a character. */
void rota_log_write(const struct rota_log *log, enum rota_log_level level, const char *area, const char *format, ...) ROTA_PRINTF(4, 5);

#endif
