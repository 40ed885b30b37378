/* header.h - HTTP/2 header fields as they pass between connection and call. Names are lower case; both are borrowed. */
#ifndef ROTA_WIRE_HEADER_H
#define ROTA_WIRE_HEADER_H

#include <rota/slice.h>

struct rota_header {
    struct rota_slice name, value;
};

#endif
