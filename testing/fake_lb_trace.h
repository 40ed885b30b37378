/* fake_lb_trace.h - between the two files of the balancing fixture: writing down what happened. */
#ifndef ROTA_TESTING_FAKE_LB_TRACE_H
#define ROTA_TESTING_FAKE_LB_TRACE_H

#include "testing/fake_lb.h"

/* One more word. */
void rota_fake_lb_trace(struct rota_fake_lb *f, const char *format, ...) ROTA_PRINTF(2, 3);

#endif
