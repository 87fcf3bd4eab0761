#ifndef _LINUX_LIST_H
#define _LINUX_LIST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A circular doubly linked list whose nodes are fields of the entries. */

@rust abi/src/lite_list.rs@
/** Initialiser of a list head as an empty list. */
#define LIST_HEAD_INIT(name) \
    {                        \
        &(name), &(name)     \
    }

/** Declares a list head, empty. */
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

/** Makes a list empty. */
static __inline void INIT_LIST_HEAD(struct list_head *list)
{
    list->next = list;
    list->prev = list;
}

/** Puts a node between two neighbours. */
static __inline void __list_add(struct list_head *new_ptr, struct list_head *prev, struct list_head *next)
{
    new_ptr->next = next;
    new_ptr->prev = prev;
    next->prev    = new_ptr;
    prev->next    = new_ptr;
}

/** Puts a node at the front. */
static __inline void list_add(struct list_head *new_ptr, struct list_head *head)
{
    __list_add(new_ptr, head, head->next);
}

/** Puts a node at the end. */
static __inline void list_add_tail(struct list_head *new_ptr, struct list_head *head)
{
    __list_add(new_ptr, head->prev, head);
}

/** Takes out whatever is between two nodes. */
static __inline void __list_del(struct list_head *prev, struct list_head *next)
{
    prev->next = next;
    next->prev = prev;
}

/** Takes a node out and leaves its own pointers as they are. */
static __inline void __list_del_entry(struct list_head *entry)
{
    __list_del(entry->prev, entry->next);
}

/** Takes a node out; it belongs to no list afterwards. */
static __inline void list_del(struct list_head *entry)
{
    __list_del_entry(entry);
    entry->next = NULL;
    entry->prev = NULL;
}

/** Puts a node in the place of another. */
static __inline void list_replace(struct list_head *old, struct list_head *new_ptr)
{
    new_ptr->next       = old->next;
    new_ptr->next->prev = new_ptr;
    new_ptr->prev       = old->prev;
    new_ptr->prev->next = new_ptr;
}

/** Puts a node in the place of another, which becomes an empty list. */
static __inline void list_replace_init(struct list_head *old, struct list_head *new_ptr)
{
    list_replace(old, new_ptr);
    INIT_LIST_HEAD(old);
}

/** Takes a node out; it is an empty list afterwards. */
static __inline void list_del_init(struct list_head *entry)
{
    __list_del_entry(entry);
    INIT_LIST_HEAD(entry);
}

/** Moves a node to the front of a list. */
static __inline void list_move(struct list_head *list, struct list_head *head)
{
    __list_del_entry(list);
    list_add(list, head);
}

/** Moves a node to the end of a list. */
static __inline void list_move_tail(struct list_head *list, struct list_head *head)
{
    __list_del_entry(list);
    list_add_tail(list, head);
}

/** Whether a node is the last one. */
static __inline int list_is_last(const struct list_head *list, const struct list_head *head)
{
    return list->next == head;
}

/** Whether a list is empty. */
static __inline int list_empty(const struct list_head *head)
{
    return head->next == head;
}

/** Whether a list is empty by both its pointers. */
static __inline int list_empty_careful(const struct list_head *head)
{
    const struct list_head *next = head->next;
    return next == head && next == head->prev;
}

/** Moves the first node to the end. */
static __inline void list_rotate_left(struct list_head *head)
{
    if (!list_empty(head)) {
        list_move_tail(head->next, head);
    }
}

/** Whether a list has exactly one node. */
static __inline int list_is_singular(const struct list_head *head)
{
    return !list_empty(head) && head->next == head->prev;
}

/* ptr and head are pointers to nodes, pos and n pointers to entries, except where a line says that they are nodes. */

/** The entry of the given type whose field member is the node ptr. */
#define list_entry(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/** First entry of a list that is not empty. */
#define list_first_entry(ptr, type, member) list_entry((ptr)->next, type, member)

/** Last entry of a list that is not empty. */
#define list_last_entry(ptr, type, member) list_entry((ptr)->prev, type, member)

