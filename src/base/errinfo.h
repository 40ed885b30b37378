/* errinfo.h - filling in a struct rota_errinfo (NULL is fine) and returning the code in one step. */
#ifndef ROTA_BASE_ERRINFO_H
#define ROTA_BASE_ERRINFO_H

#include <rota/err.h>

/* Formats into info->text, cut to fit at a UTF-8 character; returns err. The arguments may point into the old text. */
rota_err rota_errinfo_set(struct rota_errinfo *info, rota_err err, const char *format, ...) ROTA_PRINTF(3, 4);

#endif
