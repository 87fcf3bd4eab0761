/*
 * Checks for the C tests. Each failed check prints its place and goes on; main ends with `return check_result();`.
 */
#ifndef TESTS_C_CHECK_H_
#define TESTS_C_CHECK_H_

#include <stdio.h>
#include <string.h>

static int check_count  = 0;
static int check_failed = 0;

#define CHECK(condition)                                                              \
    do {                                                                              \
        check_count++;                                                                \
        if (!(condition)) {                                                           \
            check_failed++;                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
        }                                                                             \
    } while (0)

#define CHECK_INT(actual, expected)                                                                     \
    do {                                                                                                \
        long long check_actual   = (long long)(actual);                                                 \
        long long check_expected = (long long)(expected);                                               \
        check_count++;                                                                                  \
        if (check_actual != check_expected) {                                                           \
            check_failed++;                                                                             \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual, check_actual, \
                    check_expected);                                                                    \
        }                                                                                               \
    } while (0)

/* Both may be NULL. */
static inline int check_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

#define CHECK_STR(actual, expected)                                                                      \
    do {                                                                                                 \
        const char *check_actual   = (actual);                                                           \
        const char *check_expected = (expected);                                                         \
        check_count++;                                                                                   \
        if (!check_same(check_actual, check_expected)) {                                                 \
            check_failed++;                                                                              \
            fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #actual,            \
                    check_actual ? check_actual : "(NULL)", check_expected ? check_expected : "(NULL)"); \
        }                                                                                                \
    } while (0)

static int check_result(void)
{
    printf("%d checks, %d failed\n", check_count, check_failed);
    return check_failed > 0 || check_count == 0;
}

#endif /* TESTS_C_CHECK_H_ */
