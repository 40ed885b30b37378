/* report_svg.c - results as a drawing: latency by quantile on the left; on the right, over time, the share of attempts that went to bad
 * servers, or where none was bad the longest latency. A line a policy.
 *
 * Coordinates have one decimal, so that files do not depend on the last bit of anything.
 */
#include "base/assert.h"
#include "sim/exact.h"
#include "sim/report.h"
#include <stdarg.h>
#include <stdio.h>

#define LN10 2.302585092994046
#define WIDTH 1000
#define TOP 60
#define HEIGHT 300 /* of a panel */
#define LEFT_X 60
#define RIGHT_X 560
#define PANEL 400
#define NINES 4.0 /* the quantile axis ends at 99.99 % */
#define LEGEND_Y (TOP + HEIGHT + 60)
#define LEGEND_STEP 20
#define LEGEND_COLUMNS 3

static const char *const colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#17becf"};

struct drawing {
    const struct rota_sim_scenario *scenario;
    const struct rota_sim_result *const *results;
    size_t count;
    struct rota_buffer *out;
    double low_ms, high_ms; /* powers of ten */
    double high_share;
    bool shares;
    rota_err err;
};

static void put(struct drawing *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct drawing *d, const char *format, ...)
{
    char text[400];
    va_list args;

    if (d->err < 0)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    d->err = rota_buffer_append(d->out, rota_slice_str(text));
}

static void put_escaped(struct drawing *d, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&' || *text == '<')
            put(d, *text == '&' ? "&amp;" : "&lt;");
        else if ((unsigned char)*text >= ' ')
            put(d, "%c", *text);
    }
}

static double log10_of(double x)
{
    return rota_sim_ln(x) / LN10;
}

/* --- Places --- */

static double y_of_ms(const struct drawing *d, double ms)
{
    double part = (log10_of(ms < d->low_ms ? d->low_ms : ms) - log10_of(d->low_ms)) / (log10_of(d->high_ms) - log10_of(d->low_ms));

    return TOP + HEIGHT * (1 - (part > 1 ? 1 : part));
}

static double x_of_tail(double tail) /* the share of calls above */
{
    double nines = -log10_of(tail);

    return LEFT_X + PANEL * (nines > NINES ? 1 : nines / NINES);
}

static double x_of_time(const struct drawing *d, double ns)
{
    return RIGHT_X + PANEL * ns / (double)d->scenario->duration_ns;
}

static double y_of_share(const struct drawing *d, double share)
{
    return TOP + HEIGHT * (1 - (share > d->high_share ? 1 : share / d->high_share));
}

static uint32_t windows_of(const struct drawing *d)
{
    return (uint32_t)(d->scenario->duration_ns / d->scenario->window_ns);
}

/* Windows of one point: some 200 points are enough. */
static uint32_t step_of(const struct drawing *d)
{
    return (windows_of(d) + 199) / 200;
}

static double share_in(const struct rota_sim_result *r, uint32_t from, uint32_t to)
{
    double all = 0, bad = 0;

    for (uint32_t w = from; w < to; w++) {
        all += rota_sim_result_windows(r)[w].attempts;
        bad += rota_sim_result_windows(r)[w].bad_attempts;
    }
    return all > 0 ? bad / all : 0;
}

static double worst_ms_in(const struct rota_sim_result *r, uint32_t from, uint32_t to)
{
    int64_t worst_ns = 0;

    for (uint32_t w = from; w < to; w++)
        if (rota_sim_result_windows(r)[w].worst_ns > worst_ns)
            worst_ns = rota_sim_result_windows(r)[w].worst_ns;
    return (double)worst_ns / 1e6;
}

/* To where four equal steps have short names. */
static double round_up(double share)
{
    static const double ends[] = {0.01, 0.02, 0.04, 0.08, 0.12, 0.2, 0.4, 0.6, 0.8};

    for (size_t i = 0; i < ROTA_COUNT(ends); i++)
        if (share <= ends[i])
            return ends[i];
    return 1;
}

static void measure(struct drawing *d)
{
    double low_ms = 1e9, high_ms = 0;

    for (size_t i = 0; i < d->count; i++) {
        struct rota_sim_summary sum = rota_sim_summarise(d->results[i]);
        low_ms = sum.p50_ms > 0 && sum.p50_ms < low_ms ? sum.p50_ms : low_ms;
        high_ms = (double)d->results[i]->latency.max_ns / 1e6 > high_ms ? (double)d->results[i]->latency.max_ns / 1e6 : high_ms;
        d->shares = d->shares || (d->results[i]->n_episodes > 0 && sum.bad_fair < 1);
        for (uint32_t w = 0; w + step_of(d) <= windows_of(d); w += step_of(d)) {
            double share = share_in(d->results[i], w, w + step_of(d));
            d->high_share = share > d->high_share ? share : d->high_share;
        }
    }
    d->low_ms = 1e-3;
    while (d->low_ms * 10 <= low_ms)
        d->low_ms *= 10;
    d->high_ms = d->low_ms * 10;
    while (d->high_ms < high_ms)
        d->high_ms *= 10;
    d->high_share = round_up(d->high_share);
}

/* --- Axes --- */

