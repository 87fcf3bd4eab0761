/* The function-like macros and inline functions at work. Stands alone: what they call is defined here. */
#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "utils_param_check.h"

static int lines;    /* printed or logged */
static int failures;

#define EXPECT(condition)                                           \
    do {                                                            \
        if (!(condition)) {                                         \
            failures++;                                             \
            printf("line %d: %s is false\n", __LINE__, #condition); \
        }                                                           \
    } while (0)

#ifdef __cplusplus
extern "C" {
#endif

void HAL_Printf(const char *fmt, ...)
{
    (void)fmt;
    lines++;
}

void IOT_Log_Gen(const char *file, const char *func, const int line, const int level, const char *fmt, ...)
{
    (void)file;
    (void)func;
    (void)line;
    (void)level;
    (void)fmt;
    lines++;
}

/* Two keys between a head with no key. */
static json_key_t keys[3];

list_head_t *LITE_json_keys_of(char *src, char *prefix)
{
    (void)src;
    (void)prefix;
    INIT_LIST_HEAD(&keys[0].list);
    keys[1].key = (char *)"a";
    keys[2].key = (char *)"b";
    list_add_tail(&keys[1].list, &keys[0].list);
    list_add_tail(&keys[2].list, &keys[0].list);
    return &keys[0].list;
}

#ifdef __cplusplus
}
#endif

typedef struct {
    int         number;
    list_head_t node;
} Item;

static LIST_HEAD(list);
static list_head_t empty = LIST_HEAD_INIT(empty);
static Item items[4];

static void fill(void)
{
    int i;
    INIT_LIST_HEAD(&list);
    for (i = 0; i < 4; i++) {
        items[i].number = i + 1;
        list_add_tail(&items[i].node, &list);
    }
}

/* The numbers in the list as decimal digits. */
static int digits(void)
{
    Item *pos;
    int   value = 0;
    list_for_each_entry(pos, &list, node, Item) value = value * 10 + pos->number;
    return value;
}

static void walks(void)
{
    list_head_t *node, *next_node;
    Item        *pos, *next;
    int          value = 0;

    EXPECT(list_empty(&list) && list_empty_careful(&list));
    EXPECT(list_empty(&empty));
    EXPECT(list_first_entry_or_null(&list, Item, node) == NULL);
    fill();
    EXPECT(digits() == 1234);
    EXPECT(list_first_entry(&list, Item, node)->number == 1);
    EXPECT(list_last_entry(&list, Item, node)->number == 4);
    EXPECT(list_next_entry(&items[0], node, Item) == &items[1]);
    EXPECT(list_prev_entry(&items[1], node, Item) == &items[0]);
    EXPECT(container_of(&items[2].node, Item, node) == &items[2]);

    value = 0;
    list_for_each(node, &list) value = value * 10 + list_entry(node, Item, node)->number;
    EXPECT(value == 1234);
    value = 0;
    __list_for_each(node, &list) value = value * 10 + list_entry(node, Item, node)->number;
    EXPECT(value == 1234);
    value = 0;
    list_for_each_prev(node, &list) value = value * 10 + list_entry(node, Item, node)->number;
    EXPECT(value == 4321);
    value = 0;
    list_for_each_entry_reverse(pos, &list, node, Item) value = value * 10 + pos->number;
    EXPECT(value == 4321);
    value = 0;
    pos   = &items[1];
    list_for_each_entry_continue(pos, &list, node, Item) value = value * 10 + pos->number;
    EXPECT(value == 34);
    value = 0;
    pos   = list_prepare_entry((Item *)NULL, &list, node, Item);
    list_for_each_entry_continue(pos, &list, node, Item) value = value * 10 + pos->number;
    EXPECT(value == 1234);
    value = 0;
    pos   = &items[2];
    list_for_each_entry_continue_reverse(pos, &list, node, Item) value = value * 10 + pos->number;
    EXPECT(value == 21);
    value = 0;
    pos   = &items[1];
    list_for_each_entry_from(pos, &list, node, Item) value = value * 10 + pos->number;
    EXPECT(value == 234);

    value = 0;
    list_for_each_safe(node, next_node, &list)
    {
        value = value * 10 + list_entry(node, Item, node)->number;
        list_del(node);
    }
    EXPECT(value == 1234 && list_empty(&list));
    fill();
    value = 0;
    list_for_each_prev_safe(node, next_node, &list)
    {
        value = value * 10 + list_entry(node, Item, node)->number;
        list_del_init(node);
    }
    EXPECT(value == 4321 && list_empty(&list));
    fill();
    list_for_each_entry_safe(pos, next, &list, node, Item)
    {
        if (pos->number % 2 == 0) {
            list_del(&pos->node);
        }
    }
    EXPECT(digits() == 13);
    fill();
    value = 0;
    pos   = &items[1];
    list_for_each_entry_safe_continue(pos, next, &list, node, Item)
    {
        value = value * 10 + pos->number;
        list_del(&pos->node);
    }
    EXPECT(value == 34 && digits() == 12);
    fill();
    value = 0;
    pos   = &items[1];
    list_for_each_entry_safe_from(pos, next, &list, node, Item)
    {
        value = value * 10 + pos->number;
        list_del(&pos->node);
    }
    EXPECT(value == 234 && digits() == 1);
    fill();
    value = 0;
    list_for_each_entry_safe_reverse(pos, next, &list, node, Item)
    {
        value = value * 10 + pos->number;
        list_del(&pos->node);
    }
    EXPECT(value == 4321 && list_empty(&list));
    fill();
    pos = &items[0];
    list_del(&items[1].node);
    list_safe_reset_next(pos, next, node, Item);
    EXPECT(next == &items[2]);
}

static void changes(void)
{
    Item other;

    fill();
    list_move(&items[3].node, &list);
    EXPECT(digits() == 4123);
    list_move_tail(&items[3].node, &list);
    EXPECT(digits() == 1234);
    list_rotate_left(&list);
    EXPECT(digits() == 2341);
    EXPECT(list_is_last(&items[0].node, &list) && !list_is_last(&items[1].node, &list));
    other.number = 9;
    list_replace(&items[1].node, &other.node);
    EXPECT(digits() == 9341);
    list_replace_init(&other.node, &items[1].node);
    EXPECT(digits() == 2341 && list_empty(&other.node));
    list_add(&other.node, &list);
    EXPECT(digits() == 92341);
    INIT_LIST_HEAD(&list);
    EXPECT(!list_is_singular(&list));
    list_add(&other.node, &list);
    EXPECT(list_is_singular(&list));
}

static int checked(const void *ptr, const char *text, int number)
{
    POINTER_SANITY_CHECK(ptr, -1);
    STRING_PTR_SANITY_CHECK(text, -2);
    NUMBERIC_SANITY_CHECK(number, -3);
    return 0;
}

static int passes;

static void checked_silently(const void *ptr, const char *text, int number)
{
    POINTER_SANITY_CHECK_RTN(ptr);
    STRING_PTR_SANITY_CHECK_RTN(text);
    NUMBERIC_SANITY_CHECK_RTN(number);
    passes++;
}

static int twice(int value)
{
    IOT_FUNC_ENTRY;
    IOT_FUNC_EXIT_RC(value * 2);
}

int main(void)
{
    list_head_t *keylist, *pos;
    char        *key;
    int          seen = 0;

    walks();
    changes();

    EXPECT(checked(&seen, "a", 1) == 0 && lines == 0);
    EXPECT(checked(NULL, "a", 1) == -1 && lines == 1);
    EXPECT(checked(&seen, NULL, 1) == -2 && lines == 2);
    EXPECT(checked(&seen, "", 1) == -2 && lines == 3);
    EXPECT(checked(&seen, "a", 0) == -3 && lines == 4);
    checked_silently(&seen, "a", 1);
    checked_silently(NULL, "a", 1);
    checked_silently(&seen, "", 1);
    checked_silently(&seen, "a", 0);
    EXPECT(passes == 1 && lines == 7);

    lines = 0;
    Log_d("one");
    Log_i("%d", 2);
    Log_w("%s", STRING_PTR_PRINT_SANITY_CHECK((const char *)NULL));
    Log_e("%d %d", 4, 4);
    EXPECT(lines == 4);
    UPLOAD_DBG("nothing");
    EXPECT(lines == 4);
    UPLOAD_ERR("%d", 1);
    EXPECT(lines > 4);

    lines = 0;
    LITE_ASSERT(1 == 1);
    EXPECT(lines == 0);
    LITE_ASSERT(1 == 2);
    EXPECT(lines == 1);
    EXPECT(twice(21) == 42);

    foreach_json_keys_in("{}", key, keylist, pos)
    {
        seen = seen * 10 + (key[0] - 'a' + 1);
    }
    EXPECT(seen == 12 && keylist == &keys[0].list);
    return failures ? 1 : 0;
}
