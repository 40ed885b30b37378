/* rows_fixture.h - what the policies' tests share: rows of scripts, rows of configs, endpoints all READY, shares over many picks. */
#ifndef ROTA_LB_ROWS_FIXTURE_H
#define ROTA_LB_ROWS_FIXTURE_H

#include "testing/fake_lb.h"
#include <stddef.h>

#define MAX_STEPS 12

struct lb_step {
    const char *script, *trace;
};

struct lb_row {
    const char *rule, *config;
    struct lb_step steps[MAX_STEPS];
};

/* All dice show 0: connecting begins at the front, a second READY one takes the first place. */
void lb_rows_check(const struct lb_row *rows, size_t count);

struct lb_config_row {
    const char *rule, *json; /* a loadBalancingConfig list */
    const char *words;       /* of the complaint; NULL: it is accepted */
};

void lb_config_rows_check(const struct lb_config_row *rows, size_t count);

/* A tree with this list, its connections READY in the order of the list. Free it by lb_close. */
struct rota_fake_lb *lb_open_ready(const char *config, const char *list, uint64_t seed);
void lb_all_ready(struct rota_fake_lb *f); /* whatever it has asked to connect becomes READY */
void lb_close(struct rota_fake_lb *f);

/* Picks n times, each call ended at once, and counts by connection's number. */
void lb_count_picks(struct rota_fake_lb *f, uint32_t n, uint32_t *ret_counts);

/* Fails unless counts are shares of their sum to within `tolerance` of each share, plus three sigma if `by_chance`. */
void lb_shares_check(const char *rule, const uint32_t *counts, const double *weights, size_t count, double tolerance, bool by_chance);

#endif
