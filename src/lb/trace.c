/* trace.c - the notes of explained picks: taken down while policies pick, written out as text.
 *
 * Nothing here allocates. Elsewhere: whose note it is (pick.c), who asks (channel/explain.c).
 */
#include "base/text.h"
#include <math.h>
#include <rota/explain.h>
#include <stdio.h>

static struct rota_pick_note *add(struct rota_pick_trace *trace, const struct rota_endpoint *endpoint, double score)
{
    struct rota_pick_note *note;
    const char *address = endpoint == NULL || endpoint->n_addresses == 0 ? "" : endpoint->addresses[0].text;

    if (trace->n_notes == ROTA_PICK_NOTES) {
        trace->n_left_out++;
        return NULL;
    }
    note = &trace->notes[trace->n_notes++];
    *note = (struct rota_pick_note){.policy = trace->policy, .depth = trace->depth, .score = score};
    snprintf(note->endpoint, sizeof(note->endpoint), "%s", address);
    return note;
}

void rota_lb_trace(const struct rota_call_info *call, const struct rota_endpoint *endpoint, double score, const char *format, ...)
{
    struct rota_pick_note *note;
    va_list args;

    if (call->trace == NULL)
        return;
    note = add(call->trace, endpoint, score);
    if (note == NULL)
        return;
    va_start(args, format);
    rota_text_format(note->text, sizeof(note->text), format, args);
    va_end(args);
}

static bool is_of(const struct rota_pick_note *note, const struct rota_endpoint *endpoint)
{
    return strncmp(note->endpoint, endpoint->addresses[0].text, sizeof(note->endpoint) - 1) == 0;
}

void rota_lb_trace_winner(const struct rota_call_info *call, const struct rota_endpoint *endpoint)
{
    struct rota_pick_trace *trace = call->trace;
    struct rota_pick_note *winner = NULL;

    if (trace == NULL)
        return;
    for (uint32_t i = 0; i < trace->n_notes; i++) {
        struct rota_pick_note *note = &trace->notes[i];

        if (note->policy != trace->policy || note->depth != trace->depth || note->endpoint[0] == '\0')
            continue;
        note->won = false;
        if (winner == NULL && is_of(note, endpoint))
            winner = note;
    }
    if (winner == NULL && trace->n_notes == ROTA_PICK_NOTES) /* who won is worth more than the last who did not */
        trace->n_notes--, trace->n_left_out++;
    if (winner == NULL)
        winner = add(trace, endpoint, NAN);
    winner->won = true;
}

const char *rota_pick_verdict_name(enum rota_pick_verdict verdict)
{
    static const char *const names[] = {
        [ROTA_PICK_OK] = "OK", [ROTA_PICK_WAIT] = "WAIT", [ROTA_PICK_FAIL] = "FAIL", [ROTA_PICK_DROP] = "DROP"};

    return (unsigned)verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "UNKNOWN";
}

/* --- As text --- */

struct page {
    char *out;
    size_t cap, size;
};

static void print(struct page *page, const char *format, ...) ROTA_PRINTF(2, 3);

static void print(struct page *page, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    page->size += rota_text_format(page->out + page->size, page->cap - page->size, format, args);
    va_end(args);
}

static void print_note(struct page *page, const struct rota_pick_note *note)
{
    print(page, "\n  %*s%c %s", note->depth * 2, "", note->won ? '*' : ' ', note->policy);
    if (note->endpoint[0] != '\0')
        print(page, " %s", note->endpoint);
    if (!isnan(note->score))
        print(page, " %.6g", note->score);
    if (note->text[0] != '\0')
        print(page, "%s %s", note->endpoint[0] == '\0' ? ":" : "", note->text);
}

size_t rota_explained_pick_text(const struct rota_explained_pick *pick, char *out, size_t cap_bytes)
{
    struct page page = {out, cap_bytes, 0};

    if (cap_bytes == 0)
        return 0;
    out[0] = '\0';
    print(&page, "%s %s", rota_pick_verdict_name(pick->verdict), pick->path);
    if (pick->attempt > 0)
        print(&page, " attempt %u", (unsigned)pick->attempt + 1);
    if (pick->address != NULL)
        print(&page, " -> %s", pick->address);
    if (pick->why != NULL)
        print(&page, ": %s", pick->why->message);
    for (size_t i = 0; i < pick->n_notes; i++)
        print_note(&page, &pick->notes[i]);
    if (pick->n_left_out > 0)
        print(&page, "\n  and %zu more", pick->n_left_out);
    return page.size;
}
