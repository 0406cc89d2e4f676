/* An intrusive, circular, doubly linked list. A node that is in no list points
 * to itself, so removal is idempotent. */
#ifndef GATUN_BASE_LIST_H
#define GATUN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define list_for_each(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
/* The loop body may remove `it`. */
#define list_for_each_safe(it, head) \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_before(struct list *at, struct list *node)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

static inline void list_append(struct list *head, struct list *node) { list_insert_before(head, node); }
static inline void list_prepend(struct list *head, struct list *node) { list_insert_before(head->next, node); }

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline void list_move_last(struct list *head, struct list *node)
{
	list_remove(node);
	list_append(head, node);
}

static inline struct list *list_first(const struct list *head) { return list_empty(head) ? NULL : head->next; }

#endif
