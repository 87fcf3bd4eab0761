/* What CERT devices of the interface of 3.3.0 sign with. */
#include "../../posix/weak/hal_weak.h"

void *iot_platform_tls_load_key(const char *path);
void  iot_platform_tls_free_key(void *key);
int   iot_platform_tls_signature_len(void *key);
int   iot_platform_tls_sign(void *key, const char *data, int len, char *out);
void  iot_platform_tls_sha256(const unsigned char *data, size_t len, unsigned char *out);

HAL_WEAK void *HAL_TLS_Get_PrivateKey_FromFile(const char *privatekey_path)
{
    HAL_WHOLE(void *, iot_platform_tls_load_key(privatekey_path));
}

HAL_WEAK void HAL_TLS_Destory_PrivateKey(void *private_key)
{
    int before = hal_enter();

    iot_platform_tls_free_key(private_key);
    hal_leave(before);
}

HAL_WEAK int HAL_TLS_Get_RSASHA256_Result_Len(void *private_key)
{
    HAL_WHOLE(int, iot_platform_tls_signature_len(private_key));
}

HAL_WEAK int HAL_TLS_Calc_Sign_RSASHA256(void *private_key, char *inbuf, int inbuf_len, char *outsign)
{
    HAL_WHOLE(int, iot_platform_tls_sign(private_key, inbuf, inbuf_len, outsign));
}

HAL_WEAK void HAL_TLS_Calc_SHA256(unsigned char *inbuf, size_t inbuf_len, unsigned char *outsign)
{
    int before = hal_enter();

    iot_platform_tls_sha256(inbuf, inbuf_len, outsign);
    hal_leave(before);
}
