/* names.c - the naming rules of generated code.
 *
 * Types and descriptors belong to protobuf-c, so its rules are followed to the letter, also where they are odd: an
 * underscore is put before a capital only when the character before it is none (HTTPServer is httpserver), and an
 * underscore of the .proto stays. Our functions split acronyms (http_server). ASCII only: protoc allows no more.
 */
#include "names.h"

#include <stdio.h>

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_upper(char c)
{
    return is_lower(c) ? (char)(c - 'a' + 'A') : c;
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

/* Writes one part of a dotted name, from..end, and returns where it stopped writing. */
typedef char *write_part(char *out, const char *from, const char *end);

static char *write_camel(char *out, const char *from, const char *end)
{
    bool capital = true;

    for (; from < end; from++) {
        if (*from == '_') {
            capital = true;
        } else {
            *out++ = capital ? to_upper(*from) : *from;
            capital = false;
        }
    }
    return out;
}

static char *write_lower(char *out, const char *from, const char *end)
{
    bool was_upper = true;

    for (; from < end; from++) {
        if (is_upper(*from) && !was_upper)
            *out++ = '_';
        *out++ = to_lower(*from);
        was_upper = is_upper(*from);
    }
    return out;
}

/* A word begins at a capital after a small letter or a digit, and at the last capital of a run that a small letter follows. */
static char *write_snake(char *out, const char *from, const char *end)
{
    for (const char *at = from; at < end; at++) {
        if (at > from && is_upper(*at)) {
            bool in_run = is_upper(at[-1]) && !(at + 1 < end && is_lower(at[1]));
            if (!in_run && at[-1] != '_')
                *out++ = '_';
        }
        *out++ = to_lower(*at);
    }
    return out;
}

static char *convert(struct rota_arena *arena, const char *dotted, const char *joint, write_part *write)
{
    /* A capital becomes two characters, a dot the joint of at most two. */
    char *name = rota_arena_get(arena, 2 * strlen(dotted) + 1), *out = name;

    if (name == NULL)
        return NULL;
    while (*dotted != '\0') {
        const char *end = dotted + strcspn(dotted, ".");
        if (end > dotted) {
            for (const char *c = joint; out > name && *c != '\0'; c++)
                *out++ = *c;
            out = write(out, dotted, end);
        }
        dotted = end + (*end == '.');
    }
    *out = '\0';
    return name;
}

char *rota_name_type(struct rota_arena *arena, const char *dotted)
{
    return convert(arena, dotted, "__", write_camel);
}

char *rota_name_lower(struct rota_arena *arena, const char *dotted)
{
    return convert(arena, dotted, "__", write_lower);
}

char *rota_name_snake(struct rota_arena *arena, const char *dotted)
{
    return convert(arena, dotted, "_", write_snake);
}

char *rota_name_file(struct rota_arena *arena, const char *path)
{
    char *name = rota_arena_get(arena, 3 * strlen(path) + 1), *out = name;

    if (name == NULL)
        return NULL;
    for (; *path != '\0'; path++) {
        if (is_upper(*path) || is_lower(*path) || is_digit(*path))
            *out++ = *path;
        else
            out += sprintf(out, "_%02x", (unsigned)(unsigned char)*path);
    }
    *out = '\0';
    return name;
}

bool rota_name_is_dotted(const char *text)
{
    const char *at = text + (*text == '.');

    for (bool first = true;; at++) {
        bool letter = is_upper(*at) || is_lower(*at) || *at == '_';

        if (letter || (!first && is_digit(*at)))
            first = false;
        else if (!first && *at == '.')
            first = true;
        else
            return *at == '\0' && !first;
    }
}

bool rota_name_is_reserved(const char *name)
{
    static const char *const words[] = {
        "alignas", "alignof", "and", "and_eq", "asm", "assert", "assert_perror", "auto", "bitand", "bitor", "bool",
        "break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return",
        "co_yield", "compl", "complex", "concept", "const", "const_cast", "consteval", "constexpr", "constinit",
        "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "errno",
        "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "i386", "if", "inline", "int",
        "linux", "long", "mutable", "namespace", "new", "noexcept", "noreturn", "not", "not_eq", "nullptr", "offsetof",
        "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires",
        "restrict", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast", "stderr", "stdin",
        "stdout", "strdupa", "strndupa", "struct", "switch", "template", "this", "thread_local", "throw", "true", "try",
        "typedef", "typeid", "typename", "typeof", "typeof_unqual", "union", "unix", "unsigned", "using", "virtual",
        "void", "volatile", "wchar_t", "while", "xor", "xor_eq"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i], name) == 0)
            return true;
    return false;
}
