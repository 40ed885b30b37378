/* known.h - google.protobuf's well-known types as they are everywhere: for an Any that holds one which no file at hand declares. */
#ifndef ROTA_DYNAMIC_KNOWN_H
#define ROTA_DYNAMIC_KNOWN_H

#include "dynamic/pool.h"

/* By its full name; NULL: it is none of them. What is returned is there for good. */
const struct rota_dyn_message *rota_dyn_known(struct rota_slice name);

#endif
