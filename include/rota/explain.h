/* rota/explain.h - why a call went where it went: what its pick considered, how that was rated, who won.
 *
 * Asked for per call (rota_call_options.explain), by sampling (rota_channel_options.explain_every), or without a call (rota_channel_explain).
 * A pick that nobody asked about costs nothing but the look whether somebody did.
 * Threading: on the loop's thread, from inside the pick, so also before the function that starts the call has returned: the function that is
 * told must not use the channel, nor start or cancel calls. What it is given lasts until it returns.
 */
#ifndef ROTA_EXPLAIN_H
#define ROTA_EXPLAIN_H

#include <rota/lb.h>

ROTA_BEGIN_DECLS

#define ROTA_PICK_NOTES 32 /* of one pick; what comes after is counted only */

struct rota_pick_note {
    const char *policy; /* as in the service config */
    uint8_t depth;      /* policies above it */
    bool won;           /* what this policy chose; a parent's choice holds, whatever its children considered */
    double score;       /* in the policy's own measure; NAN: none */
    char endpoint[80];  /* its first address, cut; "": said of the policy as a whole */
    char text[120];
};

struct rota_pick_trace {
    uint32_t n_notes, n_left_out;
    const char *policy; /* whose pick runs, and its depth: the library's to set */
    uint8_t depth;
    struct rota_pick_note notes[ROTA_PICK_NOTES];
};

struct rota_explained_pick {
    const char *path; /* "/package.Service/Method" */
    uint32_t attempt;
    enum rota_pick_verdict verdict;
    const char *address;          /* where the attempt goes, with OK; else NULL */
    const struct rota_status *why; /* with FAIL and DROP; else NULL */
    const struct rota_pick_note *notes; /* in the order in which they were made */
    size_t n_notes, n_left_out;
};

/* A line for the pick and one for each note, cut at cap_bytes with the terminator. Returns the length. */
ROTA_API size_t rota_explained_pick_text(const struct rota_explained_pick *pick, char *out, size_t cap_bytes);
ROTA_API const char *rota_pick_verdict_name(enum rota_pick_verdict verdict); /* "OK", "WAIT", "FAIL", "DROP" */

struct rota_channel;

/* Makes a pick as for a call of that path with that metadata (may be NULL), explains it, and lets go of it. Policies count it as a call that
 * never reached the wire. A channel without connections begins to connect. On the loop's thread, not from a policy. Once the
 * channel is being closed `tell` is not called. */
ROTA_API void rota_channel_explain(struct rota_channel *channel, const char *path, const struct rota_metadata *metadata, rota_explain tell, void *arg);

ROTA_END_DECLS
#endif
