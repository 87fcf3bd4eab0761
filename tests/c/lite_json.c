/* LITE_json_*: dotted paths, values as they stand, malformed text. */

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"

static void check_value(char *json, char *key, const char *expected)
{
    char *value = LITE_json_value_of(key, json);

    CHECK_STR(value, expected);
    HAL_Free(value);
}

static void check_stripped(char *json, char *key, const char *expected)
{
    char *value = LITE_json_string_value_strip_transfer(key, json);

    CHECK_STR(value, expected);
    HAL_Free(value);
}

static void values(void)
{
    char json[] = "{\"type\":\"update_firmware\", \"size\": 175436, \"neg\":-2.5e3, \"yes\":true, \"no\":false,"
                  " \"nil\":null, \"empty\":\"\", \"url\":\"https:\\/\\/host\\/a?b=\\u0026\\\"\","
                  " \"deep\":{\"er\":{\"est\":\"found\"}, \"list\":[1, 2,{\"x\":\"]\"}]}}";

    check_value(json, "type", "update_firmware");
    check_value(json, "size", "175436");
    check_value(json, "neg", "-2.5e3");
    check_value(json, "yes", "true");
    check_value(json, "no", "false");
    check_value(json, "nil", "null");
    check_value(json, "empty", "");
    check_value(json, "url", "https:\\/\\/host\\/a?b=\\u0026\\\"");
    check_stripped(json, "url", "https://host/a?b=u0026\"");
    check_value(json, "deep.er.est", "found");
    check_value(json, "deep.er", "{\"est\":\"found\"}");
    check_value(json, "deep.list", "[1, 2,{\"x\":\"]\"}]");
    check_value(json, "missing", NULL);
    check_value(json, "deep.missing", NULL);
    check_value(json, "type.of", NULL);
    check_value(json, "", NULL);
    check_value(json, "est", NULL);
    check_stripped(json, "missing", NULL);
}

static void malformed(void)
{
    static char *const texts[] = {
        "",          " ",           "{",         "{\"a\"",      "{\"a\":",        "{\"a\":\"",   "{\"a\":\"b",
        "{\"a\":+5", "{\"a\":,",    "{\"a\":x}", "{\"a\":\"\\", "{\"a\":\"\\u00", "{a:1}",       "nonsense",
        "{\"a\":[1", "{\"a\":[1}}", "\"a\"",     "{\"b\":1}}",  "{\"a\":01}",     "{\"a\":tru}", "\xff\xfe",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        /* In memory of its exact size, so that valgrind sees an overrun. */
        char *copy = HAL_Malloc((uint32_t)strlen(texts[i]) + 1);
        CHECK(copy != NULL);
        if (copy == NULL) {
            return;
        }
        strcpy(copy, texts[i]);
        check_value(copy, "a", NULL);
        check_stripped(copy, "a", NULL);
        list_head_t *keys = LITE_json_keys_of(copy, "");
        LITE_json_keys_release(keys);
        HAL_Free(copy);
    }
}

/* Programs search the first bytes of a payload that is longer: what comes after the value is not looked at. */
static void cut_off(void)
{
    static char *const texts[] = {
        "{\"a\":\"b\"",   "{\"a\":\"b\",",    "{\"a\":\"b\"}}",
        "{\"a\":\"b\" x", "{\"a\":\"b\",\"c", "{\"a\":\"b\",\"c\":tru",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_value(texts[i], "a", "b");
        check_stripped(texts[i], "a", "b");
    }
    check_value("{\"a\":1", "a", "1");
    check_value("{\"o\":{\"a\":1,", "o.a", "1");
    check_value("{\"a\":1}{\"b\":2}", "b", NULL);
}

/* Nesting must not end in a stack overflow. */
static void deep(void)
{
    enum { DEPTH = 100000 };
    char *json = HAL_Malloc(DEPTH + 8);

    CHECK(json != NULL);
    if (json == NULL) {
        return;
    }
    strcpy(json, "{\"a\":");
    memset(json + 5, '[', DEPTH);
    json[5 + DEPTH] = '\0';
    check_value(json, "a", NULL);
    HAL_Free(json);
}

static void keys(void)
{
    char               json[]     = "{\"one\":1,\"two\":\"x\",\"three\":[]}";
    static const char *expected[] = {"one", "two", "three"};
    size_t             found      = 0;
    char              *key;
    list_head_t       *list;
    list_head_t       *position;

    foreach_json_keys_in (json, key, list, position) {
        CHECK(found < 3);
        if (found < 3) {
            CHECK_STR(key, expected[found]);
        }
        found++;
    }
    CHECK_INT(found, 3);
    LITE_json_keys_release(list);
}

int main(void)
{
    IOT_Log_Set_Level(eLOG_DISABLE);
    values();
    malformed();
    cut_off();
    deep();
    keys();
    return check_result();
}
