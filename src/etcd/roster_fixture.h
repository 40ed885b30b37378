/* roster_fixture.h - for the tests of this folder: keys and values in few words, and a roster written down in one line. */
#ifndef ROTA_ETCD_ROSTER_FIXTURE_H
#define ROTA_ETCD_ROSTER_FIXTURE_H

#include "etcd/roster.h"

#define ROSTER_PREFIX "/grpclb/s/"

/* Key "/grpclb/s/<name>", value "10.0.0.<letter's place>:80"; name "a!": a value that is no address; "a=text": that value. The last of
 * a few calls stay valid. */
struct rota_etcd_kv roster_kv(const char *name, int64_t revision);

/* "a b? -" : the endpoints in their order, by letter; '?' marks a suspect, '-' an empty list. Static; NULL without memory. */
const char *roster_text(struct rota_etcd_roster *r);

#endif
