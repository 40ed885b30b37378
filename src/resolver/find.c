/* find.c - the resolver for a target. */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/text.h"
#include "resolver/resolvers.h"
#include "wire/target.h"
#include <stdio.h>
#include <string.h>

static size_t length(const struct rota_resolver_class *const *classes)
{
    size_t n = 0;

    while (classes != NULL && classes[n] != NULL)
        n++;
    return n;
}

static rota_err not_found(const char *text, const char *scheme, const struct rota_resolver_class *const *classes, size_t n_classes,
    struct rota_errinfo *info)
{
    char names[200] = "";
    size_t size = 0;

    for (size_t i = 0; i < n_classes && size < sizeof(names); i++)
        size += (size_t)snprintf(names + size, sizeof(names) - size, "%s%s", i == 0 ? "" : ", ", classes[i]->scheme);
    return rota_errinfo_set(info, ROTA_ENOTFOUND, "target \"%.150s\": there is no resolver for \"%.50s\", only for %s", text, scheme,
        n_classes == 0 ? "nothing" : names);
}

/* Programs may do without an explanation; a resolver of theirs always has where to write one. */
static rota_err check(const struct rota_resolver_class *class, const struct rota_target *target, struct rota_errinfo *info)
{
    struct rota_errinfo unread = {""};

    return class->check(target, info != NULL ? info : &unread);
}

rota_err rota_resolver_find(const char *text, const struct rota_resolver_class *const *classes, const struct rota_alloc *alloc,
    struct rota_target **ret_target, const struct rota_resolver_class **ret_class, struct rota_errinfo *info)
{
    size_t n_classes = length(classes);
    const char **known = rota_alloc_zero(alloc, n_classes + 1, sizeof(*known));
    const struct rota_resolver_class *class = NULL;
    struct rota_target *target;
    rota_err err;

    if (known == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for a target");
    for (size_t i = 0; i < n_classes; i++)
        known[i] = classes[i]->scheme;
    err = rota_target_parse(text, known, alloc, &target, info);
    rota_alloc_free(alloc, (void *)known);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n_classes && class == NULL; i++)
        if (rota_text_equal_nocase(classes[i]->scheme, target->scheme))
            class = classes[i];
    if (class == NULL)
        err = not_found(target->text, target->scheme, classes, n_classes, info);
    else if (class->check != NULL)
        err = check(class, target, info);
    if (err < 0) {
        rota_target_free(alloc, target);
        return err;
    }
    *ret_target = target;
    *ret_class = class;
    return 0;
}
