/* petiole_ready.h - the set of READY leaves, with the turn that goes round it; both changes are O(1). */
#ifndef ROTA_LB_PETIOLE_READY_H
#define ROTA_LB_PETIOLE_READY_H

#include "lb/petiole.h"

void rota_petiole_ready_add(struct rota_petiole *p, struct rota_leaf *leaf); /* room was made when the leaf was */
void rota_petiole_ready_remove(struct rota_petiole *p, struct rota_leaf *leaf); /* not in it: nothing happens */

#endif
