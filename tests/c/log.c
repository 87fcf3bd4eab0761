/* The log line, its levels, the handler, and lines that are too long. */

#include <ctype.h>

#include "check.h"
#include "qcloud_iot_export.h"

static char     last[4096];
static unsigned lines       = 0;
static bool     log_in_turn = false;

static bool take_line(const char *message)
{
    lines++;
    snprintf(last, sizeof(last), "%s", message);
    if (log_in_turn) {
        log_in_turn = false;
        Log_e("said by the handler");
    }
    return true; /* nothing is printed */
}

/* LVL|YYYY-MM-DD HH:MM:SS|file|function(line): text */
static void check_line(const char *level, int line, const char *text)
{
    static const char pattern[] = "0000-00-00 00:00:00|";
    char              rest[2048];

    CHECK(strncmp(last, level, 3) == 0 && last[3] == '|');
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        char actual = last[4 + i];
        CHECK(pattern[i] == '0' ? isdigit((unsigned char)actual) : actual == pattern[i]);
    }
    snprintf(rest, sizeof(rest), "log.c|formats(%d): %s\r\n", line, text);
    CHECK_STR(last + 4 + strlen(pattern), rest);
}

static void formats(void)
{
    IOT_Log_Set_Level(eLOG_DEBUG);
    Log_e("error %d", 1);
    check_line("ERR", __LINE__ - 1, "error 1");
    Log_w("warning %s", "two");
    check_line("WRN", __LINE__ - 1, "warning two");
    Log_i("info %5.2f|%x", 2.5, 255);
    check_line("INF", __LINE__ - 1, "info  2.50|ff");
    Log_d("%s", "100% of %d");
    check_line("DBG", __LINE__ - 1, "100% of %d");
    IOT_Log_Gen("/some/folder/log.c", "formats", 7, eLOG_INFO, "no folder");
    check_line("INF", 7, "no folder");
}

static void levels(void)
{
    static const LOG_LEVEL all[] = {eLOG_DISABLE, eLOG_ERROR, eLOG_WARN, eLOG_INFO, eLOG_DEBUG};

    for (unsigned i = 0; i < 5; i++) {
        IOT_Log_Set_Level(all[i]);
        CHECK_INT(IOT_Log_Get_Level(), all[i]);
        CHECK_INT(g_log_print_level, all[i]);
        lines = 0;
        Log_e("x");
        Log_w("x");
        Log_i("x");
        Log_d("x");
        CHECK_INT(lines, i);
        IOT_Log_Set_Upload_Level(all[i]);
        CHECK_INT(IOT_Log_Get_Upload_Level(), all[i]);
        CHECK_INT(g_log_upload_level, all[i]);
    }
}

static void too_long(void)
{
    char text[3000];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    IOT_Log_Set_Level(eLOG_INFO);
    Log_i("%s", text);
    CHECK_INT(strlen(last), MAX_LOG_MSG_LEN);
    CHECK(strcmp(last + strlen(last) - 3, "x\r\n") == 0);
    IOT_Log_Gen(text, text, 1, eLOG_INFO, "lost");
    CHECK(strlen(last) <= MAX_LOG_MSG_LEN);
}

/* A handler may log itself. */
static void nested(void)
{
    IOT_Log_Set_Level(eLOG_INFO);
    lines       = 0;
    log_in_turn = true;
    Log_i("outer");
    CHECK(lines >= 1);
    CHECK(strstr(last, "outer") != NULL);
}

int main(void)
{
    CHECK_INT(IOT_Log_Get_Level(), eLOG_INFO);
    IOT_Log_Set_MessageHandler(take_line);
    formats();
    levels();
    too_long();
    nested();
    lines = 0;
    IOT_Log_Set_MessageHandler(NULL);
    Log_i("printed, not handled");
    CHECK_INT(lines, 0);
    return check_result();
}
