#ifndef QCLOUD_IOT_IMPORT_H_
#define QCLOUD_IOT_IMPORT_H_

/* What the platform provides. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "platform.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A program may define the functions below itself. With -fvisibility=hidden the shared library would not see them, and call
 * its own in their place, if they did not stand here as visible. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/** Marks an input parameter. */
#define _IN_
/** Marks an output parameter. */
#define _OU_

/** The larger of two values. May evaluate its arguments twice. */
#define Max(a, b) ((a) > (b) ? (a) : (b))
/** The smaller of two values. May evaluate its arguments twice. */
#define Min(a, b) ((a) < (b) ? (a) : (b))

@3.3 #if !defined(AUTH_WITH_NOTLS) && !defined(MAX_SIZE_OF_CLIENT_ID)
@3.3 /** Longest client id. Characters, without the NUL. */
@3.3 #define MAX_SIZE_OF_CLIENT_ID 80
@3.3 #endif
@3.3 
@rust abi/src/import.rs@
/** As HAL_Snprintf, with the arguments in ap. */
extern int HAL_Vsnprintf(char *str, const int len, const char *fmt, va_list ap);

#ifdef LOG_UPLOAD
/* Log lines that could not be uploaded, for LogUploadInitParams. Linux: in upload-fail-save.log of the working directory. */
/** Adds len bytes of log text to what is kept. Returns the bytes kept, 0 on failure. */
extern size_t HAL_Log_Save(const char *log, size_t len);
/** Reads up to len bytes of what is kept, from its beginning. Returns the bytes read, 0 on failure. */
extern size_t HAL_Log_Read(char *buf, size_t len);
/** Deletes what is kept. Returns 0, -1 on failure. */
extern int HAL_Log_Del(void);
/** Bytes that are kept. */
extern size_t HAL_Log_Get_Size(void);
#endif

#if defined(COAP_COMM_ENABLED)
/** Connects over UDP. Returns a handle, 0 on failure. */
extern uintptr_t HAL_UDP_Connect(const char *host, unsigned short port);
/** Closes a UDP handle. */
extern void HAL_UDP_Disconnect(uintptr_t fd);
/** Sends a datagram. Returns the bytes sent, negative on failure. */
extern int HAL_UDP_Write(uintptr_t fd, const unsigned char *data, unsigned int len);
/** Receives a datagram. Returns its bytes, negative on failure. */
extern int HAL_UDP_Read(uintptr_t fd, unsigned char *data, unsigned int len);
/** Receives a datagram within timeout_ms milliseconds. Returns its bytes, negative on failure. */
extern int HAL_UDP_ReadTimeout(uintptr_t fd, unsigned char *p_data, unsigned int datalen, unsigned int timeout_ms);

#if !defined(AUTH_WITH_NOTLS)
/** Parameters of a DTLS connection. */
typedef SSLConnectParams DTLSConnectParams;

/** Connects to a host and does the DTLS handshake. Returns a handle, 0 on failure. */
extern uintptr_t HAL_DTLS_Connect(DTLSConnectParams *pConnectParams, const char *host, int port);
/** Closes a DTLS connection and frees it. */
extern void HAL_DTLS_Disconnect(uintptr_t handle);
/** Sends datalen bytes; written_len tells how many went out. Returns 0 or an error code. */
extern int HAL_DTLS_Write(uintptr_t handle, const unsigned char *data, size_t datalen, size_t *written_len);
/** Receives up to datalen bytes within timeout_ms milliseconds. Returns 0 or an error code. */
extern int HAL_DTLS_Read(uintptr_t handle, unsigned char *data, size_t datalen, uint32_t timeout_ms, size_t *read_len);
#endif
#endif /* COAP_COMM_ENABLED */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* QCLOUD_IOT_IMPORT_H_ */
