/* json_parse.c - recursive descent over JSON's grammar; ROTA_DYN_JSON_DEPTH bounds the stack. */
#include "dynamic/json_parse.h"

#include "base/errinfo.h"
#include "base/map.h"
#include "base/text.h"

#define KEY_SEED 1 /* of maps over keys; who writes the JSON to collide wastes his own time */

struct parser {
    struct rota_slice text;
    size_t at;
    struct rota_arena *arena;
    struct rota_errinfo *info;
    int depth;
};

static rota_err parse_value(struct parser *p, struct rota_dyn_json *out);

static rota_err no_memory(struct parser *p)
{
    return rota_errinfo_set(p->info, ROTA_ENOMEM, "out of memory");
}

/* Columns are characters. */
static rota_err bad(struct parser *p, size_t at, const char *what)
{
    size_t line = 1, column = 1;

    for (size_t i = 0; i < at; i++) {
        uint8_t c = p->text.data[i];

        if (c == '\n') {
            line++;
            column = 1;
        } else if ((c & 0xc0) != 0x80) {
            column++;
        }
    }
    return rota_errinfo_set(p->info, ROTA_EPARSE, "line %zu, column %zu: %s", line, column, what);
}

/* A zero at the end, which stands nowhere in JSON. */
static uint8_t peek(const struct parser *p)
{
    return p->at < p->text.size ? p->text.data[p->at] : 0;
}

static rota_err expected(struct parser *p, const char *what)
{
    return bad(p, p->at, p->at >= p->text.size ? "the text ends too early" : what);
}

static void skip_blanks(struct parser *p)
{
    while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
        p->at++;
}

/* --- Strings --- */

static bool take_hex(const uint8_t *digits, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        uint8_t c = digits[i], lower = c | 0x20;

        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return false;
    }
    *ret_value = value;
    return true;
}

/* `raw` begins behind the "\u"; how much of it was used, 0: it is no character. */
static size_t take_unicode(struct rota_slice raw, uint32_t *ret_code)
{
    uint32_t high, low;

    if (raw.size < 4 || !take_hex(raw.data, &high) || (high >= 0xdc00 && high < 0xe000))
        return 0;
    *ret_code = high;
    if (high < 0xd800 || high >= 0xe000)
        return 4;
    if (raw.size < 10 || raw.data[4] != '\\' || raw.data[5] != 'u' || !take_hex(raw.data + 6, &low) || low < 0xdc00 || low > 0xdfff)
        return 0;
    *ret_code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return 10;
}

static size_t put_utf8(uint8_t *out, uint32_t code)
{
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)(lead[n] | code);
    return n;
}

/* `raw` begins behind the backslash; how much of it was used, 0: it is no escape. What is put is never longer than the escape. */
static size_t take_escape(struct rota_slice raw, uint8_t *out, size_t *ret_put)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found;
    uint32_t code;
    size_t used;

    if (raw.data[0] == 'u') {
        used = take_unicode(rota_slice(raw.data + 1, raw.size - 1), &code);
        *ret_put = used == 0 ? 0 : put_utf8(out, code);
        return used == 0 ? 0 : used + 1;
    }
    found = raw.data[0] == '\0' ? NULL : strchr(from, raw.data[0]);
    if (found == NULL)
        return 0;
    out[0] = (uint8_t)to[found - from];
    *ret_put = 1;
    return 1;
}

/* What stands between the quotes; p->at is the first of it. */
static rota_err find_end(struct parser *p, struct rota_slice *ret_raw)
{
    size_t end = p->at;

    while (end < p->text.size && p->text.data[end] != '"') {
        if (p->text.data[end] < ' ')
            return bad(p, end, "a control character in a string, where it must be escaped");
        end += p->text.data[end] == '\\' ? 2 : 1;
    }
    if (end >= p->text.size)
        return bad(p, p->at - 1, "a string without an end");
    *ret_raw = rota_slice(p->text.data + p->at, end - p->at);
    if (!rota_text_is_utf8(*ret_raw))
        return bad(p, p->at - 1, "a string that is not UTF-8");
    return 0;
}

static rota_err parse_string(struct parser *p, struct rota_slice *ret_text)
{
    size_t start = ++p->at, size = 0;
    struct rota_slice raw;
    uint8_t *out;
    rota_err err = find_end(p, &raw);

    if (err < 0)
        return err;
    out = rota_arena_get(p->arena, raw.size + 1);
    if (out == NULL)
        return no_memory(p);
    for (size_t i = 0, used, put; i < raw.size; i += used) {
        if (raw.data[i] != '\\') {
            out[size++] = raw.data[i];
            used = 1;
            continue;
        }
        used = take_escape(rota_slice(raw.data + i + 1, raw.size - i - 1), out + size, &put);
        if (used == 0)
            return bad(p, start + i, "an escape that is none, or half a character");
        size += put;
        used++;
    }
    out[size] = '\0';
    p->at = start + raw.size + 1;
    *ret_text = rota_slice(out, size);
    return 0;
}

/* --- Numbers and names --- */

static size_t digits_at(struct rota_slice text, size_t at)
{
    size_t end = at;

    while (end < text.size && text.data[end] >= '0' && text.data[end] <= '9')
        end++;
    return end - at;
}

static bool is_at(struct rota_slice text, size_t at, const char *one_of)
{
    return at < text.size && text.data[at] != '\0' && strchr(one_of, text.data[at]) != NULL;
}

