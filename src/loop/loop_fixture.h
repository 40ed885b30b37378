/* loop_fixture.h - a loop over the leak-checking allocator, and waiting for something with a deadline. */
#ifndef ROTA_LOOP_LOOP_FIXTURE_H
#define ROTA_LOOP_LOOP_FIXTURE_H

#include "loop/loop.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

#define PATIENCE_NS INT64_C(20000000000)

struct loop_fixture {
    struct rota_leak_alloc memory;
    struct rota_loop *loop;
};

void loop_fixture_init(struct loop_fixture *f);
void loop_fixture_fini(struct loop_fixture *f); /* frees the loop and fails when anything leaked */

/* Turns the loop until *flag; fails the test after PATIENCE_NS. */
void turn_until(struct rota_loop *loop, const bool *flag);

#endif
