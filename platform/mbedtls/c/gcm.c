/* AES-GCM for mbedTLS by ring, by way of gcm.rs. TLS encrypts a record at once, with a nonce of 12 bytes and a tag of 16:
 * what mbedTLS offers besides is refused. */
#include <stddef.h>
#include <string.h>

#include "common.h"

#include "mbedtls/error.h"
#include "mbedtls/gcm.h"

#define NONCE_LEN 12
#define TAG_LEN   16

/* gcm.rs */
void *iot_mbedtls_gcm_key(const unsigned char *key, size_t len);
void  iot_mbedtls_gcm_key_free(void *key);
int   iot_mbedtls_gcm_seal(const void *key, const unsigned char *nonce, const unsigned char *aad, size_t aad_len,
                           unsigned char *data, size_t len, unsigned char *tag);
int   iot_mbedtls_gcm_open(const void *key, const unsigned char *nonce, const unsigned char *aad, size_t aad_len,
                           unsigned char *data, size_t len, const unsigned char *tag);

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
    ctx->key = NULL;
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
    if (ctx != NULL) {
        iot_mbedtls_gcm_key_free(ctx->key);
        ctx->key = NULL;
    }
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher, const unsigned char *key,
                       unsigned int keybits)
{
    mbedtls_gcm_free(ctx);
    if (cipher == MBEDTLS_CIPHER_ID_AES) {
        ctx->key = iot_mbedtls_gcm_key(key, keybits / 8);
    }
    return ctx->key != NULL ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;
}

/* Whether it is what TLS asks for. */
static int is_of_tls(const mbedtls_gcm_context *ctx, size_t iv_len, size_t tag_len)
{
    return ctx->key != NULL && iv_len == NONCE_LEN && tag_len == TAG_LEN;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length, const unsigned char *iv, size_t iv_len,
                              const unsigned char *add, size_t add_len, const unsigned char *input,
                              unsigned char *output, size_t tag_len, unsigned char *tag)
{
    if (mode != MBEDTLS_GCM_ENCRYPT || !is_of_tls(ctx, iv_len, tag_len)) {
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    }
    if (length > 0 && input != output) {
        memmove(output, input, length);
    }
    return iot_mbedtls_gcm_seal(ctx->key, iv, add, add_len, output, length, tag) ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv, size_t iv_len,
                             const unsigned char *add, size_t add_len, const unsigned char *tag, size_t tag_len,
                             const unsigned char *input, unsigned char *output)
{
    unsigned char copy[TAG_LEN];
    if (!is_of_tls(ctx, iv_len, tag_len)) {
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    }
    /* It may lie where the output goes. */
    memcpy(copy, tag, TAG_LEN);
    if (length > 0 && input != output) {
        memmove(output, input, length);
    }
    return iot_mbedtls_gcm_open(ctx->key, iv, add, add_len, output, length, copy) ? 0 : MBEDTLS_ERR_GCM_AUTH_FAILED;
}

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
    (void)ctx;
    (void)mode;
    (void)iv;
    (void)iv_len;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
    (void)ctx;
    (void)add;
    (void)add_len;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input, size_t input_length, unsigned char *output,
                       size_t output_size, size_t *output_length)
{
    (void)ctx;
    (void)input;
    (void)input_length;
    (void)output;
    (void)output_size;
    (void)output_length;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output, size_t output_size, size_t *output_length,
                       unsigned char *tag, size_t tag_len)
{
    (void)ctx;
    (void)output;
    (void)output_size;
    (void)output_length;
    (void)tag;
    (void)tag_len;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}
