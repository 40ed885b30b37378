/* list.h - intrusive doubly linked list; a list head is a link that points at itself when empty. */
#ifndef ROTA_BASE_LIST_H
#define ROTA_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct rota_link {
    struct rota_link *prev, *next;
};

#define ROTA_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static inline void rota_list_init(struct rota_link *head)
{
    head->prev = head->next = head;
}

static inline bool rota_list_empty(const struct rota_link *head)
{
    return head->next == head;
}

static inline void rota_list_append(struct rota_link *head, struct rota_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* Takes the link out and leaves it pointing at itself, so that removing twice is harmless. */
static inline void rota_list_remove(struct rota_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = link;
}

static inline struct rota_link *rota_list_pop(struct rota_link *head)
{
    struct rota_link *first = head->next;

    if (first == head)
        return NULL;
    rota_list_remove(first);
    return first;
}

/* Moves all of `from` to the back of `to`. */
static inline void rota_list_take(struct rota_link *to, struct rota_link *from)
{
    if (rota_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    rota_list_init(from);
}

#endif
