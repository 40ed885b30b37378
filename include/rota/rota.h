/* rota/rota.h - everything: gRPC for C with load balancing and service discovery built in. */
#ifndef ROTA_ROTA_H
#define ROTA_ROTA_H

#include <rota/alloc.h>
#include <rota/call.h>
#include <rota/call_log.h>
#include <rota/channel.h>
#include <rota/credentials.h>
#include <rota/endpoint.h>
#include <rota/err.h>
#include <rota/explain.h>
#include <rota/health.h>
#include <rota/interceptor.h>
#include <rota/lb.h>
#include <rota/load.h>
#include <rota/log.h>
#include <rota/loop.h>
#include <rota/measure.h>
#include <rota/message.h>
#include <rota/metadata.h>
#include <rota/metrics.h>
#include <rota/orca.h>
#include <rota/reflection.h>
#include <rota/registrar.h>
#include <rota/registry.h>
#include <rota/resolver.h>
#include <rota/server.h>
#include <rota/slice.h>
#include <rota/status.h>
#include <rota/target.h>
#include <rota/tls.h>
#include <rota/version.h>

#endif
