/* options.h - a channel's options as given, checked and with defaults filled in. */
#ifndef ROTA_CHANNEL_OPTIONS_H
#define ROTA_CHANNEL_OPTIONS_H

#include "channel/core.h"

/* As much of *given (may be NULL) as this version knows. ROTA_EINVAL: they have no size. */
rota_err rota_channel_options_read(const struct rota_channel_options *given, struct rota_channel_options *ret_options, struct rota_errinfo *info);

/* ROTA_EINVAL (info names the option). */
rota_err rota_channel_limits_read(const struct rota_channel_options *options, struct rota_channel_limits *ret_limits, struct rota_errinfo *info);

#endif
