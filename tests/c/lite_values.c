/* LITE_get_*, the hex helpers, LITE_strdup and LITE_format_*. */

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"

#define CHECK_GET(function, type, text, expected)                \
    do {                                                         \
        char source[] = text;                                    \
        type value    = 0;                                       \
        CHECK_INT(function(&value, source), QCLOUD_RET_SUCCESS); \
        CHECK(value == (expected));                              \
    } while (0)

#define CHECK_REFUSED(function, type, text)                      \
    do {                                                         \
        char source[] = text;                                    \
        type value    = 42;                                      \
        CHECK_INT(function(&value, source), QCLOUD_ERR_FAILURE); \
        CHECK(value == 42);                                      \
    } while (0)

static void numbers(void)
{
    CHECK_GET(LITE_get_int32, int32_t, "-2147483648", INT32_MIN);
    CHECK_GET(LITE_get_int32, int32_t, "2147483647", INT32_MAX);
    CHECK_GET(LITE_get_int16, int16_t, "-32768", INT16_MIN);
    CHECK_GET(LITE_get_int8, int8_t, "-128", INT8_MIN);
    CHECK_GET(LITE_get_uint32, uint32_t, "4294967295", UINT32_MAX);
    CHECK_GET(LITE_get_uint16, uint16_t, "65535", UINT16_MAX);
    CHECK_GET(LITE_get_uint8, uint8_t, "255", UINT8_MAX);
    CHECK_GET(LITE_get_float, float, "2.5", 2.5f);
    CHECK_GET(LITE_get_double, double, "-1.25e2", -125.0);

    CHECK_REFUSED(LITE_get_int32, int32_t, "2147483648");
    CHECK_REFUSED(LITE_get_int16, int16_t, "32768");
    CHECK_REFUSED(LITE_get_int8, int8_t, "128");
    CHECK_REFUSED(LITE_get_uint32, uint32_t, "4294967296");
    CHECK_REFUSED(LITE_get_uint16, uint16_t, "65536");
    CHECK_REFUSED(LITE_get_uint8, uint8_t, "256");
    CHECK_REFUSED(LITE_get_int32, int32_t, "");
    CHECK_REFUSED(LITE_get_int32, int32_t, "abc");
    CHECK_REFUSED(LITE_get_float, float, "abc");
    CHECK_REFUSED(LITE_get_double, double, "");

    char yes[]   = "true";
    char no[]    = "false";
    char maybe[] = "maybe";
    bool value   = false;
    CHECK_INT(LITE_get_boolean(&value, yes), QCLOUD_RET_SUCCESS);
    CHECK(value);
    CHECK_INT(LITE_get_boolean(&value, no), QCLOUD_RET_SUCCESS);
    CHECK(!value);
    CHECK_INT(LITE_get_boolean(&value, maybe), QCLOUD_ERR_FAILURE);
}

static void hex(void)
{
    unsigned char bytes[] = {0x00, 0x9a, 0xFF};
    char          text[8];
    uint8_t       out[4];
    char          lower[] = "009aff";
    char          upper[] = "009AFF";
    char          wrong[] = "00zz";

    memset(text, '#', sizeof(text));
    LITE_hexbuf_convert(bytes, text, 3, 0);
    CHECK(memcmp(text, "009aff##", sizeof(text)) == 0);
    LITE_hexbuf_convert(bytes, text, 3, 1);
    CHECK(memcmp(text, "009AFF##", sizeof(text)) == 0);
    LITE_hexbuf_convert(bytes, text, 0, 1);
    LITE_hexbuf_convert(bytes, text, -1, 1);
    CHECK(memcmp(text, "009AFF##", sizeof(text)) == 0);

    memset(out, 0x55, sizeof(out));
    LITE_hexstr_convert(lower, out, 6);
    CHECK(memcmp(out, bytes, 3) == 0 && out[3] == 0x55);
    memset(out, 0x55, sizeof(out));
    LITE_hexstr_convert(upper, out, 6);
    CHECK(memcmp(out, bytes, 3) == 0 && out[3] == 0x55);
    memset(out, 0x55, sizeof(out));
    LITE_hexstr_convert(wrong, out, 4);
    CHECK(out[2] == 0x55 && out[3] == 0x55);
}

static void strings(void)
{
    char  longest[1025 + 1];
    char *copy = LITE_strdup("text");

    CHECK_STR(copy, "text");
    HAL_Free(copy);
    memset(longest, 'x', sizeof(longest));
    longest[1024] = '\0';
    copy          = LITE_strdup(longest);
    CHECK_STR(copy, longest);
    HAL_Free(copy);
    longest[1024] = 'x';
    longest[1025] = '\0';
    CHECK(LITE_strdup(longest) == NULL);

    copy = LITE_format_string("%s-%d", "a", 7);
    CHECK_STR(copy, "a-7");
    HAL_Free(copy);
    longest[512 + 1] = '\0';
    CHECK(LITE_format_string("%s", longest) == NULL);
    copy = LITE_format_nstring(8, "%s", "short");
    CHECK_STR(copy, "short");
    HAL_Free(copy);
    CHECK(LITE_format_nstring(-1, "%s", "short") == NULL);
}

int main(void)
{
    IOT_Log_Set_Level(eLOG_DISABLE);
    numbers();
    hex();
    strings();
    return check_result();
}
