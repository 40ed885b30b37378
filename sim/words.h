/* words.h - a statement of a scenario as words, taken from the front one by one; every mistake becomes a sentence.
 *
 * A reader that fails returns ROTA_EPARSE with the sentence in `info`, and `what` names the word in it. Nothing is written then.
 */
#ifndef ROTA_SIM_WORDS_H
#define ROTA_SIM_WORDS_H

#include <rota/err.h>
#include <rota/slice.h>
#include <rota/status.h>

struct rota_sim_words {
    const char *place; /* "file:12" */
    struct rota_slice rest;
    struct rota_errinfo *info;
};

rota_err rota_sim_bad(struct rota_sim_words *words, const char *format, ...) ROTA_PRINTF(2, 3);

bool rota_sim_words_end(struct rota_sim_words *words); /* no word is left */
struct rota_slice rota_sim_peek(struct rota_sim_words *words); /* the next word, empty at the end; it stays */
struct rota_slice rota_sim_rest(struct rota_sim_words *words); /* all that is left, without blanks around it */
bool rota_sim_take(struct rota_sim_words *words, const char *word); /* takes the next word if it is that one */

rota_err rota_sim_word(struct rota_sim_words *words, const char *what, struct rota_slice *ret_word); /* any word */
rota_err rota_sim_end(struct rota_sim_words *words); /* refuses what is left */

rota_err rota_sim_uint(struct rota_sim_words *words, const char *what, uint64_t low, uint64_t high, uint64_t *ret_number);
rota_err rota_sim_number(struct rota_sim_words *words, const char *what, double low, double high, double *ret_number); /* 1.5 */
rota_err rota_sim_percent(struct rota_sim_words *words, const char *what, double high, double *ret_share); /* 1.5% is 0.015; high as a share */
rota_err rota_sim_time(struct rota_sim_words *words, const char *what, int64_t *ret_ns); /* 20us, 1.5ms, 3s, 2m; 0 */
rota_err rota_sim_code(struct rota_sim_words *words, enum rota_code *ret_code); /* UNAVAILABLE */
/* "3", "0-4" or "all", of so many. */
rota_err rota_sim_range(struct rota_sim_words *words, const char *what, uint32_t count, uint32_t *ret_first, uint32_t *ret_last);

/* Digits with at most one point, at most 18 digits; the rest of the word is the unit. False: no number in front. */
bool rota_sim_split_number(struct rota_slice word, double *ret_number, struct rota_slice *ret_unit);

#endif
