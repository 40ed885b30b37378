/* log.c - one line to the application's sink, or nothing.
 *
 * Lines may carry what a peer sent, so control characters (C0, DEL, C1) are blanked: nobody forges a second line or moves a
 * terminal's cursor.
 */
#include "base/log.h"
#include "base/text.h"
#include <string.h>

#define LINE_SIZE 1024

bool rota_log_on(const struct rota_log *log, enum rota_log_level level)
{
    if (log == NULL || log->write == NULL)
        return false;
    return level <= (log->level == 0 ? ROTA_LOG_INFO : log->level);
}

void rota_log_write(const struct rota_log *log, enum rota_log_level level, const char *area, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;

    if (!rota_log_on(log, level))
        return;
    va_start(args, format);
    rota_text_format(line, sizeof(line), format, args);
    va_end(args);
    for (char *c = line; *c != '\0'; c++) {
        bool c1 = (unsigned char)c[0] == 0xC2 && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] < 0xA0;

        if (c1)
            memset(c++, ' ', 2);
        else if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    }
    log->write(log->ctx, level, area, line);
}
