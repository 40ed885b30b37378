/* fake_lb_script.c - reads the words of a balancing script (fake_lb.h). */
#include "base/alloc.h"
#include "testing/cmocka.h"
#include "testing/fake_lb_trace.h"
#include "testing/virtual_host.h"
#include <stdio.h>
#include <stdlib.h>

#define MAX_ADDRESSES 8

static enum rota_address_kind kind_of(const char *text)
{
    switch (text[0]) {
    case '4':
        return ROTA_ADDRESS_IPV4;
    case '6':
        return ROTA_ADDRESS_IPV6;
    default:
        return ROTA_ADDRESS_NAME;
    }
}

static const struct rota_endpoint *endpoint_make(const char *word)
{
    struct rota_address addresses[MAX_ADDRESSES] = {{0}};
    struct rota_endpoint from = {.addresses = addresses};
    const struct rota_endpoint *endpoint;
    char *copy = rota_alloc_text(NULL, rota_slice(word, strcspn(word, "*!@")));
    const char *weight = strchr(word, '*'), *at = strchr(word, '@');
    struct rota_attribute attribute = {NULL, NULL};
    char *rest, *key = NULL;

    assert_non_null(copy);
    for (char *text = strtok_r(copy, "+", &rest); text != NULL; text = strtok_r(NULL, "+", &rest)) {
        assert_true(from.n_addresses < MAX_ADDRESSES);
        addresses[from.n_addresses].kind = kind_of(text);
        addresses[from.n_addresses].port = 1;
        addresses[from.n_addresses++].text = text;
    }
    from.weight = weight == NULL ? 0 : (uint32_t)strtoul(weight + 1, NULL, 10);
    if (at != NULL) {
        key = rota_alloc_text(NULL, rota_slice_str(at + 1));
        attribute.key = strtok_r(key, ":", &rest);
        attribute.value = rest;
        from.zone = strcmp(attribute.key, "zone") == 0 ? attribute.value : NULL;
        from.attributes = &attribute;
        from.n_attributes = from.zone == NULL;
    }
    assert_int_equal(rota_endpoint_new(NULL, &from, &endpoint), 0);
    free(key);
    free(copy);
    return endpoint;
}

const struct rota_endpoint *rota_fake_lb_endpoint(struct rota_fake_lb *f, const char *word)
{
    struct rota_slice name = rota_slice(word, strcspn(word, "!"));
    struct rota_fake_endpoint *known = rota_map_get(&f->endpoints, name), *fresh;

    if (known != NULL && word[name.size] == '\0')
        return known->endpoint;
    fresh = rota_alloc_zero(NULL, 1, sizeof(*fresh));
    assert_non_null(fresh);
    fresh->word = rota_alloc_text(NULL, name);
    assert_non_null(fresh->word);
    fresh->endpoint = endpoint_make(fresh->word);
    fresh->older = known;
    assert_int_equal(rota_map_set(&f->endpoints, rota_slice_str(fresh->word), fresh), 0);
    return fresh->endpoint;
}

rota_err rota_fake_lb_list(struct rota_fake_lb *f, const char *list)
{
    size_t count = 0, cap = 0;
    const struct rota_endpoint **endpoints = NULL;
    char *copy = rota_alloc_text(NULL, rota_slice_str(list));
    char *rest;
    rota_err err;

    assert_non_null(copy);
    for (char *word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        assert_int_equal(rota_alloc_reserve(NULL, &endpoints, &cap, count + 1, sizeof(*endpoints)), 0);
        endpoints[count++] = rota_fake_lb_endpoint(f, word);
    }
    err = rota_lb_tree_endpoints(f->tree, endpoints, count, f->now_ns);
    free(endpoints);
    free(copy);
    return err;
}

static void play_list(struct rota_fake_lb *f, const char *list)
{
    rota_err err = rota_fake_lb_list(f, list);

    if (err < 0)
        rota_fake_lb_trace(f, "%s", rota_err_name(err));
}

static void play_conn(struct rota_fake_lb *f, const char *word, const char *equals)
{
    static const char letters[] = "ICRF"; /* in the order of enum rota_conn_state */
    struct rota_slice text = rota_slice(word, (size_t)(equals - word));
    struct rota_fake_conn *conn = rota_map_get(&f->conns, text);
    const char *letter = equals[1] == '\0' ? NULL : strchr(letters, equals[1]);
    char why[64];

    if (conn == NULL || letter == NULL)
        fail_msg("script: no connection or state: %s", word);
    snprintf(why, sizeof(why), "%s refused%s%s", conn->text, equals[2] == '\0' ? "" : " ", equals + 2);
    rota_fake_lb_conn(f, conn, (enum rota_conn_state)(letter - letters), why);
}