/** First entry, NULL for an empty list. */
#define list_first_entry_or_null(ptr, type, member) (list_empty(ptr) ? NULL : list_first_entry(ptr, type, member))

/** Entry after pos. */
#define list_next_entry(pos, member, type) list_entry((pos)->member.next, type, member)

/** Entry before pos. */
#define list_prev_entry(pos, member, type) list_entry((pos)->member.prev, type, member)

/** Visits the nodes from first to last; pos is a node. */
#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = (pos)->next)

/** As list_for_each. */
#define __list_for_each(pos, head) list_for_each(pos, head)

/** Visits the nodes from last to first; pos is a node. */
#define list_for_each_prev(pos, head) for (pos = (head)->prev; pos != (head); pos = (pos)->prev)

/** As list_for_each; the node pos may be taken out, since the node n is kept. */
#define list_for_each_safe(pos, n, head) \
    for (pos = (head)->next, n = (pos)->next; pos != (head); pos = n, n = (pos)->next)

/** As list_for_each_prev; the node pos may be taken out, since the node n is kept. */
#define list_for_each_prev_safe(pos, n, head) \
    for (pos = (head)->prev, n = (pos)->prev; pos != (head); pos = n, n = (pos)->prev)

/** Visits the entries from first to last. */
#define list_for_each_entry(pos, head, member, type)                           \
    for (pos = list_first_entry(head, type, member); &(pos)->member != (head); \
         pos = list_next_entry(pos, member, type))

/** Visits the entries from last to first. */
#define list_for_each_entry_reverse(pos, head, member, type)                  \
    for (pos = list_last_entry(head, type, member); &(pos)->member != (head); \
         pos = list_prev_entry(pos, member, type))

/** pos, or for NULL the place before the first entry, to go on from with list_for_each_entry_continue. */
#define list_prepare_entry(pos, head, member, type) ((pos) ? (pos) : list_entry(head, type, member))

/** Visits the entries after pos. */
#define list_for_each_entry_continue(pos, head, member, type)                \
    for (pos = list_next_entry(pos, member, type); &(pos)->member != (head); \
         pos = list_next_entry(pos, member, type))

/** Visits the entries before pos, backwards. */
#define list_for_each_entry_continue_reverse(pos, head, member, type)        \
    for (pos = list_prev_entry(pos, member, type); &(pos)->member != (head); \
         pos = list_prev_entry(pos, member, type))

/** Visits pos and the entries after it. */
#define list_for_each_entry_from(pos, head, member, type) \
    for (; &(pos)->member != (head); pos = list_next_entry(pos, member, type))

/** As list_for_each_entry; pos may be taken out, since n is kept. */
#define list_for_each_entry_safe(pos, n, head, member, type)                                 \
    for (pos = list_first_entry(head, type, member), n = list_next_entry(pos, member, type); \
         &(pos)->member != (head); pos = n, n = list_next_entry(n, member, type))

/** As list_for_each_entry_continue; pos may be taken out, since n is kept. */
#define list_for_each_entry_safe_continue(pos, n, head, member, type)                      \
    for (pos = list_next_entry(pos, member, type), n = list_next_entry(pos, member, type); \
         &(pos)->member != (head); pos = n, n = list_next_entry(n, member, type))

/** As list_for_each_entry_from; pos may be taken out, since n is kept. */
#define list_for_each_entry_safe_from(pos, n, head, member, type)                   \
    for (n = list_next_entry(pos, member, type); &(pos)->member != (head); pos = n, \
        n = list_next_entry(n, member, type))

/** As list_for_each_entry_reverse; pos may be taken out, since n is kept. */
#define list_for_each_entry_safe_reverse(pos, n, head, member, type)                        \
    for (pos = list_last_entry(head, type, member), n = list_prev_entry(pos, member, type); \
         &(pos)->member != (head); pos = n, n = list_prev_entry(n, member, type))

/** Sets n to the entry after pos, when the list changed inside a safe loop. */
#define list_safe_reset_next(pos, n, member, type) n = list_next_entry(pos, member, type)

#ifdef __cplusplus
}
#endif

#endif /* _LINUX_LIST_H */
