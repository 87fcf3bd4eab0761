/* LITE_*, utils_* and IOT_Log_* with NULL for each pointer. */

#include "check.h"
#include "lite-utils.h"
#include "qcloud_iot_export.h"
#include "utils_getopt.h"
#include "utils_timer.h"

int main(int argc, char **argv)
{
    char          json[] = "{\"a\":1}";
    char          key[]  = "a";
    char          text[] = "1";
    unsigned char bytes[4];
    int32_t       i32;
    int16_t       i16;
    int8_t        i8;
    uint32_t      u32;
    uint16_t      u16;
    uint8_t       u8;
    float         f;
    double        d;
    bool          b;

    (void)argc;
    IOT_Log_Set_Level(eLOG_DEBUG);

    CHECK(LITE_strdup(NULL) == NULL);
    CHECK(LITE_json_value_of(NULL, json) == NULL);
    CHECK(LITE_json_value_of(key, NULL) == NULL);
    CHECK(LITE_json_string_value_strip_transfer(NULL, json) == NULL);
    CHECK(LITE_json_string_value_strip_transfer(key, NULL) == NULL);
    CHECK(LITE_json_keys_of(NULL, NULL) == NULL);
    LITE_json_keys_release(NULL);
    LITE_hexbuf_convert(NULL, text, 1, 0);
    LITE_hexbuf_convert(bytes, NULL, 1, 0);
    LITE_hexstr_convert(NULL, bytes, 1);
    LITE_hexstr_convert(text, NULL, 1);

    CHECK(LITE_get_int32(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_int32(&i32, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_int16(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_int16(&i16, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_int8(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_int8(&i8, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_uint32(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_uint32(&u32, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_uint16(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_uint16(&u16, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_uint8(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_uint8(&u8, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_float(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_float(&f, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_double(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_double(&d, NULL) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_boolean(NULL, text) != QCLOUD_RET_SUCCESS);
    CHECK(LITE_get_boolean(&b, NULL) != QCLOUD_RET_SUCCESS);

    CHECK_INT(utils_getopt(1, NULL, "a"), -1);
    CHECK_INT(utils_getopt(1, argv, NULL), -1);

    InitTimer(NULL);
    countdown(NULL, 1);
    countdown_ms(NULL, 1);
    CHECK(!expired(NULL));
    CHECK_INT(left_ms(NULL), 0);
    timestamp_to_date(0, NULL, 8);

    IOT_Log_Set_MessageHandler(NULL);
    CHECK_INT(IOT_Log_Init_Uploader(NULL), QCLOUD_ERR_INVAL);
    IOT_Log_Fini_Uploader();
    IOT_Log_Gen(NULL, NULL, 1, eLOG_ERROR, "%s", "no file, no function");
    IOT_Log_Gen("file.c", "function", 1, 99, "%s", "no such level");
    IOT_Log_Gen("file.c", "function", 1, -1, "%s", "no such level");
    HAL_Free(NULL);
    return check_result();
}