static struct rota_fake_conn *conn_of(struct rota_fake_lb *f, const char *word, char end)
{
    struct rota_fake_conn *conn = rota_map_get(&f->conns, rota_slice(word, (size_t)(strchr(word, end) - word)));

    if (conn == NULL)
        fail_msg("script: no connection: %s", word);
    return conn;
}

static void play_serving(struct rota_fake_lb *f, const char *word)
{
    static const char letters[] = "UNAS"; /* in the order of enum rota_lb_serving */
    const char *letter = strchr(letters, strchr(word, '~')[1]);

    if (letter == NULL || *letter == '\0')
        fail_msg("script: what is %s?", word);
    else
        rota_fake_lb_serving(f, conn_of(f, word, '~'), (enum rota_lb_serving)(letter - letters));
}

static void play_pick(struct rota_fake_lb *f)
{
    struct rota_pick pick;

    switch (rota_fake_lb_pick(f, &pick)) {
    case ROTA_PICK_OK:
        rota_fake_lb_trace(f, "pick:%s", rota_fake_lb_picked(&pick)->text);
        rota_fake_lb_done(f, &pick);
        break;
    case ROTA_PICK_WAIT:
        rota_fake_lb_trace(f, "pick:WAIT");
        break;
    case ROTA_PICK_FAIL:
        rota_fake_lb_trace(f, "pick:FAIL(%s)", pick.why->message);
        break;
    case ROTA_PICK_DROP:
        rota_fake_lb_trace(f, "pick:DROP(%s)", pick.why->message);
        break;
    }
}

/* The call carries the header "key", several times if its values are separated by '|'. */
static void play_pick_of(struct rota_fake_lb *f, const char *values)
{
    struct rota_metadata *metadata;

    assert_int_equal(rota_metadata_new(NULL, &metadata), 0);
    for (const char *at = values, *bar; at != NULL; at = bar == NULL ? NULL : bar + 1) {
        bar = strchr(at, '|');
        assert_int_equal(rota_metadata_add(metadata, ROTA_SLICE("key"), rota_slice(at, strcspn(at, "|")), NULL), 0);
    }
    f->metadata = metadata;
    play_pick(f);
    f->metadata = NULL;
    rota_metadata_free(metadata);
}

static void play_word(struct rota_fake_lb *f, const char *word)
{
    const char *equals = strchr(word, '=');
    struct rota_status why;

    if (strncmp(word, "list=", 5) == 0) {
        play_list(f, word + 5);
    } else if (strncmp(word, "error=", 6) == 0) {
        rota_status_set(&why, ROTA_UNAVAILABLE, "%s", word + 6);
        rota_lb_tree_resolver_error(f->tree, &why, f->now_ns);
    } else if (strncmp(word, "pick=", 5) == 0) {
        play_pick_of(f, word + 5);
    } else if (equals != NULL) {
        play_conn(f, word, equals);
    } else if (strchr(word, '~') != NULL) {
        play_serving(f, word);
    } else if (strchr(word, '%') != NULL) {
        rota_fake_lb_report(f, conn_of(f, word, '%'), strtod(strchr(word, '%') + 1, NULL));
    } else if (word[0] == '+') {
        rota_fake_lb_advance(f, strtoll(word + 1, NULL, 10) * ROTA_MS);
    } else if (strcmp(word, "exit") == 0) {
        rota_lb_tree_exit_idle(f->tree, f->now_ns);
    } else if (strcmp(word, "pick") == 0) {
        play_pick(f);
    } else {
        fail_msg("script: what is %s?", word);
    }
}

const char *rota_fake_lb_play(struct rota_fake_lb *f, const char *script)
{
    char *copy = rota_alloc_text(NULL, rota_slice_str(script));
    char *rest;

    assert_non_null(copy);
    f->trace_size = 0;
    f->trace[0] = '\0';
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        play_word(f, word);
    free(copy);
    return f->trace;
}

void rota_fake_lb_expect(struct rota_fake_lb *f, const char *rule, const char *script, const char *trace)
{
    const char *got = rota_fake_lb_play(f, script);

    if (strcmp(got, trace) != 0)
        fail_msg("%s\n  after    %s\n  expected %s\n  got      %s", rule, script, trace, got);
}
