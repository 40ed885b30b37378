/* known.c - header fields that come again and again, neither checked nor copied a second time.
 *
 * A field from HPACK's tables arrives as the very objects that it arrived as before, so their addresses say that it is known. A few are
 * kept, each with a reference of our own: an address in the table therefore never is another field's. A field enters at its second
 * appearance (`once` remembers the first by address alone), for one that is sent as a literal each time has new objects each time.
 * What falls out may still be pointed at by queued events, so it is let go of when there are none.
 */
#include "base/alloc.h"
#include "h2/session.h"

#define SLOTS 32 /* slot_of gives five bits */

struct rota_h2_known {
    struct known {
        nghttp2_rcbuf *name, *value; /* NULL: a free slot */
        struct rota_h2_known_field field;
    } slots[SLOTS];
    const nghttp2_rcbuf *once[SLOTS];
    nghttp2_rcbuf **dropped;
    size_t n_dropped, dropped_cap;
};

static size_t slot_of(const nghttp2_rcbuf *name, const nghttp2_rcbuf *value)
{
    uint64_t mix = ((uint64_t)(uintptr_t)name ^ (uint64_t)(uintptr_t)value << 7) * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(mix >> 59);
}

const struct rota_h2_known_field *rota_h2_known_find(const struct rota_h2 *h2, const nghttp2_rcbuf *name, const nghttp2_rcbuf *value)
{
    const struct known *slot;

    if (h2->known == NULL)
        return NULL;
    slot = &h2->known->slots[slot_of(name, value)];
    return slot->name == name && slot->value == value && name != NULL ? &slot->field : NULL;
}

static rota_err drop(struct rota_h2 *h2, struct rota_h2_known *known, struct known *slot)
{
    if (slot->name == NULL)
        return 0;
    if (rota_alloc_reserve(h2->alloc, &known->dropped, &known->dropped_cap, known->n_dropped + 2, sizeof(nghttp2_rcbuf *)) < 0)
        return ROTA_ENOMEM;
    known->dropped[known->n_dropped++] = slot->name;
    known->dropped[known->n_dropped++] = slot->value;
    slot->name = NULL;
    return 0;
}

rota_err rota_h2_known_add(struct rota_h2 *h2, nghttp2_rcbuf *name, nghttp2_rcbuf *value, const struct rota_h2_known_field *field)
{
    size_t at = slot_of(name, value);
    struct known *slot;

    if (h2->known == NULL)
        h2->known = rota_alloc_zero(h2->alloc, 1, sizeof(*h2->known));
    if (h2->known == NULL)
        return ROTA_ENOMEM;
    if (h2->known->once[at] != value) {
        h2->known->once[at] = value;
        return 0;
    }
    slot = &h2->known->slots[at];
    if (drop(h2, h2->known, slot) < 0)
        return ROTA_ENOMEM;
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    *slot = (struct known){name, value, *field};
    return 0;
}

void rota_h2_known_let_go(struct rota_h2 *h2)
{
    if (h2->known == NULL)
        return;
    while (h2->known->n_dropped > 0)
        nghttp2_rcbuf_decref(h2->known->dropped[--h2->known->n_dropped]);
}

void rota_h2_known_fini(struct rota_h2 *h2)
{
    if (h2->known == NULL)
        return;
    rota_h2_known_let_go(h2);
    for (size_t i = 0; i < SLOTS; i++)
        if (h2->known->slots[i].name != NULL) {
            nghttp2_rcbuf_decref(h2->known->slots[i].name);
            nghttp2_rcbuf_decref(h2->known->slots[i].value);
        }
    rota_alloc_free(h2->alloc, h2->known->dropped);
    rota_alloc_free(h2->alloc, h2->known);
}
