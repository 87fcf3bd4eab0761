/* mbedTLS's client hello, with the server name. mbedTLS takes its switch for that together with X.509 only, but this
 * much of it needs none: the switch is set after the headers, so no struct changes, and the name comes from the session.
 */
#include "common.h"

#include "ssl_misc.h"

static const char *mbedtls_ssl_get_hostname_pointer(const mbedtls_ssl_context *ssl)
{
    return ssl->user_data.p;
}

#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#include "ssl_client.c"
