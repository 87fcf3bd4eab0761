/* Lines of the greatest length on their way to the log server, which is behind the program's own HAL_TCP_*. */

#include <stdlib.h>

#include "check.h"
#include "qcloud_iot_export.h"
#include "qcloud_iot_import.h"

#define MAX_LINE 1022 /* bytes of an uploaded line with its end */
#define HEAD     112  /* bytes before the lines in what is uploaded */

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"Retcode\":0}";

static char     request[8192];
static size_t   request_len, answered;
static char     seen[4][2048];
static unsigned seen_count, printed;

uintptr_t HAL_TCP_Connect(const char *host, uint16_t port)
{
    CHECK_STR(host, "devicelog.iot.cloud.tencent.com");
    CHECK_INT(port, 80);
    request_len = answered = 0;
    return 1;
}

int HAL_TCP_Disconnect(uintptr_t fd)
{
    CHECK_INT(fd, 1);
    return 0;
}

int HAL_TCP_Write(uintptr_t fd, const unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *written)
{
    (void)fd, (void)timeout_ms;
    if (len > sizeof(request) - 1 - request_len) {
        return -1;
    }
    memcpy(request + request_len, data, len);
    request_len += len;
    request[request_len] = '\0';
    *written             = len;
    return 0;
}

int HAL_TCP_Read(uintptr_t fd, unsigned char *data, uint32_t len, uint32_t timeout_ms, size_t *read)
{
    size_t rest = sizeof(answer) - 1 - answered;

    (void)fd, (void)timeout_ms;
    *read = len < rest ? len : rest;
    memcpy(data, answer + answered, *read);
    answered += *read;
    return 0;
}

void HAL_Printf(const char *format, ...)
{
    (void)format;
    printed++;
}

static bool take_line(const char *message)
{
    if (seen_count < 4) {
        snprintf(seen[seen_count++], sizeof(seen[0]), "%s", message);
    }
    return true; /* nothing is printed */
}

/* As it is uploaded: \n\f instead of \r\n. */
static void uploaded(char *text, size_t size, const char *line)
{
    size_t len = strlen(line);

    CHECK(len >= 2 && strcmp(line + len - 2, "\r\n") == 0);
    snprintf(text, size, "%.*s\n\f", (int)len - 2, line);
}

/* The lines of the last request. */
static const char *lines(void)
{
    char *body = strstr(request, "\r\n\r\n");

    CHECK(body != NULL && strlen(body + 4) >= HEAD);
    return body == NULL ? "" : body + 4 + HEAD;
}

int main(void)
{
    LogUploadInitParams params = {0};
    char                text[3000], expected[4096], part[2048];
    size_t              frame;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    params.product_id      = "PRODUCTIDX";
    params.device_name     = "device";
    params.sign_key        = "ZmFrZSBzZWNyZXQgb2YgYSBkZXZpY2U=";
    IOT_Log_Set_Level(eLOG_DEBUG);
    IOT_Log_Set_MessageHandler(take_line);
    CHECK_INT(IOT_Log_Init_Uploader(&params), QCLOUD_RET_SUCCESS);
    IOT_Log_Set_Upload_Level(eLOG_DEBUG);

    /* What stands around a text says how long it may be. */
    IOT_Log_Gen("f.c", "f", 1, eLOG_DEBUG, "%s", "short");
    frame = strlen(seen[0]) - strlen("short");
    CHECK_INT(IOT_Log_Upload(true), QCLOUD_RET_SUCCESS);
    uploaded(expected, sizeof(expected), seen[0]);
    CHECK_STR(lines(), expected);

    /* One that just fits, one that is cut, and both whole in what the server gets. */
    seen_count = 0;
    IOT_Log_Gen("f.c", "f", 1, eLOG_DEBUG, "%.*s", (int)(MAX_LINE - frame), text);
    IOT_Log_Gen("f.c", "f", 1, eLOG_DEBUG, "%s", text);
    CHECK_INT(seen_count, 2);
    CHECK_INT(strlen(seen[0]), MAX_LINE);
    CHECK_INT(strlen(seen[1]), MAX_LOG_MSG_LEN);
    CHECK_INT(IOT_Log_Upload(true), QCLOUD_RET_SUCCESS);
    uploaded(expected, sizeof(expected), seen[0]);
    uploaded(part, sizeof(part), seen[1]);
    /* What is printed may be one longer. */
    strcpy(part + MAX_LINE - 2, "\n\f");
    strcat(expected, part);
    CHECK_STR(lines(), expected);

    /* Uploaded, though neither printed nor shown to the handler. */
    seen_count = 0;
    IOT_Log_Set_Level(eLOG_DISABLE);
    IOT_Log_Gen("f.c", "f", 2, eLOG_DEBUG, "%s", "silent");
    CHECK_INT(seen_count, 0);
    CHECK_INT(IOT_Log_Upload(true), QCLOUD_RET_SUCCESS);
    CHECK(strncmp(lines(), "DBG|", 4) == 0 && strstr(lines(), "|f.c|f(2): silent\n\f") != NULL);
    CHECK_INT(printed, 0);

    IOT_Log_Fini_Uploader();
    return check_result();
}