static void frame(struct drawing *d, int x, const char *title)
{
    put(d, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#888\"/>\n", x, TOP, PANEL, HEIGHT);
    put(d, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", x, TOP - 8, title);
}

static void tick_x(struct drawing *d, double x, const char *label)
{
    put(d, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>\n", x, TOP, x, TOP + HEIGHT);
    put(d, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, TOP + HEIGHT + 16, label);
}

static void tick_y(struct drawing *d, int x, double y, const char *label)
{
    put(d, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", x, y, x + PANEL, y);
    put(d, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", x - 6, y + 4, label);
}

static void ticks_ms(struct drawing *d, int x)
{
    char label[32];

    for (double ms = d->low_ms; ms <= d->high_ms * 1.001; ms *= 10) {
        snprintf(label, sizeof(label), "%g", (double)(int64_t)(ms * 1000 + 0.5) / 1000);
        tick_y(d, x, y_of_ms(d, ms), label);
    }
}

static void axes(struct drawing *d)
{
    static const char *const nines[] = {"0", "90", "99", "99.9", "99.99"};
    char label[32];

    for (size_t i = 0; i < ROTA_COUNT(nines); i++)
        tick_x(d, LEFT_X + PANEL * (double)i / NINES, nines[i]);
    ticks_ms(d, LEFT_X);
    frame(d, LEFT_X, "latency in ms, by percentile");
    for (int i = 0; i <= 4; i++) {
        snprintf(label, sizeof(label), "%g s", (double)d->scenario->duration_ns * i / 4e9);
        tick_x(d, RIGHT_X + PANEL * i / 4.0, label);
    }
    for (int i = 0; i <= 4 && d->shares; i++) {
        snprintf(label, sizeof(label), "%.3g %%", d->high_share * i * 25);
        tick_y(d, RIGHT_X, y_of_share(d, d->high_share * i / 4), label);
    }
    if (!d->shares)
        ticks_ms(d, RIGHT_X);
    frame(d, RIGHT_X, d->shares ? "share of attempts to servers that are bad at some time" : "longest latency in ms");
}

/* --- Lines --- */

static void begin_line(struct drawing *d, size_t i)
{
    put(d, "<polyline fill=\"none\" stroke-width=\"1.5\" stroke=\"%s\"%s points=\"", colours[i % ROTA_COUNT(colours)],
        i < ROTA_COUNT(colours) ? "" : " stroke-dasharray=\"5 3\"");
}

static void draw_latency(struct drawing *d, size_t i)
{
    const struct rota_sim_histogram *h = &d->results[i]->latency;
    double last_x = -1;
    uint64_t seen = 0;

    begin_line(d, i);
    for (unsigned b = 0; b < ROTA_SIM_BUCKETS && seen < h->count; b++) {
        double x = x_of_tail((double)(h->count - seen) / (double)h->count), y = y_of_ms(d, (double)rota_sim_bucket_end_ns(b) / 1e6);
        seen += h->buckets[b];
        if (h->buckets[b] == 0)
            continue;
        if (x - last_x > 0.5)
            put(d, "%.1f,%.1f ", x, y);
        last_x = seen == h->count ? LEFT_X + PANEL : x_of_tail((double)(h->count - seen) / (double)h->count);
        put(d, "%.1f,%.1f ", last_x, y);
    }
    put(d, "\"/>\n");
}

static void draw_time(struct drawing *d, size_t i)
{
    uint32_t step = step_of(d);

    begin_line(d, i);
    for (uint32_t w = 0; w + step <= windows_of(d); w += step) {
        double x = x_of_time(d, ((double)w + step / 2.0) * (double)d->scenario->window_ns);
        put(d, "%.1f,%.1f ", x, d->shares ? y_of_share(d, share_in(d->results[i], w, w + step)) : y_of_ms(d, worst_ms_in(d->results[i], w, w + step)));
    }
    put(d, "\"/>\n");
}

static void draw_legend(struct drawing *d, size_t i)
{
    int x = LEFT_X + (int)(i % LEGEND_COLUMNS) * 310, y = LEGEND_Y + (int)(i / LEGEND_COLUMNS) * LEGEND_STEP;

    begin_line(d, i);
    put(d, "%d,%d %d,%d\"/>\n<text x=\"%d\" y=\"%d\">", x, y - 4, x + 24, y - 4, x + 30, y);
    put_escaped(d, d->results[i]->label);
    put(d, "</text>\n");
}

rota_err rota_sim_report_svg(const struct rota_sim_scenario *s, const struct rota_sim_result *const *results, size_t count, struct rota_buffer *out)
{
    struct drawing d = {.scenario = s, .results = results, .count = count, .out = out};
    int height = LEGEND_Y + (int)((count + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS) * LEGEND_STEP;

    measure(&d);
    put(&d, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", WIDTH,
        height, WIDTH, height);
    put(&d, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n<text x=\"%d\" y=\"24\" font-size=\"15\">", WIDTH, height, LEFT_X);
    put_escaped(&d, s->title);
    put(&d, "</text>\n");
    axes(&d);
    for (size_t i = 0; i < count; i++) {
        draw_latency(&d, i);
        draw_time(&d, i);
        draw_legend(&d, i);
    }
    put(&d, "</svg>\n");
    return d.err;
}