size_t rota_dyn_json_number_size(struct rota_slice text)
{
    size_t at = is_at(text, 0, "-"), n = digits_at(text, at);

    if (n == 0)
        return 0;
    at += text.data[at] == '0' ? 1 : n;
    if (is_at(text, at, ".") && (n = digits_at(text, at + 1)) > 0)
        at += 1 + n;
    if (is_at(text, at, "eE")) {
        size_t sign = is_at(text, at + 1, "+-");

        n = digits_at(text, at + 1 + sign);
        at += n > 0 ? 1 + sign + n : 0;
    }
    return at;
}

static rota_err parse_number(struct parser *p, struct rota_dyn_json *out)
{
    struct rota_slice rest = rota_slice(p->text.data + p->at, p->text.size - p->at);
    size_t size = rota_dyn_json_number_size(rest);
    char *copy;

    if (size == 0 || is_at(rest, size, "0123456789.+-eE"))
        return expected(p, "a number that is none");
    copy = rota_arena_text(p->arena, rota_slice(rest.data, size));
    if (copy == NULL)
        return no_memory(p);
    p->at += size;
    out->kind = ROTA_DYN_NUMBER;
    out->text = rota_slice(copy, size);
    return 0;
}

static bool take_word(struct parser *p, const char *word)
{
    size_t size = strlen(word);

    if (p->text.size - p->at < size || memcmp(p->text.data + p->at, word, size) != 0)
        return false;
    p->at += size;
    return true;
}

/* --- Arrays and objects --- */

static rota_err parse_key(struct parser *p, struct rota_map *keys, struct rota_dyn_json *member)
{
    size_t start = p->at;
    rota_err err;

    if (peek(p) != '"')
        return expected(p, "expected a key in double quotes");
    err = parse_string(p, &member->key);
    if (err < 0)
        return err;
    if (rota_map_get(keys, member->key) != NULL)
        return bad(p, start, "a key that comes twice");
    if (rota_map_set(keys, member->key, member) < 0)
        return no_memory(p);
    skip_blanks(p);
    if (peek(p) != ':')
        return expected(p, "expected a colon");
    p->at++;
    skip_blanks(p);
    return 0;
}

/* keys: NULL in an array. */
static rota_err parse_items(struct parser *p, uint8_t close, struct rota_map *keys, struct rota_dyn_json *out)
{
    const struct rota_dyn_json **last = &out->first;
    rota_err err;

    for (;; p->at++) {
        struct rota_dyn_json *item = rota_arena_zero(p->arena, 1, sizeof(*item));

        skip_blanks(p);
        err = item == NULL ? no_memory(p) : keys != NULL ? parse_key(p, keys, item) : 0;
        if (err == 0)
            err = parse_value(p, item);
        if (err < 0)
            return err;
        *last = item;
        last = &item->next;
        out->n++;
        skip_blanks(p);
        if (peek(p) != ',')
            break;
    }
    if (peek(p) != close)
        return expected(p, close == ']' ? "expected a comma or ]" : "expected a comma or }");
    p->at++;
    return 0;
}

static rota_err parse_many(struct parser *p, bool object, struct rota_dyn_json *out)
{
    uint8_t close = object ? '}' : ']';
    struct rota_map keys;
    rota_err err;

    out->kind = object ? ROTA_DYN_OBJECT : ROTA_DYN_ARRAY;
    if (p->depth == ROTA_DYN_JSON_DEPTH)
        return bad(p, p->at, "nested too deep");
    p->at++;
    skip_blanks(p);
    if (peek(p) == close) {
        p->at++;
        return 0;
    }
    p->depth++;
    rota_map_init(&keys, p->arena->alloc, KEY_SEED);
    err = parse_items(p, close, object ? &keys : NULL, out);
    rota_map_fini(&keys);
    p->depth--;
    return err;
}

static rota_err parse_value(struct parser *p, struct rota_dyn_json *out)
{
    uint8_t c = peek(p);

    switch (c) {
    case '{':
    case '[': return parse_many(p, c == '{', out);
    case '"': out->kind = ROTA_DYN_TEXT; return parse_string(p, &out->text);
    case 't':
    case 'f':
    case 'n':
        out->kind = c == 't' ? ROTA_DYN_TRUE : c == 'f' ? ROTA_DYN_FALSE : ROTA_DYN_NULL;
        return take_word(p, c == 't' ? "true" : c == 'f' ? "false" : "null") ? 0 : expected(p, "expected a value");
    default: return c == '-' || (c >= '0' && c <= '9') ? parse_number(p, out) : expected(p, "expected a value");
    }
}

rota_err rota_dyn_json_parse(struct rota_slice text, size_t *at, struct rota_arena *arena, const struct rota_dyn_json **ret_json,
                             struct rota_errinfo *info)
{
    struct parser p = {.text = text, .at = *at, .arena = arena, .info = info};
    struct rota_dyn_json *json = rota_arena_zero(arena, 1, sizeof(*json));
    rota_err err;

    if (json == NULL)
        return no_memory(&p);
    skip_blanks(&p);
    err = parse_value(&p, json);
    if (err < 0)
        return err;
    skip_blanks(&p);
    *at = p.at;
    *ret_json = json;
    return 0;
}

const struct rota_dyn_json *rota_dyn_json_get(const struct rota_dyn_json *object, const char *key)
{
    if (object->kind != ROTA_DYN_OBJECT)
        return NULL;
    for (const struct rota_dyn_json *member = object->first; member != NULL; member = member->next)
        if (rota_slice_equal(member->key, rota_slice_str(key)))
            return member;
    return NULL;
}
