/* death.h - seeing a guard bite: an assertion of ours, or a check that fails a test. */
#ifndef ROTA_TESTING_DEATH_H
#define ROTA_TESTING_DEATH_H

/* Runs act(ctx) in a child process and fails the test unless that aborts with `words` in what it wrote to standard error. */
void rota_assert_aborts(void (*act)(void *ctx), void *ctx, const char *words);

/* Runs the test in a child process and fails this one unless that fails with `words` in what it wrote. */
void rota_assert_test_fails(void (*test)(void **state), const char *words);

#endif
