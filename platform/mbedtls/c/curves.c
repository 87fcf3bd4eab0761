/* mbedTLS's curves, of which P-256 and Curve25519 are multiplied by curves.rs. Keys and points that mbedTLS refuses never
 * get there, and are refused with the same codes. What ecp.c itself multiplies goes mbedTLS's way: keys that are made or
 * read, none of which a connection has. */
#include <string.h>

#include "common.h"

#include "mbedtls/ecp.h"
#include "mbedtls/platform_util.h"

/* mbedTLS's own, for the other curves; names.h has put "iot_" before them. */
#define iot_mbedtls_ecp_mul                iot_mbedtls_slow_mul
#define iot_mbedtls_ecp_mul_restartable    iot_mbedtls_slow_mul_restartable
#define iot_mbedtls_ecp_muladd_restartable iot_mbedtls_slow_muladd_restartable
#include "ecp.c"
#undef iot_mbedtls_ecp_mul
#undef iot_mbedtls_ecp_mul_restartable
#undef iot_mbedtls_ecp_muladd_restartable

/* Bytes of a scalar, and of a coordinate. */
#define LEN 32

/* curves.rs. Of P-256 the highest byte comes first, of Curve25519 the lowest. */
int  iot_mbedtls_p256_mul(const unsigned char scalar[LEN], const unsigned char point[2 * LEN],
                          unsigned char out[2 * LEN]);
int  iot_mbedtls_p256_mul_add(const unsigned char scalar[LEN], const unsigned char point[2 * LEN],
                              const unsigned char other_scalar[LEN], const unsigned char other_point[2 * LEN],
                              unsigned char out[2 * LEN]);
void iot_mbedtls_x25519(const unsigned char scalar[LEN], const unsigned char point[LEN], unsigned char out[LEN]);

static int write_point(const mbedtls_ecp_point *point, unsigned char out[2 * LEN])
{
    int rc = mbedtls_mpi_write_binary(&point->X, out, LEN);
    return rc != 0 ? rc : mbedtls_mpi_write_binary(&point->Y, out + LEN, LEN);
}

static int read_point(mbedtls_ecp_point *point, const unsigned char in[2 * LEN])
{
    int rc = mbedtls_mpi_read_binary(&point->X, in, LEN);
    if (rc == 0) {
        rc = mbedtls_mpi_read_binary(&point->Y, in + LEN, LEN);
    }
    return rc != 0 ? rc : mbedtls_mpi_lset(&point->Z, 1);
}

static int p256_mul(mbedtls_ecp_point *R, const mbedtls_mpi *m, const mbedtls_ecp_point *P)
{
    unsigned char scalar[LEN], point[2 * LEN], product[2 * LEN];
    int           rc = write_point(P, point);
    if (rc == 0) {
        rc = mbedtls_mpi_write_binary(m, scalar, LEN);
    }
    if (rc == 0) {
        rc = iot_mbedtls_p256_mul(scalar, point, product) ? read_point(R, product) : MBEDTLS_ERR_ECP_INVALID_KEY;
    }
    mbedtls_platform_zeroize(scalar, sizeof(scalar));
    mbedtls_platform_zeroize(product, sizeof(product));
    return rc;
}

static int x25519(mbedtls_ecp_point *R, const mbedtls_mpi *m, const mbedtls_ecp_point *P)
{
    unsigned char scalar[LEN], point[LEN], product[LEN];
    int           rc = mbedtls_mpi_write_binary_le(&P->X, point, LEN);
    if (rc == 0) {
        rc = mbedtls_mpi_write_binary_le(m, scalar, LEN);
    }
    if (rc == 0) {
        iot_mbedtls_x25519(scalar, point, product);
        rc = mbedtls_mpi_read_binary_le(&R->X, product, LEN);
    }
    if (rc == 0) {
        mbedtls_mpi_free(&R->Y);
        rc = mbedtls_mpi_lset(&R->Z, 1);
    }
    mbedtls_platform_zeroize(scalar, sizeof(scalar));
    mbedtls_platform_zeroize(product, sizeof(product));
    return rc;
}

int mbedtls_ecp_mul_restartable(mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_mpi *m,
                                const mbedtls_ecp_point *P, int (*f_rng)(void *, unsigned char *, size_t), void *p_rng,
                                mbedtls_ecp_restart_ctx *rs_ctx)
{
    int rc;
    if (grp->id != MBEDTLS_ECP_DP_SECP256R1 && grp->id != MBEDTLS_ECP_DP_CURVE25519) {
        return iot_mbedtls_slow_mul_restartable(grp, R, m, P, f_rng, p_rng, rs_ctx);
    }
    if ((rc = mbedtls_ecp_check_privkey(grp, m)) != 0 || (rc = mbedtls_ecp_check_pubkey(grp, P)) != 0) {
        return rc;
    }
    return grp->id == MBEDTLS_ECP_DP_SECP256R1 ? p256_mul(R, m, P) : x25519(R, m, P);
}

int mbedtls_ecp_mul(mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_mpi *m, const mbedtls_ecp_point *P,
                    int (*f_rng)(void *, unsigned char *, size_t), void *p_rng)
{
    return mbedtls_ecp_mul_restartable(grp, R, m, P, f_rng, p_rng, NULL);
}

/* R = m * P + n * Q: signatures are verified by it. Not in constant time. */
int mbedtls_ecp_muladd_restartable(mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_mpi *m,
                                   const mbedtls_ecp_point *P, const mbedtls_mpi *n, const mbedtls_ecp_point *Q,
                                   mbedtls_ecp_restart_ctx *rs_ctx)
{
    unsigned char scalars[2][LEN], points[2][2 * LEN], sum[2 * LEN];
    int           rc;
    if (grp->id != MBEDTLS_ECP_DP_SECP256R1) {
        return iot_mbedtls_slow_muladd_restartable(grp, R, m, P, n, Q, rs_ctx);
    }
    if ((rc = mbedtls_ecp_check_pubkey(grp, P)) != 0 || (rc = mbedtls_ecp_check_pubkey(grp, Q)) != 0 ||
        (rc = mbedtls_mpi_write_binary(m, scalars[0], LEN)) != 0 ||
        (rc = mbedtls_mpi_write_binary(n, scalars[1], LEN)) != 0 || (rc = write_point(P, points[0])) != 0 ||
        (rc = write_point(Q, points[1])) != 0) {
        return rc;
    }
    switch (iot_mbedtls_p256_mul_add(scalars[0], points[0], scalars[1], points[1], sum)) {
        case 1:
            return read_point(R, sum);
        case 0:
            return mbedtls_ecp_set_zero(R);
        default:
            return MBEDTLS_ERR_ECP_INVALID_KEY;
    }
}
